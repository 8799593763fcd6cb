// What a person decides about files that they and a release both changed. Rule: a choice for one file beats the one for all.
import { ToolError } from './error.ts';
import type { Side } from './value-merge.ts';

/** A side, or a file that holds what the person merged. */
export type Choice = Side | { readonly file: string };

export interface Choices {
  readonly all: Side | undefined;
  readonly files: ReadonlyMap<string, Choice>;
}

const SIDES: readonly string[] = ['mine', 'vendor'] satisfies Side[];

/** Reads the values of --on-conflict: `mine`, `vendor`, `PATH=mine`, `PATH=vendor` or `PATH=FILE`. Throws E_USAGE. */
export function parseChoices(values: readonly string[]): Choices {
  let all: Side | undefined;
  const files = new Map<string, Choice>();
  for (const value of values) {
    const cut = value.indexOf('=');
    const [path, what] = cut === -1 ? ['', value] : [value.slice(0, cut), value.slice(cut + 1)];
    if (cut === -1 && isSide(what)) all = what;
    else if (path !== '' && what !== '') files.set(path, isSide(what) ? what : { file: what });
    else throw wrongChoice(value);
  }
  return { all, files };
}

/** The choice for one file, if there is any. */
export function choiceFor({ all, files }: Choices, path: string): Choice | undefined {
  return files.get(path) ?? all;
}

/** Throws E_USAGE for a choice about a file that is in no conflict: a slip of the pen must not look like a decision. */
export function refuseIdleChoices({ files }: Choices, inConflict: readonly string[]): void {
  const idle = [...files.keys()].filter((path) => !inConflict.includes(path));
  if (idle.length === 0) return;
  throw new ToolError('E_USAGE', `--on-conflict names ${idle.join(', ')}, which no conflict is about`, {
    hint: inConflict.length === 0 ? 'There is no conflict: leave the flag out.' : `Both sides changed ${inConflict.join(', ')}.`,
  });
}

function isSide(text: string): text is Side {
  return SIDES.includes(text);
}

function wrongChoice(value: string): ToolError {
  return new ToolError('E_USAGE', `--on-conflict does not take ${JSON.stringify(value)}`, {
    hint: 'Write mine or vendor for all files, or PATH=mine, PATH=vendor, PATH=FILE for one.',
  });
}
