import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { parseChannel, parseSignedChannel, printSignedChannel } from '../../src/model/channel.ts';
import type { NextChannel } from '../../src/model/host.ts';
import { byWriter, channelFile, type GiteaStage, giteaStage, pack, release, reservation, TAG } from '../fakes/gitea-stage.ts';

const SIGNED = 'channels/stable.signed.json';

let stage: GiteaStage;
beforeEach(async () => {
  stage = await giteaStage();
});
afterEach(() => stage.gitea.close());

function fileAt(path: string): string | undefined {
  return stage.gitea.state.branches.get('channels')?.files.get(path)?.toString();
}

function commits(): readonly string[] {
  return stage.gitea.requests.map(({ line }) => line).filter((line) => /^POST .*\/contents$/.test(line));
}

describe('a channel file', () => {
  test('comes with its copies for people in one commit, on a branch that is made when it is missing', async () => {
    await stage.host().changeChannel('stable', byWriter('1.0.0'));
    const { payload } = parseSignedChannel(fileAt(SIGNED) ?? '', SIGNED);
    expect(fileAt('channels/stable.json')).toBe(payload);
    expect(fileAt('channels/stable.json.minisig')).toBeUndefined();
    expect(commits()).toHaveLength(2); // the first told that there is no branch
    expect((await stage.host().read(SIGNED, 10_000))?.toString()).toBe(fileAt(SIGNED));
    await expect(stage.host().read(SIGNED, 10)).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
  });

  test('has its signature beside it, and none that belongs to another', async () => {
    const signed = (minisig: string | null) => (): NextChannel => {
      const { sequence, text } = channelFile(minisig === null ? 2 : 1, 'x');
      return { sequence, text: printSignedChannel(parseSignedChannel(text, 'x').payload, minisig) };
    };
    await stage.host().changeChannel('stable', signed('the signature'));
    expect(fileAt('channels/stable.json.minisig')).toBe('the signature');
    await stage.host().changeChannel('stable', signed(null));
    expect(fileAt('channels/stable.json.minisig')).toBeUndefined();
  });

  test('is asked again when another publisher came first (422), and nothing of theirs is lost', async () => {
    await stage.host().changeChannel('stable', byWriter('a'));
    const branch = stage.gitea.state.branches.get('channels')!;
    const meanwhile = (): void => {
      branch.files = new Map([...branch.files, [SIGNED, Buffer.from(channelFile(2, 'theirs').text)]]);
    };
    const answer = { status: 422, body: 'sha does not match' };
    stage.gitea.faults.add({ on: /^POST .*\/contents$/, answer, meanwhile });
    const seen: (string | undefined)[] = [];
    await stage.host().changeChannel('stable', (current) => {
      seen.push(current);
      return byWriter('ours')(current);
    });
    expect(seen).toEqual([channelFile(1, 'a').text, channelFile(2, 'theirs').text]);
    expect(fileAt(SIGNED)).toBe(channelFile(3, 'ours').text);
  });

  test.each([
    ['500', { status: 500 }],
    ['502', { status: 502 }],
    ['a lost connection', 'cut' as const],
  ])('whose change took place although it got %s is not changed twice', async (_name, answer) => {
    await stage.host().changeChannel('stable', byWriter('a'));
    stage.gitea.faults.add({ on: /^POST .*\/contents$/, answer, effect: 'done' });
    let asked = 0;
    await stage.host().changeChannel('stable', (current) => {
      asked += 1;
      return channelFile(current === undefined ? 1 : 2, `try ${asked}`);
    });
    expect(asked).toBe(1);
    expect(fileAt(SIGNED)).toBe(channelFile(2, 'try 1').text);
  });

  test('keeps every one of twenty racing writers, in a sequence without gaps', async () => {
    const writers = Array.from({ length: 20 }, (_, index) => `writer ${index}`);
    const seen = new Set<number>();
    const write = (writer: string): Promise<void> =>
      stage.host().changeChannel('stable', (current) => {
        const next = byWriter(writer)(current);
        if (next !== undefined) seen.add(next.sequence);
        return next;
      });
    await Promise.all(writers.map(write));
    expect(parseChannel(parseSignedChannel(fileAt(SIGNED) ?? '', SIGNED).payload, SIGNED).sequence).toBe(20);
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(commits().length).toBeGreaterThan(20);
  });

  test('gets its copies mended when it is current and they are not', async () => {
    await stage.host().changeChannel('stable', byWriter('a'));
    const branch = stage.gitea.state.branches.get('channels')!;
    branch.files = new Map([...branch.files, ['channels/stable.json', Buffer.from('old')]]);
    const before = fileAt(SIGNED);
    await stage.host().changeChannel('stable', () => undefined);
    expect(fileAt('channels/stable.json')).toBe(parseSignedChannel(before ?? '', SIGNED).payload);
    expect(fileAt(SIGNED)).toBe(before);
    const done = commits().length;
    await stage.host().changeChannel('stable', () => undefined);
    expect(commits()).toHaveLength(done);
  });

  test('is not absent because reading it failed', async () => {
    stage.gitea.faults.add({ on: /^GET .*\/contents\//, answer: { status: 500 } });
    await expect(stage.host().changeChannel('stable', byWriter('a'))).rejects.toMatchObject({ code: 'E_NETWORK' });
    expect(commits()).toEqual([]);
  });

  test('starts no workflow of the default branch, whose files the new branch has', async () => {
    await stage.host().changeChannel('stable', byWriter('a'));
    expect(fileAt('.gitea/workflows/release.yml')).toBeDefined();
    expect(stage.gitea.state.messages.every((message) => message.includes('[skip ci]'))).toBe(true);
  });
});

describe('files at the root', () => {
  test('of a release take the place of what the default branch has there, and are written once', async () => {
    const main = stage.gitea.state.branches.get('main')!;
    main.files = new Map([...main.files, ['install.sh', Buffer.from('the product’s own')]]);
    const assets = await pack(stage, { 'bundle.json': 'one', 'install.sh': '#!/bin/sh\n' });
    await stage.host().reserve(reservation());
    await release(stage, stage.host(), assets);
    await stage.host().putAsset(TAG, assets[1] as ChannelAsset, 'install.sh');
    await stage.host().putAsset(TAG, assets[1] as ChannelAsset, 'install.sh');
    expect(fileAt('install.sh')).toBe('#!/bin/sh\n');
    expect(stage.gitea.state.messages).toHaveLength(1);
  });

  test('of keys stay as they are', async () => {
    await stage.host().putText('keys/aa.json', 'one');
    await stage.host().putText('keys/aa.json', 'one');
    await expect(stage.host().putText('keys/aa.json', 'two')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect(fileAt('keys/aa.json')).toBe('one');
  });
});
