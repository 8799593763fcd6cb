// Killed at every request and started anew. Rule: what is compared is what the server holds in the end, without ids and nonces.
import { describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import type { ReleaseHost } from '../../src/model/host.ts';
import { judgeReservation } from '../../src/model/reservation.ts';
import {
  byWriter,
  endState,
  type GiteaStage,
  giteaStage,
  pack,
  publicationOf,
  release,
  reservation,
  TAG,
  upload,
} from '../fakes/gitea-stage.ts';

const FILES = { 'acme-1.0.0.tar.gz': 'bundle bytes', 'bundle.json': '{"one":1}', 'install.sh': '#!/bin/sh\n' };
const KEY = '{"key":"statement"}';

describe('a publisher that is killed at any request', () => {
  test.each(['before', 'after'] as const)(
    '%s the request is carried out, and starts anew, ends as if nothing had happened',
    async (when) => {
      const undisturbed = await fresh();
      await publishAll(undisturbed, 'n0');
      const total = undisturbed.gitea.requests.length;
      const wanted = endState(undisturbed);
      await undisturbed.gitea.close();
      for (let n = 1; n <= total; n += 1) {
        const killed = await fresh();
        killed.gitea.faults.killAt(n, when);
        await expect(publishAll(killed, 'n1'), `killed at request ${n}`).rejects.toMatchObject({ code: 'E_NETWORK' });
        killed.gitea.faults.clear();
        await publishAll(killed, 'n2');
        expect(endState(killed), `killed ${when} request ${n}: ${killed.gitea.requests[n - 1]?.line}`).toEqual(wanted);
        await killed.gitea.close();
      }
      console.log(`Gitea: killed ${when} each of ${total} requests, resumed each time with a new client: the same end state`);
    },
  );

  test('and while a published version is replaced, ends with the new one under its tag and the old files aside', async () => {
    const undisturbed = await replaceable();
    const before = undisturbed.gitea.requests.length;
    await replaceAll(undisturbed);
    const total = undisturbed.gitea.requests.length - before;
    const wanted = endState(undisturbed);
    await undisturbed.gitea.close();
    for (let n = 1; n <= total; n += 1) {
      const killed = await replaceable();
      killed.gitea.faults.killAt(n, n % 2 === 0 ? 'before' : 'after');
      await expect(replaceAll(killed)).rejects.toMatchObject({ code: 'E_NETWORK' });
      killed.gitea.faults.clear();
      await replaceAll(killed);
      expect(endState(killed), `killed at request ${n}`).toEqual(wanted);
      await killed.gitea.close();
    }
    console.log(`Gitea: killed at each of ${total} requests of a replacement`);
  }, 300_000);
});

async function fresh(): Promise<GiteaStage> {
  const made = await giteaStage();
  await pack(made, FILES);
  return made;
}

/** What the handlers of a publish do, each step asking first whether it is done. */
async function publishAll(there: GiteaStage, nonce: string): Promise<void> {
  const host = there.host();
  const assets = await packed(there);
  const wanted = reservation({ nonce });
  expect(judgeReservation(wanted, await host.reserve(wanted))).not.toBe('elsewhere');
  await publishOnce(there, host, assets);
  await host.changeChannel('stable', byWriter('1.0.0'));
  const installer = assets.find(({ name }) => name === 'install.sh') as ChannelAsset;
  await host.putAsset(TAG, installer, 'install.sh');
  await host.putText('keys/aa.json', KEY);
}

async function publishOnce(there: GiteaStage, host: ReleaseHost, assets: readonly ChannelAsset[]): Promise<void> {
  if ((await host.listRelease(TAG)) !== undefined) return;
  await release(there, host, assets);
}

async function packed(there: GiteaStage): Promise<readonly ChannelAsset[]> {
  return pack(there, FILES);
}

async function replaceable(): Promise<GiteaStage> {
  const made = await fresh();
  await made.host().reserve(reservation());
  await release(made, made.host(), await packed(made));
  return made;
}

async function replaceAll(there: GiteaStage): Promise<void> {
  const host = there.host();
  const old = (await packed(there)).find(({ name }) => name === 'bundle.json') as ChannelAsset;
  const assets = await pack(there, { ...FILES, 'bundle.json': '{"two":2}' });
  const manifest = assets.find(({ name }) => name === 'bundle.json') as ChannelAsset;
  const published = await host.listRelease(TAG);
  if (published?.find(({ name }) => name === 'bundle.json')?.sha256 === manifest.sha256) return;
  const draft = await upload(there, host, assets);
  await host.publish(draft, publicationOf(assets, { replaces: old.sha256 }));
}
