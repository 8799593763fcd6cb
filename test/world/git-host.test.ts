// A plain git remote as the host that decides: real git, real bare repositories, over file:// and over http.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import type { ReleaseHost } from '../../src/model/host.ts';
import { judgeReservation, RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';
import { gitHost } from '../../src/world/git-host.ts';
import { runProgram } from '../../src/world/run.ts';
import { gitServer } from '../fakes/git-server.ts';
import { byWriter } from '../fakes/gitea-stage.ts';
import { listen } from '../fakes/http-server.ts';
import { quietWorld } from '../fakes/release-builder.ts';

const TAG = 'v1.0.0';
let folder: string;
let bare: string;
let first: string;
let second: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'git-host-'));
  bare = join(folder, 'acme.git');
  const work = join(folder, 'work');
  git(folder, 'init', '-q', '--bare', '-b', 'main', bare);
  git(folder, 'clone', '-q', bare, work);
  [first, second] = ['one', 'two'].map((text) => {
    writeFileSync(join(work, 'file'), text);
    git(work, 'add', '.');
    git(work, 'commit', '-q', '-m', text);
    return git(work, 'rev-parse', 'HEAD');
  }) as [string, string];
  git(work, 'push', '-q', 'origin', 'HEAD:main');
});

function git(cwd: string, ...args: string[]): string {
  const named = ['-c', 'user.name=t', '-c', 'user.email=t@example', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...named, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function host(url = `file://${bare}`): ReleaseHost {
  return gitHost({ type: 'git', name: 'origin', url }, quietWorld({ run: runProgram, env: { PATH: process.env.PATH, HOME: folder } }));
}

function reservation(parts: Partial<Reservation> = {}): Reservation {
  const fixed = { type: RESERVATION_TYPE, product: 'acme', version: '1.0.0', tag: TAG, commit: first } as const;
  return { ...fixed, by: 'id:me', nonce: 'n1', at: '2026-03-15T10:00:00Z', ...parts };
}

/** The repository behind `git http-backend`, as web servers run it. */
async function overHttp(): Promise<string> {
  git(bare, 'config', 'http.receivepack', 'true');
  return `http://${await listen(gitServer(folder))}/acme.git`;
}

describe('a reservation on a git remote', () => {
  test('is an annotated tag on the commit, read back as it was made', async () => {
    expect(await host().reserve(reservation())).toEqual(reservation());
    expect(await host().reservation(TAG)).toEqual(reservation());
    expect(git(bare, 'cat-file', '-t', TAG)).toBe('tag');
    expect(git(bare, 'rev-parse', `${TAG}^{commit}`)).toBe(first);
    expect(await host().tags('v1.')).toEqual([TAG]);
    expect(await host().tags('v2.')).toEqual([]);
  });

  test('has one winner among twenty who push at once, on one commit, and all read whose it is', async () => {
    const found = await Promise.all(Array.from({ length: 20 }, (_, n) => host().reserve(reservation({ nonce: `n${n}`, by: `id:${n}` }))));
    expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
    expect(git(bare, 'tag').split('\n')).toEqual([TAG]);
  }, 60_000);

  test('of a commit that the remote does not have says to push it, and leaves nothing', async () => {
    await expect(host().reserve(reservation({ commit: 'f'.repeat(40) }))).rejects.toMatchObject({
      code: 'E_CONFIG',
      hint: expect.stringContaining('Push'),
    });
    expect(git(bare, 'tag')).toBe('');
  });

  test('of a tag made by hand joins on its commit, and is elsewhere on another', async () => {
    git(bare, 'tag', TAG, first);
    const found = await host().reserve(reservation());
    expect(judgeReservation(reservation(), found)).toBe('joined');
    expect(judgeReservation(reservation({ commit: second }), found)).toBe('elsewhere');
  });

  test('is given free by its own attempt only', async () => {
    await host().reserve(reservation());
    await host().unreserve(reservation({ nonce: 'n2' }));
    expect(git(bare, 'tag')).toBe(TAG);
    await host().unreserve(reservation());
    expect(git(bare, 'tag')).toBe('');
  });

  test('works over http as well', async () => {
    const url = await overHttp();
    expect(await host(url).reserve(reservation())).toEqual(reservation());
    await host(url).changeChannel('stable', byWriter('me'));
    expect(await host(url).read('channels/stable.signed.json', 1 << 20)).toBeDefined();
  });

  test('on a remote that is not there says so', async () => {
    await expect(host(`file://${folder}/nothing.git`).reserve(reservation())).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(host('http://127.0.0.1:9/x.git').reservation(TAG)).rejects.toMatchObject({ code: 'E_NETWORK' });
  });
});

describe('channel files on a git remote', () => {
  test('lose no change among ten who make one at once, each with its copies in the same commit', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, n) => host().changeChannel('stable', byWriter(`w${n}`))));
    const text = (await host().read('channels/stable.signed.json', 1 << 20))?.toString() ?? '';
    const { payload } = parseSignedChannel(text, 'git');
    expect(parseChannel(payload, 'git').sequence).toBe(10);
    expect((await host().read('channels/stable.json', 1 << 20))?.toString()).toBe(payload);
    expect(git(bare, 'rev-list', '--count', 'channels')).toBe('10');
    expect(git(bare, 'log', '--format=%H', 'main')).not.toContain(git(bare, 'rev-parse', 'channels'));
  }, 60_000);

  test('are absent where nothing was published, and a statement may be there once', async () => {
    expect(await host().read('channels/stable.signed.json', 1024)).toBeUndefined();
    await host().putText('keys/ABC.json', 'statement\n');
    await host().putText('keys/ABC.json', 'statement\n');
    await expect(host().putText('keys/ABC.json', 'another\n')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    await expect(host().read('keys/ABC.json', 3)).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
  });

  test('holds no releases, and says what to do instead', async () => {
    expect(await host().listRelease(TAG)).toBeUndefined();
    await expect(host().putAsset(TAG, { name: 'a', size: 1, sha256: 'sha256:0' as never }, 'a')).rejects.toMatchObject({
      code: 'E_NOT_SUPPORTED',
    });
  });
});
