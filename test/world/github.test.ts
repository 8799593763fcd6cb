// GitHub as a release host, against a server that is as unpleasant as the real one.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { ReleaseHost } from '../../src/model/host.ts';
import { judgeReservation } from '../../src/model/reservation.ts';
import { byWriter, channelFile, draftOf, publicationOf } from '../fakes/gitea-stage.ts';
import { endState, FIRST, type GithubStage, githubStage, release, reservation, SECOND, TAG, upload } from '../fakes/github-stage.ts';
import type { GithubSettings } from '../fakes/github-state.ts';

const FILES = { 'acme-1.0.0.tar.gz': 'bundle bytes', 'bundle.json': '{"one":1}', 'install.sh': '#!/bin/sh\n' };
let stage: GithubStage;

beforeEach(async () => {
  stage = await githubStage();
});

afterEach(() => stage.github.close());

async function again(settings: Partial<GithubSettings>): Promise<void> {
  await stage.github.close();
  stage = await githubStage(settings);
}

async function pack(files: Readonly<Record<string, string>> = FILES): Promise<readonly ChannelAsset[]> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(stage.packed, name), text);
  return Object.entries(files).map(([name, text]) => ({ name, size: Buffer.byteLength(text), sha256: digestOf(text) }));
}

describe('a reservation', () => {
  test('is an annotated tag that says whose it is; the first has it, and all read the same', async () => {
    const tries = Array.from({ length: 20 }, (_, index) => stage.host().reserve(reservation({ nonce: `n${index}` })));
    const found = await Promise.all(tries);
    expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
    expect(await stage.host().reservation(TAG)).toEqual(found[0]);
    expect([...stage.github.state.refs.keys()]).toEqual([`tags/${TAG}`]);
  });

  test('whose answer was lost is still ours', async () => {
    stage.github.faults.add({ on: /^POST .*\/git\/refs/, effect: 'done', answer: 'cut' });
    expect(await stage.host().reserve(reservation())).toEqual(reservation());
  });

  test('is not another’s although "already exists" comes back: what is read back decides', async () => {
    stage.github.faults.add({
      on: /^POST .*\/git\/refs/,
      effect: 'done',
      answer: { status: 422, body: '{"message":"Reference already exists"}' },
    });
    expect((await stage.host().reserve(reservation())).nonce).toBe('n1');
  });

  test('is refused with the rule, when a tag rule forbids it', async () => {
    await again({ tagRule: true });
    await expect(stage.host().reserve(reservation())).rejects.toMatchObject({ code: 'E_AUTH', message: expect.stringContaining('rule') });
  });

  test('of a commit that GitHub does not have says to push it', async () => {
    const unknown = reservation({ commit: 'f'.repeat(40) });
    await expect(stage.host().reserve(unknown)).rejects.toMatchObject({ code: 'E_CONFIG', hint: expect.stringContaining('Push') });
    expect(stage.github.state.refs.size).toBe(0);
  });

  test('of a tag that somebody made by hand joins on its commit, and is elsewhere on another', async () => {
    stage.github.state.refs.set(`tags/${TAG}`, { sha: FIRST, type: 'commit' });
    const found = await stage.host().reserve(reservation());
    expect(judgeReservation(reservation(), found)).toBe('joined');
    expect(judgeReservation(reservation({ commit: SECOND }), found)).toBe('elsewhere');
  });

  test('is given free by its own attempt only', async () => {
    await stage.host().reserve(reservation());
    await stage.host().unreserve(reservation({ nonce: 'n2' }));
    expect(stage.github.state.refs.size).toBe(1);
    await stage.host().unreserve(reservation());
    expect(stage.github.state.refs.size).toBe(0);
  });

  test('counts tags over all pages, and a page that fails is no end', async () => {
    for (let n = 0; n < 7; n += 1) await stage.host().reserve(reservation({ tag: `v1.0.0-staging.${n}`, nonce: `n${n}` }));
    expect(await stage.host().tags('v1.0.0-staging.')).toHaveLength(7);
    stage.github.faults.add({ on: /matching-refs.*page=3/, times: 9, answer: { status: 500 } });
    await expect(stage.host().tags('v1.0.0-staging.')).rejects.toMatchObject({ code: 'E_NETWORK' });
  });
});

describe('a release', () => {
  test('appears whole, is found by its tag, and publishing it again says so', async () => {
    const assets = await pack();
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(expect.arrayContaining([...assets]));
    expect(await release(stage, stage.host(), assets)).toBe('already-published');
    expect(stage.github.state.releases).toHaveLength(1);
  });

  test('is seen by nobody while it is a draft', async () => {
    const assets = await pack();
    await upload(stage, stage.host(), assets);
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
    expect(await stage.host().listDraft(draftOf(assets))).toHaveLength(3);
  });

  test('with other content is refused, and nothing is changed', async () => {
    await release(stage, stage.host(), await pack());
    const before = endState(stage);
    const others = await pack({ ...FILES, 'bundle.json': '{"two":2}' });
    const draft = await upload(stage, stage.host(), others);
    await expect(stage.host().publish(draft, publicationOf(others))).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    await stage.host().dropDraft(draft);
    expect(endState(stage)).toEqual(before);
  });

  test('is not published with a file missing, one too many, or one of other bytes', async () => {
    const assets = await pack();
    const draft = await upload(stage, stage.host(), assets.slice(0, 2));
    await expect(stage.host().publish({ ...draft, contents: draft.contents }, publicationOf(assets))).rejects.toMatchObject({
      code: 'E_DIGEST',
    });
    const [stored] = stage.github.state.releases;
    stored?.assets.push({ id: 99, name: 'install.sh', bytes: Buffer.from('forged'), state: 'uploaded' });
    await expect(stage.host().publish(draft, publicationOf(assets))).rejects.toMatchObject({
      message: expect.stringContaining('install.sh has other content'),
    });
    await expect(stage.host().publish(draft, publicationOf(assets.slice(0, 2)))).rejects.toMatchObject({
      message: expect.stringContaining('does not belong'),
    });
    expect(stored?.draft).toBe(true);
  });

  test('of a backport or a prerelease never becomes latest', async () => {
    await release(stage, stage.host(), await pack());
    const { latest } = stage.github.state;
    const others = await pack({ ...FILES, 'bundle.json': '{"old":1}' });
    const draft = { ...draftOf(others), tag: 'v0.9.1' };
    await stage.host().openDraft(draft);
    for (const asset of others) await stage.host().upload(draft, asset, { from: join(stage.packed, asset.name) });
    await stage.host().publish(draft, publicationOf(others, { latest: false }));
    expect(stage.github.state.latest).toBe(latest);
  });

  test('that is to be replaced gives way when its manifest is the one that was named, and only then', async () => {
    const assets = await pack();
    await release(stage, stage.host(), assets);
    const others = await pack({ ...FILES, 'bundle.json': '{"two":2}' });
    await expect(release(stage, stage.host(), others, { replaces: digestOf('something else') })).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
    });
    expect(await release(stage, stage.host(), others, { replaces: digestOf(FILES['bundle.json']) })).toBe('published');
    expect(stage.github.state.releases.map(({ draft }) => draft)).toEqual([false]);
  });

  test('that is immutable is never replaced, and preflight says so before anything', async () => {
    await again({ immutable: true });
    const assets = await pack();
    await stage.host().reserve(reservation());
    await release(stage, stage.host(), assets);
    const others = await pack({ ...FILES, 'bundle.json': '{"two":2}' });
    const problems = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: others, replace: true });
    expect(problems.map(({ message }) => message).join()).toContain('immutable');
    const refused = release(stage, stage.host(), others, { replaces: digestOf(FILES['bundle.json']) });
    await expect(refused).rejects.toMatchObject({ code: 'E_NOT_SUPPORTED', hint: expect.stringContaining('next version') });
  });
});

describe('an upload', () => {
  test('that GitHub says it refused although it has it counts by what is there', async () => {
    const body = '{"message":"Validation Failed","errors":[{"resource":"ReleaseAsset","code":"already_exists","field":"name"}]}';
    stage.github.faults.add({ on: /^POST .*assets\?name=bundle/, effect: 'done', answer: { status: 422, body } });
    const assets = await pack();
    expect(await release(stage, stage.host(), assets)).toBe('published');
  });

  test('that broke off and left a starter behind is done again', async () => {
    const assets = await pack();
    await stage.host().openDraft(draftOf(assets));
    stage.github.state.releases[0]?.assets.push({ id: 77, name: 'bundle.json', bytes: Buffer.alloc(0), state: 'starter' });
    stage.github.faults.add({ on: /^POST .*assets\?name=acme/, answer: { status: 502 } });
    expect(await release(stage, stage.host(), assets)).toBe('published');
  });

  test('into a release that is not found yet waits for it', async () => {
    stage.github.faults.add({ on: /^POST .*assets\?name=acme/, times: 3, answer: { status: 404, body: '{"message":"Not Found"}' } });
    expect(await release(stage, stage.host(), await pack())).toBe('published');
  });

  test('of a file that changed since it was packed is given up', async () => {
    const assets = await pack();
    await stage.host().openDraft(draftOf(assets));
    await writeFile(join(stage.packed, 'bundle.json'), '{"one":2}');
    const [, manifest] = assets as [ChannelAsset, ChannelAsset];
    await expect(stage.host().upload(draftOf(assets), manifest, { from: join(stage.packed, 'bundle.json') })).rejects.toMatchObject({
      code: 'E_DIGEST',
    });
    expect(stage.github.state.releases[0]?.assets).toEqual([]);
  });

  test('under a name that GitHub would change is a problem before it begins', async () => {
    const [problem] = await stage
      .host()
      .preflight({ tag: TAG, commit: FIRST, assets: await pack({ '.env.example': 'A=1\n' }), replace: false });
    expect(problem).toMatchObject({ severity: 'error', message: expect.stringContaining('rename .env.example') });
  });

  test('of old assets without a digest is checked by its bytes', async () => {
    await again({ oldAssets: true });
    const assets = await pack();
    expect(await release(stage, stage.host(), assets)).toBe('published');
    const [stored] = stage.github.state.releases;
    if (stored !== undefined)
      stored.assets = stored.assets.map((asset) => (asset.name === 'install.sh' ? { ...asset, bytes: Buffer.from('#!/bin/no\n') } : asset));
    expect(await stage.host().listRelease(TAG)).toContainEqual({ name: 'install.sh', size: 10, sha256: digestOf('#!/bin/no\n') });
  });
});

describe('a draft', () => {
  test('is found on any page, from another machine', async () => {
    for (let n = 0; n < 5; n += 1) {
      const others = await pack({ 'bundle.json': `{"other":${n}}` });
      await stage.host().openDraft({ ...draftOf(others), tag: `v9.${n}.0` });
    }
    const assets = await pack();
    await upload(stage, stage.host(), assets);
    const more = await pack({ 'bundle.json': '{"later":1}' });
    await stage.host().openDraft({ ...draftOf(more), tag: 'v9.9.0' });
    expect(await stage.host().listDraft(draftOf(assets))).toHaveLength(3);
  });

  test('that the listing does not show yet is not made twice by the one who made it', async () => {
    await again({ lag: 3 });
    expect(await release(stage, stage.host(), await pack())).toBe('published');
    expect(stage.github.state.releases).toHaveLength(1);
  });

  test('that was made twice leaves one release and no draft', async () => {
    const assets = await pack();
    await Promise.all([stage.host().openDraft(draftOf(assets)), stage.host().openDraft(draftOf(assets))]);
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(stage.github.state.releases.map(({ draft }) => draft)).toEqual([false]);
  });
});

describe('the channels branch', () => {
  test('takes twenty publishers at once and loses none', async () => {
    const writers = Array.from({ length: 20 }, (_, index) => stage.host().changeChannel('stable', byWriter(`w${index}`)));
    await Promise.all(writers);
    const text = (await stage.host().read('channels/stable.signed.json', 1 << 20))?.toString() ?? '';
    expect(text).toContain('\\"sequence\\":20');
    expect((await stage.host().read('channels/stable.json', 1 << 20))?.toString()).toBe(JSON.parse(text).payload);
  });

  test('whose answer was lost is written once', async () => {
    stage.github.faults.add({ on: /^PUT .*stable\.signed/, after: 1, effect: 'done', answer: 'cut' });
    await stage.host().changeChannel('stable', byWriter('me'));
    const text = (await stage.host().read('channels/stable.signed.json', 1 << 20))?.toString() ?? '';
    expect(text).toBe(channelFile(1, 'me').text);
  });

  test('has no channel file when GitHub says so about a repository that it shows, and an error is no absence', async () => {
    expect(await stage.host().read('channels/stable.signed.json', 1024)).toBeUndefined();
    stage.github.faults.add({ on: /contents/, times: 9, answer: { status: 500 } });
    await expect(stage.host().read('channels/stable.signed.json', 1024)).rejects.toMatchObject({ code: 'E_NETWORK' });
    await again({ private: true });
    await expect(stage.host(null).read('channels/stable.signed.json', 1024)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      hint: expect.stringContaining('a private one looks the same without a token'),
    });
  });

  test('keeps what may be there once only', async () => {
    await stage.host().putText('keys/ABC.json', 'statement\n');
    await stage.host().putText('keys/ABC.json', 'statement\n');
    await expect(stage.host().putText('keys/ABC.json', 'another\n')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
  });

  test('gets install.sh from a published release', async () => {
    const assets = await pack();
    await release(stage, stage.host(), assets);
    const [, , installer] = assets as [ChannelAsset, ChannelAsset, ChannelAsset];
    await stage.host().putAsset(TAG, installer, 'install.sh');
    expect((await stage.host().read('install.sh', 1024))?.toString()).toBe(FILES['install.sh']);
  });
});

describe('a token', () => {
  test('that is missing, wrong or too weak is named, with what it needs and where to make one, before anything is written', async () => {
    const wanted = { tag: TAG, commit: FIRST, assets: await pack(), replace: false };
    const hint = expect.stringMatching(/\$GITHUB_TOKEN.*settings\/tokens/);
    await expect(stage.host(null).preflight(wanted)).rejects.toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('$GITHUB_TOKEN is not set'),
      hint,
    });
    await expect(stage.host('wrong').preflight(wanted)).rejects.toMatchObject({ code: 'E_AUTH', hint });
    await again({ push: false });
    expect(await stage.host().preflight(wanted)).toMatchObject([{ severity: 'error', message: expect.stringContaining('not write') }]);
    await expect(stage.host().reserve(reservation())).rejects.toMatchObject({ code: 'E_AUTH' });
    expect(stage.github.state.refs.size).toBe(0);
  });

  test('never goes to the host that a download leads to, and never into an error', async () => {
    await again({ oldAssets: true });
    await release(stage, stage.host('good-token'), await pack());
    const gets = stage.github.requests.filter(({ line, elsewhere }) => elsewhere && line.startsWith('GET'));
    expect(gets.length).toBeGreaterThan(0);
    expect(gets.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    const error = await stage
      .host('secret-token')
      .reserve(reservation())
      .catch((reason: unknown) => reason);
    expect(JSON.stringify([String(error), error, (error as Error).stack, (error as { hint?: string }).hint])).not.toContain('secret-token');
  });

  test('limit is waited for as GitHub says, and after that without a word', async () => {
    const limited = {
      on: /^POST .*git\/tags/,
      answer: { status: 403, headers: { 'retry-after': '7' }, body: '{"message":"secondary rate limit"}' },
    } as const;
    stage.github.faults.add(limited);
    stage.github.faults.add({ on: /^POST .*git\/refs/, answer: { status: 429 } });
    await stage.host().reserve(reservation());
    expect(stage.world.waits).toEqual(expect.arrayContaining([7000, 60_000]));
  });
});

describe('what stops a release before its first write', () => {
  test('is an archived repository, a commit that is not there, a file that is too large', async () => {
    await again({ archived: true });
    const large = { name: 'acme.tar.gz', size: 2 ** 31, sha256: digestOf('') };
    const problems = await stage.host().preflight({ tag: TAG, commit: 'e'.repeat(40), assets: [large], replace: false });
    const said = problems.map(({ message }) => message).join('\n');
    for (const part of ['archived', '2 GiB', 'does not know the commit']) expect(said).toContain(part);
    expect(stage.github.requests.every(({ line }) => line.startsWith('GET'))).toBe(true);
  });

  test('may be workflows that the default branch lacks', async () => {
    await again({ changedFiles: ['.github/workflows/release.yml'] });
    const problems = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(), replace: false });
    expect(problems).toMatchObject([{ severity: 'warning', message: expect.stringContaining('workflows') }]);
  });
});

describe('a publisher that is killed at any request', () => {
  test.each(['before', 'after'] as const)('%s it is carried out, and starts anew, ends as if nothing had happened', async (when) => {
    await publishAll(stage.host());
    const wanted = endState(stage);
    const total = stage.github.requests.length;
    for (let n = 1; n <= total; n += 1) {
      await again({});
      stage.github.faults.killAt(n, when);
      await publishAll(stage.host()).catch(() => undefined);
      stage.github.faults.clear();
      await publishAll(stage.host());
      expect(endState(stage), `killed ${when} request ${n}`).toEqual(wanted);
    }
    console.log(`GitHub: killed ${when} each of ${total} requests, resumed each time with a new client: the same end state`);
  });
});

async function publishAll(host: ReleaseHost): Promise<void> {
  const assets = await pack();
  const found = await host.reserve(reservation());
  expect(judgeReservation(reservation(), found)).not.toBe('elsewhere');
  if ((await host.listRelease(TAG)) === undefined) await release(stage, host, assets);
  await host.changeChannel('stable', byWriter('me'));
  await host.putAsset(TAG, assets[2] as ChannelAsset, 'install.sh');
}
