// Tokens, limits and rules of GitHub: what is said before the first write, and what never leaks.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { FIRST, type GithubStage, githubStage, pack, release, reservation, TAG } from '../fakes/github-stage.ts';
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

describe('a token', () => {
  test('that is missing, wrong or too weak is named, with what it needs and where to make one, before anything is written', async () => {
    const wanted = { tag: TAG, commit: FIRST, assets: await pack(stage), replace: false };
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
    await release(stage, stage.host('good-token'), await pack(stage));
    const gets = stage.github.requests.filter(({ line, elsewhere }) => elsewhere && line.startsWith('GET'));
    expect(gets.length).toBeGreaterThan(0);
    expect(gets.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    const error = await stage
      .host('secret-token')
      .reserve(reservation())
      .catch((reason: unknown) => reason);
    expect(JSON.stringify([String(error), error, (error as Error).stack, (error as { hint?: string }).hint])).not.toContain('secret-token');
  });

  test('with less scope than it needs is refused at the first write, with the permission that is missing', async () => {
    const body = '{"message":"Resource not accessible by personal access token"}';
    stage.github.faults.add({ on: /^POST/, times: 99, answer: { status: 403, body } });
    await expect(stage.host().reserve(reservation())).rejects.toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('not accessible'),
      hint: expect.stringMatching(/Contents.*\$GITHUB_TOKEN/),
    });
    expect(stage.github.state.refs.size).toBe(0);
    expect(stage.world.waits).toEqual([]);
  });

  test('of the classic kind without the scope is a problem before the first write', async () => {
    await again({ scopes: 'read:org, gist' });
    const problems = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(stage), replace: false });
    expect(problems).toMatchObject([{ severity: 'error', message: expect.stringMatching(/lacks the scope public_repo.*read:org, gist/) }]);
    await again({ scopes: 'public_repo', private: true });
    const more = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(stage), replace: false });
    expect(more).toMatchObject([{ message: expect.stringContaining('lacks the scope repo') }]);
  });

  test('that GitHub says back in an error is not shown', async () => {
    const body = '{"message":"the token good-token is suspended"}';
    stage.github.faults.add({ on: /./, times: 9, answer: { status: 403, body } });
    const error = (await stage
      .host()
      .reservation(TAG)
      .catch((reason: unknown) => reason)) as Error;
    expect(error.message).toContain('is suspended');
    expect(JSON.stringify([String(error), error, error.stack])).not.toContain('good-token');
  });
});

describe('a secondary limit', () => {
  test('with Retry-After is waited for as long as it says, and why is told', async () => {
    const headers = { 'retry-after': '7' };
    stage.github.faults.add({ on: /^POST .*git\/tags/, answer: { status: 403, headers, body: '{"message":"secondary rate limit"}' } });
    expect(await stage.host().reserve(reservation())).toEqual(reservation());
    expect(stage.world.waits).toEqual([7000]);
    expect(stage.events).toEqual([
      { type: 'note', text: expect.stringMatching(/^github: 127.0.0.1:\d+ asks for fewer requests; waiting 7 seconds$/) },
    ]);
  });

  test('without Retry-After is waited for a minute, and longer each time', async () => {
    const body = '{"message":"You have exceeded a secondary rate limit"}';
    stage.github.faults.add({ on: /^POST .*git\/tags/, times: 3, answer: { status: 403, body } });
    expect(await stage.host().reserve(reservation())).toEqual(reservation());
    expect(stage.world.waits).toEqual([60_000, 120_000, 240_000]);
  });

  test('in the middle of an upload repeats the upload, and nothing is there twice', async () => {
    stage.github.faults.add({ on: /^POST .*assets\?name=bundle/, answer: { status: 429 } });
    expect(await release(stage, stage.host(), await pack(stage))).toBe('published');
    expect(stage.github.state.releases[0]?.assets).toHaveLength(3);
  });

  test('that does not end is given up after a quarter of an hour, and says to run again', async () => {
    stage.github.faults.add({ on: /./, times: 99, answer: { status: 429 } });
    await expect(stage.host().reserve(reservation())).rejects.toMatchObject({ code: 'E_NETWORK', hint: expect.stringContaining('later') });
    expect(stage.world.waits.reduce((sum, wait) => sum + wait, 0)).toBeLessThanOrEqual(15 * 60 * 1000);
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
    const problems = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(stage), replace: false });
    expect(problems).toMatchObject([{ severity: 'warning', message: expect.stringContaining('workflows') }]);
  });

  test('is a tag rule that this token cannot bypass, unless the tag is there', async () => {
    const rule = { id: 5, name: 'releases', target: 'tag', enforcement: 'active', rules: [{ type: 'creation' }] };
    const conditions = { ref_name: { include: ['refs/tags/v*'], exclude: ['refs/tags/*-staging.*'] } };
    await again({
      rulesets: [
        { ...rule, conditions, current_user_can_bypass: 'never' },
        { ...rule, id: 6, enforcement: 'disabled' },
      ],
    });
    const problemsOf = async (tag: string) => stage.host().preflight({ tag, commit: FIRST, assets: await pack(stage), replace: false });
    expect(await problemsOf(TAG)).toMatchObject([{ severity: 'error', message: expect.stringContaining('the rule "releases"') }]);
    expect(await problemsOf('v1.0.0-staging.1')).toEqual([]);
    expect(await problemsOf('bundle-v1.0.0')).toEqual([]);
    await stage.host().reserve(reservation());
    expect(await problemsOf(TAG)).toEqual([]);
  });

  test('is a rate limit that is nearly used up', async () => {
    await again({ remaining: 20 });
    const problems = await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(stage), replace: false });
    expect(problems).toMatchObject([{ severity: 'error', message: expect.stringContaining('20 requests left') }]);
    await again({ remaining: 4000 });
    expect(await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(stage), replace: false })).toEqual([]);
  });

  test('is not a setting that this token may not see', async () => {
    stage.github.faults.add({
      on: /immutable-releases/,
      answer: { status: 403, body: '{"message":"Resource not accessible by integration"}' },
    });
    expect(await stage.host().preflight({ tag: TAG, commit: FIRST, assets: await pack(stage), replace: true })).toEqual([]);
  });
});
