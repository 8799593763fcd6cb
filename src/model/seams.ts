// What this process touches of its surroundings, as interfaces. Rule: eight seams, none for files; src/world/world.ts holds the real ones.
import type { Report } from './event.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment of the child; by default this process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the child reads: text, text that is still made while the child starts, or the bytes of a file, unpacked on the way when it is gzipped. By default nothing. */
  readonly input?: string | Promise<string> | { readonly file: string; readonly gunzip?: boolean };
  /** Where the child's stdout goes instead of into `stdout`: a file created with mode 0600, synced at the end; encrypted to these public keys of age, if any. */
  readonly output?: { readonly file: string; readonly gzip?: boolean; readonly encryptTo?: readonly string[] };
  /** Called with every whole line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
  /** Ends the child, and what it started, when it is aborted or this process exits; by default a child lives to its own end. */
  readonly stop?: AbortSignal;
  /** Seconds until the child is ended; none by default. */
  readonly timeout?: number;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program without a shell. Never throws for an exit code; throws ToolError E_COMMAND when the program cannot be started. */
export type Run = (argv: readonly string[], options?: RunOptions) => Promise<RunResult>;

/**
 * What the Docker Engine says to a GET (Engine API), parsed: null = there is no such thing, undefined = docker itself must be asked. `env` is the environment
 * that docker would get.
 */
export type AskEngine = (path: string, env: Readonly<Record<string, string | undefined>>) => Promise<unknown>;

/** A question in parts, for a terminal that can redraw what it shows. */
export interface AskParts {
  readonly text: string;
  /** What Enter means, as it may be shown. */
  readonly fallback?: string;
  /** The answer is one of these. */
  readonly choices?: readonly string[];
  /** What is wrong with a line, or undefined when it can be taken. */
  readonly misfit: (line: string) => string | undefined;
}

export interface AskOptions {
  /** What is typed is not echoed. */
  readonly hidden?: boolean;
  /** The same question in parts; a plain terminal shows the line alone. */
  readonly parts?: AskParts;
}

export interface Terminal {
  /** True when a person can be asked: input and output are terminals. */
  readonly interactive: boolean;
  readonly colour: boolean;
  readonly columns: number;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** True where only lines are written and nothing is redrawn: screen readers, simple terminals. */
  readonly plain?: boolean;
  /** Asks for one line; the Escape key is the answer `<`. Throws ToolError E_INTERRUPTED on Ctrl-C or end of input. */
  readonly ask: (question: string, options?: AskOptions) => Promise<string>;
}

export interface World {
  readonly now: () => Date;
  readonly random: (bytes: number) => Buffer;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly run: Run;
  /** The Docker Engine's own socket; absent where only docker itself may be asked. */
  readonly askEngine?: AskEngine;
  readonly terminal: Terminal;
  readonly report: Report;
  /** Resolves after so many milliseconds, sooner when `stop` is aborted. */
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Aborted when a person or the system asks this process to stop. */
  readonly stop: AbortSignal;
}
