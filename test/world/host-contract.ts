// What every release host keeps, whatever its kind. Rule: each client is a fresh one, and only what the seam promises is asked for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import type { Draft, ReleaseHost } from '../../src/model/host.ts';
import { judgeReservation, type Reservation } from '../../src/model/reservation.ts';
import { byWriter, channelFile } from '../fakes/gitea-stage.ts';
import {
  byName,
  draftOf,
  each,
  FILES,
  MANY,
  outcomeOf,
  type Packed,
  pack,
  publicationOf,
  reservationOf,
  TAG,
} from './host-contract-parts.ts';

/** A host and what a test needs to know of it. */
export interface ContractStage {
  /** A fresh client; `by` names the publisher for hosts that tell them apart. */
  readonly host: (by?: string) => ReleaseHost;
  /** A commit that exists there, and another one. */
  readonly commit: string;
  readonly other: string;
  /** False where nobody can be refused: such a host only mirrors. */
  readonly canDecide: boolean;
  /** False where no releases are held. */
  readonly canPublish: boolean;
  readonly close: () => Promise<void>;
}

const OTHERS = { ...FILES, 'bundle.json': '{"two":2}' };
let stage: ContractStage;

/** Registers the suite for one kind of host; `open` starts an empty one. */
export function hostContract(name: string, open: () => Promise<ContractStage>): void {
  describe(`${name} as every release host`, () => {
    beforeEach(async () => {
      stage = await open();
    });
    afterEach(() => stage.close());
    describe('decides who has a version:', reservationTests);
    describe('publishes at once and for ever:', releaseTests);
    describe('keeps twenty publishers apart:', raceTests);
    describe('keeps files that installs read:', fileTests);
  });
}

function reservationTests(): void {
  test('the first has it, reads it back, and every other is told', async (context) => {
    needs(context, stage.canDecide);
    const first = reservation();
    expect(await stage.host().reserve(first)).toEqual(first);
    expect(await stage.host('b').reserve(reservation({ nonce: 'n2', by: 'b', commit: stage.other }))).toEqual(first);
    expect(await stage.host('c').reservation(TAG)).toEqual(first);
    expect(await stage.host().reservation('v9.9.9')).toBeUndefined();
  });

  test('another on the same commit joins, on another commit it is elsewhere, and asking again is already ours', async (context) => {
    needs(context, stage.canDecide);
    await stage.host().reserve(reservation());
    const judged = async (parts: Partial<Reservation>) =>
      judgeReservation(reservation(parts), await stage.host().reserve(reservation(parts)));
    expect(await judged({})).toBe('reserved');
    expect(await judged({ nonce: 'n2' })).toBe('already-yours');
    expect(await judged({ nonce: 'n3', by: 'somebody else' })).toBe('joined');
    expect(await judged({ nonce: 'n4', by: 'somebody else', commit: stage.other })).toBe('elsewhere');
  });

  test('of twenty at once one has it, and all read the same', async (context) => {
    needs(context, stage.canDecide);
    const found = await each((index) => stage.host(`p${index}`).reserve(reservation({ nonce: `n${index}`, by: `p${index}` })));
    expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
    expect(await stage.host().reservation(TAG)).toEqual(found[0]);
  });

  test('tags are counted by prefix, however many there are', async (context) => {
    needs(context, stage.canDecide);
    const tags = Array.from({ length: 12 }, (_, index) => `v1.0.0-staging.${index + 1}`);
    for (const tag of [...tags, 'v2.0.0']) await stage.host().reserve(reservation({ tag, nonce: tag }));
    expect([...(await stage.host().tags('v1.0.0-staging.'))].sort()).toEqual([...tags].sort());
    expect(await stage.host().tags('v3')).toEqual([]);
  });

  test('it is given free by its own attempt only', async (context) => {
    needs(context, stage.canDecide);
    await stage.host().reserve(reservation());
    await stage.host().unreserve(reservation({ nonce: 'n2' }));
    expect(await stage.host().reservation(TAG)).toEqual(reservation());
    await stage.host().unreserve(reservation());
    expect(await stage.host().reservation(TAG)).toBeUndefined();
  });

  test('it is not given free once something was published under it', async (context) => {
    needs(context, stage.canDecide && stage.canPublish);
    await stage.host().reserve(reservation());
    await release(await pack());
    await stage.host().unreserve(reservation());
    expect(await stage.host().reservation(TAG)).toEqual(reservation());
  });
}

function releaseTests(): void {
  test('a draft is seen by no reader, and then the release is there whole', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    const draft = await upload(packed);
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
    expect(byName(await stage.host().listDraft(draft))).toEqual(byName(packed.assets));
    expect(await stage.host().publish(draft, publicationOf(packed))).toBe('published');
    expect(byName(await stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
    expect(await stage.host().listDraft(draft)).toBeUndefined();
  });

  test('a draft with a file missing, one too many, or one of other bytes stays a draft', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    const [bundle, manifest, installer] = packed.assets as [ChannelAsset, ChannelAsset, ChannelAsset];
    const draft = await upload(packed, [bundle, manifest]);
    const refused = (assets: readonly ChannelAsset[]) => expect(stage.host().publish(draft, publicationOf({ ...packed, assets })));
    await refused(packed.assets).rejects.toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining('install.sh') });
    await refused([manifest]).rejects.toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining('acme-1.0.0.tar.gz') });
    await refused([{ ...bundle, sha256: installer.sha256 }, manifest]).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
  });

  test('the same contents again are success, and leave no draft', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    const first = await upload(packed);
    await stage.host().publish(first, publicationOf(packed));
    expect(await stage.host().publish(first, publicationOf(packed))).toBe('already-published');
    expect(byName(await stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
    expect(await stage.host().listDraft(first)).toBeUndefined();
  });

  test('other contents under a published tag are refused, and nothing is changed', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    await release(packed);
    await expect(release(await pack(OTHERS))).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
      hint: expect.stringContaining('next version'),
    });
    expect(byName(await stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
  });

  test('an upload that broke off goes on where it stopped', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    const draft = await upload(packed, packed.assets.slice(0, 1));
    expect(await stage.host().listDraft(draft)).toHaveLength(1);
    await upload(packed, packed.assets, draft);
    expect(await stage.host().publish(draft, publicationOf(packed))).toBe('published');
    expect(byName(await stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
  });

  test('a file that changed since it was packed is not kept', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    await writeFile(join(packed.folder, 'bundle.json'), '{"one":2}');
    await expect(upload(packed)).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await stage.host().listRelease(TAG)).toBeUndefined();
  });

  test('a draft is dropped with all that is in it, as often as one likes', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const draft = await upload(await pack());
    await stage.host().dropDraft(draft);
    await stage.host().dropDraft(draft);
    expect(await stage.host().listDraft(draft)).toBeUndefined();
  });

  test('progress is told in bytes, up to the whole', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack({ 'bundle.json': 'x'.repeat(300_000) });
    const draft = draftOf(packed);
    const [asset] = packed.assets as [ChannelAsset];
    const seen: number[] = [];
    await stage.host().openDraft(draft);
    await stage.host().upload(draft, asset, { from: join(packed.folder, asset.name), onBytes: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(asset.size);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
}

function raceTests(): void {
  test('with the same contents all succeed, and one release is there without a draft', async (context) => {
    needs(context, stage.canDecide && stage.canPublish);
    await claim();
    const packed = await pack();
    const outcomes = await each((index) => outcomeOf(release(packed, `p${index}`)));
    expect([...new Set(outcomes)].filter((outcome) => outcome !== 'published' && outcome !== 'already-published')).toEqual([]);
    expect(outcomes).toContain('published');
    expect(byName(await stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
  });

  test('with different contents one is there whole, and every other is told', async (context) => {
    needs(context, stage.canDecide && stage.canPublish);
    await claim();
    const all = await each((index) => pack({ 'bundle.json': `manifest ${index}`, 'a.tar.gz': `bytes ${index}` }));
    const outcomes = await each((index) => outcomeOf(release(all[index] as Packed, `p${index}`)));
    const winners = all.filter((_, index) => outcomes[index] === 'published');
    expect(winners).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'E_PUBLISHED_DIFFERS' || outcome === 'E_RESERVED_ELSEWHERE')).toHaveLength(MANY - 1);
    expect(byName(await stage.host().listRelease(TAG))).toEqual(byName(winners[0]?.assets));
  });

  test('on one channel no change is lost, and the sequence is complete', async (context) => {
    needs(context, stage.canDecide);
    const sequences = await each(async (index) => {
      let last = 0;
      await stage.host(`p${index}`).changeChannel('stable', (current) => {
        const made = byWriter(`w${index}`)(current);
        last = made?.sequence ?? last;
        return made;
      });
      return last;
    });
    expect(sequences.sort((a, b) => a - b)).toEqual(Array.from({ length: MANY }, (_, index) => index + 1));
  });
}

function fileTests(): void {
  test('what is absent is undefined', async () => {
    expect(await stage.host().read('channels/stable.signed.json', 1024)).toBeUndefined();
    expect(await stage.host().listRelease('v9.9.9')).toBeUndefined();
  });

  test('a channel file appears with its copies, changes, and stays when nothing is to be changed', async () => {
    const host = stage.host();
    await host.changeChannel('stable', byWriter('1.0.0'));
    await host.changeChannel('stable', byWriter('1.1.0'));
    await host.changeChannel('stable', () => undefined);
    const { text } = channelFile(2, '1.1.0');
    expect((await stage.host().read('channels/stable.signed.json', 1 << 20))?.toString()).toBe(text);
    expect((await stage.host().read('channels/stable.json', 1 << 20))?.toString()).toBe(JSON.parse(text).payload);
  });

  test('a file longer than the reader takes is refused', async () => {
    await stage.host().changeChannel('stable', byWriter('1.0.0'));
    await expect(stage.host().read('channels/stable.signed.json', 10)).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
  });

  test('install.sh at the root is that of a published release, in place of the former', async (context) => {
    needs(context, stage.canPublish);
    await claim();
    const packed = await pack();
    await release(packed);
    const installer = packed.assets.find(({ name }) => name === 'install.sh') as ChannelAsset;
    await stage.host().putAsset(TAG, installer, 'install.sh');
    await stage.host().putAsset(TAG, installer, 'install.sh');
    expect((await stage.host().read('install.sh', 1024))?.toString()).toBe(FILES['install.sh']);
  });

  test('a key statement is put once, and never another in its place', async () => {
    await stage.host().putText('keys/aa.json', 'statement\n');
    await stage.host().putText('keys/aa.json', 'statement\n');
    await expect(stage.host().putText('keys/aa.json', 'another\n')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect((await stage.host().read('keys/aa.json', 1024))?.toString()).toBe('statement\n');
  });
}

async function upload(packed: Packed, assets = packed.assets, draft = draftOf(packed), by?: string): Promise<Draft> {
  const host = stage.host(by);
  await host.openDraft(draft);
  for (const asset of assets) await host.upload(draft, asset, { from: join(packed.folder, asset.name) });
  return draft;
}

async function release(packed: Packed, by?: string): Promise<string> {
  return stage.host(by).publish(await upload(packed, packed.assets, draftOf(packed), by), publicationOf(packed));
}

/** Where tags are reserved, the release's is, before anything is published under it. */
async function claim(): Promise<void> {
  if (stage.canDecide) await stage.host().reserve(reservation());
}

function reservation(parts: Partial<Reservation> = {}): Reservation {
  return reservationOf({ commit: stage.commit, ...parts });
}

function needs(context: TestContext, able: boolean): void {
  if (!able) context.skip('this kind of host does not');
}
