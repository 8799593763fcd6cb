// A release that was made before Slipway becomes known to it. Rule: its archive stays as it is, and nobody is ever offered it.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseManifest } from '../../src/model/manifest.ts';
import { parseVersion } from '../../src/model/version.ts';
import { type FetchedChannel, fetchChannel } from '../../src/observe/channel.ts';
import { chooseRelease, chooseUpgrade } from '../../src/observe/remote.ts';
import { openSource } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
let folder: string;
let workspace: string;
let archive: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  archive = join(folder, 'acme-0.9.0.tar.gz');
  await mkdir(workspace);
  const yaml = `schema: 1
product: acme
release:
  tag: bundle-v{version}
  formerTags: [{ tag: "v{version}", artifact: "acme-{version}.tar.gz" }]
  publicKey: ${keys.publicKey}
  hosts: { local: { type: folder, path: ${folder}/host } }
`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
  await makeArchive({ 'docker-compose.yml': 'services: {}\n', 'upgrade.sh': '#!/bin/sh\n' });
});

/** As a script made it, with an own idea of the top folder. */
async function makeArchive(files: Readonly<Record<string, string>>, words: readonly string[] = []): Promise<void> {
  const tree = join(folder, 'tree/acme-platform');
  await mkdir(tree, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(tree, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  execFileSync('tar', ['-C', join(folder, 'tree'), '--mtime=2020-01-01', '--sort=name', '-czf', archive, ...words, 'acme-platform']);
}

async function run(command: Command, positionals: string[], flags: Record<string, string | boolean> = {}): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText }, run: runProgram });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

const importIt = (flags: Record<string, string | boolean> = {}): Promise<CommandResult> =>
  run(release, ['import', archive], { as: '0.9.0', tag: 'v0.9.0', ...flags });

function look(): Promise<FetchedChannel> {
  const trust = { key: keys.publicKey, signed: true, sequences: {} };
  const source = openSource(join(folder, 'host'), quietWorld());
  return fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
}

describe('a release made before Slipway', () => {
  test('is published as it was, with a signed manifest of its files', async () => {
    expect((await importIt()).fields).toMatchObject({ version: '0.9.0', tag: 'v0.9.0', hosts: [{ name: 'local', outcome: 'published' }] });
    const published = join(folder, 'host/releases/v0.9.0');
    expect(await readFile(join(published, 'acme-0.9.0.tar.gz'))).toEqual(await readFile(archive));
    const manifest = parseManifest(await readFile(join(published, 'bundle.json'), 'utf8'));
    expect(manifest).toMatchObject({ version: '0.9.0', imported: true, images: [] });
    expect(manifest.files).toEqual([
      { path: 'docker-compose.yml', mode: '0644', size: 13, sha256: digestOf('services: {}\n'), owner: 'vendor' },
      { path: 'upgrade.sh', mode: '0755', size: 10, sha256: digestOf('#!/bin/sh\n'), owner: 'vendor' },
    ]);
    execFileSync('minisign', ['-Vm', join(published, 'bundle.json'), '-P', keys.publicKey]);
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: published });
  });

  test('is offered to nobody: neither as the latest, nor as an upgrade, nor by its name', async () => {
    await importIt();
    const found = await look();
    expect(found.channel).toMatchObject({ latest: null, releases: [{ version: '0.9.0', status: 'limited', imported: true }] });
    expect(() => chooseRelease(found, '0.9.0')).toThrow(expect.objectContaining({ code: 'E_POLICY' }));
    expect(() => chooseUpgrade(found, parseVersion('0.8.0'), { to: '0.9.0', held: [] })).toThrow(
      expect.objectContaining({ code: 'E_POLICY' }),
    );
    await buildRelease({ workspace, version: '1.0.0', keys, manifest: { tag: 'bundle-v1.0.0' } });
    await run(publish, [], { tag: 'bundle-v1.0.0' });
    expect((await look()).channel.latest).toBe('1.0.0');
    await run(release, ['yank', '1.0.0'], { reason: 'broken' });
    expect((await look()).channel.latest).toBeNull();
  });

  test('is imported once: the same archive again is success, another one is refused', async () => {
    await importIt();
    expect((await importIt()).fields.hosts).toMatchObject([{ outcome: 'already-published' }]);
    await makeArchive({ 'docker-compose.yml': 'services: { web: {} }\n' });
    await expect(importIt()).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
  });

  test('is shown as a plan first, which writes nothing', async () => {
    const { fields } = await importIt({ plan: true });
    expect(fields.plan).toMatchObject({ command: 'release import', steps: [{ kind: 'write-bundle' }] });
    await expect(look()).rejects.toMatchObject({ code: 'E_NETWORK' });
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['no archive', () => writeFile(archive, 'no archive'), 'E_ARCHIVE'],
    [
      'an archive that leads out of its folder',
      () => makeArchive({ a: 'b' }, ['--transform=s,acme-platform/a,../../evil,', '-P']),
      'E_ARCHIVE',
    ],
  ])('is refused when it is %s', async (_, prepare, code) => {
    await prepare();
    await expect(importIt()).rejects.toMatchObject({ code });
    await expect(look()).rejects.toMatchObject({ code: 'E_NETWORK' });
  });

  test('needs a version, and a tag that fits it', async () => {
    await expect(run(release, ['import', archive])).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('--as') });
    await expect(importIt({ tag: 'v0.8.0' })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(run(release, ['import', join(folder, 'absent.tar.gz')], { as: '0.9.0' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
