// Manifests of registries, kept on this machine by their digests. Rule: a manifest never changes, so a kept one is right or it is not used; no more than a cache,
// so nothing that goes wrong with it is an error.
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, hexOf } from '../model/digest.ts';
import type { World } from '../model/seams.ts';

export interface KeptManifests {
  /** The bytes with this digest, or undefined. */
  readonly read: (digest: Digest) => Buffer | undefined;
  readonly keep: (digest: Digest, bytes: Buffer) => Promise<void>;
}

const LARGEST = 1024 * 1024;
/** Above this many, the older half is dropped. */
const MOST = 4000;

/** Below XDG_CACHE_HOME, else ~/.cache (XDG Base Directory Specification); without either nothing is kept. */
export function openKeptManifests({ env, random }: Pick<World, 'env' | 'random'>): KeptManifests {
  const caches = env.XDG_CACHE_HOME || (env.HOME && join(env.HOME, '.cache'));
  if (!caches) return { read: () => undefined, keep: async () => undefined };
  const folder = join(caches, 'slipway', 'manifests');
  let prepared: Promise<void> | undefined;
  const prepare = async (): Promise<void> => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await dropOldest(folder);
  };
  return {
    read: (digest) => {
      const bytes = readSmall(join(folder, hexOf(digest)));
      return bytes !== undefined && digestOf(bytes) === digest ? bytes : undefined;
    },
    keep: async (digest, bytes) => {
      if (bytes.length > LARGEST) return;
      prepared ??= prepare();
      const part = join(folder, `.${random(8).toString('hex')}`);
      try {
        await prepared;
        await writeFile(part, bytes, { mode: 0o600, flag: 'wx' });
        await rename(part, join(folder, hexOf(digest)));
      } catch {
        await rm(part, { force: true }).catch(() => undefined);
      }
    },
  };
}

/** At once: four turns through the event loop take longer than a few kilobytes. */
function readSmall(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

async function dropOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= MOST) return;
  const ages = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  const oldest = ages.sort((a, b) => a.at - b.at).slice(0, names.length - MOST / 2);
  for (const { name } of oldest) await rm(join(folder, name), { force: true });
}
