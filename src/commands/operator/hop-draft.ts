// What an install becomes by a hop, and what it is now: settings, files, compose project, data. Rule: merged and looked at, in memory and in the cache only.
import { type DataMove, findMoves } from '../../model/data-move.ts';
import type { Digest } from '../../model/digest.ts';
import { withoutOwnServers } from '../../model/external.ts';
import type { ComposeFact } from '../../model/facts.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content } from '../../model/plan.ts';
import { settingsValues } from '../../model/settings.ts';
import { observeMajors } from '../../observe/data-major.ts';
import { observeCandidate, settleContainers } from '../../observe/engine.ts';
import type { SourceWish } from '../../plan/source-upgrade.ts';
import { candidateTexts, type MergedFiles, mergeFiles } from './hop-files.ts';
import type { HopRelease } from './hop-release.ts';
import { decideSettings, type HopSettings } from './hop-settings.ts';
import { renderFetched } from './host-files.ts';
import type { Standing } from './looking.ts';
import { refuseUnset } from './preflight.ts';
import { refuseOtherSecrets } from './record.ts';
import { releaseContents } from './release-files.ts';
import { besideCheckout, sourceWish } from './source-hop.ts';

export interface HopDraft {
  readonly env: HopSettings;
  readonly values: ReadonlyMap<string, string>;
  /** The release with what is rendered for this site. */
  readonly whole: Manifest;
  /** What the install gets of it: a checkout has its files from git, and builds images. */
  readonly target: Manifest;
  readonly merging: MergedFiles;
  readonly next: ComposeFact;
  readonly checkout: SourceWish | undefined;
  readonly standing: Standing;
  /** Majors of data as they were read on disk, by the engine's volumes. */
  readonly majors: ReadonlyMap<string, number>;
  readonly moves: readonly DataMove[];
  /** Of the release and of what was merged. */
  readonly contents: ReadonlyMap<Digest, Content>;
}

/** Asks for what the release newly needs, and merges it with what the person has. Throws E_ANSWER, E_CONFLICT, E_POLICY and E_PREFLIGHT. */
export async function draftHop(taken: HopRelease): Promise<HopDraft> {
  const { context, install, bundle, cache, part, source, used } = taken;
  const { manifest } = used;
  const env = await decideSettings(context, install, { manifest, elsewhere: part?.elsewhere });
  const values = settingsValues(env.settings, manifest.env);
  refuseOtherSecrets(install.record, values);
  const { target: whole, contents: rendered } = await renderFetched({ ...bundle, manifest }, cache, { values, features: env.features });
  const theirs = new Map<Digest, Content>([...releaseContents(cache, used), ...rendered]);
  const shown = besideCheckout(whole, source);
  const merging = await mergeFiles(context, install, { target: shown, theirs, isPart: part !== undefined });
  const { next, standing } = await observeBoth(taken, { env, merging, theirs });
  const { wish: checkout, contents: built } = source === undefined ? NO_CHECKOUT : sourceWish(source, { install, next, whole });
  const target = checkout === undefined ? whole : { ...shown, images: checkout.images.pulled };
  const data = await observeData(taken, { env, next, standing });
  const contents = new Map([...theirs, ...merging.contents, ...built]);
  return { env, values, whole, target, merging, next, checkout, standing, ...data, contents };
}

const NO_CHECKOUT = { wish: undefined, contents: [] };

type Merged = Pick<HopDraft, 'env' | 'merging'> & { readonly theirs: ReadonlyMap<Digest, Content> };

/** The compose project as it will be, and what runs now. */
async function observeBoth(taken: HopRelease, { env, merging, theirs }: Merged): Promise<Pick<HopDraft, 'next' | 'standing'>> {
  const { context, root, install, source, foreseen } = taken;
  const texts = source?.texts ?? (await candidateTexts(install, merging, theirs, root));
  const candidate = { project: install.project, texts, settings: env.settings };
  const [next, standing] = await Promise.all([observeCandidate(context.world, root, candidate), taken.standing]);
  refuseUnset(next.unset);
  if (standing === undefined) {
    const engine = foreseen?.engine ?? { containers: [], volumes: Object.values(install.record.volumes), config: next };
    return { next, standing: { engine, localImages: foreseen?.localImages ?? [] } };
  }
  const containers = await settleContainers(context.world, root, {
    project: install.project,
    containers: standing.engine.containers,
    next,
  });
  return { next, standing: { ...standing, engine: { ...standing.engine, containers } } };
}

/** Which majors the data has, and what of it moves to other volumes. */
async function observeData(
  { context, install, used, foreseen }: HopRelease,
  { env, next, standing }: Pick<HopDraft, 'env' | 'next' | 'standing'>,
): Promise<Pick<HopDraft, 'majors' | 'moves'>> {
  const { record } = install;
  const majors =
    foreseen === undefined ? await observeMajors(context.world, install, standing.engine, used.manifest) : new Map<string, number>();
  const old = withoutOwnServers(install.manifest, record.features);
  return { majors, moves: findMoves({ record, old, target: withoutOwnServers(used.manifest, env.features), next, majors }) };
}
