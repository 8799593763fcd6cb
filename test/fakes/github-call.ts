// One request to the fake GitHub and its answer. Rule: refusals have GitHub's status and wording; without a token a private repository is absent.
import type { GithubState } from './github-state.ts';

export interface Call {
  readonly method: string;
  /** Below `/repos/acme/acme/` for the API, decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** True when the token may write. */
  readonly writes: boolean;
  readonly base: string;
  /** The other origin: uploads and downloads. */
  readonly elsewhere: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export function refuse(status: number, message: string): Answer {
  return { status, body: { message, documentation_url: 'https://docs.github.com/rest', status: String(status) } };
}

export const NOT_FOUND = refuse(404, 'Not Found');

export function validation(resource: string, field: string, code = 'custom'): Answer {
  return { status: 422, body: { message: 'Validation Failed', errors: [{ resource, field, code }] } };
}

export function formOf(call: Call): Record<string, unknown> {
  return JSON.parse(call.body.toString() || '{}') as Record<string, unknown>;
}

export function textOf(form: Record<string, unknown>, field: string): string {
  return typeof form[field] === 'string' ? form[field] : '';
}

/** One page, with the address of the next in `Link`. */
export function pageOf(state: GithubState, call: Call, all: readonly unknown[]): Answer {
  const size = Math.min(Number(call.query.get('per_page') ?? 30), state.settings.pageSize);
  const page = Number(call.query.get('page') ?? 1);
  const body = all.slice((page - 1) * size, page * size);
  if (page * size >= all.length) return { status: 200, body };
  const query = new URLSearchParams(call.query);
  query.set('page', String(page + 1));
  const next = `${call.base}/repos/acme/acme/${call.path}?${query}`;
  return { status: 200, body, headers: { link: `<${next}>; rel="next", <${next}>; rel="last"` } };
}
