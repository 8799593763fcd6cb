import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { parseChannel, parseSignedChannel, printChannel, printSignedChannel } from '../../src/model/channel.ts';
import type { NextChannel, ReleaseHost } from '../../src/model/host.ts';
import { folderHost } from '../../src/world/folder.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let root: string;
let host: ReleaseHost;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-'));
  host = folderHost(root, quietWorld());
});

/** A channel file whose list of hosts says who changed it, in order. */
function channelFile(sequence: number, authors: readonly string[], name = 'stable'): string {
  const payload = printChannel({
    type: 'slipway/channel@1',
    product: 'acme',
    channel: name,
    sequence,
    issued: '2026-03-15T10:00:00Z',
    expires: null,
    latest: null,
    hosts: authors,
    moved: null,
    releases: [],
    runtimes: [],
  });
  return printSignedChannel(payload, `signature of ${sequence}\n`);
}

function joins(author: string, name = 'stable'): (current: string | undefined) => NextChannel {
  return (current) => {
    const former = current === undefined ? undefined : parse(current);
    const sequence = (former?.sequence ?? 0) + 1;
    return { sequence, text: channelFile(sequence, [...(former?.hosts ?? []), author], name) };
  };
}

function parse(text: string): ReturnType<typeof parseChannel> {
  return parseChannel(parseSignedChannel(text, 'test').payload, 'test');
}

async function current(name = 'stable'): Promise<ReturnType<typeof parseChannel>> {
  return parse(await readFile(join(root, `channels/${name}.signed.json`), 'utf8'));
}

test('every change of many at once is kept, in one growing sequence that no reader sees fall', async () => {
  const authors = Array.from({ length: 30 }, (_, index) => `author-${index}`);
  let running = true;
  const seen: number[] = [];
  const reader = (async () => {
    while (running) {
      const text = await readFile(join(root, 'channels/stable.signed.json'), 'utf8').catch(() => undefined);
      if (text !== undefined) seen.push(parse(text).sequence);
    }
  })();
  await Promise.all(authors.map((author) => host.changeChannel('stable', joins(author))));
  running = false;
  await reader;
  const { sequence, hosts } = await current();
  expect(sequence).toBe(30);
  expect([...hosts].sort()).toEqual([...authors].sort());
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test('nothing but the claims is left beside the current file', async () => {
  await Promise.all(['a', 'b', 'c'].map((author) => host.changeChannel('stable', joins(author))));
  expect(await readdir(join(root, 'channels/.claims'))).toEqual(['stable.1.json', 'stable.2.json', 'stable.3.json']);
  expect((await readdir(join(root, 'channels'))).sort()).toEqual(['.claims', 'stable.json', 'stable.json.minisig', 'stable.signed.json']);
});

test('the copies beside it are the signed bytes and the signature, as minisign reads them', async () => {
  await host.changeChannel('stable', joins('a'));
  await host.changeChannel('stable', joins('b'));
  const { payload, minisig } = parseSignedChannel(await readFile(join(root, 'channels/stable.signed.json'), 'utf8'), 'test');
  expect(await readFile(join(root, 'channels/stable.json'), 'utf8')).toBe(payload);
  expect(await readFile(join(root, 'channels/stable.json.minisig'), 'utf8')).toBe(minisig);
  expect((await stat(join(root, 'channels/stable.signed.json'))).mode & 0o777).toBe(0o644);
});

test('a claim whose publisher died is put into force by the next one, and is not lost', async () => {
  await host.changeChannel('stable', joins('first'));
  const claims = join(root, 'channels/.claims');
  await writeFile(join(claims, 'stable.2.aaaa.put'), channelFile(2, ['first', 'died after its claim']));
  await link(join(claims, 'stable.2.aaaa.put'), join(claims, 'stable.2.json'));
  await host.changeChannel('stable', joins('next'));
  expect((await current()).hosts).toEqual(['first', 'died after its claim', 'next']);
});

test('a publisher that died before its claim leaves nothing behind', async () => {
  await host.changeChannel('stable', joins('first'));
  await writeFile(join(root, 'channels/.claims/stable.2.bbbb.put'), channelFile(2, ['never claimed']));
  await host.changeChannel('stable', joins('next'));
  expect((await current()).hosts).toEqual(['first', 'next']);
  expect(await readdir(join(root, 'channels/.claims'))).toEqual(['stable.1.json', 'stable.2.json']);
});

test('an older file that was put back by hand is replaced by the highest claim', async () => {
  await host.changeChannel('stable', joins('first'));
  const old = await readFile(join(root, 'channels/stable.signed.json'));
  await host.changeChannel('stable', joins('second'));
  await rm(join(root, 'channels/stable.signed.json'));
  await writeFile(join(root, 'channels/stable.signed.json'), old);
  await host.changeChannel('stable', () => undefined);
  expect(await current()).toMatchObject({ sequence: 2, hosts: ['first', 'second'] });
});

test('goes on from the current file where the claims were not copied along', async () => {
  await mkdir(join(root, 'channels'));
  await writeFile(join(root, 'channels/stable.signed.json'), channelFile(17, ['moved here']));
  await host.changeChannel('stable', joins('next'));
  expect(await current()).toMatchObject({ sequence: 18, hosts: ['moved here', 'next'] });
});

test('channels with names that begin alike do not disturb each other', async () => {
  for (const name of ['lts-2', 'lts-2.3', 'lts-2', 'lts-2.3', 'lts-2.3']) await host.changeChannel(name, joins('x', name));
  expect(await current('lts-2')).toMatchObject({ channel: 'lts-2', sequence: 2 });
  expect(await current('lts-2.3')).toMatchObject({ channel: 'lts-2.3', sequence: 3 });
});

test('nothing to change leaves the host as it is', async () => {
  await host.changeChannel('stable', joins('first'));
  const before = await stat(join(root, 'channels/stable.signed.json'));
  await host.changeChannel('stable', () => undefined);
  expect((await stat(join(root, 'channels/stable.signed.json'))).ino).toBe(before.ino);
  expect((await current()).sequence).toBe(1);
});
