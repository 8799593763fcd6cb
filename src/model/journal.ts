// The journal's lines and what they add up to (contract: slipway/journal@1). Rule: the first line is frozen for ever; the journal is
// trusted about intent and undo data, never about the world.
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { type Fields, parseCount, parseFields, parseJson, parseList, parseMoment, parseText, parseType } from './parse.ts';
import type { Plan } from './plan.ts';

export const JOURNAL_TYPE = 'slipway/journal@1';

/** The first line: whoever finds an open journal runs the operator named here. */
export interface JournalHead {
  readonly type: typeof JOURNAL_TYPE;
  readonly id: string;
  readonly operation: string;
  readonly command: string;
  /** The digest of the program that wrote the plan and must recover it. */
  readonly operator: Digest;
  readonly at: string;
  readonly plan: Plan;
}

export type Saved = Readonly<Record<string, unknown>>;
export type JournalEnd = 'done' | 'undone' | 'failed';

export type JournalLine =
  | { readonly start: number; readonly saved: Saved }
  | { readonly done: number }
  | { readonly door: true }
  | { readonly back: true }
  | { readonly undo: number }
  | { readonly end: JournalEnd };

/** What the lines say so far. A step that was undone counts as never started. */
export interface JournalState {
  readonly head: JournalHead;
  readonly started: ReadonlyMap<number, Saved>;
  readonly done: ReadonlySet<number>;
  /** True once the point of no return was passed. */
  readonly door: boolean;
  /** True once the way back was begun: only back is left. */
  readonly goingBack: boolean;
  readonly end: JournalEnd | undefined;
}

/** Cuts a last line that has no newline: it was torn by a crash and never counted. */
export function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

/** Parses a journal; undefined when not even its first line is whole (nothing was begun). */
export function parseJournal(text: string, where: string): JournalState | undefined {
  const lines = wholeLines(text).split('\n').slice(0, -1);
  const [first, ...rest] = lines;
  if (first === undefined) return undefined;
  const started = new Map<number, Saved>();
  const done = new Set<number>();
  let state: Omit<JournalState, 'started' | 'done'> = {
    head: parseHead(first, `${where}:1`),
    door: false,
    goingBack: false,
    end: undefined,
  };
  rest.forEach((text, index) => {
    const line = parseLine(text, `${where}:${index + 2}`);
    if ('start' in line) started.set(line.start, line.saved);
    else if ('done' in line) done.add(line.done);
    else if ('undo' in line) {
      started.delete(line.undo);
      done.delete(line.undo);
    } else if ('door' in line) state = { ...state, door: true };
    else if ('back' in line) state = { ...state, goingBack: true };
    else state = { ...state, end: line.end };
  });
  return { ...state, started, done };
}

/** One journal line as it is stored, with its newline. */
export function printLine(line: JournalHead | JournalLine): string {
  return `${JSON.stringify(line)}\n`;
}

function parseHead(text: string, where: string): JournalHead {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, JOURNAL_TYPE, where);
  return {
    type: JOURNAL_TYPE,
    id: parseText(f.id, `${where}: id`),
    operation: parseText(f.operation, `${where}: operation`),
    command: parseText(f.command, `${where}: command`),
    operator: parseDigest(f.operator, `${where}: operator`),
    at: parseMoment(f.at, `${where}: at`),
    plan: parsePlan(f.plan, `${where}: plan`),
  };
}

/** The plan was written by this program, or by one whose digest the head names: its outline is checked, its steps are taken as they are. */
function parsePlan(value: unknown, where: string): Plan {
  const f = parseFields(value, where);
  if (f.schema !== 1)
    throw new ToolError('E_FORMAT', `${where}: unknown plan schema`, { hint: 'It was written by a newer program; use that one.' });
  parseList(f.steps, `${where}.steps`, (step, at) => parseText(parseFields(step, at).kind, `${at}.kind`));
  return value as Plan;
}

function parseLine(text: string, where: string): JournalLine {
  const f = parseFields(parseJson(text, where), where);
  if (f.start !== undefined) return { start: parseCount(f.start, where), saved: parseFields(f.saved ?? {}, where) };
  if (f.done !== undefined) return { done: parseCount(f.done, where) };
  if (f.undo !== undefined) return { undo: parseCount(f.undo, where) };
  if (f.door === true) return { door: true };
  if (f.back === true) return { back: true };
  return { end: parseEnd(f, where) };
}

function parseEnd(f: Fields, where: string): JournalEnd {
  const end = (['done', 'undone', 'failed'] as const).find((known) => known === f.end);
  if (end === undefined)
    throw new ToolError('E_FORMAT', `${where}: unknown journal line`, { hint: 'It was written by a newer program; use that one.' });
  return end;
}
