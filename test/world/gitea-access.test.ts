import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import type { HostProblem, ReleaseWanted } from '../../src/model/host.ts';
import { failure } from '../failure.ts';
import { byWriter, FIRST, type GiteaStage, giteaStage, pack, release, reservation, TAG, upload } from '../fakes/gitea-stage.ts';
import { pushTag, type Token } from '../fakes/gitea-state.ts';

let stage: GiteaStage;
let assets: readonly ChannelAsset[];

beforeEach(async () => {
  stage = await giteaStage();
  assets = await pack(stage, { 'bundle.json': 'one' });
});
afterEach(() => stage.gitea.close());

function give(token: Partial<Token>): void {
  stage.gitea.state.tokens.set('other-token', { user: 'someone', scopes: ['write:repository'], access: 'write', ...token });
}

async function problems(token: string | null = 'other-token', parts: Partial<ReleaseWanted> = {}): Promise<readonly HostProblem[]> {
  return stage.host(token).preflight({ tag: TAG, commit: FIRST, assets, replace: false, ...parts });
}

function effects(): readonly string[] {
  return stage.gitea.requests.map(({ line }) => line).filter((line) => !/^GET |^DELETE .*\/releases\/0$/.test(line));
}

describe('before the first write', () => {
  test('all is well for a token that may write, and nothing was written', async () => {
    expect(await problems('good-token')).toEqual([]);
    expect(effects()).toEqual([]);
    expect(stage.gitea.state.rows).toEqual([]);
  });

  test('a missing token is named by its variable, with the page that makes one', async () => {
    const [problem] = await problems(null);
    expect(problem).toMatchObject({ severity: 'error', message: expect.stringContaining('$GITEA_TOKEN is not set') });
    expect(problem?.hint).toContain(`${stage.gitea.url}/user/settings/applications`);
    for (const write of [
      () => stage.host(null).reserve(reservation()),
      () => release(stage, stage.host(null), assets),
      () => stage.host(null).changeChannel('stable', byWriter('1.0.0')),
      () => stage.host(null).putText('keys/a.json', 'key'),
    ]) {
      expect((await failure(write())).code).toBe('E_AUTH');
    }
    expect(effects()).toEqual([]);
  });

  test('a token with fewer scopes is found out without a write (403)', async () => {
    give({ scopes: ['read:repository'] });
    const [problem] = await problems();
    expect(problem?.message).toContain('required=[write:repository]');
    expect(problem?.hint).toContain('write:repository');
    expect(effects()).toEqual([]);
  });

  test('C-10: a user without write access, an unknown token and an unknown repository are told apart, with the variable that holds the token', async () => {
    give({ access: 'read' });
    expect((await problems())[0]?.message).toContain('may not write to acme/acme');
    const unknown = await failure(problems('bad-token'));
    expect([unknown.code, unknown.message]).toEqual(['E_AUTH', expect.stringContaining('user does not exist')]);
    expect(unknown.hint).toContain('$GITEA_TOKEN');
    stage.gitea.state.settings.private = true;
    const absent = await failure(problems(null));
    expect(absent.code).toBe('E_NOT_FOUND');
    expect(absent.hint).toContain('a private one looks the same without a token');
  });

  test.each([
    ['archived', { archived: true }, 'is archived'],
    ['empty', { empty: true }, 'is empty'],
    ['without releases', { hasReleases: false }, 'releases switched off'],
  ])('a repository that is %s is refused', async (_name, settings, message) => {
    Object.assign(stage.gitea.state.settings, settings);
    const found = await problems('good-token');
    expect(found.map((problem) => problem.message)).toContainEqual(expect.stringContaining(message));
  });

  test('a commit that is not there is to be pushed first', async () => {
    const found = await problems('good-token', { commit: 'b'.repeat(40) });
    expect(found).toEqual([
      { severity: 'error', message: expect.stringContaining('does not know the commit'), hint: 'Push it there first.' },
    ]);
  });

  test('a file above the server’s limit is refused, and only warned of where releases may have a limit of their own', async () => {
    stage.gitea.state.settings.maxSize = 100;
    const large = { assets: [{ ...(assets[0] as ChannelAsset), size: 101 * 1024 * 1024 }] };
    expect(await problems('good-token', large)).toMatchObject([{ severity: 'error', hint: expect.stringContaining('MAX_SIZE') }]);
    stage.gitea.state.settings.version = '1.26.0';
    expect(await problems('good-token', large)).toMatchObject([{ severity: 'warning' }]);
  });

  test('a protected tag is refused where the rules can be read, and only as long as it is not made', async () => {
    stage.gitea.state.settings.protections = [{ name_pattern: 'v*', whitelist_usernames: ['boss'], whitelist_teams: [] }];
    give({ access: 'admin', scopes: ['write:repository', 'read:user'] });
    expect(await problems()).toMatchObject([{ severity: 'error', hint: expect.stringContaining('/settings/tags') }]);
    give({ access: 'admin', user: 'boss', scopes: ['write:repository', 'read:user'] });
    expect(await problems()).toEqual([]);
    give({ access: 'admin' });
    expect(await problems()).toMatchObject([{ severity: 'warning' }]);
    pushTag(stage.gitea.state, TAG, FIRST);
    expect(await problems()).toEqual([]);
  });
});

describe('a refusal', () => {
  test('of an archived repository says so (423)', async () => {
    stage.gitea.state.settings.archived = true;
    const { message, hint } = await failure(stage.host().reserve(reservation()));
    expect(message).toContain('archived');
    expect(hint).toContain('/settings');
  });

  test('of the whole repository is never taken for an absent channel, reservation or release (404)', async () => {
    stage.gitea.state.settings.private = true;
    const host = stage.host(null);
    for (const ask of [
      () => host.read('channels/stable.signed.json', 100),
      () => host.reservation(TAG),
      () => host.listRelease(TAG),
      () => host.tags('v'),
    ]) {
      const { code, hint } = await failure(ask());
      expect(code).toBe('E_NOT_FOUND');
      expect(hint).toContain('$GITEA_TOKEN');
    }
    expect(await stage.host().read('channels/stable.signed.json', 100)).toBeUndefined();
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
  });

  test('of a private repository’s pages needs a token, and with one it is published and read', async () => {
    stage.gitea.state.settings.private = true;
    await stage.host().reserve(reservation());
    expect(await release(stage, stage.host(), assets)).toBe('published');
    expect(await stage.host().listRelease(TAG)).toEqual(assets);
  });

  test('never repeats the token, whatever fails', async () => {
    const token = 'sekret-0123456789';
    stage.gitea.state.tokens.set(token, { user: 'someone', scopes: ['write:repository'], access: 'write' });
    const host = stage.host(token);
    const texts: string[] = [];
    for (const answer of [{ status: 401 }, { status: 403 }, { status: 404 }, { status: 422 }, { status: 500 }, 'cut'] as const) {
      stage.gitea.faults.add({ on: /./, answer, times: 1000 });
      for (const act of [
        () => host.reserve(reservation()),
        () => upload(stage, host, assets),
        () => host.changeChannel('stable', byWriter('1')),
      ]) {
        const error = await failure(act());
        texts.push(JSON.stringify([error.message, error.hint, error.details, String(error.stack), String(error.cause)]));
      }
      stage.gitea.faults.clear();
    }
    expect(texts).toHaveLength(18);
    expect(texts.filter((text) => text.includes(token))).toEqual([]);
    expect(stage.gitea.requests.every(({ line }) => !line.includes(token))).toBe(true);
  });
});
