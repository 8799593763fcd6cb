// What every release host keeps, whatever its kind. Rule: each client is a fresh one, and only what the seam promises is asked for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { judgeReservation, type Reservation } from '../../src/model/reservation.ts';
import { fileTests, raceTests } from './host-contract-files.ts';
import {
  bench,
  byName,
  type ContractStage,
  claim,
  draftOf,
  each,
  FILES,
  needs,
  pack,
  publicationOf,
  release,
  reservation,
  TAG,
  upload,
} from './host-contract-parts.ts';

const OTHERS = { ...FILES, 'bundle.json': '{"two":2}' };

/** Registers the suite for one kind of host; `open` starts an empty one. */
export function hostContract(name: string, open: () => Promise<ContractStage>): void {
  describe(`${name} as every release host`, () => {
    beforeEach(async () => {
      bench.stage = await open();
    });
    afterEach(() => bench.stage.close());
    describe('decides who has a version:', reservationTests);
    describe('publishes at once and for ever:', releaseTests);
    describe('keeps twenty publishers apart:', raceTests);
    describe('keeps files that installs read:', fileTests);
  });
}

function reservationTests(): void {
  test('the first has it, reads it back, and every other is told', async (context) => {
    needs(context, bench.stage.canDecide);
    const first = reservation();
    expect(await bench.stage.host().reserve(first)).toEqual(first);
    expect(await bench.stage.host('b').reserve(reservation({ nonce: 'n2', by: 'b', commit: bench.stage.other }))).toEqual(first);
    expect(await bench.stage.host('c').reservation(TAG)).toEqual(first);
    expect(await bench.stage.host().reservation('v9.9.9')).toBeUndefined();
  });

  test('another on the same commit joins, on another commit it is elsewhere, and asking again is already ours', async (context) => {
    needs(context, bench.stage.canDecide);
    await bench.stage.host().reserve(reservation());
    const judged = async (parts: Partial<Reservation>) =>
      judgeReservation(reservation(parts), await bench.stage.host().reserve(reservation(parts)));
    expect(await judged({})).toBe('reserved');
    expect(await judged({ nonce: 'n2' })).toBe('already-yours');
    expect(await judged({ nonce: 'n3', by: 'somebody else' })).toBe('joined');
    expect(await judged({ nonce: 'n4', by: 'somebody else', commit: bench.stage.other })).toBe('elsewhere');
  });

  test('of twenty at once one has it, and all read the same', async (context) => {
    needs(context, bench.stage.canDecide);
    const found = await each((index) => bench.stage.host(`p${index}`).reserve(reservation({ nonce: `n${index}`, by: `p${index}` })));
    expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
    expect(await bench.stage.host().reservation(TAG)).toEqual(found[0]);
  });

  test('tags are counted by prefix, however many there are', async (context) => {
    needs(context, bench.stage.canDecide);
    const tags = Array.from({ length: 12 }, (_, index) => `v1.0.0-staging.${index + 1}`);
    for (const tag of [...tags, 'v2.0.0']) await bench.stage.host().reserve(reservation({ tag, nonce: tag }));
    expect([...(await bench.stage.host().tags('v1.0.0-staging.'))].sort()).toEqual([...tags].sort());
    expect(await bench.stage.host().tags('v3')).toEqual([]);
  });

  test('it is given free by its own attempt only', async (context) => {
    needs(context, bench.stage.canDecide);
    await bench.stage.host().reserve(reservation());
    await bench.stage.host().unreserve(reservation({ nonce: 'n2' }));
    expect(await bench.stage.host().reservation(TAG)).toEqual(reservation());
    await bench.stage.host().unreserve(reservation());
    expect(await bench.stage.host().reservation(TAG)).toBeUndefined();
  });

  test('it is not given free once something was published under it', async (context) => {
    needs(context, bench.stage.canDecide && bench.stage.canPublish);
    await bench.stage.host().reserve(reservation());
    await release(await pack());
    await bench.stage.host().unreserve(reservation());
    expect(await bench.stage.host().reservation(TAG)).toEqual(reservation());
  });
}

function releaseTests(): void {
  test('a draft is seen by no reader, and then the release is there whole', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    const draft = await upload(packed);
    expect(await bench.stage.host().listRelease(TAG)).toBeUndefined();
    expect(byName(await bench.stage.host().listDraft(draft))).toEqual(byName(packed.assets));
    expect(await bench.stage.host().publish(draft, publicationOf(packed))).toBe('published');
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
    expect(await bench.stage.host().listDraft(draft)).toBeUndefined();
  });

  test('a draft with a file missing, one too many, or one of other bytes stays a draft', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    const [bundle, manifest, installer] = packed.assets as [ChannelAsset, ChannelAsset, ChannelAsset];
    const draft = await upload(packed, [bundle, manifest]);
    const refused = (assets: readonly ChannelAsset[]) => expect(bench.stage.host().publish(draft, publicationOf({ ...packed, assets })));
    await refused(packed.assets).rejects.toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining('install.sh') });
    await refused([manifest]).rejects.toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining('acme-1.0.0.tar.gz') });
    await refused([{ ...bundle, sha256: installer.sha256 }, manifest]).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await bench.stage.host().listRelease(TAG)).toBeUndefined();
  });

  test('the same contents again are success, and leave no draft', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    const first = await upload(packed);
    await bench.stage.host().publish(first, publicationOf(packed));
    expect(await bench.stage.host().publish(first, publicationOf(packed))).toBe('already-published');
    expect(await release(packed)).toBe('already-published');
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
    expect(await bench.stage.host().listDraft(first)).toBeUndefined();
  });

  test('other contents under a published tag are refused, and nothing is changed', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    await release(packed);
    await expect(release(await pack(OTHERS))).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
      hint: expect.stringContaining('next version'),
    });
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
  });

  test('a published version is replaced only when its very manifest is named', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    await release(await pack());
    const others = await pack(OTHERS);
    await expect(release(others, undefined, { replaces: digestOf('another') })).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect(await release(others, undefined, { replaces: digestOf(FILES['bundle.json']) })).toBe('published');
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(others.assets));
  });

  test('an upload that broke off goes on where it stopped', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    const draft = await upload(packed, packed.assets.slice(0, 1));
    expect(await bench.stage.host().listDraft(draft)).toHaveLength(1);
    await upload(packed, packed.assets, draft);
    expect(await bench.stage.host().publish(draft, publicationOf(packed))).toBe('published');
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
  });

  test('a file that changed since it was packed is not kept', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    await writeFile(join(packed.folder, 'bundle.json'), '{"one":2}');
    await expect(upload(packed)).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await bench.stage.host().listRelease(TAG)).toBeUndefined();
    await writeFile(join(packed.folder, 'bundle.json'), FILES['bundle.json']);
    expect(await release(packed)).toBe('published');
  });

  test('a draft is dropped with all that is in it, as often as one likes', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const draft = await upload(await pack());
    await bench.stage.host().dropDraft(draft);
    await bench.stage.host().dropDraft(draft);
    expect(await bench.stage.host().listDraft(draft)).toBeUndefined();
  });

  test('progress is told in bytes, up to the whole', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack({ 'bundle.json': 'x'.repeat(300_000) });
    const draft = draftOf(packed);
    const [asset] = packed.assets as [ChannelAsset];
    const seen: number[] = [];
    await bench.stage.host().openDraft(draft);
    await bench.stage.host().upload(draft, asset, { from: join(packed.folder, asset.name), onBytes: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(asset.size);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
}
