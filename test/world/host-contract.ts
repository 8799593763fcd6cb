// What every release host keeps, whatever it is made of. Rule: no test here knows the kind of host; each opens it anew, as after a crash.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Draft, Publication, ReleaseHost } from '../../src/model/host.ts';
import { judgeReservation, RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';
import { byWriter, draftOf, publicationOf } from '../fakes/gitea-stage.ts';

export interface ContractStage {
  /** A new client. */
  readonly host: () => ReleaseHost;
  /** Commits that exist there. */
  readonly commits: readonly [string, string];
  /** An empty folder for packed files. */
  readonly packed: string;
  readonly close: () => Promise<void>;
}

const FILES = { 'acme-1.0.0.tar.gz': 'bundle bytes', 'bundle.json': '{"one":1}', 'install.sh': '#!/bin/sh\n' };
const OTHERS = { ...FILES, 'bundle.json': '{"two":2}' };
const TAG = 'v1.0.0';

/** Registers the tests for one kind of host. */
export function hostContract(kind: string, open: () => Promise<ContractStage>): void {
  describe(`${kind}, like every release host,`, () => {
    let stage: ContractStage;

    beforeEach(async () => {
      stage = await open();
    });

    afterEach(() => stage.close());

    const host = (): ReleaseHost => stage.host();

    function reservation(parts: Partial<Reservation> = {}): Reservation {
      const fixed = { type: RESERVATION_TYPE, product: 'acme', version: '1.0.0', tag: TAG, commit: stage.commits[0] } as const;
      return { ...fixed, by: 'ci:run:1', nonce: 'n1', at: '2026-03-15T10:00:00Z', ...parts };
    }

    async function pack(files: Readonly<Record<string, string>> = FILES): Promise<readonly ChannelAsset[]> {
      for (const [name, text] of Object.entries(files)) await writeFile(join(stage.packed, name), text);
      return Object.entries(files).map(([name, text]) => ({ name, size: Buffer.byteLength(text), sha256: digestOf(text) }));
    }

    async function stageDraft(assets: readonly ChannelAsset[], name = 'd1'): Promise<Draft> {
      const draft = { ...draftOf(assets), name };
      await host().openDraft(draft);
      for (const asset of assets) await host().upload(draft, asset, { from: join(stage.packed, asset.name) });
      return draft;
    }

    async function release(assets: readonly ChannelAsset[], parts: Partial<Publication> = {}, name = 'd1'): Promise<string> {
      return host().publish(await stageDraft(assets, name), publicationOf(assets, parts));
    }

    test('shows nothing where nothing was published', async () => {
      expect(await host().reservation(TAG)).toBeUndefined();
      expect(await host().tags('')).toEqual([]);
      expect(await host().listRelease(TAG)).toBeUndefined();
      expect(await host().read('channels/stable.signed.json', 1024)).toBeUndefined();
    });

    test('gives a version to one of twenty who reserve it at once, and tells all of them whose it is', async () => {
      const tries = Array.from({ length: 20 }, (_, n) => host().reserve(reservation({ nonce: `n${n}`, by: `ci:run:${n}` })));
      const found = await Promise.all(tries);
      expect(new Set(found.map(({ nonce }) => nonce)).size).toBe(1);
      const judged = found.map((winner, n) =>
        judgeReservation(reservation({ nonce: `n${n}`, by: `ci:run:${n}`, commit: stage.commits[1] }), winner),
      );
      expect(judged.filter((outcome) => outcome !== 'elsewhere')).toHaveLength(1);
    });

    test('reads a reservation back as it was made, and gives it free to its own attempt only', async () => {
      expect(await host().reserve(reservation())).toEqual(reservation());
      expect(await host().tags('v1.')).toEqual([TAG]);
      expect(await host().tags('v2.')).toEqual([]);
      await host().unreserve(reservation({ nonce: 'another' }));
      expect(await host().reservation(TAG)).toEqual(reservation());
      await host().unreserve(reservation());
      expect(await host().reservation(TAG)).toBeUndefined();
    });

    test('publishes a draft at once, with exactly the bytes that were packed, and says so the second time', async () => {
      const assets = await pack();
      await host().reserve(reservation());
      const draft = await stageDraft(assets);
      expect(await host().listRelease(TAG)).toBeUndefined();
      expect([...((await host().listDraft(draft)) ?? [])].sort(byName)).toEqual([...assets].sort(byName));
      expect(await host().publish(draft, publicationOf(assets))).toBe('published');
      expect([...((await host().listRelease(TAG)) ?? [])].sort(byName)).toEqual([...assets].sort(byName));
      expect(await host().listDraft(draft)).toBeUndefined();
      expect(await release(assets, {}, 'd2')).toBe('already-published');
    });

    test('keeps a reservation once something is published under it', async () => {
      await host().reserve(reservation());
      await release(await pack());
      await host().unreserve(reservation());
      expect(await host().reservation(TAG)).toBeDefined();
    });

    test('refuses other content under a published version, and changes nothing', async () => {
      const assets = await pack();
      await host().reserve(reservation());
      await release(assets);
      await expect(release(await pack(OTHERS), {}, 'd2')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
      expect([...((await host().listRelease(TAG)) ?? [])].sort(byName)).toEqual([...assets].sort(byName));
    });

    test('refuses a draft that lacks a file', async () => {
      const assets = await pack();
      await host().reserve(reservation());
      const draft = { ...draftOf(assets), name: 'd1' };
      await host().openDraft(draft);
      for (const asset of assets.slice(1)) await host().upload(draft, asset, { from: join(stage.packed, asset.name) });
      await expect(host().publish(draft, publicationOf(assets))).rejects.toMatchObject({ code: 'E_DIGEST' });
      expect(await host().listRelease(TAG)).toBeUndefined();
    });

    test('goes on with an upload that was cut off, and refuses a file that changed since', async () => {
      const assets = await pack();
      await host().reserve(reservation());
      const draft = { ...draftOf(assets), name: 'd1' };
      const [first, second] = assets as [ChannelAsset, ChannelAsset];
      await host().openDraft(draft);
      await host().upload(draft, first, { from: join(stage.packed, first.name) });
      await writeFile(join(stage.packed, second.name), 'changed');
      await expect(host().upload(draft, second, { from: join(stage.packed, second.name) })).rejects.toMatchObject({ code: 'E_DIGEST' });
      await pack();
      expect(await release(assets)).toBe('published');
    });

    test('replaces a published version only when its very manifest is named', async () => {
      await host().reserve(reservation());
      await release(await pack());
      const others = await pack(OTHERS);
      const wrong = release(others, { replaces: digestOf('another') }, 'd2');
      await expect(wrong).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
      await host().dropDraft({ ...draftOf(others), name: 'd2' });
      expect(await release(others, { replaces: digestOf(FILES['bundle.json']) }, 'd3')).toBe('published');
      expect([...((await host().listRelease(TAG)) ?? [])].sort(byName)).toEqual([...others].sort(byName));
    });

    test('has one winner when two publish different content at once, and the winner is whole', async () => {
      await host().reserve(reservation());
      const [ours, theirs] = [await pack(), await pack(OTHERS)];
      await pack();
      const first = stageDraft(ours, 'd1');
      await first;
      await pack(OTHERS);
      const second = await stageDraft(theirs, 'd2').catch((error: { code: string }) => error);
      const publish = async (draft: Draft, assets: readonly ChannelAsset[]): Promise<string> =>
        host().publish(draft, publicationOf(assets));
      const both = 'code' in second ? [publish(await first, ours)] : [publish(await first, ours), publish(second, theirs)];
      const ended = await Promise.allSettled(both);
      expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      if ('code' in second) expect(second.code).toBe('E_RESERVED_ELSEWHERE');
      const found = [...((await host().listRelease(TAG)) ?? [])].sort(byName);
      expect([[...ours].sort(byName), [...theirs].sort(byName)]).toContainEqual(found);
    });

    test('loses no change of a channel file among twenty who make one at once, and its copies are those of the last', async () => {
      await host().reserve(reservation());
      await Promise.all(Array.from({ length: 20 }, (_, n) => host().changeChannel('stable', byWriter(`w${n}`))));
      const text = (await host().read('channels/stable.signed.json', 1 << 20))?.toString() ?? '';
      const { payload } = parseSignedChannel(text, kind);
      expect(parseChannel(payload, kind).sequence).toBe(20);
      expect((await host().read('channels/stable.json', 1 << 20))?.toString()).toBe(payload);
    });

    test('leaves a channel file alone when nothing is to be changed', async () => {
      await host().changeChannel('stable', byWriter('me'));
      const before = await host().read('channels/stable.signed.json', 1 << 20);
      await host().changeChannel('stable', () => undefined);
      expect(await host().read('channels/stable.signed.json', 1 << 20)).toEqual(before);
    });

    test('puts an asset at its root, and a statement that may be there once', async () => {
      const assets = await pack();
      await host().reserve(reservation());
      await release(assets);
      await host().putAsset(TAG, assets[2] as ChannelAsset, 'install.sh');
      expect((await host().read('install.sh', 1024))?.toString()).toBe(FILES['install.sh']);
      await host().putText('keys/ABC.json', 'statement\n');
      await host().putText('keys/ABC.json', 'statement\n');
      await expect(host().putText('keys/ABC.json', 'another\n')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    });

    test('finds nothing wrong with a release that it can take', async () => {
      const problems = await host().preflight({ tag: TAG, commit: stage.commits[0], assets: await pack(), replace: false });
      expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    });
  });
}

function byName(a: ChannelAsset, b: ChannelAsset): number {
  return a.name < b.name ? -1 : 1;
}
