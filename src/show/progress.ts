// Events as lines on stderr while work is going on. Rule: in a terminal the line of the running amount is redrawn; elsewhere one line a step.
import type { Event, Report } from '../model/event.ts';
import { printImageRef } from '../model/image.ts';
import type { Terminal } from '../model/seams.ts';
import { sizeToText } from '../model/units.ts';

type Progress = Extract<Event, { type: 'progress' }>;

/** A report that writes for people. Amounts are redrawn at most ten times a second. */
export function humanReport(terminal: Terminal, now: () => number): Report {
  let pending = false;
  let last = 0;
  let first: { readonly text: string; readonly at: number } | undefined;
  const line = (text: string): void => {
    terminal.err(`${pending ? '\r\u001b[K' : ''}${text}\n`);
    pending = false;
  };
  const amount = (event: Progress): void => {
    if (!terminal.interactive || terminal.plain === true || now() - last < 100) return;
    last = now();
    if (first?.text !== event.text) first = { text: event.text, at: now() };
    terminal.err(`\r\u001b[K  ${amountToText(event, (now() - first.at) / 1000)}`.slice(0, terminal.columns + 4));
    pending = true;
  };
  const show = (event: Event): void => {
    if (event.type === 'seen') show(event.event);
    else if (event.type === 'progress') amount(event);
    else for (const text of linesOf(event, terminal.colour)) line(text);
  };
  return show;
}

/** A report that writes one JSON object a line. */
export function jsonReport(terminal: Terminal): Report {
  return (event) => terminal.out(`${JSON.stringify(event.type === 'seen' ? event.event : event)}\n`);
}

/** `pulling images 12.3 MB of 48.2 MB, 5.1 MB/s`. */
export function amountToText(event: Progress, seconds: number): string {
  const total = event.total === undefined ? '' : ` of ${count(event.total, event.unit)}`;
  const rate = event.unit === 'bytes' && seconds > 0.5 ? event.done / seconds : 0;
  const speed = rate > 0 ? `, ${count(rate, 'bytes')}/s` : '';
  const left = rate > 0 && event.total !== undefined && seconds > 3 ? `, ${timeLeft((event.total - event.done) / rate)} left` : '';
  return `${event.text} ${count(event.done, event.unit)}${total}${speed}${left}`;
}

function timeLeft(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

function count(amount: number, unit: Progress['unit']): string {
  if (unit === 'items') return String(amount);
  if (unit === 'seconds') return `${Math.round(amount)} s`;
  return sizeToText(amount);
}

function linesOf(event: Event, colour: boolean): string[] {
  switch (event.type) {
    case 'phase':
      return [bold(event.text, colour)];
    case 'step':
      return [`${event.direction === 'back' ? '  undoing: ' : `  [${event.index + 1}/${event.of}] `}${event.why}`];
    case 'note':
      return [`  ${event.text}`];
    case 'image':
      return event.outcome === 'failed' ? [`  ${printImageRef(event.destination)}: ${event.error ?? 'failed'}`] : [];
    case 'build':
      return [`  ${event.name}: ${event.error ?? `${event.outcome} in ${event.seconds} s`}`];
    case 'deleted':
      return event.error === null ? [] : [`  ${printImageRef(event.image)} ${event.digest.slice(0, 19)}: ${event.error}`];
    case 'warning':
      return [`  warning: ${event.text}`, ...(event.hint === undefined ? [] : [`    hint: ${event.hint}`])];
    case 'output':
      return [`    ${event.source} | ${event.line}`];
    default:
      return [];
  }
}

function bold(text: string, colour: boolean): string {
  return colour ? `\u001b[1m${text}\u001b[0m` : text;
}
