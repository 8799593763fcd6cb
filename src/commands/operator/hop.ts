// One hop, prepared: fetched, verified, merged, checked and planned. Rule: nothing of the install is touched; the plan says all that will be.

import type { ChannelRelease } from '../../model/channel.ts';
import { findMoves } from '../../model/data-move.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { withoutOwnServers } from '../../model/external.ts';
import type { EngineFacts, InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { printInstall } from '../../model/install.ts';
import { cacheFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content, Planned } from '../../model/plan.ts';
import type { World } from '../../model/seams.ts';
import { settingsContents, settingsFiles, settingsValues, type Variables } from '../../model/settings.ts';
import { COMPOSE_FILE, rehomeRelease, shippedComposeOf } from '../../model/site-registry.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeMajors } from '../../observe/data-major.ts';
import { observeCandidate, observeContainers, observeEngine } from '../../observe/engine.ts';
import { observeInstall, observeInstallAsIs, pathsOf } from '../../observe/install.ts';
import { observeBackups, observeOperators, observeReleases } from '../../observe/kept.ts';
import { observeOwnServiceOf } from '../../observe/own-service.ts';
import { fetchRelease, readReleaseText } from '../../observe/release.ts';
import { observeUnsharedImages } from '../../observe/removal.ts';
import { observeSelf } from '../../observe/self.ts';
import type { UpgradeFacts } from '../../plan/course.ts';
import { copiesFolder } from '../../plan/data.ts';
import type { Foreseen } from '../../plan/foresee.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { planUpgrade } from '../../plan/upgrade.ts';
import { wholeOf } from '../../plan/whole-path.ts';
import { type Context, isPlanOnly, isSet } from '../command.ts';
import { registryFor } from './choose-registry.ts';
import { refuseUnfinished } from './finished.ts';
import { candidateTexts, mergeFiles } from './hop-files.ts';
import { decideSettings } from './hop-settings.ts';
import { renderFetched } from './host-files.ts';
import { prepareLaunching, sameLaunching } from './launching.ts';
import { backupPlaces, refuseUnfit, refuseUnset } from './preflight.ts';
import { nextRecord, refuseOtherSecrets } from './record.ts';
import { ensureLogin } from './registry-login.ts';
import { releaseContents, releaseExtras } from './release-files.ts';
import { besideCheckout, prepareSource, sourceRecord, sourceWish, withCheckout, withoutImages } from './source-hop.ts';

export interface Hop {
  readonly root: string;
  readonly from: string;
  readonly to: string;
  readonly planned: Planned;
  /** With the registry's login, where the plan needs one. */
  readonly world: World;
  readonly variables: Variables;
  /** Secrets that are new in this release. */
  readonly generated: ReadonlyMap<string, string>;
  readonly operator: Digest;
  readonly recheck: () => Promise<Digest>;
  /** What a next hop is foreseen from. */
  readonly facts: UpgradeFacts;
  readonly target: Manifest;
  /** What a person was asked, and said. */
  readonly said: ReadonlyMap<string, string>;
  /** The files that both sides changed. */
  readonly disputed: readonly string[];
}

export interface HopRequest {
  readonly root: string;
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
  readonly part?: HopPart;
  readonly foreseen?: ForeseenInstall;
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

/** Fetches and verifies the release, merges the person's settings with it, and plans. Throws before anything has changed. */
export async function prepareHop(asked: Context, { root, fetched, release, part, foreseen }: HopRequest): Promise<Hop> {
  const { world } = asked;
  const look = (also?: readonly string[]): Promise<InstallFacts> =>
    foreseen === undefined ? observeInstall(root, also) : observeInstallAsIs(foreseen.place, also);
  const before = await look();
  const { record } = before;
  const cache = cacheFolder(root);
  const start = !isSet(asked.flags, 'no-start');
  const isLooked = start && foreseen === undefined;
  const looking = isLooked ? observeStanding(world, root, before) : undefined;
  const onBytes = (done: number, total: number): void => world.report({ type: 'progress', text: 'bundle', done, total, unit: 'bytes' });
  const bundle = await fetchRelease({ source: fetched.source, release, product: record.product, trust: fetched.trust, cache, onBytes });
  const found = await look(pathsOf(bundle.manifest));
  const source = foreseen === undefined ? await prepareSource(asked, found, bundle.manifest) : undefined;
  const install = { ...found, manifest: besideCheckout(found.manifest, source) };
  const { context: answering, registry } = await registryFor(asked, install, bundle.manifest);
  const used = rehomeRelease(bundle.manifest, await readReleaseText(bundle, cache, COMPOSE_FILE), registry);
  const { manifest } = used;
  const later = (part?.later ?? []).map((each) => rehomeRelease(each, '', registry).manifest);
  const whole = wholeOf([manifest, ...later]);
  const { context, login } = isLooked
    ? await ensureLogin(answering, { manifest: withoutImages(whole, source), root })
    : { context: answering, login: undefined };
  const place = { root, project: record.project, ports: [], hosts: record.hosts, backup: backupPlaces(before) };
  const fit = { ...place, manifest: withoutImages(whole, source), hops: 1 + later.length, registry, login };
  const sizes = isLooked ? await refuseUnfit(context, fit) : foreseen?.sizes;
  if (isLooked && !isPlanOnly(asked)) await refuseUnfinished(asked, before, (part?.number ?? 1) > 1);
  refuseOtherSecrets(record, settingsValues(before.settings, before.manifest.env));
  const env = await decideSettings(context, install, { manifest, elsewhere: part?.elsewhere });
  const values = settingsValues(env.settings, manifest.env);
  refuseOtherSecrets(record, values);
  const { target: all, contents: rendered } = await renderFetched({ ...bundle, manifest }, cache, { values, features: env.features });
  const theirs = new Map<Digest, Content>([...releaseContents(cache, used), ...rendered]);
  const shown = besideCheckout(all, source);
  const merging = await mergeFiles(context, install, { target: shown, theirs, isPart: part !== undefined });
  const texts = source?.texts ?? (await candidateTexts(install, merging, theirs, root));
  const [next, standing] = await Promise.all([
    observeCandidate(world, root, { project: install.project, texts, settings: env.settings }),
    looking,
  ]);
  refuseUnset(next.unset);
  const checkout = source && sourceWish(source, { install, next, whole: all });
  const target = checkout === undefined ? all : { ...shown, images: checkout.wish.images.pulled };
  const engine = standing?.engine ?? foreseen?.engine ?? { containers: [], volumes: Object.values(record.volumes), config: next };
  const majors = foreseen === undefined ? await observeMajors(world, install, engine, manifest) : new Map<string, number>();
  const old = withoutOwnServers(install.manifest, record.features);
  const moves = findMoves({ record, old, target: withoutOwnServers(manifest, env.features), next, majors });
  const operation = part?.operation ?? `upgrade-${world.random(8).toString('hex')}`;
  const at = momentOf(world.now());
  const isInside = (await observeOwnServiceOf(world, root, record.project)) !== undefined;
  const launching =
    foreseen === undefined && !isInside
      ? await prepareLaunching(context, { root, manifest, project: record.project, fetched, record })
      : sameLaunching(root, record);
  const recordText = printInstall(
    sourceRecord(
      nextRecord(
        record,
        {
          manifest: target,
          manifestDigest: release.manifest,
          trust: fetched.trust,
          config: next,
          features: env.features,
          registry,
          login: login?.registry,
          values,
          operation: { id: operation, command: 'upgrade', from: record.version, to: manifest.version, outcome: 'upgraded', at },
          launching: launching.fields,
          moves,
        },
        world,
      ),
      all,
      source,
    ),
  );
  const extras = releaseExtras(bundle);
  const basedOn = await withCheckout(asked, root, fingerprintInstall(install, engine.containers), source);
  const wish = {
    command: 'upgrade' as const,
    id: part === undefined ? operation : `${operation}-${part.number}`,
    operation,
    at,
    basedOn,
    target,
    ...shippedComposeOf(used),
    ...(checkout && { source: checkout.wish }),
    login: login?.registry,
    targetDigest: release.manifest,
    extra: extras.files,
    settings: settingsFiles(env.settings),
    values,
    record: digestOf(recordText),
    features: env.features,
    start,
    launching: launching.wish,
    onward: part?.onward ?? [],
    further: later.flatMap((each) => imagesToPull(withoutOwnServers(each, env.features))),
  };
  const facts: UpgradeFacts = {
    install: { ...install, root },
    engine,
    next,
    backups: foreseen?.backups ?? (await observeBackups(root, [copiesFolder(install.manifest, values)])),
    merges: merging.merges,
    majors,
    ...(sizes && { sizes }),
    releases: foreseen?.releases ?? (await observeReleases(root)),
    operators: await observeOperators(root),
    localImages: standing?.localImages ?? foreseen?.localImages ?? [],
  };
  const plan = planUpgrade(wish, facts);
  const contents = new Map<Digest, Content>([
    ...keptContents(install),
    ...releaseContents(cache, used),
    ...rendered,
    ...extras.contents,
    ...merging.contents,
    ...launching.contents,
    ...settingsContents(env.settings),
    ...(checkout?.contents ?? []),
    [wish.record, { text: recordText }],
  ]);
  const recheck = async (): Promise<Digest> => {
    const containers = start ? await observeContainers(world, root, record.project) : [];
    return withCheckout(asked, root, fingerprintInstall(await observeInstall(root, pathsOf(manifest)), containers), source);
  };
  return {
    root,
    from: record.version,
    to: manifest.version,
    planned: { plan, contents },
    world: context.world,
    variables: manifest.env,
    generated: env.generated,
    operator: await observeSelf(context.file),
    recheck,
    facts,
    target,
    said: env.said,
    disputed: merging.disputed,
  };
}

interface Standing {
  readonly engine: EngineFacts;
  readonly localImages: readonly string[];
}

/** What runs now, looked at while the release is fetched; what goes wrong is told to whoever waits for it. */
function observeStanding(world: World, root: string, { project, record }: InstallFacts): Promise<Standing> {
  const both = Promise.all([observeEngine(world, root, project), observeUnsharedImages(world, root, record)]);
  const standing = both.then(([engine, localImages]) => ({ engine, localImages }));
  standing.catch(() => undefined); // preflight, which comes first, says it better
  return standing;
}

/** The person's own versions of files are contents of the plan too: they are staged beside the new ones. */
export function keptContents(install: InstallFacts): [Digest, Content][] {
  const files = [...install.files].filter(([, fact]) => fact.mode !== 0); // a link has no content
  return files.map(([path, fact]) => [fact.digest, { file: `${install.root}/${path}` }]);
}
