// An install on the fake engine, and the real plans for it. Rule: facts come from the real observers and plans from the real planners.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keptContents } from '../../src/commands/operator/hop.ts';
import { candidateTexts } from '../../src/commands/operator/hop-files.ts';
import { newRecord, nextRecord } from '../../src/commands/operator/record.ts';
import { parseChoices } from '../../src/model/conflict-choice.ts';
import { findMoves } from '../../src/model/data-move.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { envText, envValues, parseEnvFile, setEnv } from '../../src/model/env-file.ts';
import type { InstallFacts } from '../../src/model/facts.ts';
import { fingerprintInstall } from '../../src/model/fingerprint.ts';
import { parseInstall, printInstall, withOperation } from '../../src/model/install.ts';
import type { Content, DataToCopy, Planned } from '../../src/model/plan.ts';
import type { World } from '../../src/model/seams.ts';
import { type Settings, settingsFiles } from '../../src/model/settings.ts';
import { unpackBackupFiles } from '../../src/observe/backup-files.ts';
import { observeCandidate, observeContainers, observeEngine, observeVolumes } from '../../src/observe/engine.ts';
import { observeFiles, observeInstall, observeProject, pathsOf } from '../../src/observe/install.ts';
import { observeBackups, observeLocalImages, observeReleases } from '../../src/observe/kept.ts';
import { observeMerges } from '../../src/observe/merges.ts';
import { observeLeftovers, observeNetworks, observeReceipts } from '../../src/observe/removal.ts';
import type { CommandWish } from '../../src/plan/command.ts';
import { backupPath, dataToCopy } from '../../src/plan/data.ts';
import { changedByBoth, decideFiles } from '../../src/plan/files.ts';
import { planImages } from '../../src/plan/images-only.ts';
import { planInstall } from '../../src/plan/install.ts';
import { imagesToPull } from '../../src/plan/release-steps.ts';
import { planRestore } from '../../src/plan/restore.ts';
import { planRotate } from '../../src/plan/rotate-secret.ts';
import { leftoversOf, planUninstall } from '../../src/plan/uninstall.ts';
import { planUpgrade } from '../../src/plan/upgrade.ts';
import { type FakeEngine, fakeEngine } from '../fakes/engine.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';
import { type Defect, NAMED, type Release, registryFor, releaseOf, type Shape, settingsText } from './product.ts';

export interface Stage {
  readonly root: string;
  readonly shape: Shape;
  readonly engine: FakeEngine;
  readonly world: World;
  readonly releases: Readonly<Record<'1.0.0' | '2.0.0', Release>>;
}

/** An unsigned product. */
export const TRUST = { key: null, signed: false, sequences: {} };

export function makeStage(root: string, shape: Shape, defect: Defect): Stage {
  const engine = fakeEngine(registryFor(shape, defect));
  return {
    root,
    shape,
    engine,
    world: worldOf(engine),
    releases: { '1.0.0': releaseOf('1.0.0', shape), '2.0.0': releaseOf('2.0.0', shape) },
  };
}

/** A world whose only machine is the fake engine; its clock is the engine's. */
export function worldOf(engine: FakeEngine, over: Partial<World> = {}): World {
  return {
    now: () => new Date(engine.state().clock),
    random: (bytes) => Buffer.alloc(bytes, 7),
    env: { PATH: '/usr/bin', HOME: '/root', LOG_LEVEL: 'from a shell' },
    run: engine.client(),
    terminal: scriptedTerminal(),
    report: () => undefined,
    sleep: async (milliseconds) => engine.wait(milliseconds),
    stop: new AbortController().signal,
    ...over,
  };
}

/** `.env` as the person has it, and as a release or an answer changes it. */
export function environmentText(version: string, { level = 'info', reports = false } = {}): string {
  return [
    '# mine: do not lose this line',
    'COMPOSE_PROJECT_NAME=acme',
    `COMPOSE_PROFILES=${reports ? 'reports' : ''}`,
    "SECRET='not for logs'",
    `LOG_LEVEL=${level}`,
    'MY_OWN=1',
    ...(version === '2.0.0' ? ['# new in 2.0.0', 'NEW_DEFAULT=yes'] : []),
    '',
  ].join('\n');
}

/** What makes the command of an install work: steps, their contents, and what install.json says of it. */
export interface Launch {
  readonly wish: CommandWish;
  readonly contents: ReadonlyMap<Digest, Content>;
}

export async function planFirst(stage: Stage, launch?: Launch): Promise<Planned> {
  const { root, world } = stage;
  const { launcher, runtime } = launch?.wish ?? {};
  const launching = { ...(launcher === undefined ? {} : { launcher: launcher.path }), ...(runtime === undefined ? {} : { runtime }) };
  const release = stage.releases['1.0.0'];
  const { manifest } = release;
  const environment = environmentText('1.0.0');
  const env = parseEnvFile(environment);
  const project = await observeProject(root, 'acme', env);
  const next = await observeCandidate(world, root, { project, texts: composeTexts(release), settings: settingsOf(environment) });
  const at = '2026-03-15T10:00:00Z';
  const operation = { id: 'install-1', command: 'install', from: null, to: manifest.version, outcome: 'installed', at };
  const record = printInstall(
    newRecord(
      {
        ...{ manifest, manifestDigest: release.digest, folder: root, project: 'acme', channel: 'stable', hosts: [], trust: TRUST },
        ...{ config: next, features: [], values: envValues(env), at, operation, launching },
      },
      world,
    ),
  );
  const found = await observeFiles(root, pathsOf(manifest));
  const containers = await observeContainers(world, root, 'acme');
  const wish = {
    id: 'install-1',
    at,
    basedOn: digestOf(''),
    target: manifest,
    extra: extrasOf(release),
    settings: settingsFiles(settingsOf(environment)),
  };
  const facts = { root, rootExists: existsSync(root), project, found, containers, next };
  const command = launch === undefined ? {} : { launching: launch.wish };
  const plan = planInstall({ ...wish, ...command, record: digestOf(record), features: [], start: true }, facts);
  return { plan, contents: new Map([...contentsOf([release], [environment, record]), ...(launch?.contents ?? [])]) };
}

export interface HopOptions {
  readonly command: 'upgrade' | 'configure';
  /** Versions that follow in the same operation. */
  readonly onward?: readonly string[];
  readonly level?: string;
  readonly reports?: boolean;
}

export async function planHop(stage: Stage, options: HopOptions): Promise<Planned> {
  const { root, world } = stage;
  const isUpgrade = options.command === 'upgrade';
  const release = stage.releases[isUpgrade ? '2.0.0' : '1.0.0'];
  const { manifest } = release;
  const install = await observeInstall(root, pathsOf(manifest));
  const environment = environmentText(manifest.version, options);
  const values = envValues(parseEnvFile(environment));
  const theirs = new Map([...keptContents(install), ...contentsOf([release], [])]);
  const paths = changedByBoth({ old: install.manifest, target: manifest, found: install.files });
  const merging = await observeMerges({ install, target: manifest, theirs, paths, choices: parseChoices([]) });
  const decided = decideFiles({ old: install.manifest, target: manifest, found: install.files, merges: merging.merges });
  const next = await observeCandidate(world, root, {
    project: install.project,
    texts: await candidateTexts(install, { ...merging, decided, disputed: paths }, theirs, root),
    settings: settingsOf(environment),
  });
  const engine = await observeEngine(world, root, install.project);
  const { record: before } = install;
  const at = '2026-03-16T10:00:00Z';
  const id = `${options.command}-2`;
  const operation = { id, command: options.command, from: before.version, to: manifest.version, outcome: 'done', at };
  const features = options.reports === true ? ['reports'] : [];
  const moves = findMoves({ record: before, old: install.manifest, target: manifest, next, majors: new Map() });
  const record = printInstall(
    nextRecord(before, { manifest, manifestDigest: release.digest, trust: TRUST, config: next, features, values, operation, moves }, world),
  );
  const plan = planUpgrade(
    {
      ...{ command: options.command, id, operation: id, at, basedOn: fingerprintInstall(install, engine.containers) },
      ...{
        target: manifest,
        targetDigest: release.digest,
        extra: isUpgrade ? extrasOf(release) : [],
        settings: settingsFiles(settingsOf(environment)),
      },
      ...{ values, record: digestOf(record), features, start: true, onward: options.onward ?? [] },
    },
    {
      ...{ install, engine, next, merges: merging.merges },
      backups: isUpgrade ? await observeBackups(root, ['.slipway/backups']) : [],
      releases: isUpgrade ? await observeReleases(root) : [],
      localImages: isUpgrade ? await observeLocalImages(world, root, 'acme') : [],
      operators: [],
    },
  );
  return { plan, contents: new Map([...theirs, ...merging.contents, ...contentsOf([], [environment, record])]) };
}

/** The image of `api` from the second release, and nothing else of it. */
export async function planApiImage({ root, world, releases }: Stage): Promise<Planned> {
  const install = await observeInstall(root);
  const { record: before, manifest, project } = install;
  const [own, other] = [releases['1.0.0'], releases['2.0.0']];
  const compose = withImageOf(own.files.get('docker-compose.yml') ?? '', other.manifest);
  const files = manifest.files.map((file) =>
    file.path === 'docker-compose.yml' ? { ...file, sha256: digestOf(compose), size: compose.length } : file,
  );
  const images = other.manifest.images.filter(({ name }) => name === 'api').map((image) => ({ ...image, version: '2.0.0' }));
  const target = { ...manifest, files };
  const settings = settingsOf(environmentText('1.0.0', { level: 'warn' }));
  const next = await observeCandidate(world, root, { project, texts: new Map([['docker-compose.yml', compose]]), settings });
  const engine = await observeEngine(world, root, project);
  const at = '2026-03-16T10:00:00Z';
  const operation = { id: 'upgrade-2', command: 'upgrade', from: '1.0.0', to: '2.0.0', outcome: 'done', at };
  const record = printInstall(withOperation(before, operation));
  const plan = planImages(
    {
      ...{ id: 'upgrade-2', basedOn: fingerprintInstall(install, engine.containers), version: '2.0.0', services: ['api'], target },
      ...{ images: imagesToPull({ ...target, images }), login: undefined, settings: settingsFiles(settings) },
      ...{ record: digestOf(record), start: true },
    },
    { install, engine, next, files: decideFiles({ old: manifest, target, found: install.files }) },
  );
  const texts = [compose, environmentText('1.0.0', { level: 'warn' }), record];
  return { plan, contents: new Map([...keptContents(install), ...contentsOf([own], texts)]) };
}

/** A compose file whose service `api` has the image of another release. */
export function withImageOf(text: string, { images }: Release['manifest']): string {
  const image = images.find(({ name }) => name === 'api');
  return text.replace(/(^ {2}api:\n {4}image: ).*$/m, `$1${image?.reference}@${image?.digest}`);
}

/** A new value for SECRET, which the database is told. */
export async function planRotation(stage: Stage, value: string): Promise<Planned> {
  const { root, world } = stage;
  const install = await observeInstall(root);
  const { record: before, manifest } = install;
  const settings: Settings = new Map([['.env', setEnv(install.env, 'SECRET', value)]]);
  const next = await observeCandidate(world, root, { project: install.project, texts: new Map(), settings });
  const engine = await observeEngine(world, root, install.project);
  const operation = { id: 'rotate-2', command: 'rotate', from: '1.0.0', to: '1.0.0', outcome: 'rotated', at: '2026-03-16T10:00:00Z' };
  const record = printInstall(
    nextRecord(
      before,
      { manifest, manifestDigest: before.manifest, trust: TRUST, config: next, features: [], values: new Map(), operation },
      world,
    ),
  );
  const plan = planRotate(
    {
      ...{ command: 'configure', id: 'rotate-2', operation: 'rotate-2', at: operation.at },
      ...{ basedOn: fingerprintInstall(install, engine.containers), target: manifest, targetDigest: before.manifest, extra: [] },
      ...{ settings: settingsFiles(settings), values: new Map(), record: digestOf(record), features: [], start: true },
    },
    { ...{ install, engine, next, backups: [], releases: [], operators: [], localImages: [] } },
    { name: 'SECRET', rotate: { service: 'db', command: ['rotate-key'] } },
  );
  const texts = [envText(setEnv(install.env, 'SECRET', value)), record];
  return { plan, contents: new Map([...keptContents(install), ...contentsOf([], texts)]) };
}

/** The product is taken off the machine, as the command `uninstall` plans it. */
export async function planRemoval({ root, world }: Stage, purge: boolean): Promise<Planned> {
  const install = await observeInstall(root);
  const { record: before, project } = install;
  const at = '2026-03-18T10:00:00Z';
  const operation = { id: 'uninstall-2', command: 'uninstall', from: '1.0.0', to: '1.0.0', outcome: 'uninstalled', at };
  const { launcher: _, runtime: __, ...kept } = before;
  const record = printInstall(withOperation({ ...kept, uninstalled: at }, operation));
  const containers = await observeContainers(world, root, project.name);
  const { plan } = planUninstall(
    { id: 'uninstall-2', basedOn: fingerprintInstall(install, containers), purge, record: digestOf(record) },
    {
      ...{ install, containers, imageUsers: new Map(), ...(await observeReceipts(root)) },
      networks: await observeNetworks(world, root, project.name),
      volumes: await observeVolumes(world, root, project.name),
      localImages: await observeLocalImages(world, root, before.product),
      backups: (await observeBackups(root, ['.slipway/backups'])).map(({ path }) => path),
      leftovers: leftoversOf(before.version, await observeLeftovers(root, '')),
    },
  );
  return { plan, contents: new Map(purge ? [] : [[digestOf(record), { text: record }]]) };
}

/** Back to the only ordinary backup, as the command `restore` plans it. */
export async function planBack(stage: Stage, scratch: string): Promise<Planned> {
  const { root, world } = stage;
  const install = await observeInstall(root);
  const backup = (await observeBackups(root, ['.slipway/backups'])).findLast((each) => !each.rescue);
  if (backup === undefined) throw new Error('there is no backup');
  const unpacked = join(scratch, 'unpacked');
  const files = await unpackBackupFiles(root, backup.path, unpacked);
  const { manifest: target } = stage.releases['1.0.0'];
  const at = '2026-03-17T10:00:00Z';
  const record = recordAfter(install, unpacked, at);
  const environment = readFileSync(join(unpacked, '.env'), 'utf8');
  const texts = composeTexts(stage.releases['1.0.0']);
  const next = await observeCandidate(world, root, { project: install.project, texts, settings: settingsOf(environment) });
  const engine = await observeEngine(world, root, install.project);
  const image = imagesToPull(target)[0]?.pinned ?? '';
  const presentItems = dataToCopy({ manifest: install.manifest, config: engine.config, volumes: engine.volumes, image, forUpgrade: false });
  const items = backup.items
    .filter((item) => item.kind === 'copy')
    .map(
      ({ name, volume, path }): DataToCopy => ({
        name,
        image,
        ...(volume === undefined ? {} : { volume }),
        ...(path === undefined ? {} : { path }),
      }),
    );
  const plan = planRestore(
    {
      ...{
        id: 'restore-3',
        basedOn: fingerprintInstall(install, engine.containers),
        backup: backup.path,
        name: backup.path,
        target,
        items,
      },
      rescue: `${backupPath('.slipway/backups', at, install.record.version)}-rescue`,
      files: [
        ...files.filter((file) => file.path !== '.slipway/install.json'),
        { path: '.slipway/install.json', content: digestOf(record), mode: 0o600 },
      ],
      features: [],
    },
    { install, present: [...new Set(engine.containers.map((each) => each.service))].sort(), next, presentItems, engine },
  );
  const contents = files.map((file): [Digest, Content] => [file.content, { file: join(unpacked, file.path) }]);
  return { plan, contents: new Map([...contents, [digestOf(record), { text: record }]]) };
}

/** What a person does to an install: edits, a link, a removal, files of their own, odd modes. */
export function editByHand(root: string): void {
  writeFileSync(join(root, 'configs/custom.conf'), 'mine\n');
  chmodSync(join(root, 'configs/custom.conf'), 0o640);
  rmSync(join(root, 'configs/linked.conf'));
  symlinkSync('custom.conf', join(root, 'configs/linked.conf'));
  rmSync(join(root, 'docs/index.txt'));
  writeFileSync(join(root, 'content/welcome.txt'), 'my own words\n');
  writeFileSync(join(root, 'notes.txt'), 'a note beside the product\n');
  writeFileSync(join(root, 'docker-compose.override.yml'), 'services:\n  api:\n    labels: { mine: "1" }\n');
}

/** Edits of what the second release changes, too. */
export function editWhatChanges(root: string): void {
  writeFileSync(join(root, 'configs/app.conf'), settingsText(2, 90));
  writeFileSync(join(root, 'configs/named.conf'), `${NAMED}and mine\n`);
  chmodSync(join(root, 'configs/named.conf'), 0o600);
  writeFileSync(join(root, 'docker-compose.yml'), withOwnPort(readFileSync(join(root, 'docker-compose.yml'), 'utf8')));
}

/** A compose file with the person's port. */
export function withOwnPort(text: string): string {
  return text.replace(':-8080}', ':-9090}');
}

/** Uploads of users, with modes that must come back. */
export function addUploads(root: string): void {
  const folder = join(root, 'data/uploads');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  writeFileSync(join(folder, 'index'), 'index\n');
  writeFileSync(join(folder, 'deep/picture'), 'a picture\n', { mode: 0o600 });
  symlinkSync('deep/picture', join(folder, 'latest'));
  chmodSync(folder, 0o750);
}

function recordAfter(install: InstallFacts, unpacked: string, at: string): string {
  const then = parseInstall(readFileSync(join(unpacked, '.slipway/install.json'), 'utf8'), 'install.json');
  const operation = { id: 'restore-3', command: 'restore', from: install.record.version, to: then.version, outcome: 'restored', at };
  return printInstall(withOperation({ ...then, operations: install.record.operations }, operation));
}

function composeTexts(release: Release): Map<string, string> {
  return new Map([['docker-compose.yml', release.files.get('docker-compose.yml') ?? '']]);
}

function settingsOf(environment: string): Settings {
  return new Map([['.env', parseEnvFile(environment)]]);
}

/** bundle.json beside the files. */
export function extrasOf(release: Release): { path: string; content: Digest; mode: number }[] {
  return [{ path: 'bundle.json', content: release.digest, mode: 0o644 }];
}

/** All texts that plans for these releases may name. */
export function contentsOf(releases: readonly Release[], texts: readonly string[]): Map<Digest, Content> {
  const all = [...releases.flatMap((release) => [...release.files.values(), release.manifestText]), ...texts];
  return new Map(all.map((text) => [digestOf(text), { text }]));
}
