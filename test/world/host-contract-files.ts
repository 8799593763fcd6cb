// The part of the contract about races and about files beside the releases. Rule: as in host-contract.ts.
import { expect, test } from 'vitest';
import { type ChannelAsset, parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { byWriter, channelFile } from '../fakes/gitea-stage.ts';
import { bench, byName, claim, each, FILES, MANY, needs, outcomeOf, type Packed, pack, release, TAG } from './host-contract-parts.ts';

/** Many at once. */
export function raceTests(): void {
  test('with the same contents all succeed, and one release is there without a draft', async (context) => {
    needs(context, bench.stage.canDecide && bench.stage.canPublish);
    await claim();
    const packed = await pack();
    const outcomes = await each((index) => outcomeOf(release(packed, `p${index}`)));
    expect([...new Set(outcomes)].filter((outcome) => outcome !== 'published' && outcome !== 'already-published')).toEqual([]);
    expect(outcomes).toContain('published');
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(packed.assets));
  });

  test('with different contents one is there whole, and every other is told', async (context) => {
    needs(context, bench.stage.canDecide && bench.stage.canPublish);
    await claim();
    const all = await each((index) => pack({ 'bundle.json': `manifest ${index}`, 'a.tar.gz': `bytes ${index}` }));
    const outcomes = await each((index) => outcomeOf(release(all[index] as Packed, `p${index}`)));
    const winners = all.filter((_, index) => outcomes[index] === 'published');
    expect(winners).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'E_PUBLISHED_DIFFERS' || outcome === 'E_RESERVED_ELSEWHERE')).toHaveLength(MANY - 1);
    expect(byName(await bench.stage.host().listRelease(TAG))).toEqual(byName(winners[0]?.assets));
  });

  test('on one channel no change is lost, and the sequence is complete', async (context) => {
    needs(context, bench.stage.canDecide);
    const sequences = await each(async (index) => {
      let last = 0;
      await bench.stage.host(`p${index}`).changeChannel('stable', (current) => {
        const made = byWriter(`w${index}`)(current);
        last = made?.sequence ?? last;
        return made;
      });
      return last;
    });
    expect(sequences.sort((a, b) => a - b)).toEqual(Array.from({ length: MANY }, (_, index) => index + 1));
    const text = (await bench.stage.host().read('channels/stable.signed.json', 1 << 20))?.toString() ?? '';
    const { payload } = parseSignedChannel(text, 'channel');
    expect(parseChannel(payload, 'channel').sequence).toBe(MANY);
    expect((await bench.stage.host().read('channels/stable.json', 1 << 20))?.toString()).toBe(payload);
  });
}

/** What lies beside the releases. */
export function fileTests(): void {
  test('what is absent is undefined', async () => {
    expect(await bench.stage.host().read('channels/stable.signed.json', 1024)).toBeUndefined();
    expect(await bench.stage.host().listRelease('v9.9.9')).toBeUndefined();
  });

  test('where nothing was published there is nothing, and nothing wrong with a release that it can take', async (context) => {
    needs(context, bench.stage.canDecide);
    const host = bench.stage.host();
    expect([await host.tags(''), await host.reservation(TAG)]).toEqual([[], undefined]);
    const { assets } = await pack();
    const problems = await host.preflight({ tag: TAG, commit: bench.stage.commit, assets, replace: false });
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  test('a channel file appears with its copies, changes, and stays when nothing is to be changed', async () => {
    const host = bench.stage.host();
    await host.changeChannel('stable', byWriter('1.0.0'));
    await host.changeChannel('stable', byWriter('1.1.0'));
    await host.changeChannel('stable', () => undefined);
    const { text } = channelFile(2, '1.1.0');
    expect((await bench.stage.host().read('channels/stable.signed.json', 1 << 20))?.toString()).toBe(text);
    expect((await bench.stage.host().read('channels/stable.json', 1 << 20))?.toString()).toBe(JSON.parse(text).payload);
  });

  test('a file longer than the reader takes is refused', async () => {
    await bench.stage.host().changeChannel('stable', byWriter('1.0.0'));
    await expect(bench.stage.host().read('channels/stable.signed.json', 10)).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
  });

  test('install.sh at the root is that of a published release, in place of the former', async (context) => {
    needs(context, bench.stage.canPublish);
    await claim();
    const packed = await pack();
    await release(packed);
    const installer = packed.assets.find(({ name }) => name === 'install.sh') as ChannelAsset;
    await bench.stage.host().putAsset(TAG, installer, 'install.sh');
    await bench.stage.host().putAsset(TAG, installer, 'install.sh');
    expect((await bench.stage.host().read('install.sh', 1024))?.toString()).toBe(FILES['install.sh']);
  });

  test('a key statement is put once, and never another in its place', async () => {
    await bench.stage.host().putText('keys/aa.json', 'statement\n');
    await bench.stage.host().putText('keys/aa.json', 'statement\n');
    await expect(bench.stage.host().putText('keys/aa.json', 'another\n')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect((await bench.stage.host().read('keys/aa.json', 1024))?.toString()).toBe('statement\n');
  });
}
