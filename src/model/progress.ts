// What a command at work writes down for whoever looks on (`.slipway/progress.ndjson`). Rule: a line that is not known is no line; it was written by another program.
import type { Event } from './event.ts';
import { type LockRecord, parseWhereabouts } from './lock.ts';
import { type Fields, parseCount, parseFields, parseFlag, parseJson, parseText } from './parse.ts';

/** How a command ended: the last line of its `--json`, with what a person was told. */
export interface EndedRun {
  readonly command: string;
  readonly ok: boolean;
  readonly exit: number;
  readonly text: string;
  /** UTC, RFC 3339. */
  readonly at: string;
  /** The fields of its JSON result. */
  readonly fields: Fields;
}

/** The process that writes. */
export type Worker = Omit<LockRecord, 'nonce'>;

export type ProgressLine = { readonly begun: Worker } | { readonly event: Event } | { readonly ended: EndedRun };

/** One line of the file, with its newline. */
export function printProgress(event: Event, at: string): string {
  return `${JSON.stringify({ at, ...event })}\n`;
}

/** The last line of the file, and the whole of `result.json`. */
export function endToJson({ command, ok, exit, text, at, fields }: EndedRun): Fields {
  return { type: 'result', command, ok, ...fields, exit, text, at };
}

/** Parses one whole line; undefined for what this program does not know. Throws E_FORMAT for what is no JSON object. */
export function parseProgress(line: string, where: string): ProgressLine | undefined {
  const { at, ...f } = parseFields(parseJson(line, where), where);
  if (f.type === 'begun') return { begun: parseWorker(f, where) };
  if (f.type === 'result') return { ended: parseEnd(f, parseText(at, `${where}: at`), where) };
  const event = parseEvent(f, where);
  return event === undefined ? undefined : { event };
}

function parseWorker(f: Fields, where: string): Worker {
  return {
    command: parseText(f.command, `${where}: command`),
    pid: parseCount(f.pid, `${where}: pid`),
    started: parseText(f.started, `${where}: started`),
    boot: parseText(f.boot, `${where}: boot`),
    since: parseText(f.since, `${where}: since`),
    ...parseWhereabouts(f, where),
  };
}

function parseEnd({ type: _, command, ok, exit, text, ...fields }: Fields, at: string, where: string): EndedRun {
  return {
    command: parseText(command, `${where}: command`),
    ok: parseFlag(ok, `${where}: ok`),
    exit: parseCount(exit, `${where}: exit`),
    text: parseText(text, `${where}: text`),
    at,
    fields,
  };
}

function parseEvent(f: Fields, where: string): Event | undefined {
  const text = (name: string): string => parseText(f[name], `${where}: ${name}`);
  const number = (name: string): number => parseCount(f[name], `${where}: ${name}`);
  const direction = f.direction === 'back' ? 'back' : 'forward';
  switch (f.type) {
    case 'phase':
    case 'note':
      return { type: f.type, text: text('text') };
    case 'warning':
      return { type: 'warning', text: text('text'), ...(f.hint === undefined ? {} : { hint: text('hint') }) };
    case 'step':
      return { type: 'step', index: number('index'), of: number('of'), kind: text('kind'), why: text('why'), direction };
    case 'step-done':
      return { type: 'step-done', index: number('index'), direction };
    case 'output':
      return { type: 'output', source: text('source'), line: text('line') };
    case 'progress': {
      const unit = f.unit === 'bytes' || f.unit === 'seconds' ? f.unit : 'items';
      return {
        type: 'progress',
        text: text('text'),
        done: Number(f.done),
        ...(f.total === undefined ? {} : { total: Number(f.total) }),
        unit,
      };
    }
    default:
      return undefined;
  }
}
