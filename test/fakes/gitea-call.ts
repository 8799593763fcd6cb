// One request to the fake Gitea and its answer, with who asks. Rule: refusals have Gitea's status and wording, and come before anything is looked at.
import type { GiteaState, Token } from './gitea-state.ts';

export interface Call {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** Undefined for the anonymous. */
  readonly token: Token | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** An answer with Gitea's error body. */
export function refuse(status: number, message: string): Answer {
  return { status, body: { message, url: 'https://gitea.example/api/swagger' } };
}

export const NOT_FOUND = refuse(404, "The target couldn't be found.");

/** The JSON body of a request; fields that are missing are empty, as Go decodes them. */
export function formOf(call: Call): Record<string, unknown> {
  try {
    return JSON.parse(call.body.toString() || '{}') as Record<string, unknown>;
  } catch {
    return {};
  }
}

export function textOf(form: Record<string, unknown>, field: string): string {
  return typeof form[field] === 'string' ? form[field] : '';
}

/** What the caller may not do, or undefined. Scopes are looked at before permissions, and both before the repository's state. */
export function forbid(state: GiteaState, call: Call): Answer | undefined {
  const { token, method } = call;
  const writes = method !== 'GET' && method !== 'HEAD';
  if (token === undefined) {
    if (state.settings.private) return NOT_FOUND;
    return writes ? refuse(401, 'token is required') : undefined;
  }
  const wanted = writes ? 'write:repository' : 'read:repository';
  const granted = token.scopes.includes(wanted) || token.scopes.includes('write:repository');
  if (!granted) {
    return refuse(
      403,
      `token does not have at least one of required scope(s), required=[${wanted}], token scope=${token.scopes.join(',')}`,
    );
  }
  if (token.access === 'none') return state.settings.private ? NOT_FOUND : writes ? noWrite() : undefined;
  if (writes && token.access === 'read') return noWrite();
  return writes && state.settings.archived ? refuse(423, 'This repo is archived. You cannot modify it.') : undefined;
}

/** True when the caller sees drafts. */
export function seesDrafts({ token }: Call): boolean {
  return token !== undefined && (token.access === 'write' || token.access === 'admin');
}

/** The moment between a check and the act that rests on it. */
export function windowOf({ window }: GiteaState): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, window));
}

/** One page of a list. Only what the server's own limit allows, however much is asked for. */
export function pageOf<T>(state: GiteaState, { query }: Call, all: readonly T[]): readonly T[] {
  const size = Math.min(Number(query.get('limit') ?? 30) || 30, state.settings.pageSize);
  const page = Math.max(1, Number(query.get('page') ?? 1) || 1);
  return all.slice((page - 1) * size, page * size);
}

function noWrite(): Answer {
  return refuse(403, 'user should have a permission to write to a repo');
}
