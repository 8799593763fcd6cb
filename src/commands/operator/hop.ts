// One hop, prepared: fetched, verified, merged, checked and planned. Rule: nothing of the install is touched; the plan says all that will be.
import { type Digest, digestOf } from '../../model/digest.ts';
import { withoutOwnServers } from '../../model/external.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { printInstall } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content, Planned } from '../../model/plan.ts';
import type { World } from '../../model/seams.ts';
import { settingsContents, settingsFiles, type Variables } from '../../model/settings.ts';
import { shippedComposeOf } from '../../model/site-registry.ts';
import { observeRunning } from '../../observe/engine.ts';
import { observeInstall, pathsOf } from '../../observe/install.ts';
import { observeBackups, observeOperators, observeReleases } from '../../observe/kept.ts';
import { observeOwnServiceOf } from '../../observe/own-service.ts';
import { observeSelf } from '../../observe/self.ts';
import type { UpgradeFacts, UpgradeWish } from '../../plan/course.ts';
import { copiesFolder } from '../../plan/data.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { planUpgrade } from '../../plan/upgrade.ts';
import type { Context } from '../command.ts';
import { draftHop, type HopDraft } from './hop-draft.ts';
import { type HopRelease, type HopRequest, takeRelease } from './hop-release.ts';
import { type Launching, prepareLaunching, sameLaunching } from './launching.ts';
import { nextRecord } from './record.ts';
import { releaseExtras } from './release-files.ts';
import { sourceRecord, withCheckout } from './source-hop.ts';

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

/** Fetches and verifies the release, merges the person's settings with it, and plans. Throws before anything has changed. */
export async function prepareHop(asked: Context, request: HopRequest): Promise<Hop> {
  const taken = await takeRelease(asked, request);
  const draft = await draftHop(taken);
  const launching = await launchingOf(taken);
  const entry = entryOf(taken);
  const recordText = recordOf(taken, draft, { launching, entry });
  const fingerprint = fingerprintInstall(taken.install, draft.standing.engine.containers);
  const basedOn = await withCheckout(asked, taken.root, fingerprint, taken.source);
  const wish: UpgradeWish = { ...wishOf(taken, draft, entry), basedOn, record: digestOf(recordText), launching: launching.wish };
  const facts = await factsOf(taken, draft);
  const contents = new Map<Digest, Content>([...contentsOf(taken, draft), ...launching.contents, [wish.record, { text: recordText }]]);
  return {
    root: taken.root,
    from: taken.install.record.version,
    to: draft.target.version,
    planned: { plan: planUpgrade(wish, facts), contents },
    world: taken.context.world,
    variables: taken.used.manifest.env,
    generated: draft.env.generated,
    operator: await observeSelf(taken.context.file),
    recheck: () => observeBasis(asked, taken),
    facts,
    target: draft.target,
    said: draft.env.said,
    disputed: draft.merging.disputed,
  };
}

/** The operation that the hop is, or is a part of. */
interface Entry {
  readonly operation: string;
  /** UTC, RFC 3339. */
  readonly at: string;
}

function entryOf({ context, part }: HopRelease): Entry {
  const { world } = context;
  return { operation: part?.operation ?? `upgrade-${world.random(8).toString('hex')}`, at: momentOf(world.now()) };
}

async function launchingOf({ context, root, foreseen, fetched, used, install }: HopRelease): Promise<Launching> {
  const { record } = install;
  const isInside = (await observeOwnServiceOf(context.world, root, record.project)) !== undefined;
  if (foreseen !== undefined || isInside) return sameLaunching(root, record);
  return prepareLaunching(context, { root, manifest: used.manifest, project: record.project, fetched, record });
}

/** install.json as it will be. */
function recordOf(
  taken: HopRelease,
  draft: HopDraft,
  { launching, entry }: { readonly launching: Launching; readonly entry: Entry },
): string {
  const { record } = taken.install;
  const { env, target, values, moves, next } = draft;
  const wish = {
    manifest: target,
    manifestDigest: taken.release.manifest,
    trust: taken.fetched.trust,
    config: next,
    features: env.features,
    registry: taken.registry,
    login: taken.login?.registry,
    values,
    operation: { id: entry.operation, command: 'upgrade', from: record.version, to: target.version, outcome: 'upgraded', at: entry.at },
    launching: launching.fields,
    moves,
  } as const;
  return printInstall(sourceRecord(nextRecord(record, wish, taken.context.world), draft.whole, taken.source));
}

function wishOf(taken: HopRelease, draft: HopDraft, entry: Entry): Omit<UpgradeWish, 'basedOn' | 'record' | 'launching'> {
  const { part, later } = taken;
  const { env, target, values, checkout } = draft;
  return {
    command: 'upgrade',
    id: part === undefined ? entry.operation : `${entry.operation}-${part.number}`,
    ...entry,
    target,
    ...shippedComposeOf(taken.used),
    ...(checkout && { source: checkout }),
    login: taken.login?.registry,
    targetDigest: taken.release.manifest,
    extra: releaseExtras(taken.bundle).files,
    settings: settingsFiles(env.settings),
    values,
    features: env.features,
    start: taken.start,
    onward: part?.onward ?? [],
    further: later.flatMap((each) => imagesToPull(withoutOwnServers(each, env.features))),
  };
}

async function factsOf(taken: HopRelease, draft: HopDraft): Promise<UpgradeFacts> {
  const { root, install, foreseen, sizes } = taken;
  const { standing, next, merging, majors, values } = draft;
  return {
    install: { ...install, root },
    ...standing,
    next,
    backups: foreseen?.backups ?? (await observeBackups(root, [copiesFolder(install.manifest, values)])),
    merges: merging.merges,
    majors,
    ...(sizes && { sizes }),
    releases: foreseen?.releases ?? (await observeReleases(root)),
    operators: await observeOperators(root),
  };
}

function contentsOf({ install, bundle }: HopRelease, { env, contents }: HopDraft): [Digest, Content][] {
  return [...keptContents(install), ...contents, ...releaseExtras(bundle).contents, ...settingsContents(env.settings)];
}

/** What the plan was based on, as it is now. */
async function observeBasis(asked: Context, { root, start, used, install, source }: HopRelease): Promise<Digest> {
  const containers = start ? await observeRunning(asked.world, root, install.record.project) : [];
  const found = await observeInstall(root, pathsOf(used.manifest));
  return withCheckout(asked, root, fingerprintInstall(found, containers), source);
}

/** The person's own versions of files are contents of the plan too: they are staged beside the new ones. */
export function keptContents(install: InstallFacts): [Digest, Content][] {
  const files = [...install.files].filter(([, fact]) => fact.mode !== 0); // a link has no content
  return files.map(([path, fact]) => [fact.digest, { file: `${install.root}/${path}` }]);
}
