// A product that somebody runs without us, on the machine of an install stage. Rule: made as a person makes it, with files and Compose, and nothing of ours in its folder.
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { adopt } from '../../src/commands/operator/adopt.ts';
import type { Digest } from '../../src/model/digest.ts';
import { type InstallRecord, parseInstall } from '../../src/model/install.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { fileNode } from './file-tree.ts';
import { COMPOSE, type InstallStage, imageOf, PRODUCT, PRODUCT_FILES, type Ran } from './install-stage.ts';

export interface FoundInstall {
  /** Files below the install's folder. */
  readonly lay: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** `docker compose up -d` by hand for these services; `folder` is another one than the install's. */
  readonly up: (services: readonly string[], options?: { readonly folder?: string; readonly words?: readonly string[] }) => Promise<void>;
  /** `adopt` with what the product's own page says. */
  readonly take: (flags?: Parameters<InstallStage['run']>[1], parts?: Parameters<InstallStage['run']>[2]) => Promise<Ran>;
  /** Everything the engine says of its containers; equal = none was touched. */
  readonly containers: () => unknown;
  /** Path, mode, inode and time of all that is not ours; equal = none was touched. */
  readonly tree: () => string;
  readonly read: (path: string) => Promise<string>;
  readonly record: () => Promise<InstallRecord>;
}

export const FOUND_ENV = '# mine, since 2021\nDB_PASSWORD="old secret"   # never change\nPORT=19090\nMY_OWN=thing\n';
export const RELEASE_FILES: Readonly<Record<string, string>> = { ...PRODUCT_FILES, VERSION: '1.0.0\n' };
/** The next release: another image of api, and other files. */
export const NEXT_FILES: Readonly<Record<string, string>> = {
  ...PRODUCT_FILES,
  'docker-compose.yml': COMPOSE.replaceAll(imageOf('api').pinned, imageOf('api', '2').pinned),
  VERSION: '1.1.0\n',
  'configs/more.conf': 'shipped anew\n',
  'configs/new.conf': 'new\n',
};

/** What the next release's manifest says otherwise. */
export function nextImages(): Pick<Manifest, 'images'> {
  const [reference = '', digest = ''] = imageOf('api', '2').pinned.split('@');
  const next = { name: 'api', reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
  return { images: (PRODUCT.images ?? []).map((image) => (image.name === 'api' ? next : image)) };
}

export function foundInstall(stage: InstallStage): FoundInstall {
  const { root, engine } = stage;
  const pullByHand = (): void => {
    const { images } = engine.state();
    for (const [name, major] of [
      ['db', '1'],
      ['api', '1'],
      ['api', '2'],
    ] as const) {
      const { pinned, id } = imageOf(name, major);
      images.set(pinned, id).set(pinned.replace(/@.*/, ''), id); // as `docker pull NAME:TAG` leaves it
    }
  };
  return {
    lay: async (files) => {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), text);
      }
    },
    up: async (services, { folder = root, words = ['--file', join(folder, 'docker-compose.yml')] } = {}) => {
      pullByHand();
      const argv = ['docker', 'compose', '--project-directory', folder, '--env-file', join(folder, '.env'), ...words];
      const flags = ['up', '--detach', '--no-deps', '--no-build', '--pull', 'never', ...services];
      const { code, stderr } = await engine.client()([...argv, ...flags], { env: {} });
      expect(code, stderr).toBe(0);
      for (const volume of engine.state().volumes.values()) volume.tree.set('rows', fileNode('row 1', 0o600, 999));
    },
    take: (flags = {}, parts = {}) => stage.run(adopt, { yes: true, product: 'acme', releases: [stage.host], ...flags }, parts),
    containers: () => [...engine.state().containers.values()].map(({ age: _, ...container }) => structuredClone(container)),
    tree: () => {
      const find = 'find . -mindepth 1 -path ./.slipway -prune -o -mindepth 1 -printf "%P %m %i %T@ %l\\n" | sort';
      return execFileSync('sh', ['-c', find], { cwd: root, encoding: 'utf8' });
    },
    read: (path) => readFile(join(root, path), 'utf8'),
    record: async () => parseInstall(await readFile(join(root, '.slipway/install.json'), 'utf8'), 'install.json'),
  };
}
