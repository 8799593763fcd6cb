// One hop, prepared: fetched, verified, merged, checked and planned. Rule: nothing of the install is touched; the plan says all that will be.

import type { ChannelRelease } from '../../model/channel.ts';
import { parseChoices } from '../../model/conflict-choice.ts';
import { findMoves } from '../../model/data-move.ts';
import type { Variable } from '../../model/description.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { secretsToGenerate } from '../../model/env-merge.ts';
import { setCompose } from '../../model/env-render.ts';
import { ToolError } from '../../model/error.ts';
import { withdrawnValues, withoutOwnServers } from '../../model/external.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { allProfiles, carriedFeatures, profilesOf } from '../../model/feature.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { printInstall } from '../../model/install.ts';
import { cacheFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content, Planned } from '../../model/plan.ts';
import type { World } from '../../model/seams.ts';
import {
  type Settings as Documents,
  documentOf,
  homesOf,
  MAIN_ENV,
  settingsContents,
  settingsFiles,
  settingsValues,
  type Variables,
} from '../../model/settings.ts';
import { mergeSettings } from '../../model/settings-merge.ts';
import { COMPOSE_FILE, rehomeRelease, shippedComposeOf } from '../../model/site-registry.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeMajors } from '../../observe/data-major.ts';
import { observeCandidate, observeContainers, observeEngine } from '../../observe/engine.ts';
import { observeInstall, pathsOf, readText } from '../../observe/install.ts';
import { observeBackups, observeOperators, observeReleases } from '../../observe/kept.ts';
import { type Merges, observeMerges } from '../../observe/merges.ts';
import { fetchRelease, readReleaseText } from '../../observe/release.ts';
import { observeUnsharedImages } from '../../observe/removal.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { copiesFolder } from '../../plan/data.ts';
import { changedByBoth, decideFiles, type FilesDecision } from '../../plan/files.ts';
import { planUpgrade } from '../../plan/upgrade.ts';
import { type Context, isSet, textFlags } from '../command.ts';
import { answersFor, givenNames, makeSecrets } from './answers.ts';
import { registryFor } from './choose-registry.ts';
import { renderFetched } from './host-files.ts';
import { prepareLaunching } from './launching.ts';
import { backupPlaces, refuseUnfit, refuseUnset } from './preflight.ts';
import { nextRecord, refuseOtherSecrets } from './record.ts';
import { ensureLogin } from './registry-login.ts';
import { releaseContents, releaseExtras } from './release-files.ts';

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
}

export interface HopRequest {
  readonly root: string;
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
}

/** Fetches and verifies the release, merges the person's settings with it, and plans. Throws before anything has changed. */
export async function prepareHop(asked: Context, { root, fetched, release }: HopRequest): Promise<Hop> {
  const { world } = asked;
  const before = await observeInstall(root);
  const { record } = before;
  const cache = cacheFolder(root);
  const onBytes = (done: number, total: number): void => world.report({ type: 'progress', text: 'bundle', done, total, unit: 'bytes' });
  const bundle = await fetchRelease({ source: fetched.source, release, product: record.product, trust: fetched.trust, cache, onBytes });
  const install = await observeInstall(root, pathsOf(bundle.manifest));
  const { context: answering, registry } = await registryFor(asked, install, bundle.manifest);
  const used = rehomeRelease(bundle.manifest, await readReleaseText(bundle, cache, COMPOSE_FILE), registry);
  const { manifest } = used;
  const start = !isSet(asked.flags, 'no-start');
  const { context, login } = start ? await ensureLogin(answering, { manifest, root }) : { context: answering, login: undefined };
  const fit = { manifest, root, project: record.project, ports: [], hosts: record.hosts, backup: backupPlaces(before), registry, login };
  const sizes = start ? await refuseUnfit(context, fit) : undefined;
  refuseOtherSecrets(record, settingsValues(before.settings, before.manifest.env));
  const env = await decideSettings(context, install, manifest);
  const values = settingsValues(env.settings, manifest.env);
  refuseOtherSecrets(record, values);
  const { target, contents: rendered } = await renderFetched({ ...bundle, manifest }, cache, { values, features: env.features });
  const theirs = new Map<Digest, Content>([...releaseContents(cache, used), ...rendered]);
  const merging = await mergeFiles(context, install, { target, theirs });
  const texts = await candidateTexts(install, merging, theirs);
  const [next, present] = await Promise.all([
    observeCandidate(world, root, { project: install.project, texts, settings: env.settings }),
    start ? observeEngine(world, root, install.project) : undefined,
  ]);
  refuseUnset(next.unset);
  const engine = present ?? { containers: [], volumes: Object.values(record.volumes), config: next };
  const majors = await observeMajors(world, install, engine, manifest);
  const old = withoutOwnServers(install.manifest, record.features);
  const moves = findMoves({ record, old, target: withoutOwnServers(manifest, env.features), next, majors });
  const operation = `upgrade-${world.random(8).toString('hex')}`;
  const at = momentOf(world.now());
  const launching = await prepareLaunching(context, { root, manifest, project: record.project, fetched, record });
  const recordText = printInstall(
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
  );
  const extras = releaseExtras(bundle);
  const basedOn = fingerprintInstall(install, engine.containers);
  const backups = await observeBackups(root, [copiesFolder(install.manifest, values)]);
  const wish = {
    command: 'upgrade' as const,
    id: operation,
    operation,
    at,
    basedOn,
    target,
    ...shippedComposeOf(used),
    login: login?.registry,
    targetDigest: release.manifest,
    extra: extras.files,
    settings: settingsFiles(env.settings),
    values,
    record: digestOf(recordText),
    features: env.features,
    start,
    launching: launching.wish,
  };
  const plan = planUpgrade(wish, {
    install,
    engine,
    next,
    backups,
    merges: merging.merges,
    majors,
    ...(sizes && { sizes }),
    releases: await observeReleases(root),
    operators: await observeOperators(root),
    localImages: start ? await observeUnsharedImages(world, root, record) : [],
  });
  const contents = new Map<Digest, Content>([
    ...keptContents(install),
    ...releaseContents(cache, used),
    ...rendered,
    ...extras.contents,
    ...merging.contents,
    ...launching.contents,
    ...settingsContents(env.settings),
    [wish.record, { text: recordText }],
  ]);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root, pathsOf(manifest)), start ? await observeContainers(world, root, record.project) : []);
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
  };
}

/** The person's own versions of files are contents of the plan too: they are staged beside the new ones. */
export function keptContents(install: InstallFacts): [Digest, Content][] {
  const files = [...install.files].filter(([, fact]) => fact.mode !== 0); // a link has no content
  return files.map(([path, fact]) => [fact.digest, { file: `${install.root}/${path}` }]);
}

interface Settings {
  readonly settings: Documents;
  readonly generated: ReadonlyMap<string, string>;
  readonly features: readonly string[];
}

/** Keeps what the person wrote; asks only for what this release newly requires. */
async function decideSettings(context: Context, install: InstallFacts, manifest: Manifest): Promise<Settings> {
  const variables = { oldVariables: install.manifest.env, newVariables: manifest.env };
  const current = await observeSettings(install.root, homesOf(install.manifest.env, manifest.env));
  const today = new Map([...settingsValues(current, manifest.env), ...settingsValues(current, install.manifest.env)]);
  const isNew = (name: string): boolean => !today.has(name) && !today.has(manifest.env[name]?.renamedFrom ?? name);
  const said = await givenNames(context);
  const answers = await answersFor(context, { manifest, today: todaysAnswers(install, manifest) });
  const given = new Map([...answers.values].filter(([name]) => isNew(name) || said.has(name)));
  const names = secretsToGenerate({ ...variables, values: today, answers: given }).filter(
    (name) => !mayBeInUse(install, manifest.env[name]),
  );
  const values = new Map([...renamedValues(today, manifest), ...given]);
  const { generated, derived } = makeSecrets(
    { variables: manifest.env, names, before: renamedValues(today, manifest), values, given: said, origins: install.record.derived ?? {} },
    context.world,
  );
  const told = new Map([...given, ...derived, ...withdrawnValues(manifest.services, answers.features, values)]);
  const merged = mergeSettings({ ...variables, current, answers: told, generated, features: answers.features, version: manifest.version });
  if (merged.missing.length > 0)
    throw new ToolError('E_ANSWER', `${merged.missing.join(', ')}: this release needs a value`, {
      hint: 'Give it with --set NAME=VALUE, or write it into .env.',
    });
  const known = [...allProfiles(install.manifest.features), ...allProfiles(manifest.features)];
  const profiles = profilesOf(manifest.features, answers.features);
  const main = setCompose(documentOf(merged.settings, MAIN_ENV), { project: install.record.project, profiles, known });
  return { settings: new Map([...merged.settings, [MAIN_ENV, main] as const]), features: answers.features, generated };
}

/** Nobody wrote down which secrets a release of older scripts made its data with: a second one would lock that away. */
function mayBeInUse({ manifest }: InstallFacts, variable: Variable | undefined): boolean {
  return manifest.imported === true && variable?.immutable === true;
}

/** Today's values under the names that the release gives them. */
function renamedValues(today: ReadonlyMap<string, string>, manifest: Manifest): Map<string, string> {
  const renamed = Object.entries(manifest.env).flatMap(([name, { renamedFrom = name }]): [string, string][] => {
    const value = today.get(name) ?? today.get(renamedFrom);
    return value === undefined ? [] : [[name, value]];
  });
  return new Map([...today, ...renamed]);
}

/** What is set already counts as given, so that nobody is asked for it again; a feature that is new is on when it is on by default. */
function todaysAnswers(install: InstallFacts, manifest: Manifest): Map<string, string> {
  const features = carriedFeatures(install.manifest.features, manifest.features, install.record.features);
  const values = [...settingsValues(install.settings, install.manifest.env)].filter(([name]) => manifest.env[name] !== undefined);
  return new Map([...values, ['FEATURES', features.join(',')]]);
}

/** Merges what the person and the release both changed, as far as it fits together or the person decides. Throws E_CONFLICT for the rest. */
async function mergeFiles(
  context: Context,
  install: InstallFacts,
  release: { readonly target: Manifest; readonly theirs: ReadonlyMap<Digest, Content> },
): Promise<Merges & { readonly decided: FilesDecision }> {
  const { adopted } = install.record;
  const files = { old: install.manifest, target: release.target, found: install.files, ...(adopted && { neverHere: adopted.missing }) };
  const choices = parseChoices(textFlags(context.flags, 'on-conflict'));
  const merging = await observeMerges({ install, ...release, choices, paths: changedByBoth(files) });
  return { ...merging, decided: decideFiles({ ...files, merges: merging.merges }) };
}

/** The compose file as it will be, where that is not what is there now. */
async function candidateTexts(
  install: InstallFacts,
  { decided, contents }: Merges & { readonly decided: FilesDecision },
  theirs: ReadonlyMap<Digest, Content>,
): Promise<Map<string, string>> {
  const file = decided.staged.find(({ path }) => path === COMPOSE_FILE);
  if (file === undefined || file.content === install.files.get(COMPOSE_FILE)?.digest) return new Map();
  const content = new Map([...theirs, ...contents]).get(file.content) ?? { text: '' };
  return new Map([[COMPOSE_FILE, 'text' in content ? content.text : ((await readText(content.file)) ?? '')]]);
}
