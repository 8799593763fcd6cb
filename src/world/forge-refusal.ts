// What a forge's refusal means for a person. Rule: says which token, which permission and where to make it; never shows a token.
import { ToolError } from '../model/error.ts';
import type { ForgeAnswer } from './forge.ts';

/** What helps people whose token does not do. */
export interface ForgeAdvice {
  /** `owner/name`. */
  readonly repository: string;
  /** The environment variable that holds the token; undefined when the product file names none. */
  readonly variable: string | undefined;
  /** True when that variable is set. */
  readonly isSet: boolean;
  /** What the token must be allowed, in the forge's words. */
  readonly scope: string;
  /** The page where one is made. */
  readonly makeAt: string;
  /** Further origins that the token is meant for, such as GitHub's upload host. */
  readonly alsoTo: readonly string[];
}

export interface Refused {
  readonly answer: ForgeAnswer;
  readonly method: string;
  readonly url: URL;
  readonly name: string;
  readonly advice: ForgeAdvice;
  /** True when it is about too many requests. */
  readonly limited: boolean;
}

/** The error of an answer that is no success. */
export function forgeRefusal(refused: Refused): ToolError {
  const { answer, method, url, name, limited } = refused;
  const said = saidBy(answer);
  const what = `${name}: ${url.host} answered ${answer.status} to ${method} ${url.pathname}${said === '' ? '' : `: ${said}`}`;
  const details = { host: url.host, status: answer.status };
  if (limited) {
    return new ToolError('E_NETWORK', `${name}: ${url.host} asks for fewer requests and did not relent${said === '' ? '' : `: ${said}`}`, {
      hint: 'Run the same command again later: it goes on where it stopped.',
      details,
    });
  }
  if (answer.status === 401 || answer.status === 403) return new ToolError('E_AUTH', what, { hint: tokenHint(refused.advice), details });
  if (answer.status === 404) return new ToolError('E_NOT_FOUND', what, { hint: absentHint(refused.advice), details });
  if (answer.status === 413) return new ToolError('E_TOO_LARGE', what, { hint: 'This host takes no files of that size.', details });
  if (answer.status >= 500) {
    return new ToolError('E_NETWORK', what, { hint: `Run the same command again; check the state of ${url.host} if it stays.`, details });
  }
  return new ToolError('E_CONFIG', what, { hint: 'Mend what it says, then run the same command again.', details });
}

/** The error of a host whose token is not there, before anything is asked. */
export function tokenMissing(name: string, advice: ForgeAdvice): ToolError {
  const why = advice.variable === undefined ? 'release.hosts names no variable with a token' : `$${advice.variable} is not set`;
  return new ToolError('E_AUTH', `${name}: publishing to ${advice.repository} needs a token, and ${why}`, { hint: tokenHint(advice) });
}

function tokenHint({ variable, scope, makeAt, repository }: ForgeAdvice): string {
  return `Put a token that may ${scope} of ${repository} into $${variable ?? 'a variable, named as `token` of this host'}; make one at ${makeAt}.`;
}

function absentHint(advice: ForgeAdvice): string {
  const { repository, variable, isSet } = advice;
  const token = isSet ? `may the token in $${variable} see it` : 'a private one looks the same without a token';
  return `Is ${repository} spelled right, and ${token}? ${tokenHint(advice)}`;
}

/** The forge's own words, one line of them; what looks like a token is left out. */
function saidBy({ body, text, headers }: ForgeAnswer): string {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const errors = Array.isArray(fields.errors) ? fields.errors.map(errorText).filter((each) => each !== '') : [];
  const plain = /json|^$/.test(headers['content-type'] ?? '') || !/text\/plain/.test(headers['content-type'] ?? '') ? '' : text;
  const said = [typeof fields.message === 'string' ? fields.message : plain, ...errors].filter((each) => each !== '').join('; ');
  return said
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .replace(/\b(?:gh[opusr]_|github_pat_)\w+/g, '…')
    .slice(0, 300)
    .trim();
}

function errorText(error: unknown): string {
  if (typeof error === 'string') return error;
  if (typeof error !== 'object' || error === null) return '';
  const { resource, field, code, message } = error as Record<string, unknown>;
  return typeof message === 'string' ? message : [resource, field, code].filter((each) => typeof each === 'string').join(' ');
}
