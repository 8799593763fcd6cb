import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { publicLocation } from '../../src/model/host.ts';
import { openSource } from '../../src/world/hosts.ts';
import { failure } from '../failure.ts';
import {
  byWriter,
  draftOf,
  type GiteaStage,
  giteaStage,
  pack,
  publicationOf,
  release,
  reservation,
  TAG,
  upload,
} from '../fakes/gitea-stage.ts';
import { attach, rowOf } from '../fakes/gitea-state.ts';
import { serve } from '../fakes/http-server.ts';

let stage: GiteaStage;
let assets: readonly ChannelAsset[];

beforeEach(async () => {
  stage = await giteaStage();
  assets = await pack(stage, { 'acme.tar.gz': 'bundle bytes', 'bundle.json': 'one' });
});
afterEach(() => stage.gitea.close());

function storedNames(tag = TAG): readonly string[] {
  return rowOf(stage.gitea.state, tag)?.assets.map(({ name, bytes }) => `${name}=${bytes}`) ?? [];
}

function writes(): readonly string[] {
  return stage.gitea.requests.map(({ line }) => line).filter((line) => !/^(GET|HEAD) |releases\/0$/.test(line));
}

describe('an upload', () => {
  beforeEach(() =>
    stage
      .host()
      .reserve(reservation())
      .then(() => undefined),
  );

  test.each([
    ['500', { status: 500 }],
    ['502 from a proxy', { status: 502 }],
    ['a lost connection', 'cut' as const],
  ])('that succeeded although it got %s leaves no twin', async (_name, answer) => {
    stage.gitea.faults.add({ on: /^POST .*\/assets/, answer, effect: 'done' });
    await release(stage, stage.host(), assets);
    expect(storedNames()).toEqual(['acme.tar.gz=bundle bytes', 'bundle.json=one']);
  });

  test('that failed is sent again', async () => {
    stage.gitea.faults.add({ on: /^POST .*\/assets/, answer: { status: 502 }, times: 2 });
    await release(stage, stage.host(), assets);
    expect(storedNames()).toEqual(['acme.tar.gz=bundle bytes', 'bundle.json=one']);
  });

  test.each([1, 2, 3])('that got 504 and took effect %i requests later leaves no twin: one complete copy stays', async (effect) => {
    stage.gitea.faults.add({ on: /^POST .*\/assets\?name=bundle/, answer: { status: 504 }, effect });
    await release(stage, stage.host(), assets);
    expect(writes().filter((line) => line.includes('assets?name=bundle'))).toHaveLength(2);
    expect(writes().filter((line) => line.startsWith('DELETE'))).toHaveLength(1);
    expect(storedNames()).toEqual(['acme.tar.gz=bundle bytes', 'bundle.json=one']);
  });

  test('finds twins and cut-off files of an earlier attempt and leaves the oldest complete one', async () => {
    const host = stage.host();
    await host.openDraft(draftOf(assets));
    const row = rowOf(stage.gitea.state, TAG)!;
    for (const text of ['bundle', 'bundle bytes', 'bundle bytez', 'bundle bytes'])
      attach(stage.gitea.state, row, 'acme.tar.gz', Buffer.from(text));
    const kept = row.assets[1]!.id;
    await release(stage, host, assets);
    expect(storedNames()).toEqual(['acme.tar.gz=bundle bytes', 'bundle.json=one']);
    expect(row.assets[0]!.id).toBe(kept);
  });

  test('of a file that changed since it was packed stores nothing', async () => {
    const host = stage.host();
    await host.openDraft(draftOf(assets));
    await writeFile(join(stage.packed, 'bundle.json'), 'two');
    const changed = host.upload(draftOf(assets), assets[1]!, { from: join(stage.packed, 'bundle.json') });
    await expect(changed).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(storedNames()).toEqual([]);
  });

  test('reports its progress in bytes of the file', async () => {
    const host = stage.host();
    const seen: number[] = [];
    await host.openDraft(draftOf(assets));
    await host.upload(draftOf(assets), assets[0]!, { from: join(stage.packed, 'acme.tar.gz'), onBytes: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(assets[0]!.size);
  });

  test('above the server’s limit says which setting (413), and of a type it takes not too (400)', async () => {
    stage.gitea.state.settings.maxSize = 0;
    const large = await failure(release(stage, stage.host(), assets));
    expect(large.code).toBe('E_TOO_LARGE');
    expect(large.hint).toContain('MAX_SIZE');
    stage.gitea.state.settings.maxSize = 1;
    stage.gitea.state.settings.allowedTypes = ['.zip'];
    const typed = await failure(release(stage, stage.host(), assets));
    expect(typed.code).toBe('E_NOT_SUPPORTED');
    expect(typed.hint).toContain('ALLOWED_TYPES');
    expect(storedNames()).toEqual([]);
  });

  test('waits as long as a proxy asks (429 with Retry-After)', async () => {
    stage.gitea.faults.add({ on: /^POST .*\/assets/, answer: { status: 429, headers: { 'retry-after': '7' } } });
    await release(stage, stage.host(), assets);
    expect(stage.world.waits).toContain(7000);
    expect(storedNames()).toHaveLength(2);
  });

  test('whose token expires half-way goes on with a new token', async () => {
    stage.gitea.faults.add({ on: /^POST .*\/assets\?name=bundle/, answer: { status: 401, body: '{"message":"token is expired"}' } });
    await expect(release(stage, stage.host(), assets)).rejects.toMatchObject({
      code: 'E_AUTH',
      hint: expect.stringContaining('$GITEA_TOKEN'),
    });
    const before = stage.gitea.requests.length;
    await release(stage, stage.host(), assets);
    const again = stage.gitea.requests.slice(before).filter(({ line }) => /^POST .*\/assets/.test(line));
    expect(again.map(({ line }) => line)).toEqual([expect.stringContaining('name=bundle.json')]);
  });
});

describe('a draft', () => {
  beforeEach(() =>
    stage
      .host()
      .reserve(reservation())
      .then(() => undefined),
  );

  test('is seen by no reader, though Gitea shows it by its tag to those who may write', async () => {
    await upload(stage, stage.host(), assets);
    const source = openSource(publicLocation(stage.gitea.address)!, stage.world);
    expect(await source.assets(TAG)).toBeUndefined();
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
    expect(await stage.host(null).listRelease(TAG)).toBeUndefined();
  });

  test('of other contents is left alone, and its page is named', async () => {
    await upload(stage, stage.host(), assets);
    const others = await pack(stage, { 'bundle.json': 'two' });
    const { code, hint } = await failure(stage.host().openDraft(draftOf(others)));
    expect(code).toBe('E_RESERVED_ELSEWHERE');
    expect(hint).toContain(`/acme/acme/releases/tag/${TAG}`);
    await stage.host().dropDraft(draftOf(others));
    expect(storedNames()).toHaveLength(2);
  });

  test('whose creation got 500 or lost its answer is found, not made twice', async () => {
    stage.gitea.faults.add({ on: /^POST .*\/releases$/, answer: { status: 500 }, effect: 'done' });
    await stage.host().openDraft(draftOf(assets));
    expect(writes().filter((line) => line.endsWith('/releases'))).toHaveLength(1);
    expect(await stage.host().listDraft(draftOf(assets))).toEqual([]);
  });

  test('that is dropped leaves the reservation as it was', async () => {
    await upload(stage, stage.host(), assets);
    await stage.host().dropDraft(draftOf(assets));
    expect(await stage.host().listDraft(draftOf(assets))).toBeUndefined();
    expect(await stage.host().reservation(TAG)).toEqual(reservation());
    await stage.host().unreserve(reservation());
    expect(stage.gitea.state.rows).toEqual([]);
  });

  test('that is not exactly what is to be published is refused: altered, missing, extra, or a different twin', async () => {
    const host = stage.host();
    const draft = await upload(stage, host, assets);
    const row = rowOf(stage.gitea.state, TAG)!;
    await expect(host.publish(draft, publicationOf(assets.slice(1)))).rejects.toMatchObject({ code: 'E_DIGEST' });
    await expect(host.publish(draft, publicationOf([...assets, { ...assets[0]!, name: 'b' }]))).rejects.toMatchObject({ code: 'E_DIGEST' });
    row.assets = row.assets.map((asset) => (asset.name === 'bundle.json' ? { ...asset, uuid: 'other', bytes: Buffer.from('two') } : asset));
    await expect(host.publish(draft, publicationOf(assets))).rejects.toMatchObject({
      code: 'E_DIGEST',
      message: expect.stringContaining('bundle.json'),
    });
    expect(row.draft).toBe(true);
  });
});

describe('publishing', () => {
  beforeEach(() =>
    stage
      .host()
      .reserve(reservation())
      .then(() => undefined),
  );

  test.each([
    ['500', { status: 500 }],
    ['a lost connection', 'cut' as const],
  ])('that took place although it got %s is success', async (_name, answer) => {
    stage.gitea.faults.add({ on: /^PATCH /, answer, effect: 'done' });
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(assets);
  });

  test('that Gitea refuses keeps the draft and says where to look (500 of a protected tag)', async () => {
    stage.gitea.state.tags.delete(TAG);
    stage.gitea.state.settings.protections = [{ name_pattern: '/^v/', whitelist_usernames: [], whitelist_teams: ['owners'] }];
    const { code, message, hint } = await failure(release(stage, stage.host(), assets));
    expect([code, message]).toEqual(['E_NETWORK', expect.stringContaining('protected tag')]);
    expect(hint).toContain('/settings/tags');
    expect(await stage.host().listDraft(draftOf(assets))).toHaveLength(2);
  });

  test('without notes leaves no mark of the draft in the text, which an empty one would', async () => {
    const draft = await upload(stage, stage.host(), assets);
    expect(rowOf(stage.gitea.state, TAG)?.note).toContain('slipway-draft');
    await stage.host().publish(draft, publicationOf(assets, { notes: '', title: '' }));
    expect(rowOf(stage.gitea.state, TAG)).toMatchObject({ note: TAG, title: TAG, draft: false });
  });

  test('C-10: a backport or a prerelease never becomes what Gitea shows as latest', async () => {
    await release(stage, stage.host(), assets);
    for (const [tag, parts] of [
      ['v0.9.9', { latest: false }],
      ['v1.1.0-rc.1', { latest: false, prerelease: true }],
    ] as const) {
      const draft = await upload(stage, stage.host(), assets, tag);
      await stage.host().publish(draft, publicationOf(assets, parts));
    }
    const latest = await fetch(`${stage.gitea.url}/api/v1/repos/acme/acme/releases/latest`);
    expect(await latest.json()).toMatchObject({ tag_name: TAG });
    const alias = await fetch(`${stage.gitea.url}/acme/acme/releases/download/latest/bundle.json`);
    expect(await alias.text()).toBe('one');
  });

  test('the same bytes again is success and leaves nothing else behind, other bytes are refused and nothing changes', async () => {
    await release(stage, stage.host(), assets);
    const before = JSON.stringify(stage.gitea.state.rows);
    expect(await release(stage, stage.host(), assets)).toBe('already-published');
    const others = await pack(stage, { 'bundle.json': 'two' });
    await expect(release(stage, stage.host(), others)).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    await stage.host().dropDraft(draftOf(others));
    expect(JSON.stringify(stage.gitea.state.rows)).toBe(before);
  });

  test('in place of a release keeps its tag and puts the old files aside, once it is named', async () => {
    await release(stage, stage.host(), assets);
    const others = await pack(stage, { 'bundle.json': 'two' });
    const wrong = release(stage, stage.host(), others, { replaces: digestOf('three') });
    await expect(wrong).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect(await release(stage, stage.host(), others, { replaces: digestOf('one') })).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(others);
    expect(await stage.host().reservation(TAG)).toEqual(reservation());
    const aside = stage.gitea.state.rows.find(({ tag }) => tag.startsWith('slipway-replaced-'));
    expect([aside?.draft, aside?.assets.length]).toEqual([true, 2]);
  });

  test('is read by installs from pages that need no token, over a relative Location too', async () => {
    stage.gitea.state.settings.storage = 'relative';
    const packed = await pack(stage, { 'bundle.json': 'one', SHA256SUMS: `${'a'.repeat(64)}  bundle.json\n` });
    await release(stage, stage.host(), packed);
    await stage.host().changeChannel('stable', byWriter('1.0.0'));
    const before = stage.gitea.requests.length;
    const source = openSource(publicLocation(stage.gitea.address)!, stage.world);
    expect((await source.read('channels/stable.signed.json', 10_000))?.toString()).toContain('"sequence\\":1');
    expect(await source.read('channels/beta.signed.json', 10_000)).toBeUndefined();
    const to = join(stage.packed, 'got');
    await source.download(TAG, 'bundle.json', { to, maxBytes: 3, sha256: digestOf('one') });
    expect(await readFile(to, 'utf8')).toBe('one');
    expect(stage.gitea.requests.slice(before).map(({ authorization }) => authorization)).not.toContainEqual(expect.anything());
  });

  test('is measured where an object storage elsewhere gives the bytes, which is never shown the token', async () => {
    const seen: (string | undefined)[] = [];
    const storage = await serve((request, response) => {
      seen.push(request.headers.authorization);
      const stored = stage.gitea.state.rows.flatMap((row) => row.assets).find(({ uuid }) => request.url?.endsWith(uuid));
      response.end(stored?.bytes);
    });
    stage.gitea.state.settings.storage = `http://${storage}`;
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.every((authorization) => authorization === undefined)).toBe(true);
  });
});
