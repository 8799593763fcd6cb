// Killed at every request and started anew. Rule: what is compared is what GitHub holds in the end, without ids and nonces.
import { describe, expect, test } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { judgeReservation } from '../../src/model/reservation.ts';
import { byWriter, publicationOf } from '../fakes/gitea-stage.ts';
import {
  endState,
  FILES,
  forgetful,
  type GithubStage,
  githubStage,
  pack,
  release,
  reservation,
  TAG,
  upload,
} from '../fakes/github-stage.ts';

type Work = (stage: GithubStage, nonce: string) => Promise<void>;

describe('a publisher that is killed at any request', () => {
  test.each(['before', 'after'] as const)('%s it is carried out, and starts anew, ends as if nothing had happened', async (when) => {
    const total = await killEverywhere(publishAll, when, githubStage);
    console.log(`GitHub: killed ${when} each of ${total} requests, resumed each time with a new client: the same end state`);
  });

  test('twice in a row, ends so too', async () => {
    const total = await killEverywhere(publishAll, 'after', githubStage, 9);
    console.log(`GitHub: killed at each of ${total} requests, and at the ninth after resuming: the same end state`);
  });

  test.each(['before', 'after'] as const)('%s it is carried out while a release is replaced, ends with the new one', async (when) => {
    const total = await killEverywhere(replaceAll, when, replaceable);
    console.log(`GitHub: killed ${when} each of ${total} requests of a replacement: the same end state`);
  });
});

/** Does the work once undisturbed, then once for each of its requests with a kill there and a new start. Returns how many those were. */
async function killEverywhere(work: Work, when: 'before' | 'after', open: () => Promise<GithubStage>, again?: number): Promise<number> {
  const undisturbed = await open();
  const before = undisturbed.github.requests.length;
  await work(undisturbed, 'n0');
  const total = undisturbed.github.requests.length - before;
  const wanted = endState(undisturbed);
  await undisturbed.github.close();
  for (let n = 1; n <= total; n += 1) {
    const killed = await open();
    killed.github.faults.killAt(n, when);
    await expect(work(killed, 'n1'), `killed at request ${n}`).rejects.toMatchObject({ code: 'E_NETWORK' });
    killed.github.faults.clear();
    if (again !== undefined) {
      killed.github.faults.killAt(again, when);
      await work(killed, 'n2').catch(() => undefined); // what is left may take fewer requests
      killed.github.faults.clear();
    }
    await work(killed, 'n3');
    expect(endState(killed), `killed ${when} request ${n}`).toEqual(wanted);
    await killed.github.close();
  }
  return total;
}

/** What the steps of a publish do, each asking first whether it is done, each with a new client. */
async function publishAll(stage: GithubStage, nonce: string): Promise<void> {
  const host = forgetful(stage);
  const assets = await pack(stage);
  const wanted = reservation({ nonce });
  expect(judgeReservation(wanted, await host.reserve(wanted))).not.toBe('elsewhere');
  if ((await host.listRelease(TAG)) === undefined) await release(stage, host, assets);
  await host.changeChannel('stable', byWriter('me'));
  await host.putAsset(TAG, assets[2] as ChannelAsset, 'install.sh');
  await host.putText('keys/aa.json', '{"key":"statement"}');
}

async function replaceable(): Promise<GithubStage> {
  const stage = await githubStage();
  await stage.host().reserve(reservation());
  await release(stage, stage.host(), await pack(stage));
  return stage;
}

async function replaceAll(stage: GithubStage): Promise<void> {
  const host = forgetful(stage);
  const replaces = digestOf(FILES['bundle.json']);
  const assets = await pack(stage, { ...FILES, 'bundle.json': '{"two":2}' });
  const published = await host.listRelease(TAG);
  if (published?.some(({ sha256 }) => sha256 === assets[1]?.sha256)) return;
  await host.publish(await upload(stage, host, assets), publicationOf(assets, { replaces }));
}
