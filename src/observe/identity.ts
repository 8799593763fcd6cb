// Who reserves and publishes. Rule: the same person or CI run, tried again, is the same identity.
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../model/error.ts';
import { stateFolder } from '../model/layout.ts';
import type { World } from '../model/seams.ts';

/** The CI run without its attempt, else a random id that the workspace keeps in `.slipway/identity`; `planOnly` leaves no file. */
export async function observeIdentity(root: string, world: Pick<World, 'env' | 'random'>, planOnly = false): Promise<string> {
  const run = identityOfRun(world.env);
  if (run !== undefined) return run;
  const path = join(stateFolder(root), 'identity');
  const stored = await readIdentity(path);
  if (stored !== undefined) return stored;
  const fresh = `id:${world.random(16).toString('hex')}`;
  return planOnly ? fresh : storeIdentity(path, fresh, world);
}

/** The identity of a GitHub or Gitea Actions run; undefined outside of them. */
export function identityOfRun(env: World['env']): string | undefined {
  const { GITHUB_SERVER_URL: server = '', GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  const isGitea = env.GITEA_ACTIONS === 'true' || env.FORGEJO_ACTIONS === 'true';
  if ((env.GITHUB_ACTIONS !== 'true' && !isGitea) || !repository || !run) return undefined;
  const host = server.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const place = host === '' || host === 'github.com' ? repository : `${host}/${repository}`;
  return `ci:${isGitea ? 'gitea' : 'github'}:${place}:run:${run}`;
}

async function readIdentity(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return /^id:[0-9a-f]{32}$/.test(text) ? text : undefined; // anything else was cut short, and never used
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Stores the id unless another process was first; then that one counts. */
async function storeIdentity(path: string, fresh: string, world: Pick<World, 'random'>): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${world.random(6).toString('hex')}`;
  await writeFile(temporary, `${fresh}\n`, { flag: 'wx', mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    if ((await readIdentity(path)) === undefined) await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return (await readIdentity(path)) ?? fresh;
}
