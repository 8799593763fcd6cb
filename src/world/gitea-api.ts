// One repository on Gitea or Forgejo. Rule: only a true 404 inside a repository that is there means "absent"; a write that failed is settled by reading.

import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { GiteaAddress } from '../model/host.ts';
import { parseFields } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { type Forge, type ForgeAnswer, type ForgeRequest, openForge } from './forge.ts';
import { type ForgeAdvice, tokenMissing } from './forge-refusal.ts';
import type { HttpWorld } from './http.ts';

export type GiteaWorld = HttpWorld & Pick<World, 'run'>;

export interface Gitea {
  /** The host's name in the product file. */
  readonly name: string;
  /** The repository's web page, without a slash at the end. */
  readonly page: string;
  /** The server's web pages, without a slash at the end. */
  readonly web: string;
  /** The repository below the API's base. */
  readonly path: string;
  readonly forge: Forge;
  readonly world: GiteaWorld;
  readonly advice: ForgeAdvice;
  /** Throws unless the repository is there and may be seen; asked once. */
  readonly seen: () => Promise<void>;
  /** Digests by an attachment's uuid: its content never changes. */
  readonly measured: Map<string, Digest>;
}

const MOST_PAGES = 1000;
/** Answers that leave open what was done, besides a lost connection. */
const OPEN: readonly number[] = [409, 422, 500, 502, 503, 504];

/** Opens the repository; nothing is asked yet. */
export function openGitea(address: GiteaAddress, world: GiteaWorld): Gitea {
  const web = address.url.replace(/\/+$/, '');
  const token = address.token === undefined ? undefined : world.env[address.token] || undefined;
  const advice: ForgeAdvice = {
    repository: address.repository,
    variable: address.token,
    isSet: token !== undefined,
    scope: 'write the code and releases (scope write:repository)',
    makeAt: `${web}/user/settings/applications`,
    alsoTo: [],
  };
  const authorization = token === undefined ? undefined : `token ${token}`;
  const forge = openForge({ base: `${web}/api/v1`, name: address.name, authorization, advice, world });
  const path = `repos/${pathOf(address.repository)}`;
  let seen: Promise<unknown> | undefined;
  return {
    name: address.name,
    page: `${web}/${pathOf(address.repository)}`,
    web,
    path,
    forge,
    world,
    advice,
    seen: async () => {
      seen ??= forge.call({ path });
      await seen.catch((error: unknown) => {
        seen = undefined;
        throw error;
      });
    },
    measured: new Map(),
  };
}

/** Throws E_AUTH when there is no token to write with. */
export function needToken({ name, advice }: Gitea): void {
  if (!advice.isSet) throw tokenMissing(name, advice);
}

/** What lies at a path below the repository, or undefined when the repository has no such thing. */
export async function getFrom(gitea: Gitea, path: string): Promise<unknown> {
  const { status, body } = await gitea.forge.call({ path: `${gitea.path}/${path}`, answers: [404] });
  if (status !== 404) return body;
  await gitea.seen();
  return undefined;
}

/** All pages of a listing. The server caps their length as it likes, and tags come without `Link`: the count or an empty page ends it. */
export async function listFrom(gitea: Gitea, path: string): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const { body, headers } = await gitea.forge.call({ path: `${gitea.path}/${path}?page=${page}&limit=50` });
    if (!Array.isArray(body)) throw new ToolError('E_FORMAT', `${gitea.name}: ${path} gave no list`, { hint: 'Is the url that of Gitea?' });
    all.push(...body);
    const total = Number(headers['x-total-count'] ?? Number.NaN);
    if (body.length === 0 || all.length >= total) return all;
  }
  throw new ToolError('E_TOO_LARGE', `${gitea.name}: ${path} has more than ${MOST_PAGES} pages`, {
    hint: 'Remove what is not needed there.',
  });
}

/**
 * Sends a write that the caller settles by reading: gives the answer, one of `answers` or of those that leave it open, or the E_NETWORK that did.
 * Throws for every other refusal.
 */
export async function attempt(gitea: Gitea, request: ForgeRequest): Promise<ForgeAnswer | ToolError> {
  const { path, answers = [], ...rest } = request;
  try {
    return await gitea.forge.call({ ...rest, path: `${gitea.path}/${path}`, answers: [...OPEN, ...answers] });
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return error;
    throw error;
  }
}

/** The error of an attempt that reading back did not turn into a success. */
export function failureOf(gitea: Gitea, what: string, tried: ForgeAnswer | ToolError): ToolError {
  if (tried instanceof ToolError) return tried;
  const { status } = tried;
  const host = new URL(gitea.web).host;
  const hint =
    status >= 500
      ? `Run the same command again; check the state of ${host} if it stays.`
      : 'Mend what it says, then run the same command again.';
  return new ToolError(status >= 500 ? 'E_NETWORK' : 'E_CONFIG', `${gitea.name}: ${what} failed (HTTP ${status})${saidBy(tried)}`, {
    hint,
    details: { host, status },
  });
}

/** What Gitea said, for the end of a message. */
export function saidBy({ body }: ForgeAnswer): string {
  const fields = typeof body === 'object' && body !== null ? parseFields(body, 'answer') : {};
  const message = typeof fields.message === 'string' ? fields.message.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim() : '';
  return message === '' ? '' : `: ${message.slice(0, 300)}`;
}

/** Waits before the next try: longer each time, never the same for two who began together. */
export async function pause({ world }: Gitea, tries: number): Promise<void> {
  await world.sleep(Math.round(Math.min(2000, 60 * tries) * (0.5 + world.random(1).readUInt8(0) / 255)));
  if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Run the same command again to continue.' });
}

/** A path whose parts are encoded. */
export function pathOf(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
