// Copying releases: fetched into the plan's own folder, and gone from there when they are published. Rule: each file by its digest, so that what was fetched before is not fetched again.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assetDifferences } from '../../model/published.ts';
import { measureFolder } from '../../world/folder-source.ts';
import { openReader } from '../../world/hosts.ts';
import type { Handler, Handlers } from '../handler.ts';

const fetchRelease: Handler<'fetch-release'> = {
  done: async ({ assets, to }, { root }) => {
    const found = await measureFolder(join(root, to));
    return found !== undefined && assetDifferences(found, assets).length === 0;
  },
  run: async ({ from, tag, assets, to }, { root, world }) => {
    const source = openReader(from, world);
    await mkdir(join(root, to), { recursive: true, mode: 0o700 });
    const there = (await measureFolder(join(root, to))) ?? [];
    for (const { name, size, sha256 } of assets) {
      if (there.some((found) => found.name === name && found.sha256 === sha256)) continue;
      const onBytes = (done: number): void => world.report({ type: 'progress', text: `${tag}: ${name}`, done, total: size, unit: 'bytes' });
      await source.download(tag, name, { to: join(root, to, name), maxBytes: size, sha256, onBytes });
    }
  },
};

const dropFetched: Handler<'drop-fetched'> = {
  done: async ({ folder }, { root }) => (await measureFolder(join(root, folder))) === undefined,
  run: async ({ folder }, { root }) => rm(join(root, folder), { recursive: true, force: true }),
};

/** The handlers of copying. */
export const copySteps = { 'fetch-release': fetchRelease, 'drop-fetched': dropFetched } satisfies Pick<
  Handlers,
  'fetch-release' | 'drop-fetched'
>;
