// The release that a found install is nearest to. Rule: its own word decides which manifests are fetched; only what was verified is compared with.
import { ToolError } from '../../model/error.ts';
import type { Variables } from '../../model/settings.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeAncestors, observeServiceImages } from '../../observe/existing.ts';
import { observeFiles, pathsOf } from '../../observe/install.ts';
import { fetchManifests } from '../../observe/manifests.ts';
import { type Comparison, chooseNearest, isCalled } from '../../plan/nearest.ts';
import { type Context, textFlag } from '../command.ts';
import type { Adoptable } from './adoptable.ts';

export interface NearestWish {
  readonly product: string;
  readonly fetched: FetchedChannel;
  /** A private folder. */
  readonly scratch: string;
}

/**
 * What the product asks for: the release's variables, or, where its release was made before anybody wrote them down, those of the newest
 * one that an install can go to.
 */
export async function findVariables({ manifest }: Comparison, { product, fetched, scratch }: NearestWish): Promise<Variables> {
  if (manifest.imported !== true) return manifest.env;
  const latest = fetched.channel.releases.find(({ version, imported }) => version === fetched.channel.latest && imported !== true);
  const request = { source: fetched.source, product, trust: fetched.trust, scratch };
  const [known] = await fetchManifests(latest === undefined ? [] : [latest], request);
  return known?.manifest.env ?? {};
}

/** Compares with the release that was named, else with the one that VERSION names, else with all. Throws E_NOT_FOUND, and E_POLICY when none is near. */
export async function findNearest(context: Context, found: Adoptable, { product, fetched, scratch }: NearestWish): Promise<Comparison> {
  const { world } = context;
  const { root, version, isSource } = found.folder;
  const named = textFlag(context.flags, 'as');
  const { releases } = fetched.channel;
  const called = releases.filter((release) => isCalled(release, named ?? (isSource ? undefined : version)));
  if (named !== undefined && called.length === 0) throw unknownRelease(named, releases);
  world.report({ type: 'phase', text: `Comparing ${root} with the releases of ${product}` });
  const known = await fetchManifests(called.length > 0 ? called : releases, {
    ...{ source: fetched.source, product, trust: fetched.trust, scratch },
  });
  const paths = new Set(known.flatMap(({ manifest }) => pathsOf(manifest)));
  const commits = known.flatMap(({ manifest }) => manifest.commit ?? []);
  const folder = {
    root,
    version,
    commits: isSource ? await observeAncestors(root, commits, world) : new Set<string>(),
    files: await observeFiles(root, [...paths]),
    images: await observeServiceImages(world, root, found),
  };
  return chooseNearest(known, folder, named !== undefined);
}

function unknownRelease(version: string, releases: FetchedChannel['channel']['releases']): ToolError {
  return new ToolError('E_NOT_FOUND', `the channel has no release ${version}`, {
    hint: `It has: ${releases.map((release) => release.version).join(', ') || 'nothing'}.`,
  });
}
