import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { judgeReservation, printReservation } from '../../src/model/reservation.ts';
import { failure } from '../failure.ts';
import { FIRST, type GiteaStage, giteaStage, pack, release, reservation, SECOND, TAG } from '../fakes/gitea-stage.ts';
import { insertRow, pushTag } from '../fakes/gitea-state.ts';

let stage: GiteaStage;
let assets: readonly ChannelAsset[];

beforeEach(async () => {
  stage = await giteaStage();
  assets = await pack(stage, { 'acme.tar.gz': 'bundle bytes', 'bundle.json': 'one' });
});
afterEach(() => stage.gitea.close());

function writes(): readonly string[] {
  return stage.gitea.requests.map(({ line }) => line).filter((line) => !/^(GET|HEAD) |releases\/0$/.test(line));
}

describe('a reservation', () => {
  test('that loses a race gets 500 and is told by the tag who won', async () => {
    const meanwhile = (): void => void pushTag(stage.gitea.state, TAG, FIRST, printReservation(reservation()));
    stage.gitea.faults.add({ on: /^POST .*\/tags$/, answer: { status: 500, body: 'UNIQUE constraint failed' }, meanwhile });
    expect(await stage.host().reserve(reservation({ nonce: 'n2', by: 'id:other' }))).toEqual(reservation());
    expect(writes()).toHaveLength(1);
  });

  test('whose answer was lost is ours, and is made once', async () => {
    stage.gitea.faults.add({ on: /^POST .*\/tags$/, answer: 'cut', effect: 'done' });
    expect(await stage.host().reserve(reservation())).toEqual(reservation());
    expect(writes()).toHaveLength(1);
  });

  test('that got 500 and was not made is made by the next try', async () => {
    stage.gitea.faults.add({ on: /^POST .*\/tags$/, answer: { status: 500 }, times: 2 });
    expect(await stage.host().reserve(reservation())).toEqual(reservation());
  });

  test('is joined where somebody made the tag by hand on the same commit, and is elsewhere on another, annotated or not', async () => {
    pushTag(stage.gitea.state, TAG, FIRST);
    expect(judgeReservation(reservation(), await stage.host().reserve(reservation()))).toBe('joined');
    expect(judgeReservation(reservation({ commit: SECOND }), await stage.host().reserve(reservation({ commit: SECOND })))).toBe(
      'elsewhere',
    );
    const { id } = pushTag(stage.gitea.state, TAG, SECOND, 'Version 1');
    expect(await stage.host().reservation(TAG)).toMatchObject({ by: `git tag ${id}`, nonce: id, commit: SECOND, product: '' });
  });

  test('that was copied to another tag or commit is not believed', async () => {
    pushTag(stage.gitea.state, 'v9.9.9', FIRST, printReservation(reservation()));
    expect((await stage.host().reservation('v9.9.9'))?.by).toMatch(/^git tag /);
    pushTag(stage.gitea.state, TAG, SECOND, printReservation(reservation()));
    expect((await stage.host().reservation(TAG))?.commit).toBe(SECOND);
  });

  test('of a protected tag is refused with the page that allows it (422)', async () => {
    stage.gitea.state.settings.protections = [{ name_pattern: 'v*', whitelist_usernames: ['boss'], whitelist_teams: [] }];
    const { code, message, hint } = await failure(stage.host().reserve(reservation()));
    expect(code).toBe('E_AUTH');
    expect(message).toContain('protected tag');
    expect(hint).toContain('/settings/tags');
  });

  test('of a commit that was not pushed says so', async () => {
    const { code, hint } = await failure(stage.host().reserve(reservation({ commit: 'a'.repeat(40) })));
    expect([code, hint]).toEqual(['E_NOT_FOUND', 'Push it there first, then run the same command again.']);
  });

  test('meets a draft that somebody made by hand, and names its page (409)', async () => {
    insertRow(stage.gitea.state, { tag: TAG, draft: true, title: 'by hand' });
    const { code, hint } = await failure(stage.host().reserve(reservation()));
    expect(code).toBe('E_RESERVED_ELSEWHERE');
    expect(hint).toContain(`${stage.gitea.url}/acme/acme/releases/tag/${TAG}`);
  });

  test('is free again by its own attempt only, and stays once a draft or a release has the tag', async () => {
    await stage.host().reserve(reservation());
    await stage.host().unreserve(reservation({ nonce: 'n2' }));
    expect(await stage.host().reservation(TAG)).toBeDefined();
    await stage.host().unreserve(reservation());
    expect(await stage.host().reservation(TAG)).toBeUndefined();
    await stage.host().reserve(reservation());
    await release(stage, stage.host(), assets);
    await stage.host().unreserve(reservation());
    expect(await stage.host().reservation(TAG)).toEqual(reservation());
  });

  test('is looked up over all pages, whatever length the server allows', async () => {
    stage.gitea.state.settings.pageSize = 7;
    for (let n = 1; n <= 40; n += 1) pushTag(stage.gitea.state, `v1.0.0-staging.${n}`, FIRST);
    pushTag(stage.gitea.state, 'v2.0.0', FIRST);
    expect(await stage.host().tags('v1.0.0-staging.')).toHaveLength(40);
  });

  test('is not absent because a lookup failed: 500, a proxy’s page, or a listing that breaks off on page 2', async () => {
    stage.gitea.faults.add({ on: /GET .*\/tags\/v1/, answer: { status: 500 } });
    await expect(stage.host().reservation(TAG)).rejects.toMatchObject({ code: 'E_NETWORK' });
    stage.gitea.state.settings.pageSize = 1;
    for (const name of ['v1', 'v2']) pushTag(stage.gitea.state, name, FIRST);
    stage.gitea.faults.add({ on: /GET .*page=2/, answer: { status: 500 } });
    await expect(stage.host().tags('v')).rejects.toMatchObject({ code: 'E_NETWORK' });
  });
});
