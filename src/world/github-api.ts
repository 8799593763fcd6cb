// A repository on GitHub, and what its API calls share. Rule: only GitHub's own 404 about a thing means that the thing is absent; a repository that is not seen is an error.
import { ToolError } from '../model/error.ts';
import type { GithubAddress } from '../model/host.ts';
import { parseFields, parseText } from '../model/parse.ts';
import { type Forge, openForge } from './forge.ts';
import { type ForgeAdvice, tokenMissing } from './forge-refusal.ts';
import type { HttpWorld } from './http.ts';

export interface Github {
  readonly name: string;
  readonly forge: Forge;
  /** `repos/owner/name`. */
  readonly path: string;
  /** The repository's pages. */
  readonly web: string;
  readonly world: HttpWorld;
  /** Throws E_NOT_FOUND or E_AUTH unless the repository is seen; asked once. */
  readonly repository: () => Promise<Readonly<Record<string, unknown>>>;
  /** Throws E_AUTH when there is no token: before the first write. */
  readonly mayWrite: () => void;
  /** The header for hosts that the API itself names, such as the one for uploads. */
  readonly authorization: Readonly<Record<string, string>>;
}

const API = 'https://api.github.com';
const VERSION = '2022-11-28';

/** Opens the repository; nothing is asked yet. */
export function openGithub({ name, repository, url = API, token }: GithubAddress, world: HttpWorld): Github {
  const base = url.replace(/\/+$/, '');
  const secret = token === undefined ? undefined : world.env[token] || undefined;
  const web = webOf(base);
  const advice: ForgeAdvice = {
    ...{ repository, variable: token, isSet: secret !== undefined, alsoTo: [] },
    scope: 'read and write the contents (fine-grained: Contents; classic: repo; in GitHub Actions: permissions: contents: write)',
    makeAt: `${web}/settings/tokens`,
  };
  const authorization = secret === undefined ? undefined : `Bearer ${secret}`;
  const headers = { accept: 'application/vnd.github+json', 'x-github-api-version': VERSION };
  const forge = openForge({ base, name, authorization, advice, world, headers });
  const path = `repos/${repository}`;
  let seen: Promise<Readonly<Record<string, unknown>>> | undefined;
  return {
    ...{ name, forge, path, world, web: `${web}/${repository}` },
    repository: () => {
      seen ??= forge.call({ path }).then(({ body }) => parseFields(body, `${name}: ${path}`));
      seen.catch(() => {
        seen = undefined;
      });
      return seen;
    },
    mayWrite: () => {
      if (secret === undefined) throw tokenMissing(name, advice);
    },
    authorization: authorization === undefined ? {} : { authorization },
  };
}

/** Reads a thing that may be absent: undefined only when GitHub says so about a repository that it shows. */
export async function readIfThere(github: Github, path: string, accept?: string): Promise<unknown> {
  const headers = accept === undefined ? {} : { headers: { accept } };
  const { status, body, text } = await github.forge.call({ path: `${github.path}/${path}`, answers: [404], ...headers });
  if (status !== 404) return accept?.includes('raw') ? text : body;
  await github.repository();
  return undefined;
}

/** The id of a git object. */
export function parseObjectId(value: unknown, where: string): string {
  const id = parseText(value, where);
  if (/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(id)) return id;
  throw new ToolError('E_FORMAT', `${where}: not the id of a git object`, { hint: 'Is this the API of GitHub?' });
}

function webOf(base: string): string {
  return base === API ? 'https://github.com' : base.replace(/\/api\/v3$/, '');
}
