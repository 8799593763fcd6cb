// Publishers as real processes: many at once, and killed at every change of the file system. Readers look on all the time.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { Trust } from '../../src/model/trust.ts';
import { type FetchedChannel, fetchChannel } from '../../src/observe/channel.ts';
import { measureFolder } from '../../src/world/folder-source.ts';
import { openSource } from '../../src/world/hosts.ts';
import type { PublisherTask } from '../fakes/publisher-program.ts';
import { type BuiltRelease, buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
const trust: Trust = { key: keys.publicKey, signed: true, sequences: {} };
let folder: string;
let program: string;
let host: string;

interface Ended {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly killed: boolean;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-publishers-'));
  program = join(folder, 'publisher.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, '../fakes/publisher-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
});

beforeEach(async () => {
  host = join(await mkdtemp(join(folder, 'case-')), 'host');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function publisher(task: PublisherTask): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program], {
      env: { PATH: process.env.PATH, PUBLISHER_TASK: JSON.stringify(task) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk;
    });
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      resolve(signal === 'SIGKILL' ? { ok: false, killed: true } : { ...(JSON.parse(out) as Ended), killed: false });
    });
  });
}

/** Packs a release in a workspace of its own. */
async function pack(version: string, options: Partial<Parameters<typeof buildRelease>[0]> = {}): Promise<BuiltRelease> {
  return buildRelease({ workspace: await mkdtemp(join(folder, 'workspace-')), version, keys, ...options });
}

function readChannel(): Promise<FetchedChannel> {
  const source = openSource(host, quietWorld());
  return fetchChannel({ sources: [source], product: 'acme', channel: 'stable', now: new Date('2026-04-01'), trust });
}

/** Throws when a release that is shown is not whole, or a channel file is not valid or names what is not there. */
async function lookAround(packed: ReadonlyMap<string, BuiltRelease[]>): Promise<number> {
  for (const tag of await readdir(join(host, 'releases')).catch(() => [])) {
    const shown = await measureFolder(join(host, 'releases', tag));
    const sources = await Promise.all((packed.get(tag) ?? []).map(({ folder: from }) => measureFolder(from)));
    expect(sources, `${tag} is exactly what one publisher packed`).toContainEqual(shown);
  }
  const channel = await readChannel().catch((error: { code?: string }) => {
    if (error.code === 'E_NOT_FOUND' || error.code === 'E_NETWORK') return undefined;
    throw error;
  });
  for (const { tag } of channel?.channel.releases ?? []) expect(await readdir(join(host, 'releases'))).toContain(tag);
  return channel?.channel.sequence ?? 0;
}

async function whileReading<T>(built: readonly BuiltRelease[], work: () => Promise<T>): Promise<T> {
  const packed = groupByTag(built);
  let running = true;
  const reader = (async () => {
    for (let sequence = 0; running; ) {
      const seen = await lookAround(packed);
      expect(seen, 'the sequence never falls').toBeGreaterThanOrEqual(sequence);
      sequence = seen;
    }
  })();
  try {
    const [result] = await Promise.all([work().finally(() => (running = false)), reader]);
    return result;
  } finally {
    running = false;
  }
}

function groupByTag(built: readonly BuiltRelease[]): Map<string, BuiltRelease[]> {
  const groups = new Map<string, BuiltRelease[]>();
  for (const release of built) groups.set(release.tag, [...(groups.get(release.tag) ?? []), release]);
  return groups;
}

async function packMany(count: number, options: (index: number) => Partial<Parameters<typeof buildRelease>[0]>): Promise<BuiltRelease[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => pack('1.0.0', options(index))));
}

async function expectOneWinner(built: readonly BuiltRelease[], ends: readonly Ended[]): Promise<void> {
  expect(ends.filter(({ ok }) => ok)).toHaveLength(1);
  const refusals = ends.filter(({ ok }) => !ok);
  expect(refusals.filter(({ code }) => code !== 'E_PUBLISHED_DIFFERS' && code !== 'E_RESERVED_ELSEWHERE')).toEqual([]);
  const winner = built[ends.findIndex(({ ok }) => ok)];
  expect(await measureFolder(join(host, 'releases/v1.0.0'))).toEqual(await measureFolder(winner?.folder ?? ''));
  const { channel } = await readChannel();
  expect(channel).toMatchObject({ sequence: 1, latest: '1.0.0', releases: [{ manifest: winner?.manifestDigest }] });
  expect(await readdir(host)).toEqual(['channels', 'install.sh', 'releases', 'reservations']);
  expect(await readdir(join(host, 'channels/.claims'))).toEqual(['stable.1.json']);
}

test('fifty publishers of one version with different contents: one wins, 49 are refused, and the winner’s bytes are intact', async () => {
  const built = await packMany(50, (index) => ({ files: { VERSION: `1.0.0\n`, 'who.txt': `publisher ${index}\n` } }));
  const startAt = Date.now() + 2500;
  const ends = await whileReading(built, () => Promise.all(built.map((release) => publisher({ built: release, host, startAt }))));
  await expectOneWinner(built, ends);
}, 120_000);

test('the same for twenty that all joined one reservation: the manifest tells them apart', async () => {
  const manifest = { commit: '9f8c9f8c9f8c9f8c9f8c9f8c9f8c9f8c9f8c9f8c' };
  const built = await packMany(20, (index) => ({ manifest, files: { 'who.txt': `publisher ${index}\n` } }));
  const startAt = Date.now() + 1500;
  const ends = await whileReading(built, () => Promise.all(built.map((release) => publisher({ built: release, host, startAt }))));
  await expectOneWinner(built, ends);
  expect(ends.filter(({ code }) => code === 'E_PUBLISHED_DIFFERS')).toHaveLength(19);
}, 120_000);

test('publishers of the same content all succeed, and it is there once', async () => {
  const manifest = { commit: '9f8c9f8c9f8c9f8c9f8c9f8c9f8c9f8c9f8c9f8c' };
  const built = await packMany(8, () => ({ manifest }));
  const startAt = Date.now() + 1000;
  const ends = await whileReading(built, () => Promise.all(built.map((release) => publisher({ built: release, host, startAt }))));
  expect(ends.filter(({ ok }) => !ok)).toEqual([]);
  expect((await readChannel()).channel).toMatchObject({ sequence: 1, releases: [{ version: '1.0.0' }] });
}, 120_000);

test('publishers of different versions all get into the channel, and latest is the highest', async () => {
  const versions = Array.from({ length: 12 }, (_, index) => `1.${index}.0`);
  const built = await Promise.all(versions.map((version) => pack(version)));
  const startAt = Date.now() + 1500;
  const ends = await whileReading(built, () => Promise.all(built.map((release) => publisher({ built: release, host, startAt }))));
  expect(ends.filter(({ ok }) => !ok)).toEqual([]);
  const { channel } = await readChannel();
  expect(channel).toMatchObject({ sequence: 12, latest: '1.11.0' });
  expect(channel.releases.map(({ version }) => version).sort()).toEqual([...versions].sort());
  expect(await readFile(join(host, 'install.sh'), 'utf8')).toBe('#!/bin/sh\n# installs acme 1.11.0\n');
}, 120_000);

test('a publisher killed before any change of the file system, and run again, ends where it would have ended', async () => {
  const first = await pack('1.0.0');
  const second = await pack('1.1.0');
  const before = join(folder, 'before');
  await publisher({ built: first, host });
  await cp(host, before, { recursive: true });
  const packed = groupByTag([first, second]);
  const wrong: string[] = [];
  let killed = 0;
  const judge = async (killBefore: number, check: () => Promise<void>): Promise<void> => {
    await check().catch((error: Error) => wrong.push(`killed before change ${killBefore}: ${error.message}`));
  };
  // Every second change; SLIPWAY_CAMPAIGN=1 takes every one.
  for (let killBefore = 1; ; killBefore += process.env.SLIPWAY_CAMPAIGN === '1' ? 1 : 2) {
    await rm(host, { recursive: true });
    await cp(before, host, { recursive: true });
    const end = await publisher({ built: second, host, killBefore });
    await judge(killBefore, async () => void (await lookAround(packed)));
    if (!end.killed) {
      expect(end).toMatchObject({ ok: true });
      break;
    }
    killed += 1;
    await judge(killBefore, async () => {
      expect(await publisher({ built: second, host })).toMatchObject({ ok: true });
      await lookAround(packed);
      const { channel } = await readChannel();
      expect(channel).toMatchObject({ sequence: 2, latest: '1.1.0', releases: [{ version: '1.1.0' }, { version: '1.0.0' }] });
      expect(digestOf(await readFile(join(host, 'install.sh')))).toBe(digestOf(await readFile(join(second.folder, 'install.sh'))));
      expect(await readFile(join(host, 'channels/stable.json'), 'utf8')).toBe((await readChannel()).payload);
    });
  }
  console.log(`publisher campaign: ${killed} cases of a publisher killed and run again, ${wrong.length} wrong end states`);
  expect(wrong).toEqual([]);
  expect(killed).toBeGreaterThan(15);
}, 240_000);

test('a killed publisher does not keep another version from being published', async () => {
  const first = await pack('1.0.0');
  const second = await pack('1.1.0');
  for (const killBefore of [5, 20, 30, 38, 42, 46, 50]) {
    await rm(host, { recursive: true, force: true });
    await publisher({ built: first, host, killBefore });
    expect(await publisher({ built: second, host }), `killed before change ${killBefore}`).toMatchObject({ ok: true });
    expect((await readChannel()).channel.latest).toBe('1.1.0');
    await writeFile(join(host, 'seen'), '');
  }
}, 120_000);
