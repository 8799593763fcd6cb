import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ToolError } from '../../src/model/error.ts';
import { FIRST, type GiteaStage, giteaStage, pack, release, reservation, TAG } from '../fakes/gitea-stage.ts';
import { pushTag, rowOf } from '../fakes/gitea-state.ts';

const MANY = 20;

let stage: GiteaStage;
beforeEach(async () => {
  stage = await giteaStage();
});
afterEach(() => stage.gitea.close());

function each<T>(act: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: MANY }, (_, index) => act(index)));
}

describe('twenty at once', () => {
  test('reserve one tag: one wins, and everybody reads who', async () => {
    stage.gitea.state.window = 20;
    const found = await each((index) => stage.host().reserve(reservation({ nonce: `n${index}`, by: `id:${index}` })));
    expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
    expect(await stage.host().reservation(TAG)).toEqual(found[0]);
    const tries = stage.gitea.requests.filter(({ line }) => /^POST .*\/tags$/.test(line)).length;
    expect(tries).toBeGreaterThan(1);
  });

  test('take counters: each gets one of its own, over a listing of several pages', async () => {
    stage.gitea.state.settings.pageSize = 5;
    for (let n = 1; n <= 12; n += 1) pushTag(stage.gitea.state, `v1.0.0-staging.${n}`, FIRST);
    const taken = await each(async (index) => {
      const host = stage.host();
      const tags = await host.tags('v1.0.0-staging.');
      for (let n = Math.max(...tags.map((tag) => Number(tag.split('.').at(-1)))) + 1; ; n += 1) {
        const wanted = reservation({ tag: `v1.0.0-staging.${n}`, nonce: `n${index}`, by: `id:${index}` });
        if ((await host.reserve(wanted)).nonce === wanted.nonce) return n;
      }
    });
    expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: MANY }, (_, index) => index + 13));
  });

  test('publish the same bytes: all succeed, and there is one release without twins', async () => {
    const assets = await pack(stage, { 'bundle.json': 'one', 'a.tar.gz': 'bytes' });
    await stage.host().reserve(reservation());
    const outcomes = await each(() => release(stage, stage.host(), assets).catch((error: ToolError) => error.code));
    expect(new Set(outcomes)).toEqual(new Set(outcomes.filter((outcome) => /published/.test(outcome))));
    expect(
      rowOf(stage.gitea.state, TAG)
        ?.assets.map(({ name }) => name)
        .sort(),
    ).toEqual(['a.tar.gz', 'bundle.json']);
    expect(stage.gitea.state.rows.filter(({ isTag }) => !isTag)).toHaveLength(1);
  });

  test.each([1, 20])(
    'publish different bytes, %i ms between check and act: one is there whole, and every other is told',
    async (window) => {
      stage.gitea.state.window = window;
      await stage.host().reserve(reservation());
      const outcomes = await each(async (index) => {
        const other = { ...stage, packed: await mkdtemp(join(tmpdir(), 'slipway-')) };
        const assets = await pack(other, { 'bundle.json': `manifest ${index}`, 'a.tar.gz': `bytes ${index}` });
        return release(other, stage.host(), assets).catch((error: ToolError) => error.code);
      });
      const winners = outcomes.flatMap((outcome, index) => (outcome === 'published' ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'E_RESERVED_ELSEWHERE' || outcome === 'E_PUBLISHED_DIFFERS')).toHaveLength(MANY - 1);
      const stored = rowOf(stage.gitea.state, TAG)
        ?.assets.map(({ name, bytes }) => `${name}=${bytes}`)
        .sort();
      expect(stored).toEqual([`a.tar.gz=bytes ${winners[0]}`, `bundle.json=manifest ${winners[0]}`]);
    },
  );
});
