// The branch `channels` on GitHub, and the pages that installs read.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import { githubSource } from '../../src/world/github.ts';
import { openSource } from '../../src/world/hosts.ts';
import { byWriter, channelFile } from '../fakes/gitea-stage.ts';
import { FILES, type GithubStage, githubStage, pack, release, TAG, upload } from '../fakes/github-stage.ts';
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

  test('that a rule protects says so at once', async () => {
    await stage.host().putText('keys/ABC.json', 'statement\n');
    stage.github.state.settings.branchRule = true;
    await expect(stage.host().changeChannel('stable', byWriter('me'))).rejects.toMatchObject({
      code: 'E_AUTH',
      hint: expect.stringContaining('settings/rules'),
    });
    expect(stage.github.requests.filter(({ line }) => /^PUT .*stable/.test(line))).toHaveLength(1);
  });

  test('keeps what may be there once only', async () => {
    await stage.host().putText('keys/ABC.json', 'statement\n');
    await stage.host().putText('keys/ABC.json', 'statement\n');
    await expect(stage.host().putText('keys/ABC.json', 'another\n')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
  });

  test('gets install.sh from a published release', async () => {
    const assets = await pack(stage);
    await release(stage, stage.host(), assets);
    const [, , installer] = assets as [ChannelAsset, ChannelAsset, ChannelAsset];
    await stage.host().putAsset(TAG, installer, 'install.sh');
    expect((await stage.host().read('install.sh', 1024))?.toString()).toBe(FILES['install.sh']);
  });
});

describe('installs', () => {
  test('read channel, assets and sizes from pages alone: no API, no token, another host', async () => {
    const assets = await pack(stage, {
      ...FILES,
      SHA256SUMS: Object.entries(FILES)
        .map(([name, text]) => `${hexOf(digestOf(text))}  ${name}\n`)
        .join(''),
    });
    await release(stage, stage.host(), assets);
    await stage.host().changeChannel('stable', byWriter('me'));
    const before = stage.github.requests.length;
    const source = openSource(`${stage.github.url}/acme/acme`, { ...stage.world, env: {} });
    expect((await source.read('channels/stable.signed.json', 1 << 20))?.toString()).toBe(channelFile(1, 'me').text);
    expect(await source.assets(TAG)).toEqual(expect.arrayContaining([{ name: 'install.sh', size: FILES['install.sh'].length }]));
    const to = join(stage.packed, 'downloaded');
    await source.download(TAG, 'install.sh', { to, maxBytes: 100, sha256: digestOf(FILES['install.sh']) });
    expect(await readFile(to, 'utf8')).toBe(FILES['install.sh']);
    const asked = stage.github.requests.slice(before);
    expect(asked.filter(({ line, authorization }) => line.includes('/repos/') || authorization !== undefined)).toEqual([]);
  });

  test('see neither a draft nor a channel that is not there', async () => {
    await upload(stage, stage.host(), await pack(stage));
    const source = openSource(`${stage.github.url}/acme/acme`, { ...stage.world, env: {} });
    expect(await source.assets(TAG)).toBeUndefined();
    expect(await source.read('channels/stable.signed.json', 1 << 20)).toBeUndefined();
  });

  test('of a private repository read with a token, which the other host does not get', async () => {
    await again({ private: true });
    await release(stage, stage.host(), await pack(stage));
    const source = githubSource(stage.github.address, { ...stage.world, env: { GITHUB_TOKEN: 'good-token' } });
    const to = join(stage.packed, 'downloaded');
    await source.download(TAG, 'bundle.json', { to, maxBytes: 100, sha256: digestOf(FILES['bundle.json']) });
    expect(await source.assets(TAG)).toHaveLength(3);
    const led = stage.github.requests.filter(({ line, elsewhere }) => elsewhere && line.startsWith('GET'));
    expect(led.map(({ authorization }) => authorization)).toEqual([undefined]);
  });
});
