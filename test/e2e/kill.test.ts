// A real upgrade on the real engine is killed at its journal's boundaries. Rule: after `recover` it is exactly the old release or exactly the new one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boundaries, killAt } from './kill-upgrade.ts';
import { leftovers, type Snapshot, takeSnapshot } from './promises.ts';
import { addNote, type Installed, install, openStage, type Stage } from './stage.ts';

/** All boundaries in the whole campaign; a few of every kind in the usual run. */
const SAMPLE = [12, 26, 31, 38];

let stage: Stage;
let acme: Installed;
let old: Snapshot;
let fresh: Snapshot;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1);
  acme = await install(stage, 'killed');
  await addNote(acme, 'written before the upgrade');
  await stage.publish('2.0.0', 2);
  expect((await acme.ctl('upgrade', '--yes')).result.outcome).toBe('upgraded');
  fresh = await takeSnapshot(acme);
  await goBack();
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

describe('a SIGKILL in the middle of an upgrade', () => {
  test('leaves exactly the old or exactly the new release after recover, at every boundary of the journal', async () => {
    const ends: Record<string, number> = { undone: 0, finished: 0 };
    const wrong: string[] = [];
    let cases = 0;
    for (const boundary of boundaries(SAMPLE)) {
      const killed = await killAt(acme, boundary);
      if (killed) cases += 1;
      const outcome = await judgeEnd().catch((error: Error) => wrong.push(`after line ${boundary}: ${error.message}`));
      if (killed) ends[outcome] = (ends[outcome] ?? 0) + 1;
      if (outcome === 'finished') await goBack();
      if (!killed || wrong.length > 0) break;
    }
    console.log(
      `kill campaign: ${cases} cases of an upgrade killed on a real engine ${JSON.stringify(ends)}, ${wrong.length} wrong end states`,
    );
    expect(wrong).toEqual([]);
    expect(ends.undone).toBeGreaterThan(0);
  });

  test('the upgrade succeeds afterwards', async () => {
    const { result, stderr } = await acme.ctl('upgrade', '--yes');
    expect(result.outcome, stderr).toBe('upgraded');
    const now = await takeSnapshot(acme);
    expect(now.version).toBe('2.0.0');
    expect(now.notes).toBe(old.notes);
  });
});

/** Recovers, and throws unless everything is exactly as one of the two releases left it. */
async function judgeEnd(): Promise<'undone' | 'finished'> {
  const { code, stderr } = await acme.ctl('recover');
  expect(code, `recover: ${stderr}`).toBe(0);
  const now = await takeSnapshot(acme);
  expect(await leftovers(acme)).toEqual([]);
  if (now.version === old.version) {
    expect(now).toEqual(old);
    return 'undone';
  }
  const [found, wanted] = [withoutSecrets(now), { ...withoutSecrets(fresh), notes: old.notes }];
  for (const key of ['version', 'images', 'volumes', 'files', 'notes'] as const) expect(found[key], key).toEqual(wanted[key]);
  return 'finished';
}

/** `.env` of a new release has secrets that are made anew each time. */
function withoutSecrets(snapshot: Snapshot): Snapshot {
  return { ...snapshot, files: Object.fromEntries(Object.entries(snapshot.files).filter(([path]) => path !== '.env')) };
}

async function goBack(): Promise<void> {
  const { code, stderr } = await acme.ctl('restore', '--yes');
  expect(code, stderr).toBe(0);
  old = await takeSnapshot(acme);
}
