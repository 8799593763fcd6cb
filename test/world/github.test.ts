// GitHub as a release host, against a server that is as unpleasant as the real one.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { draftOf, publicationOf } from '../fakes/gitea-stage.ts';
import {
  endState,
  FILES,
  FIRST,
  forgetful,
  type GithubStage,
  githubStage,
  pack,
  release,
  reservation,
  TAG,
  upload,
} from '../fakes/github-stage.ts';
import type { GithubSettings } from '../fakes/github-state.ts';

let stage: GithubStage;

beforeEach(async () => {
  stage = await githubStage();
});

afterEach(() => stage.github.close());

async function again(settings: Partial<GithubSettings>): Promise<void> {
  await stage.github.close();
  stage = await githubStage(settings);
}

describe('a release', () => {
  test('appears whole, is found by its tag, and publishing it again says so', async () => {
    const assets = await pack(stage);
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(expect.arrayContaining([...assets]));
    expect(await release(stage, stage.host(), assets)).toBe('already-published');
    expect(stage.github.state.releases).toHaveLength(1);
  });

  test('is seen by nobody while it is a draft', async () => {
    const assets = await pack(stage);
    await upload(stage, stage.host(), assets);
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
    expect(await stage.host().listDraft(draftOf(assets))).toHaveLength(3);
  });

  test('with other content is refused, and nothing is changed', async () => {
    await release(stage, stage.host(), await pack(stage));
    const before = endState(stage);
    const others = await pack(stage, { ...FILES, 'bundle.json': '{"two":2}' });
    const draft = await upload(stage, stage.host(), others);
    await expect(stage.host().publish(draft, publicationOf(others))).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    await stage.host().dropDraft(draft);
    expect(endState(stage)).toEqual(before);
  });

  test('is not published with a file missing, one too many, or one of other bytes', async () => {
    const assets = await pack(stage);
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
    await release(stage, stage.host(), await pack(stage));
    const { latest } = stage.github.state;
    const others = await pack(stage, { ...FILES, 'bundle.json': '{"old":1}' });
    const draft = { ...draftOf(others), tag: 'v0.9.1' };
    await stage.host().openDraft(draft);
    for (const asset of others) await stage.host().upload(draft, asset, { from: join(stage.packed, asset.name) });
    await stage.host().publish(draft, publicationOf(others, { latest: false }));
    expect(stage.github.state.latest).toBe(latest);
  });

  test('that is to be replaced gives way when its manifest is the one that was named, and only then', async () => {
    const assets = await pack(stage);
    await release(stage, stage.host(), assets);
    const others = await pack(stage, { ...FILES, 'bundle.json': '{"two":2}' });
    await expect(release(stage, stage.host(), others, { replaces: digestOf('something else') })).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
    });
    expect(await release(stage, stage.host(), others, { replaces: digestOf(FILES['bundle.json']) })).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(expect.arrayContaining([...others]));
    const aside = stage.github.state.releases.filter(({ draft }) => draft);
    expect(aside.map(({ name }) => name)).toEqual([`Superseded: ${TAG} ${digestOf(FILES['bundle.json'])}`]);
    expect(aside[0]?.assets).toHaveLength(3);
  });

  test('whose tag GitHub burned with an immutable release is refused for ever, and says to bump', async () => {
    stage.github.state.burned.add(TAG);
    await expect(release(stage, stage.host(), await pack(stage))).rejects.toMatchObject({
      code: 'E_NOT_SUPPORTED',
      hint: expect.stringContaining('publish the next one'),
    });
  });

  test('that a tag rule refuses at the last call stays a draft, and names the rules', async () => {
    await again({ tagRule: true });
    const assets = await pack(stage);
    await expect(release(stage, stage.host(), assets)).rejects.toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('Reference update failed'),
      hint: expect.stringMatching(/settings\/rules.*The draft: http/),
    });
    stage.github.state.settings.tagRule = false;
    expect(await stage.host().publish(draftOf(assets), publicationOf(assets))).toBe('published');
  });

  test('whose last call is answered 404 although the draft is there says what GitHub means by it', async () => {
    stage.github.faults.add({ on: /^PATCH/, times: 9, answer: { status: 404, body: '{"message":"Not Found"}' } });
    await expect(release(stage, stage.host(), await pack(stage))).rejects.toMatchObject({ hint: expect.stringContaining('workflows') });
  });

  test('whose last call was carried out and answered with an error is published once', async () => {
    stage.github.faults.add({ on: /^PATCH/, effect: 'done', answer: { status: 502 } });
    expect(await release(stage, stage.host(), await pack(stage))).toBe('published');
    expect(stage.github.requests.filter(({ line }) => line.startsWith('PATCH'))).toHaveLength(1);
  });

  test('that listings still show as a draft is not removed with the drafts', async () => {
    await again({ staleDrafts: 2 });
    const assets = await pack(stage);
    expect(await release(stage, stage.host(), assets)).toBe('published');
    await stage.host().dropDraft(draftOf(assets));
    expect(await stage.host().listRelease(TAG)).toHaveLength(3);
  });

  test('sends "true" or "false" for latest in the call that publishes, and never leaves it to GitHub', async () => {
    await release(stage, stage.host(), await pack(stage), { latest: false });
    expect(stage.github.state.latest).toBeUndefined();
    expect(stage.github.state.releases[0]?.draft).toBe(false);
  });

  test('that is immutable is never replaced, and preflight says so before anything', async () => {
    await again({ immutable: true });
    const assets = await pack(stage);
    await stage.host().reserve(reservation());
    await release(stage, stage.host(), assets);
    const others = await pack(stage, { ...FILES, 'bundle.json': '{"two":2}' });
    const problems = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: others, replace: true });
    expect(problems.map(({ message }) => message).join()).toContain('immutable');
    const refused = release(stage, stage.host(), others, { replaces: digestOf(FILES['bundle.json']) });
    await expect(refused).rejects.toMatchObject({ code: 'E_NOT_SUPPORTED', hint: expect.stringContaining('publish the next one') });
    expect(await stage.host().listRelease(TAG)).toEqual(expect.arrayContaining([...assets]));
  });
});

describe('an upload', () => {
  test('that GitHub says it refused although it has it counts by what is there', async () => {
    const body = '{"message":"Validation Failed","errors":[{"resource":"ReleaseAsset","code":"already_exists","field":"name"}]}';
    stage.github.faults.add({ on: /^POST .*assets\?name=bundle/, effect: 'done', answer: { status: 422, body } });
    const assets = await pack(stage);
    expect(await release(stage, stage.host(), assets)).toBe('published');
  });

  test('that broke off and left a starter behind is done again', async () => {
    const assets = await pack(stage);
    const meanwhile = (): void => {
      stage.github.state.releases[0]?.assets.push({ id: 77, name: 'bundle.json', bytes: Buffer.alloc(0), state: 'starter' });
    };
    stage.github.faults.add({ on: /^POST .*assets\?name=bundle/, meanwhile, answer: { status: 502 } });
    expect(await release(stage, stage.host(), assets)).toBe('published');
  });

  test('into a release that is not found yet waits for it', async () => {
    stage.github.faults.add({ on: /^POST .*assets\?name=acme/, times: 3, answer: { status: 404, body: '{"message":"Not Found"}' } });
    expect(await release(stage, stage.host(), await pack(stage))).toBe('published');
  });

  test('of a file that changed since it was packed is given up', async () => {
    const assets = await pack(stage);
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
      .preflight({ tag: TAG, commit: FIRST, assets: await pack(stage, { '.env.example': 'A=1\n' }), replace: false });
    expect(problem).toMatchObject({ severity: 'error', message: expect.stringContaining('rename .env.example') });
  });

  test('that GitHub renames is refused, and says under which name it lies', async () => {
    const assets = await pack(stage, { ...FILES, 'read me.txt': 'text' });
    await expect(release(stage, stage.host(), assets)).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('under the name read.me.txt'),
    });
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
  });

  test('with the length that GitHub asks for is streamed, whole', async () => {
    const assets = await pack(stage, { 'bundle.json': '{"one":1}', 'large.tar.gz': 'x'.repeat(3_000_000) });
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(expect.arrayContaining([...assets]));
  });

  test('while the token expires stops, keeps the draft, and goes on with a new token', async () => {
    const assets = await pack(stage);
    const expire = (): void => {
      stage.github.state.settings.token = 'new-token';
    };
    stage.github.faults.add({
      on: /^POST .*assets\?name=bundle/,
      meanwhile: expire,
      answer: { status: 401, body: '{"message":"Bad credentials"}' },
    });
    await expect(release(stage, stage.host(), assets)).rejects.toMatchObject({
      code: 'E_AUTH',
      hint: expect.stringContaining('$GITHUB_TOKEN'),
    });
    expect(await stage.host('new-token').listDraft(draftOf(assets))).toHaveLength(1);
    expect(await release(stage, stage.host('new-token'), assets)).toBe('published');
    const sent = stage.github.requests.filter(({ line }) => /^POST .*assets\?name=acme/.test(line));
    expect(sent).toHaveLength(1);
  });

  test('of old assets without a digest is checked by its bytes', async () => {
    await again({ oldAssets: true });
    const assets = await pack(stage);
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
      const others = await pack(stage, { 'bundle.json': `{"other":${n}}` });
      await stage.host().openDraft({ ...draftOf(others), tag: `v9.${n}.0` });
    }
    const assets = await pack(stage);
    await upload(stage, stage.host(), assets);
    const more = await pack(stage, { 'bundle.json': '{"later":1}' });
    await stage.host().openDraft({ ...draftOf(more), tag: 'v9.9.0' });
    expect(await stage.host().listDraft(draftOf(assets))).toHaveLength(3);
  });

  test('that the listing does not show yet is waited for, and not made twice', async () => {
    await again({ lag: 3 });
    expect(await release(stage, forgetful(stage), await pack(stage))).toBe('published');
    expect(stage.github.state.releases).toHaveLength(1);
  });

  test('that was made twice because the listing lagged ends as one release with every file', async () => {
    await again({ lag: 4 });
    const assets = await pack(stage);
    const host = forgetful(stage);
    await host.openDraft(draftOf(assets));
    await host.openDraft(draftOf(assets));
    expect(stage.github.state.releases).toHaveLength(2);
    expect(await release(stage, host, assets)).toBe('published');
    expect(stage.github.state.releases.map(({ draft, assets: files }) => [draft, files.length])).toEqual([[false, 3]]);
  });

  test('that is gone says so', async () => {
    const assets = await pack(stage);
    await expect(stage.host().publish(draftOf(assets), publicationOf(assets))).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('the draft of v1.0.0 is gone'),
    });
  });

  test('with other contents under the same tag is left alone', async () => {
    const others = await pack(stage, { ...FILES, 'bundle.json': '{"two":2}' });
    const theirs = await upload(stage, stage.host(), others);
    expect(await release(stage, stage.host(), await pack(stage))).toBe('published');
    expect(await stage.host().listDraft(theirs)).toHaveLength(3);
  });

  test('that was made twice leaves one release and no draft', async () => {
    const assets = await pack(stage);
    await Promise.all([stage.host().openDraft(draftOf(assets)), stage.host().openDraft(draftOf(assets))]);
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(stage.github.state.releases.map(({ draft }) => draft)).toEqual([false]);
  });
});
