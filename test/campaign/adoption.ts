// An install that is taken over, as the campaign cuts it off. Rule: what was made by the real handlers loses all that is ours, and the real planner finds it again.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { newRecord } from '../../src/commands/operator/record.ts';
import type { ChannelRelease } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { fingerprintSite } from '../../src/model/fingerprint.ts';
import { printInstall } from '../../src/model/install.ts';
import type { Planned } from '../../src/model/plan.ts';
import { documentOf, MAIN_ENV, settingsValues } from '../../src/model/settings.ts';
import { observeEngine } from '../../src/observe/engine.ts';
import { observePresent, observeServiceImages } from '../../src/observe/existing.ts';
import { observeFiles, observeProject, pathsOf } from '../../src/observe/install.ts';
import { observeSettings } from '../../src/observe/settings.ts';
import { planAdopt } from '../../src/plan/adopt.ts';
import { findDataPlaces } from '../../src/plan/data-places.ts';
import { chooseNearest } from '../../src/plan/nearest.ts';
import { imagesToPull } from '../../src/plan/release-steps.ts';
import { contentsOf, extrasOf, type Stage, TRUST } from './stage.ts';

/** The same product as somebody set it up by hand. */
export function forgetUs({ root, engine }: Stage): void {
  rmSync(join(root, '.slipway'), { recursive: true });
  const { images } = engine.state();
  for (const name of [...images.keys()]) if (name.startsWith('slipway.local/')) images.delete(name);
}

/** The plan of `adopt`. */
export async function planTakeover({ root, world, releases }: Stage): Promise<Planned> {
  const release = releases['1.0.0'];
  const { manifest } = release;
  const settings = await observeSettings(root, [MAIN_ENV]);
  const project = await observeProject(root, 'acme', documentOf(settings, MAIN_ENV));
  const { containers, config } = await observeEngine(world, root, project);
  const files = await observeFiles(root, pathsOf(manifest));
  const images = await observeServiceImages(world, root, { containers, config });
  const known = { release: releaseEntry(release), manifest };
  const nearest = chooseNearest([known], { root, version: undefined, commits: new Set(), files, images }, false);
  const places = findDataPlaces({ root, manifest, config, shipped: config });
  const at = '2026-03-16T10:00:00Z';
  const operation = { id: 'adopt-2', command: 'adopt', from: null, to: manifest.version, outcome: 'adopted', at };
  const record = newRecord(
    {
      ...{ manifest, manifestDigest: release.digest, folder: root, project: 'acme', channel: 'stable', hosts: [], trust: TRUST },
      ...{ config, features: [], values: settingsValues(settings, manifest.env), at, operation },
    },
    world,
  );
  const text = printInstall({ ...record, volumes: places.volumes, adopted: { from: 'hand', at, missing: ['docs/index.txt'] } });
  const plan = planAdopt(
    {
      id: 'adopt-2',
      basedOn: fingerprintSite(files, containers),
      nearest,
      extra: extrasOf(release),
      record: digestOf(text),
      launching: { user: root },
    },
    {
      ...{ root, project: 'acme', from: 'hand', containers, config, places, yours: [], troubles: [], environment: undefined },
      present: await observePresent(world, root, imagesToPull(manifest)),
    },
  );
  return { plan, contents: contentsOf([release], [text]) };
}

function releaseEntry({ manifest, digest }: Stage['releases']['1.0.0']): ChannelRelease {
  const { version, tag, operator, made } = manifest;
  return {
    ...{ version, tag, operator, manifest: digest, published: made, from: '>=0.0.0', stop: false, assets: [] },
    ...{ status: 'live', reason: null, replaced: [] },
  };
}
