import { mkdir, mkdtemp, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Draft, Publication, ReleaseHost } from '../../src/model/host.ts';
import { RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';
import { folderHost } from '../../src/world/folder.ts';
import { folderSource } from '../../src/world/folder-source.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let root: string;
let packed: string;
let host: ReleaseHost;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  root = join(folder, 'host');
  packed = join(folder, 'packed');
  await mkdir(packed);
  host = folderHost(root, quietWorld());
});

async function pack(files: Readonly<Record<string, string>>): Promise<readonly ChannelAsset[]> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(packed, name), text);
  return Object.entries(files).map(([name, text]) => ({ name, size: text.length, sha256: digestOf(text) }));
}

function draft(name: string): Draft {
  return { tag: 'v1.0.0', name, contents: digestOf(name) };
}

function publish(name: string, assets: readonly ChannelAsset[], parts: Partial<Publication> = {}): Promise<string> {
  return host.publish(draft(name), { assets, latest: true, prerelease: false, title: 'Acme', notes: '', replaces: null, ...parts });
}

async function stage(name: string, assets: readonly ChannelAsset[]): Promise<void> {
  await host.openDraft(draft(name));
  for (const asset of assets) await host.upload(draft(name), asset, { from: join(packed, asset.name) });
}

function reservation(parts: Partial<Reservation> = {}): Reservation {
  const fixed = { type: RESERVATION_TYPE, product: 'acme', version: '1.0.0', tag: 'v1.0.0', commit: null } as const;
  return { ...fixed, by: 'ci:github:acme/acme:run:1', nonce: 'n1', at: '2026-03-15T10:00:00Z', ...parts };
}

describe('a reservation', () => {
  test('belongs to the first, and the second is told whose it is', async () => {
    expect(await host.reserve(reservation())).toEqual(reservation());
    expect(await host.reserve(reservation({ nonce: 'n2', by: 'someone else' }))).toEqual(reservation());
    expect(await host.reservation('v1.0.0')).toEqual(reservation());
  });

  test('has one winner among many who try at once, and all read the same', async () => {
    const tries = Array.from({ length: 40 }, (_, index) => host.reserve(reservation({ nonce: `n${index}` })));
    const nonces = new Set((await Promise.all(tries)).map(({ nonce }) => nonce));
    expect(nonces.size).toBe(1);
    expect(await readdir(join(root, 'reservations'))).toEqual(['v1.0.0.json']);
  });

  test('is given free by its own attempt only, and never once something was published', async () => {
    await host.reserve(reservation());
    await host.unreserve(reservation({ nonce: 'n2' }));
    expect(await host.reservation('v1.0.0')).toBeDefined();
    await host.unreserve(reservation());
    expect(await host.reservation('v1.0.0')).toBeUndefined();

    await host.reserve(reservation());
    const assets = await pack({ 'bundle.json': 'one' });
    await stage('d1', assets);
    await publish('d1', assets);
    await host.unreserve(reservation());
    expect(await host.reservation('v1.0.0')).toBeDefined();
  });

  test('is one name inside the folder, whatever the tag says', async () => {
    await expect(host.reserve(reservation({ tag: '../../etc/passwd' }))).rejects.toMatchObject({ code: 'E_FORMAT' });
  });
});

describe('a draft', () => {
  test('is seen by no reader until it is published, and then as a whole', async () => {
    const assets = await pack({ 'bundle.json': 'one', 'a.tar.gz': 'bytes' });
    await stage('d1', assets);
    const source = folderSource(root);
    expect(await source.assets('v1.0.0')).toBeUndefined();
    expect(await publish('d1', assets)).toBe('published');
    expect(await source.assets('v1.0.0')).toEqual([
      { name: 'a.tar.gz', size: 5 },
      { name: 'bundle.json', size: 3 },
    ]);
    expect(await readdir(root)).toEqual(['releases']);
  });

  test('with a file too many, too few or altered is not published', async () => {
    const assets = await pack({ 'bundle.json': 'one', 'a.tar.gz': 'bytes' });
    const [manifest] = assets as [ChannelAsset];
    await stage('d1', assets);
    await expect(publish('d1', [manifest])).rejects.toMatchObject({
      code: 'E_DIGEST',
      message: expect.stringContaining('a.tar.gz'),
    });
    await expect(publish('d1', [...assets, { ...manifest, name: 'b' }])).rejects.toMatchObject({ code: 'E_DIGEST' });
    await writeFile(join(root, '.slipway-tmp-d1', 'a.tar.gz'), 'bytez');
    await expect(publish('d1', assets)).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await host.listRelease('v1.0.0')).toBeUndefined();
  });

  test('refuses a file that changed since it was packed', async () => {
    const [asset] = (await pack({ 'bundle.json': 'one' })) as [ChannelAsset];
    await writeFile(join(packed, 'bundle.json'), 'two');
    await host.openDraft(draft('d1'));
    await expect(host.upload(draft('d1'), asset, { from: join(packed, 'bundle.json') })).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await readdir(join(root, '.slipway-tmp-d1'))).toEqual([]);
  });

  test('keeps what was uploaded before a crash and replaces what was cut short', async () => {
    const assets = await pack({ 'bundle.json': 'one', 'a.tar.gz': 'bytes' });
    await stage('d1', assets.slice(0, 1));
    const before = await stat(join(root, '.slipway-tmp-d1', 'bundle.json'));
    await writeFile(join(root, '.slipway-tmp-d1', '.part-a.tar.gz'), 'by');
    await stage('d1', assets);
    expect((await stat(join(root, '.slipway-tmp-d1', 'bundle.json'))).ino).toBe(before.ino);
    expect(await publish('d1', assets)).toBe('published');
  });

  test('of a dead publisher goes after a day; a live one and other people’s files stay', async () => {
    await stage('dead', await pack({ 'bundle.json': 'one' }));
    await stage('alive', await pack({ 'bundle.json': 'one' }));
    await mkdir(join(root, 'mine'));
    const longAgo = new Date(Date.now() - 25 * 60 * 60 * 1000);
    for (const name of ['dead', 'dead/bundle.json', 'alive']) await utimes(join(root, `.slipway-tmp-${name}`), longAgo, longAgo);
    await utimes(join(root, 'mine'), longAgo, longAgo);
    await host.openDraft(draft('next'));
    expect((await readdir(root)).sort()).toEqual(['.slipway-tmp-alive', '.slipway-tmp-next', 'mine']);
  });
});

describe('a published release', () => {
  test('stays as it is: the same manifest again is success, another one is refused, and both drafts go', async () => {
    const assets = await pack({ 'bundle.json': 'one', 'a.tar.gz': 'bytes' });
    await stage('d1', assets);
    await publish('d1', assets);

    await stage('d2', assets);
    expect(await publish('d2', assets)).toBe('already-published');

    const others = await pack({ 'bundle.json': 'two', 'a.tar.gz': 'other' });
    await stage('d3', others);
    await expect(publish('d3', others)).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
      details: { tag: 'v1.0.0', published: digestOf('one'), ours: digestOf('two') },
    });
    expect(await readFile(join(root, 'releases/v1.0.0/a.tar.gz'), 'utf8')).toBe('bytes');
    expect(await readdir(root)).toEqual(['releases']);
  });

  test('is success for a publisher that was cut off right after it appeared', async () => {
    const assets = await pack({ 'bundle.json': 'one' });
    await stage('d1', assets);
    await publish('d1', assets);
    expect(await publish('d1', assets)).toBe('already-published');
  });

  test('is refused where something else lies under its name', async () => {
    const assets = await pack({ 'bundle.json': 'one' });
    await stage('d1', assets);
    await mkdir(join(root, 'releases/v1.0.0'), { recursive: true });
    await writeFile(join(root, 'releases/v1.0.0/notes.txt'), 'mine');
    await expect(publish('d1', assets)).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect(await readdir(join(root, 'releases/v1.0.0'))).toEqual(['notes.txt']);
  });
});

describe('with a strict umask', () => {
  let former: number;
  beforeEach(() => {
    former = process.umask(0o077);
  });
  afterEach(() => process.umask(former));

  test('a web server of another user can read all that was published, and no draft', async () => {
    const assets = await pack({ 'bundle.json': 'one', 'install.sh': '#!/bin/sh\n' });
    await host.reserve(reservation());
    await stage('d1', assets);
    expect(await modeOf('.slipway-tmp-d1')).toBe(0o700);
    await publish('d1', assets);
    await host.putAsset('v1.0.0', assets[1] as ChannelAsset, 'install.sh');
    for (const folder of ['.', 'releases', 'releases/v1.0.0', 'reservations']) expect(await modeOf(folder)).toBe(0o755);
    for (const file of ['releases/v1.0.0/bundle.json', 'install.sh', 'reservations/v1.0.0.json']) expect(await modeOf(file)).toBe(0o644);
  });
});

describe('a folder as a source', () => {
  test('that is not there counts as unreachable, a missing file does not', async () => {
    const source = folderSource(root);
    await expect(source.read('channels/stable.signed.json', 100)).rejects.toMatchObject({ code: 'E_NETWORK' });
    await mkdir(root);
    expect(await source.read('channels/stable.signed.json', 100)).toBeUndefined();
  });

  test('reads no more than asked, nothing outside, and leaves no file after a refusal', async () => {
    const assets = await pack({ 'bundle.json': 'one' });
    await stage('d1', assets);
    await publish('d1', assets);
    const source = folderSource(root);
    const to = join(packed, 'got');
    await expect(source.read('releases/v1.0.0/bundle.json', 2)).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    await expect(source.read('../packed/bundle.json', 100)).rejects.toMatchObject({ code: 'E_FORMAT' });
    await expect(source.download('v1.0.0', 'bundle.json', { to, maxBytes: 2 })).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    await expect(source.download('v1.0.0', 'bundle.json', { to, maxBytes: 3, sha256: digestOf('two') })).rejects.toMatchObject({
      code: 'E_DIGEST',
    });
    await expect(source.download('v1.0.0', 'other', { to, maxBytes: 3 })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect(await readdir(packed)).toEqual(['bundle.json']);
    await source.download('v1.0.0', 'bundle.json', { to, maxBytes: 3, sha256: digestOf('one') });
    expect((await stat(to)).mode & 0o777).toBe(0o600);
  });
});

async function modeOf(path: string): Promise<number> {
  return (await stat(join(root, path))).mode & 0o777;
}
