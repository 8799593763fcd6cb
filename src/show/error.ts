// Errors for people and for programs. Rule: a ToolError shows what is wrong and what to do; anything else is shown as the bug it is.
import { exitCodeOf, ToolError } from '../model/error.ts';

/** The lines a person reads on stderr. */
export function errorToText(error: unknown, program: string): string {
  if (error instanceof ToolError) {
    const hint = error.hint === undefined ? '' : `\n  hint: ${error.hint}`;
    return `${program}: ${error.message}${causesOf(error)}${hint}\n`;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${program}: this is a bug, please report it:\n${stack}\n`;
}

/** The fields of a JSON result with `ok: false`. */
export function errorToFields(error: unknown): Record<string, unknown> {
  const exit = exitCodeOf(error);
  if (error instanceof ToolError)
    return { ...error.details, ok: false, code: error.code, message: error.message, hint: error.hint ?? null, exit };
  return { ok: false, code: 'E_BUG', message: error instanceof Error ? error.message : String(error), hint: 'Please report this.', exit };
}

/** What was said already is not said again: an error often has its cause's message in its own, and who interrupted knows it. */
function causesOf(error: ToolError): string {
  const lines: string[] = [];
  let said = error.message;
  for (let cause = error.cause; cause instanceof ToolError; cause = cause.cause) {
    const isKnown = said.includes(cause.message) || (cause.code === 'E_INTERRUPTED' && error.code === 'E_INTERRUPTED');
    if (!isKnown) lines.push(`\n  because: ${cause.message}${logOf(cause)}`);
    said = cause.message;
  }
  if (error.cause instanceof AggregateError) {
    for (const each of error.cause.errors) lines.push(`\n  because: ${each instanceof Error ? each.message : String(each)}`);
  }
  if (lines.length > 0 || error.cause === undefined || error.cause instanceof ToolError) return lines.join('');
  const { reason } = error.details; // nobody foresaw it, so it has no better words
  return typeof reason === 'string' && !said.includes(reason) ? `\n  because: ${reason}` : '';
}

/** The end of a service's log, where one was kept. */
function logOf(error: ToolError): string {
  const { log } = error.details;
  if (typeof log !== 'string' || log.trim() === '') return '';
  return `\n    ${log.trim().split('\n').slice(-8).join('\n    ')}`;
}
