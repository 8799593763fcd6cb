// What is fetched is believed only after all checks, from a folder and over HTTP alike.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ChannelRelease, parseSignedChannel, printSignedChannel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { exitCodeOf } from '../../src/model/error.ts';
import type { ReleaseSource } from '../../src/model/host.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { parseSecretKey } from '../../src/model/minisign.ts';
import type { Trust } from '../../src/model/trust.ts';
import { type SignedRole, signStatement } from '../../src/model/trusted-comment.ts';
import { type FetchedChannel, fetchChannel } from '../../src/observe/channel.ts';
import { cachedFile, type FetchedRelease, fetchOperator, fetchRelease } from '../../src/observe/release.ts';
import { openSource } from '../../src/world/hosts.ts';
import { ownMark } from '../../src/world/made-by.ts';
import { endlessly, type FolderServer, serveFolder } from '../fakes/folder-server.ts';
import { type BuiltRelease, buildRelease, makeKeys, publishRelease, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
const now = new Date('2026-04-01T00:00:00Z');
const CHANNEL = 'channels/stable.signed.json';
let pristine: string;
let host: string;
let built: Record<'one' | 'two', BuiltRelease>;
let server: FolderServer;

beforeAll(async () => {
  const workspace = await mkdtemp(join(tmpdir(), 'slipway-'));
  pristine = join(workspace, 'host');
  const one = await buildRelease({ workspace, version: '1.0.0', keys });
  const two = await buildRelease({ workspace, version: '1.1.0', keys });
  await publishRelease(one, pristine);
  await publishRelease(two, pristine);
  built = { one, two };
});

beforeEach(async () => {
  host = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'host');
  await copyHost();
  server = await serveFolder(host);
  return () => server.close();
});

afterAll(async () => rm(join(pristine, '..'), { recursive: true, force: true }));

async function copyHost(): Promise<void> {
  await cp(pristine, host, { recursive: true });
}

const trusting: Trust = { key: keys.publicKey, signed: true, sequences: {} };

describe.each(['a folder', 'http'] as const)('over %s', (transport) => {
  const source = (): ReleaseSource => openSource(transport === 'http' ? server.url : host, quietWorld());

  function channel(
    trust: Partial<Trust> = {},
    more: { acceptExpired?: boolean; now?: Date; product?: string } = {},
  ): Promise<FetchedChannel> {
    return fetchChannel({ sources: [source()], product: 'acme', channel: 'stable', now, trust: { ...trusting, ...trust }, ...more });
  }

  function release(entry: ChannelRelease, trust: Partial<Trust> = {}): Promise<FetchedRelease> {
    return fetchRelease({ source: source(), release: entry, product: 'acme', trust: { ...trusting, ...trust }, cache: cache() });
  }

  const cache = (): string => join(host, '..', 'cache');

  async function refusedRelease(change: (entry: ChannelRelease) => Partial<ChannelRelease>, trust: Partial<Trust> = {}): Promise<string> {
    const entry = await newest();
    const error: unknown = await release({ ...entry, ...change(entry) }, trust).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const kept = (await readdir(cache(), { recursive: true }).catch(() => [])).filter((path) => path !== 'sha256');
    expect(kept, 'nothing was unpacked or kept').toEqual([]);
    return codeOf(error);
  }

  async function newest(): Promise<ChannelRelease> {
    const [entry] = (await channel()).channel.releases;
    if (entry === undefined) throw new Error('no release');
    return entry;
  }

  test('a good release is verified, unpacked privately, and taken from the cache the next time', async () => {
    const fetched = await channel();
    expect(fetched).toMatchObject({ keyId: keys.keyId, expired: false, channel: { sequence: 2, latest: '1.1.0' } });
    expect(fetched.trust.sequences).toEqual({ [`${keys.keyId}/stable`]: 2 });
    const got = await release(await newest());
    expect(got.manifest.version).toBe('1.1.0');
    expect(digestOf(got.manifestText)).toBe(built.two.manifestDigest);
    for (const [path, digest] of got.files) {
      expect(digestOf(await readFile(cachedFile(cache(), digest))), path).toBe(digest);
      expect((await stat(cachedFile(cache(), digest))).mode & 0o777).toBe(0o600);
    }
    const entry = await newest();
    await rm(join(host, 'releases'), { recursive: true });
    expect(await release(entry)).toEqual(got);
  });

  test('a damaged file in the cache is fetched again', async () => {
    const entry = await newest();
    const got = await release(entry);
    const [digest] = [...got.files.values()];
    if (digest === undefined) throw new Error('no file');
    await writeFile(cachedFile(cache(), digest), 'damaged');
    await release(entry);
    expect(digestOf(await readFile(cachedFile(cache(), digest)))).toBe(digest);
  });

  test('what a killed download left in the cache goes with the next download, that of a process at work does not', async () => {
    const dead = spawn(process.execPath, ['-e', '0']);
    await once(dead, 'close');
    const left = (await ownMark()).replace(/^\d+/, String(dead.pid));
    const [abandoned, busy] = [`incoming-${left}-abcdef`, `incoming-${await ownMark()}-abcdef`];
    for (const name of [abandoned, busy]) {
      await mkdir(join(cache(), name), { recursive: true });
      await writeFile(join(cache(), name, 'bundle.tar.gz.part-0123'), 'half');
    }
    await release(await newest());
    expect((await readdir(cache())).sort()).toEqual([busy, 'sha256']);
  });

  test('the operator program alone is checked against the channel file', async () => {
    const to = join(host, '..', 'operator.mjs');
    await fetchOperator({ source: source(), release: await newest(), cache: cache(), to });
    expect(digestOf(await readFile(to))).toBe(built.two.manifest.operator);
    await writeFile(join(host, 'releases/v1.1.0/operator.js'), '#!/usr/bin/env node\n// 0perator of 1.1.0\n');
    await rm(to);
    await expect(fetchOperator({ source: source(), release: await newest(), cache: cache(), to })).rejects.toMatchObject({
      code: 'E_DIGEST',
    });
    expect(await readdir(join(host, '..'))).not.toContain('operator.mjs');
    expect(await readdir(cache())).toEqual([]);
  });

  describe('is refused by name, before anything is unpacked:', () => {
    test('a bundle with one byte changed, and one cut short', async () => {
      const artifact = join(host, 'releases/v1.1.0/acme-bundle-1.1.0.tar.gz');
      const bytes = await readFile(artifact);
      bytes[600] = (bytes[600] ?? 0) ^ 1;
      await writeFile(artifact, bytes);
      expect(await refusedRelease(() => ({}))).toBe('E_DIGEST');
      await truncate(artifact, 300);
      expect(await refusedRelease(() => ({}))).toBe('E_DIGEST');
    });

    test('a bundle that never ends or is longer than signed', async () => {
      await writeFile(join(host, 'releases/v1.1.0/acme-bundle-1.1.0.tar.gz'), Buffer.alloc(5_000_000));
      expect(await refusedRelease(() => ({}))).toBe('E_TOO_LARGE');
      if (transport !== 'http') return;
      server.replace('releases/v1.1.0/acme-bundle-1.1.0.tar.gz', endlessly);
      expect(await refusedRelease(() => ({}))).toBe('E_TOO_LARGE');
    });

    test('a bundle that is missing', async () => {
      await rm(join(host, 'releases/v1.1.0/acme-bundle-1.1.0.tar.gz'));
      expect(await refusedRelease(() => ({}))).toBe('E_NOT_FOUND');
    });

    test('a bundle whose manifest is not the one that the channel file names', async () => {
      expect(await refusedRelease(() => ({ manifest: built.one.manifestDigest }))).toBe('E_DIGEST');
      expect(await refusedRelease(() => ({ operator: built.one.manifest.operator }))).toBe('E_DIGEST');
    });

    test('the bundle of another version under this one’s name', async () => {
      expect(await refusedRelease((entry) => ({ version: '1.2.0', tag: entry.tag }))).toBe('E_SIGNATURE');
    });

    test('a manifest signed by another key, not signed, or signed for another product', async () => {
      expect(await refusedRelease(await swapBundle({ keys: makeKeys() }))).toBe('E_SIGNATURE');
      expect(await refusedRelease(await swapBundle({ keys: null }))).toBe('E_UNSIGNED');
      expect(await refusedRelease(await swapBundle({ product: 'other' }))).toBe('E_WRONG_PRODUCT');
    });

    test('a signed manifest whose files are others than those in the archive', async () => {
      const change = await swapBundle({ manifest: { files: built.two.manifest.files.slice(1) } });
      expect(await refusedRelease(change)).toBe('E_ARCHIVE');
      const files = built.two.manifest.files.map((file, index) => (index === 0 ? { ...file, sha256: digestOf('other') } : file));
      expect(await refusedRelease(await swapBundle({ manifest: { files } }))).toBe('E_DIGEST');
    });

    test('a channel file with a changed payload, by another key, or without a signature', async () => {
      await changeChannel((payload) => ({ ...payload, latest: '1.0.0' }), { minisig: 'kept' });
      expect(await codeOfRejection(channel())).toBe('E_SIGNATURE');
      await changeChannel((payload) => payload, { by: makeKeys() });
      expect(await codeOfRejection(channel())).toBe('E_SIGNATURE');
      await changeChannel((payload) => payload, { minisig: null });
      expect(await codeOfRejection(channel())).toBe('E_UNSIGNED');
      expect(await codeOfRejection(channel({ key: null }))).toBe('E_UNSIGNED');
    });

    test('a genuine signature made for something else: another channel, another role, another product', async () => {
      await changeChannel((payload) => payload, { subject: 'staging' });
      expect(await codeOfRejection(channel())).toBe('E_SIGNATURE');
      await changeChannel((payload) => payload, { role: 'bundle' });
      expect(await codeOfRejection(channel())).toBe('E_WRONG_TYPE');
      await changeChannel((payload) => payload, { product: 'other' });
      expect(await codeOfRejection(channel())).toBe('E_WRONG_PRODUCT');
      await changeChannel((payload) => ({ ...payload, product: 'other' }));
      expect(await codeOfRejection(channel())).toBe('E_WRONG_PRODUCT');
      await copyHost();
      expect(await codeOfRejection(channel({}, { product: 'other' }))).toBe('E_WRONG_PRODUCT');
    });

    test('an expired channel file, with its age and exit code 3; a person may take it all the same', async () => {
      const later = new Date('2027-03-25T10:00:00Z');
      const error: unknown = await channel({}, { now: later }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'E_EXPIRED', message: expect.stringContaining('10 days ago') });
      expect(exitCodeOf(error)).toBe(3);
      expect((await channel({}, { now: later, acceptExpired: true })).expired).toBe(true);
    });

    test('an older sequence than the highest seen with this key', async () => {
      expect(await codeOfRejection(channel({ sequences: { [`${keys.keyId}/stable`]: 3 } }))).toBe('E_OLDER_SEQUENCE');
      expect((await channel({ sequences: { 'ANOTHERKEY/stable': 3 } })).channel.sequence).toBe(2);
    });

    test('the same sequence with other content', async () => {
      const { trust } = await channel();
      expect((await channel(trust)).channel.sequence).toBe(2);
      await changeChannel((payload) => ({ ...payload, latest: '1.0.0' }));
      expect(await codeOfRejection(channel(trust))).toBe('E_EQUIVOCATION');
    });

    test('a channel file of a newer format, one that is no JSON, one that never ends', async () => {
      await changeChannel((payload) => ({ ...payload, type: 'slipway/channel@2' }));
      expect(await codeOfRejection(channel())).toBe('E_WRONG_TYPE');
      await writeFile(join(host, CHANNEL), '<html>');
      expect(await codeOfRejection(channel())).toBe('E_FORMAT');
      await writeFile(join(host, CHANNEL), Buffer.alloc(5 * 1024 * 1024));
      expect(await codeOfRejection(channel())).toBe('E_TOO_LARGE');
      if (transport === 'http') {
        server.replace(CHANNEL, endlessly);
        expect(await codeOfRejection(channel())).toBe('E_TOO_LARGE');
      }
    });
  });

  test('an unsigned product is read without a key, and never again once a signature was seen', async () => {
    await changeChannel((payload) => payload, { minisig: null });
    expect(await channel({ key: null, signed: false })).toMatchObject({
      keyId: null,
      trust: { signed: false, sequences: { 'unsigned/stable': 2 } },
    });
    expect(await codeOfRejection(channel({ key: null, signed: true }))).toBe('E_UNSIGNED');
  });

  test('a channel that does not exist is said', async () => {
    await rm(join(host, CHANNEL));
    expect(await codeOfRejection(channel())).toBe('E_NOT_FOUND');
  });
});

describe('with several hosts', () => {
  const fetchFrom = (...locations: string[]): Promise<FetchedChannel> =>
    fetchChannel({
      sources: locations.map((location) => openSource(location, quietWorld())),
      product: 'acme',
      channel: 'stable',
      now,
      trust: trusting,
    });

  test('the next one is asked when one cannot be reached', async () => {
    const unused = await serveFolder(host);
    await unused.close();
    expect((await fetchFrom(unused.url, join(host, 'nowhere'), server.url)).source.label).toBe(`${server.url}/`);
  });

  test('but never after a failed check, or a host that says there is none', async () => {
    const good = await serveFolder(pristine);
    await writeFile(join(host, CHANNEL), '{}');
    expect(await codeOfRejection(fetchFrom(server.url, good.url))).toBe('E_WRONG_TYPE');
    await rm(join(host, CHANNEL));
    expect(await codeOfRejection(fetchFrom(server.url, good.url))).toBe('E_NOT_FOUND');
    expect(good.requests).toEqual([]);
    await good.close();
  });

  test('the first one is named when none can be reached', async () => {
    await expect(fetchFrom(join(host, 'first'), join(host, 'second'))).rejects.toMatchObject({
      code: 'E_NETWORK',
      message: expect.stringContaining('first'),
    });
  });
});

test('plain http is for this machine only', async () => {
  expect(() => openSource('http://releases.example/acme', quietWorld())).toThrow(expect.objectContaining({ code: 'E_NETWORK' }));
  expect(openSource('http://127.0.0.1:1/releases', quietWorld()).label).toBe('http://127.0.0.1:1/releases/');
  expect(openSource('file:///srv/releases', quietWorld()).label).toBe('/srv/releases');
  expect(() => openSource('ftp://x/y', quietWorld())).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
});

test('a web server’s release lists its assets with their sizes', async () => {
  const found = await openSource(server.url, quietWorld()).assets('v1.1.0');
  const size = (await stat(join(host, 'releases/v1.1.0/acme-bundle-1.1.0.tar.gz'))).size;
  expect(found).toContainEqual({ name: 'acme-bundle-1.1.0.tar.gz', size });
  expect(await openSource(server.url, quietWorld()).assets('v9.9.9')).toBeUndefined();
});

interface ChannelChange {
  readonly minisig?: 'kept' | null;
  readonly by?: typeof keys;
  readonly subject?: string;
  readonly role?: SignedRole;
  readonly product?: string;
}

/** Rewrites the channel file as somebody who has the host, and perhaps a key, could. */
async function changeChannel(
  edit: (payload: Record<string, unknown>) => Record<string, unknown>,
  { minisig, by = keys, subject = 'stable', role = 'channel', product = 'acme' }: ChannelChange = {},
): Promise<void> {
  const signed = parseSignedChannel(await readFile(join(pristine, CHANNEL), 'utf8'), 'test');
  const payload = canonicalJson(edit(JSON.parse(signed.payload) as Record<string, unknown>));
  const fresh = signStatement({ role, product, subject, content: Buffer.from(payload) }, parseSecretKey(by.secretKeyText));
  await writeFile(join(host, CHANNEL), printSignedChannel(payload, minisig === 'kept' ? signed.minisig : minisig === null ? null : fresh));
}

/** Puts another bundle in place of 1.1.0's, and gives the change of the channel entry that a vendor's mistake, or a stolen channel key, could make. */
async function swapBundle(
  options: Partial<Parameters<typeof buildRelease>[0]>,
): Promise<(entry: ChannelRelease) => Partial<ChannelRelease>> {
  const workspace = await mkdtemp(join(tmpdir(), 'slipway-'));
  const other = await buildRelease({ workspace, version: '1.1.0', keys, ...options });
  const name = 'acme-bundle-1.1.0.tar.gz';
  await copyFile(join(other.folder, other.manifest.artifact.name), join(host, 'releases/v1.1.0', name));
  const bytes = await readFile(join(host, 'releases/v1.1.0', name));
  await rm(workspace, { recursive: true });
  return (entry) => ({
    manifest: other.manifestDigest,
    assets: entry.assets.map((asset) => (asset.name === name ? { name, size: bytes.length, sha256: digestOf(bytes) } : asset)),
  });
}

async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
  return codeOf(
    await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? error);
}
