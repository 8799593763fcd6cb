// From one fetched Node.js to the next: two installs of one account share it, and upgrade one after the other. Rule: real programs, real processes; the engine alone is fake.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Digest, digestOf, hexOf } from '../../src/model/digest.ts';
import type { Runtime } from '../../src/model/runtime.ts';
import { makeOtherNode } from '../fakes/other-node.ts';
import { buildRelease, publishRelease } from '../fakes/release-builder.ts';
import { buildAcme } from '../terminal/acme.ts';

interface OneNode {
  readonly path: string;
  readonly runtime: Runtime;
}

/** One more Node.js at the host, as `publish` puts it there. */
function offerNode(folder: string, higher: number): OneNode | undefined {
  const path = join(folder, `node-${higher}`);
  const node = makeOtherNode(path, higher);
  if (node === undefined) return undefined;
  const program = readFileSync(path);
  const packed = gzipSync(program, { level: 1 });
  const [name, tag] = [`runtime-${process.platform}-${process.arch}.gz`, `runtime-node-${node}`];
  mkdirSync(join(folder, 'host/releases', tag), { recursive: true });
  writeFileSync(join(folder, 'host/releases', tag, name), packed);
  const machine = { os: process.platform as string, arch: process.arch as string };
  const unpacked = { size: program.length, sha256: digestOf(program) };
  return { path, runtime: { node, ...machine, name, tag, size: packed.length, sha256: digestOf(packed), program: unpacked } };
}

const IMAGE = { name: 'web', reference: 'registry.test/acme/web:1.0.0', digest: digestOf('manifest of web') as Digest };

test('the new one is kept with the first upgrade, the former one goes with the last that uses it, and each with its last install', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'runtime-change-'));
  const [first, second] = [offerNode(folder, 1), offerNode(folder, 2)];
  if (first === undefined || second === undefined) return context.skip('this build of Node.js cannot be given another version');
  const program = await buildAcme(folder);
  const release = async (version: string, runtimes: readonly Runtime[]): Promise<void> => {
    const compose = `name: acme\nservices:\n  web:\n    image: ${IMAGE.reference}@${IMAGE.digest}\n`;
    const built = await buildRelease({
      workspace: join(folder, 'workspace'),
      ...{ version, keys: null, operator: readFileSync(program, 'utf8') },
      files: { 'docker-compose.yml': compose, VERSION: version },
      manifest: { images: [{ ...IMAGE, platforms: [], size: 1000 }], runtime: { needs: '>=20.19', files: runtimes } },
    });
    await publishRelease(built, join(folder, 'host'));
  };
  const store = join(folder, 'shared/runtime');
  const env = { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, SLIPWAY_BIN: '', SLIPWAY_SHARED: join(folder, 'shared') };
  const call = (node: string, ...words: readonly string[]): void => {
    const argv = [program, ...words, '--yes'];
    const ran = spawnSync(node, argv, { env: { ...env, FAKE_ENGINE: join(folder, 'engine') }, encoding: 'utf8' });
    expect(ran.status, ran.stderr).toBe(0);
  };
  const at = (name: string): string[] => ['--dir', join(folder, name)];
  const usedBy = (name: string): string => JSON.parse(readFileSync(join(folder, name, '.slipway/install.json'), 'utf8')).runtime.node;
  const kept = (): string[] => readdirSync(store).sort();
  const both = [first, second].map(({ runtime }) => hexOf(runtime.program.sha256));

  await release('1.0.0', [first.runtime]);
  const words = ['--product', 'acme', '--releases', join(folder, 'host')];
  for (const name of ['one', 'two']) call(first.path, 'install', ...words, ...at(name), '--project', name);
  expect([usedBy('one'), usedBy('two'), kept()]).toEqual([first.runtime.node, first.runtime.node, both.slice(0, 1)]);

  await release('1.1.0', [second.runtime]);
  const keptFirst = join(store, both[0] ?? '', 'node');
  call(keptFirst, 'upgrade', ...at('one'));
  expect([usedBy('one'), usedBy('two'), kept()]).toEqual([second.runtime.node, first.runtime.node, [...both].sort()]);

  call(keptFirst, 'upgrade', ...at('two'));
  expect([usedBy('two'), kept()]).toEqual([second.runtime.node, both.slice(1)]);
  const keptSecond = join(store, both[1] ?? '', 'node');
  expect(execFileSync(keptSecond, ['--version'], { encoding: 'utf8' }).trim()).toBe(`v${second.runtime.node}`);

  call(keptSecond, 'uninstall', ...at('one'));
  expect(kept()).toEqual(both.slice(1));
  call(keptSecond, 'uninstall', ...at('two'));
  expect(readdirSync(folder)).not.toContain('shared');
  expect(readdirSync(folder).filter((name) => name.startsWith('slipway-'))).toEqual([]);
}, 300_000);
