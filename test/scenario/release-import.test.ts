// A release that was made before Slipway becomes known to it. Rule: its archive stays as it is, and nobody is ever offered it.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { chooseRelease } from '../../src/model/choose-release.ts';
import { digestOf } from '../../src/model/digest.ts';
import { type Manifest, parseManifest } from '../../src/model/manifest.ts';
import { parseVersion } from '../../src/model/version.ts';
import { type FetchedChannel, fetchChannel } from '../../src/observe/channel.ts';
import { observePrevious } from '../../src/observe/previous.ts';
import { type FetchedRelease, fetchRelease, readReleaseText } from '../../src/observe/release.ts';
import { findPath } from '../../src/plan/path.ts';
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
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, name)), { recursive: true });
    await writeFile(join(tree, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  }
  execFileSync('tar', ['-C', join(folder, 'tree'), '--mtime=2020-01-01', '--sort=name', '-czf', archive, ...words, 'acme-platform']);
}

async function run(command: Command, positionals: string[], flags: Record<string, string | boolean> = {}): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText }, run: runProgram });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

const importIt = (flags: Record<string, string | boolean> = {}): Promise<CommandResult> =>
  run(release, ['import', archive], { version: '0.9.0', tag: 'v0.9.0', ...flags });

async function fetch(cache: string): Promise<FetchedRelease> {
  const { channel, source } = await look();
  const [only] = channel.releases;
  if (only === undefined) throw new Error('nothing is published');
  return fetchRelease({ source, release: only, product: 'acme', trust: { key: keys.publicKey, signed: true }, cache });
}

function look(): Promise<FetchedChannel> {
  const trust = { key: keys.publicKey, signed: true, sequences: {} };
  const source = openSource(join(folder, 'host'), quietWorld());
  return fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
}

/** Describes the product anew, with more lines of its own. */
async function describeProduct(more: string, publishTo = 'local'): Promise<void> {
  const yaml = `schema: 1
product: acme
release:
  tag: bundle-v{version}
  formerTags: [{ tag: "v{version}", artifact: "acme-{version}.tar.gz" }]
  publicKey: ${keys.publicKey}
  hosts:
    local: { type: folder, path: ${folder}/host }
    mirror: { type: folder, path: ${folder}/mirror }
  publishTo: [${publishTo}]
${more}`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
}

async function published(host = 'host'): Promise<Manifest> {
  return parseManifest(await readFile(join(folder, host, 'releases/v0.9.0/bundle.json'), 'utf8'));
}

const COMPOSE = `services:
  api: { image: "registry.example/acme/api:\${VERSION:-0.9.0}" }
  worker: { image: "registry.example/acme/api:0.9.0" }
  db: { image: "postgres:13@sha256:${'a'.repeat(64)}" }
  odd: { image: "\${NOTHING}" }
`;

describe('a release made before Slipway', () => {
  test('is known by the images of its compose file, the data of the product, and whose each file is', async () => {
    await describeProduct('bundle: { compose: compose.yml, userOwned: [content/] }\ndata: { pgdata: { engine: postgres, major: 13 } }\n');
    await makeArchive({ 'docker-compose.yml': COMPOSE, 'content/page.txt': 'hello\n' });
    await importIt({ from: '>=0.8.0' });
    const manifest = await published();
    expect(manifest.images).toEqual([
      { name: 'postgres', reference: 'docker.io/library/postgres:13', digest: `sha256:${'a'.repeat(64)}`, platforms: [], size: 0 },
    ]);
    expect(manifest.unpinned).toEqual([{ name: 'api', reference: 'registry.example/acme/api:0.9.0' }]);
    expect(manifest.files.map(({ path, owner }) => `${path} ${owner}`)).toContain('content/page.txt user');
    expect(manifest).toMatchObject({ data: { pgdata: { engine: 'postgres', major: 13 } }, upgrade: { from: '>=0.8.0' } });
    expect((await look()).channel.releases).toMatchObject([{ from: '>=0.8.0', status: 'limited' }]);
    const found = await look();
    expect(() => findPath(found.channel, { from: parseVersion('0.8.5'), to: '0.9.0', held: [] })).toThrow(
      expect.objectContaining({ code: 'E_POLICY' }),
    );
  });

  test('gives an old install its merge base: every file as it was shipped, whatever program packed it and how', async () => {
    const long = `${'deep/'.repeat(30)}file-with-a-name-that-old-headers-cannot-hold.conf`;
    await makeArchive({
      'docker-compose.yml': 'services: {}\n',
      [long]: 'long\n',
      'big.bin': 'x'.repeat(300_000),
      'upgrade.sh': '#!/bin/sh\n',
    });
    execFileSync('chmod', ['-R', 'u=rwX,g=rwX,o=', join(folder, 'tree')]);
    await makeArchive({});
    await importIt();
    const cache = join(folder, 'cache');
    const bundle = await fetch(cache);
    expect(await readReleaseText(bundle, cache, long)).toBe('long\n');
    expect((await readReleaseText(bundle, cache, 'big.bin')).length).toBe(300_000);
    expect([...bundle.files.keys()].sort()).toEqual(['big.bin', long, 'docker-compose.yml', 'upgrade.sh'].sort());
    expect((await fetch(cache)).manifestText).toBe(bundle.manifestText);
  });

  test('is not taken as a merge base when its archive was replaced', async () => {
    await importIt();
    await makeArchive({ 'docker-compose.yml': 'services: { evil: {} }\n' });
    await writeFile(join(folder, 'host/releases/v0.9.0/acme-0.9.0.tar.gz'), await readFile(archive));
    await expect(fetch(join(folder, 'cache'))).rejects.toMatchObject({ code: expect.stringMatching(/^E_(DIGEST|TOO_LARGE)$/) });
  });

  test('imported again after the product was described otherwise is the same release, on a new mirror too', async () => {
    await importIt();
    const before = await published();
    await describeProduct('title: Another Title\n', 'local, mirror');
    expect((await importIt()).fields.hosts).toMatchObject([
      { name: 'local', outcome: 'already-published' },
      { name: 'mirror', outcome: 'published' },
    ]);
    expect([await published(), await published('mirror')]).toEqual([before, before]);
    await makeArchive({ 'docker-compose.yml': 'services: { web: {} }\n' });
    await expect(importIt()).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    await expect(importIt({ tag: 'bundle-v0.9.0' })).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
  });

  test('is no release to compare the next one with', async () => {
    await importIt();
    await buildRelease({ workspace, version: '1.0.0', keys, manifest: { tag: 'bundle-v1.0.0' } });
    const host = { type: 'folder', name: 'local', path: join(folder, 'host') } as const;
    const wanted = { host, product: 'acme', channel: 'stable', below: parseVersion('1.0.0'), publicKey: keys.publicKey };
    expect(await observePrevious(wanted, quietWorld())).toBeUndefined();
  });

  test('is published as it was, with a signed manifest of its files', async () => {
    expect((await importIt()).fields).toMatchObject({ version: '0.9.0', tag: 'v0.9.0', hosts: [{ name: 'local', outcome: 'published' }] });
    const shown = join(folder, 'host/releases/v0.9.0');
    expect(await readFile(join(shown, 'acme-0.9.0.tar.gz'))).toEqual(await readFile(archive));
    const manifest = await published();
    expect(manifest).toMatchObject({ version: '0.9.0', imported: true, images: [] });
    expect(manifest.files).toEqual([
      { path: 'docker-compose.yml', mode: '0644', size: 13, sha256: digestOf('services: {}\n'), owner: 'vendor' },
      { path: 'upgrade.sh', mode: '0755', size: 10, sha256: digestOf('#!/bin/sh\n'), owner: 'vendor' },
    ]);
    execFileSync('minisign', ['-Vm', join(shown, 'bundle.json'), '-P', keys.publicKey]);
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: shown });
  });

  test('is offered to nobody: neither as the latest, nor as an upgrade, nor by its name', async () => {
    await importIt();
    const found = await look();
    expect(found.channel).toMatchObject({ latest: null, releases: [{ version: '0.9.0', status: 'limited', imported: true }] });
    expect(() => chooseRelease(found.channel, '0.9.0')).toThrow(expect.objectContaining({ code: 'E_POLICY' }));
    expect(() => findPath(found.channel, { from: parseVersion('0.8.0'), to: '0.9.0', held: [] })).toThrow(
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
    await expect(run(release, ['import', archive])).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('--version'),
    });
    await expect(importIt({ tag: 'v0.8.0' })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(run(release, ['import', join(folder, 'absent.tar.gz')], { as: '0.9.0' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
