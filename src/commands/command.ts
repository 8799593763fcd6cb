// What a command is. Rule: every command looks at the world, decides what to change, shows the decision, and carries it out one recorded step at a time.
import { ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';

export interface Flag {
  readonly type: 'string' | 'boolean';
  readonly help: string;
  /** The placeholder of a string flag in the help: `--to VERSION`. */
  readonly value?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
}

export type FlagTable = Readonly<Record<string, Flag>>;

/** Flags as parsed: read them with `textFlag`, `textFlags` and `isSet`. */
export type Flags = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

export interface Context {
  readonly world: World;
  readonly flags: Flags;
  readonly positionals: readonly string[];
  /** `slipway` or the product's own operator command, for hints. */
  readonly program: string;
  /** The file that this program runs from. Absolute. */
  readonly file: string;
}

export interface CommandResult {
  /** The fields of the JSON result (contract/commands.md). */
  readonly fields: Readonly<Record<string, unknown>>;
  /** What a person reads on stdout; empty when there is nothing to say. */
  readonly text: string;
  /** 0 unless the command says otherwise, for example 4 for `--exit-code`. */
  readonly exit?: number;
  /** Another program did the work and printed the result. */
  readonly handedOver?: boolean;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** The positional arguments in the usage line, for example `FILE…`. */
  readonly usage?: string;
  readonly flags: FlagTable;
  readonly run: (context: Context) => Promise<CommandResult>;
}

/** Flags that every command knows. */
export const COMMON_FLAGS = {
  json: { type: 'boolean', help: 'events as JSON lines on stdout, the result last' },
  plain: { type: 'boolean', help: 'lines only, nothing is redrawn: for screen readers and simple terminals' },
  help: { type: 'boolean', help: 'this text' },
} as const satisfies FlagTable;

/** Flags of every command that changes something. */
export const CHANGING_FLAGS = {
  plan: { type: 'boolean', help: 'show what would be done, and stop' },
  'dry-run': { type: 'boolean', help: 'the same as --plan' },
  yes: { type: 'boolean', help: 'do not ask before changing anything' },
  'exit-code': { type: 'boolean', help: 'with --plan: exit 4 when there is something to do' },
} as const satisfies FlagTable;

export function isSet(flags: Flags, name: string): boolean {
  return flags[name] === true;
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** All values of a flag that may be given several times. */
export function textFlags(flags: Flags, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/** Throws E_USAGE when a command that takes no arguments was given some. */
export function refusePositionals(context: Context): void {
  const [first] = context.positionals;
  if (first === undefined) return;
  throw new ToolError('E_USAGE', `unexpected argument ${JSON.stringify(first)}`, { hint: `See \`${context.program} help\`.` });
}

/** True when the command must only show. */
export function isPlanOnly({ flags }: Pick<Context, 'flags'>): boolean {
  return isSet(flags, 'plan') || isSet(flags, 'dry-run');
}
