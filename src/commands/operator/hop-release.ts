// The release of a hop: fetched, verified, and fit for this machine. Rule: what stands in the way is said here, before a file is merged or a setting is asked.
import type { ChannelRelease } from '../../model/channel.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { cacheFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { RegistryLogin } from '../../model/registry-login.ts';
import type { World } from '../../model/seams.ts';
import { settingsValues } from '../../model/settings.ts';
import { COMPOSE_FILE, rehomeRelease, type SiteRelease } from '../../model/site-registry.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeAlso, observeInstall, observeInstallAsIs, pathsOf } from '../../observe/install.ts';
import { type FetchedRelease, fetchRelease, readReleaseText } from '../../observe/release.ts';
import type { Foreseen } from '../../plan/foresee.ts';
import { wholeOf } from '../../plan/whole-path.ts';
import { type Context, isPlanOnly, isSet } from '../command.ts';
import { registryFor } from './choose-registry.ts';
import { refuseUnfinished } from './finished.ts';
import { type Looking, lookAround, type Standing } from './looking.ts';
import { backupPlaces, refuseUnfit } from './preflight.ts';
import { refuseOtherSecrets } from './record.ts';
import { ensureLogin } from './registry-login.ts';
import { besideCheckout, prepareSource, type SourceHop, withoutImages } from './source-hop.ts';

export interface HopRequest {
  readonly root: string;
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
  readonly part?: HopPart;
  readonly foreseen?: ForeseenInstall;
  /** What was begun to be looked at before; by default that begins now. */
  readonly looking?: Looking | undefined;
}

/** Where a hop stands among those of one upgrade. */
export interface HopPart {
  readonly operation: string;
  /** From 1. */
  readonly number: number;
  /** The versions after it. */
  readonly onward: readonly string[];
  /** Their releases, where nothing has been looked at for them yet: the first hop stands for all. */
  readonly later: readonly Manifest[];
  /** Names of answers that only other releases on the way know. */
  readonly elsewhere: ReadonlySet<string>;
}

/** What the install will be when the hop begins, for one that is only looked at. */
export interface ForeseenInstall extends Foreseen {
  /** Where its files are laid out. */
  readonly place: string;
}

/** A release that was taken from its host, beside the install that it is for. */
export interface HopRelease extends HopRequest {
  /** Containers will be touched. */
  readonly start: boolean;
  readonly cache: string;
  readonly before: InstallFacts;
  /** The same with those of its files that the release has. */
  readonly install: InstallFacts;
  readonly bundle: FetchedRelease;
  /** As this site uses it. */
  readonly used: SiteRelease;
  /** The releases of the hops after it, as this site uses them. */
  readonly later: readonly Manifest[];
  readonly registry: string | null;
  /** The git checkout that the install is. */
  readonly source: SourceHop | undefined;
  /** What runs now; undefined where that is foreseen, or nothing is started. */
  readonly standing: Promise<Standing> | undefined;
  /** With the registry's login, where one is needed. */
  readonly context: Context;
  readonly login: RegistryLogin | undefined;
  /** What data takes on disk, by volume or path. */
  readonly sizes: ReadonlyMap<string, number> | undefined;
}

/** Fetches and verifies it. Throws when this machine, the install or its registry does not allow it. */
export async function takeRelease(asked: Context, request: HopRequest): Promise<HopRelease> {
  const { root, part, foreseen } = request;
  const cache = cacheFolder(root);
  const before = request.looking?.install ?? (await lookAt(request));
  const start = !isSet(asked.flags, 'no-start');
  const isLooked = start && foreseen === undefined;
  const looking = isLooked ? (request.looking ?? lookAround(asked.world, before)) : undefined;
  const bundle = await fetchBundle(asked.world, request, { product: before.record.product, cache });
  const found = await observeAlso(before, pathsOf(bundle.manifest));
  const source = foreseen === undefined ? await prepareSource(asked, found, bundle.manifest) : undefined;
  const install = { ...found, manifest: besideCheckout(found.manifest, source) };
  const { context, registry } = await registryFor(asked, install, bundle.manifest);
  const used = rehomeRelease(bundle.manifest, await readReleaseText(bundle, cache, COMPOSE_FILE), registry);
  const later = (part?.later ?? []).map((each) => rehomeRelease(each, '', registry).manifest);
  const fit = isLooked
    ? await checkFit(context, { root, before, manifests: [used.manifest, ...later], registry, source, looking })
    : { context, login: undefined, sizes: foreseen?.sizes };
  if (isLooked && !isPlanOnly(asked)) await refuseUnfinished(asked, before, (part?.number ?? 1) > 1);
  refuseOtherSecrets(before.record, settingsValues(before.settings, before.manifest.env));
  return { ...request, start, cache, before, install, bundle, used, later, registry, source, standing: looking?.standing, ...fit };
}

/** The install as it is, or as it will be when the hop begins. */
function lookAt({ root, foreseen }: HopRequest): Promise<InstallFacts> {
  return foreseen === undefined ? observeInstall(root) : observeInstallAsIs(foreseen.place);
}

/** Takes the release from where its channel was found, with its progress in bytes. */
export function fetchBundle(
  world: World,
  { fetched, release }: Pick<HopRequest, 'fetched' | 'release'>,
  { product, cache }: { readonly product: string; readonly cache: string },
): Promise<FetchedRelease> {
  const onBytes = (done: number, total: number): void => world.report({ type: 'progress', text: 'bundle', done, total, unit: 'bytes' });
  return fetchRelease({ source: fetched.source, release, product, trust: fetched.trust, cache, onBytes });
}

interface FitRequest extends Pick<HopRelease, 'root' | 'before' | 'registry' | 'source'> {
  /** Of all hops that are ahead. */
  readonly manifests: readonly [Manifest, ...Manifest[]];
  readonly looking: Looking | undefined;
}

/** Can the registry be read, and does this machine have what all hops need? */
async function checkFit(
  asked: Context,
  { root, before, manifests, registry, source, looking }: FitRequest,
): Promise<Pick<HopRelease, 'context' | 'login' | 'sizes'>> {
  const manifest = withoutImages(wholeOf(manifests), source);
  const { context, login } = await ensureLogin(asked, { manifest, root });
  const { project, hosts } = before.record;
  const place = { root, project, ports: [], hosts, backup: backupPlaces(before) };
  const sizes = await refuseUnfit(context, {
    ...place,
    manifest,
    hops: manifests.length,
    registry,
    login,
    ...(looking && { engine: looking.engine, containers: looking.containers, hasComposeFailed: looking.hasFailed }),
  });
  return { context, login, sizes };
}
