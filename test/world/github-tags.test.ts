// Reservations on GitHub: annotated tags, decided by reading back.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { judgeReservation } from '../../src/model/reservation.ts';
import { draftOf } from '../fakes/gitea-stage.ts';
import { FIRST, type GithubStage, githubStage, pack, reservation, SECOND, TAG } from '../fakes/github-stage.ts';
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

describe('a reservation', () => {
  test('is an annotated tag that says whose it is; the first has it, and all read the same', async () => {
    const tries = Array.from({ length: 20 }, (_, index) => stage.host().reserve(reservation({ nonce: `n${index}` })));
    const found = await Promise.all(tries);
    expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
    expect(await stage.host().reservation(TAG)).toEqual(found[0]);
    expect([...stage.github.state.refs.keys()]).toEqual([`tags/${TAG}`]);
  });

  test('of the next counter goes to one of twenty, and every other takes a later one', async () => {
    for (let n = 1; n <= 12; n += 1) stage.github.state.refs.set(`tags/v1.0.0-staging.${n}`, { sha: FIRST, type: 'commit' });
    const take = async (by: string): Promise<number> => {
      const tags = await stage.host().tags('v1.0.0-staging.');
      for (let n = Math.max(...tags.map((tag) => Number(tag.split('.').at(-1)))) + 1; ; n += 1) {
        const wanted = reservation({ tag: `v1.0.0-staging.${n}`, nonce: by, by });
        if ((await stage.host().reserve(wanted)).nonce === wanted.nonce) return n;
      }
    };
    const taken = await Promise.all(Array.from({ length: 20 }, (_, index) => take(`run ${index}`)));
    expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 13));
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

  test('that GitHub refuses for a moment, in the words of a rule that is none, is asked again', async () => {
    const body = '{"message":"Reference update failed"}';
    stage.github.faults.add({ on: /^POST .*\/git\/refs/, times: 2, answer: { status: 422, body } });
    expect(await stage.host().reserve(reservation())).toEqual(reservation());
  });

  test('that GitHub goes on refusing so ends with its words', async () => {
    const body = '{"message":"Reference update failed"}';
    stage.github.faults.add({ on: /^POST .*\/git\/refs/, times: 99, answer: { status: 422, body } });
    await expect(stage.host().reserve(reservation())).rejects.toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('Reference update failed'),
      hint: expect.stringContaining('settings/rules'),
    });
  });

  test('is not taken for absent when the lookup fails', async () => {
    await stage.host().reserve(reservation());
    stage.github.faults.add({ on: /git\/ref\/tags/, times: 9, answer: { status: 503 } });
    await expect(stage.host().reserve(reservation({ nonce: 'n2' }))).rejects.toMatchObject({ code: 'E_NETWORK' });
    expect(stage.github.requests.filter(({ line }) => /^POST .*git\/refs/.test(line))).toHaveLength(1);
  });

  test('that another makes at this very moment is theirs, whatever GitHub answers to ours', async () => {
    const meanwhile = (): void => {
      stage.github.state.refs.set(`tags/${TAG}`, { sha: SECOND, type: 'commit' });
    };
    stage.github.faults.add({ on: /^POST .*\/git\/refs/, meanwhile, answer: { status: 201, body: '{}' } });
    const found = await stage.host().reserve(reservation());
    expect(judgeReservation(reservation(), found)).toBe('elsewhere');
  });

  test('of an annotated tag that somebody made by hand counts for the commit behind it', async () => {
    const { state } = stage.github;
    const tagger = { date: '2026-01-02T03:04:05Z' };
    state.tagObjects.set('a'.repeat(40), { tag: TAG, message: 'Release', object: { sha: FIRST, type: 'commit' }, tagger });
    state.refs.set(`tags/${TAG}`, { sha: 'a'.repeat(40), type: 'tag' });
    const found = await stage.host().reserve(reservation());
    expect(found).toMatchObject({ commit: FIRST, by: `git tag ${'a'.repeat(40)}`, at: tagger.date });
    expect(judgeReservation(reservation(), found)).toBe('joined');
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

  test('that another joined is not given free under their draft: GitHub would publish it on whatever main is', async () => {
    await stage.host().reserve(reservation());
    await stage.host().openDraft(draftOf(await pack(stage)));
    await stage.host().unreserve(reservation());
    expect(await stage.host().reservation(TAG)).toEqual(reservation());
  });

  test('counts tags over all pages, and a page that fails is no end', async () => {
    for (let n = 0; n < 7; n += 1) await stage.host().reserve(reservation({ tag: `v1.0.0-staging.${n}`, nonce: `n${n}` }));
    expect(await stage.host().tags('v1.0.0-staging.')).toHaveLength(7);
    stage.github.faults.add({ on: /matching-refs.*page=3/, times: 9, answer: { status: 500 } });
    await expect(stage.host().tags('v1.0.0-staging.')).rejects.toMatchObject({ code: 'E_NETWORK' });
  });
});
