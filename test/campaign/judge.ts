// Is what a run left exactly the old state, exactly the new one, or wrong? Rule: what is expected is written here by hand, not taken from a run.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseBackup } from '../../src/model/backup.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseInstall } from '../../src/model/install.ts';
import { hashOfService, readCompose } from '../fakes/compose-file.ts';
import { type EngineState, healthOf, programOf, type Row } from '../fakes/engine-state.ts';
import { type FileTree, unpackTree } from '../fakes/file-tree.ts';
import { describe, type FolderImage, pathsWhere, personsView, takeImage, textAt } from './folder-image.ts';
import { imageOfProgram, readRows, registryFor } from './product.ts';
import type { Stage } from './stage.ts';

/** One of the two states that a run may end in. */
export interface Expected {
  /** Path → what a person sees there; undefined = there is no install folder. */
  readonly files: ReadonlyMap<string, string> | undefined;
  readonly record:
    | {
        readonly version: string;
        readonly features: readonly string[] /** Volumes that are kept for the person. */;
        readonly kept?: readonly string[];
      }
    | undefined;
  /** Service → the program it runs. */
  readonly services: Readonly<Record<string, string>>;
  /** Services that may be missing or ended, whatever else is there. */
  readonly loose: readonly string[];
  readonly volumes: readonly string[];
  readonly images: readonly string[];
  readonly releases: readonly string[];
  /** Finished backups that must be there, by folder name; others may. */
  readonly backups: readonly string[];
  readonly gone: readonly string[];
  /** The data of the volume; undefined = there is none. */
  readonly data: DataExpected | undefined;
}

export interface DataExpected {
  readonly schema: string;
  /** Where it is, and where the data of before must be as well, as it was. */
  readonly volume?: string;
  readonly kept?: string;
  /** Rows that must be in the volume. */
  readonly must: (row: Row) => boolean;
  /** Rows that may be there; by default those that must. */
  readonly may?: (row: Row) => boolean;
  /** Rows that may be missing in the volume, but then lie in a rescue backup. */
  readonly rescued?: (row: Row) => boolean;
}

/** Everything that is not as expected, in words; none = it is exactly this state. */
export function findWrongs(stage: Stage, expected: Expected): string[] {
  const { engine, root } = stage;
  // A little later: whoever was started must be well by now, and writers have written.
  for (let wait = 0; wait < 6; wait += 1) engine.wait(100);
  const image = takeImage(root);
  const state = engine.state();
  return [
    ...state.violations.map((text) => `violation: ${text}`),
    ...wrongFiles(image, expected),
    ...wrongRecord(image, expected),
    ...leftovers(image, root, expected),
    ...wrongContainers(state, stage, expected),
    ...wrongNames('volumes', [...state.volumes.keys()], expected.volumes),
    ...wrongNames('networks', [...state.networks.keys()], Object.keys(expected.services).length === 0 ? [] : ['acme_default']),
    ...wrongNames('images', [...state.images.keys()], expected.images),
    ...wrongData(state, root, image, expected),
  ];
}

function wrongFiles(image: FolderImage, { files }: Expected): string[] {
  const found = personsView(image);
  if (files === undefined) return found.size <= 1 ? [] : [`the folder is not gone: ${[...found.keys()].join(', ')}`];
  const paths = new Set([...files.keys(), ...found.keys()]);
  return [...paths]
    .filter((path) => files.get(path) !== found.get(path))
    .map((path) => `${path}: ${found.get(path)}, not ${files.get(path)}`);
}

function wrongRecord(image: FolderImage, { record }: Expected): string[] {
  const text = textAt(image, '.slipway/install.json');
  if (record === undefined || text === undefined)
    return record === undefined && text === undefined ? [] : ['install.json is there, or is not'];
  const found = parseInstall(text, 'install.json');
  const isRight = found.version === record.version && found.features.join() === record.features.join();
  const kept = (found.kept ?? []).map(({ volume }) => volume);
  return [
    ...(isRight ? [] : [`install.json says ${found.version} with ${found.features.join()}`]),
    ...wrongNames('kept volumes', kept, record.kept ?? []),
  ];
}

/** Nothing of a plan stays behind once it has ended. */
function leftovers(image: FolderImage, root: string, expected: Expected): string[] {
  const left = pathsWhere(image, (path) => /\.slipway-(new|aside)$|\.partial$|^\.slipway\/(journal|staged\/.|lock)/.test(path));
  if (expected.record === undefined) left.push(...pathsWhere(image, (path) => path.startsWith('.slipway')));
  const names = (folder: string): string[] =>
    pathsWhere(image, (path) => path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes('/')).map((path) =>
      path.slice(folder.length + 1),
    );
  const backups = names('.slipway/backups');
  return [
    ...left.map((path) => `left over: ${path}`),
    ...wrongNames('releases', names('.slipway/releases'), expected.releases),
    ...expected.releases.flatMap((version) => wrongPristine(image, version)),
    ...expected.backups.filter((name) => !backups.includes(name)).map((name) => `the backup ${name} is gone`),
    ...expected.gone.filter((name) => backups.includes(name)).map((name) => `the backup ${name} is still there`),
    ...backups.filter((name) => !name.startsWith('old-')).flatMap((name) => wrongBackup(root, name)),
  ];
}

function wrongPristine(image: FolderImage, version: string): string[] {
  if (version === '0.9.0') return [];
  const manifest = textAt(image, `.slipway/releases/${version}/bundle.json`);
  const compose = textAt(image, `.slipway/releases/${version}/docker-compose.yml`);
  return manifest === undefined || compose === undefined ? [`the pristine files of ${version} are not whole`] : [];
}

function wrongBackup(root: string, name: string): string[] {
  const folder = join(root, '.slipway/backups', name);
  try {
    const backup = parseBackup(readFileSync(join(folder, 'backup.json'), 'utf8'), name);
    const damaged = backup.items.filter((item) => digestOf(readFileSync(join(folder, item.file))) !== item.sha256);
    return damaged.map((item) => `the backup ${name} is damaged: ${item.file}`);
  } catch (error) {
    return [`the backup ${name} cannot be read: ${error instanceof Error ? error.message : error}`];
  }
}

function wrongContainers(state: EngineState, stage: Stage, expected: Expected): string[] {
  const wrongs: string[] = [];
  const { programs, images } = registryFor(stage.shape, 'none');
  const found = new Map<string, string>();
  const hashes = hashesNow(stage);
  for (const container of state.containers.values()) {
    const { 'com.docker.compose.service': service = '', 'com.docker.compose.oneoff': oneOff } = container.labels;
    const program = images.find((each) => each.id === container.imageId)?.program ?? '';
    if (oneOff !== 'False' || expected.services[service] !== program || found.has(service)) {
      wrongs.push(`container ${container.name} (${program}, ${container.state}) does not belong here`);
      continue;
    }
    found.set(service, program);
    const sick =
      programOf(container, programs, images).healthyAfter !== undefined &&
      healthOf(container, programOf(container, programs, images)) !== 'healthy';
    // A job that had ended is made again by a way back, but never run again.
    const states = program === 'jobs-1' ? ['exited', 'created'] : ['running'];
    if ((!states.includes(container.state) || container.exitCode !== 0 || sick) && !expected.loose.includes(service))
      wrongs.push(`${service} is ${container.state} (${container.exitCode})${sick ? ' and not well' : ''}`);
    if (container.labels['com.docker.compose.config-hash'] !== hashes.get(service))
      wrongs.push(`${service} runs with another configuration`);
  }
  const missing = Object.keys(expected.services).filter((service) => !found.has(service) && !expected.loose.includes(service));
  return [...wrongs, ...missing.map((service) => `${service} does not run`)];
}

function hashesNow({ root }: Stage): Map<string, string> {
  const override = join(root, 'docker-compose.override.yml');
  const files = [join(root, 'docker-compose.yml'), ...(existsSync(override) ? [override] : [])];
  if (!existsSync(files[0] ?? '')) return new Map();
  const { services } = readCompose({ name: 'acme', folder: root, environment: join(root, '.env'), files });
  return new Map(Object.entries(services).map(([name, service]) => [name, hashOfService(service)]));
}

function wrongNames(what: string, found: readonly string[], expected: readonly string[]): string[] {
  const more = found.filter((name) => !expected.includes(name));
  const less = expected.filter((name) => !found.includes(name));
  return [...more.map((name) => `${what}: ${name} is left over`), ...less.map((name) => `${what}: ${name} is gone`)];
}

function wrongData(state: EngineState, root: string, image: FolderImage, { data }: Expected): string[] {
  if (data === undefined) return [];
  const tree = state.volumes.get(data.volume ?? 'acme_pgdata')?.tree;
  if (tree === undefined) return ['the data is gone'];
  const rows = readRows(tree, data.schema);
  if (rows === undefined)
    return [
      `the data is not of schema ${data.schema}: ${tree.get('base/schema')?.content}, ${JSON.stringify(tree.get('base/log')?.content)}`,
    ];
  const kept = new Set(rescuedRows(root, image));
  const known = new Map(state.ledger.map((row) => [row.id, row]));
  const lost = state.ledger.filter((row) => data.must(row) && !rows.includes(row.id));
  const unsaved = state.ledger.filter((row) => data.rescued?.(row) === true && !rows.includes(row.id) && !kept.has(row.id));
  const may = data.may ?? data.must;
  const extra = rows.filter(
    (id) =>
      !may(known.get(id) ?? { id, version: 'nobody', door: false }) && !data.must(known.get(id) ?? { id, version: 'nobody', door: false }),
  );
  return [
    ...lost.map((row) => `the row ${row.id} is lost`),
    ...unsaved.map((row) => `the row ${row.id} was written through the open door and is in no backup`),
    ...extra.map((id) => `the row ${id} should not be here`),
    ...(new Set(rows).size < rows.length ? ['a row is there twice'] : []),
    ...wrongKept(state, data.kept),
    ...(tree.get('secret.key')?.mode === 0o600 && tree.get('')?.uid === 999 ? [] : ['owners or modes of the data changed']),
  ];
}

/** The volume of the release before has every row of then. */
function wrongKept({ volumes, ledger }: EngineState, kept: string | undefined): string[] {
  if (kept === undefined) return [];
  const rows = readRows(volumes.get(kept)?.tree ?? new Map(), '1') ?? [];
  const lost = ledger.filter(({ id, version }) => version === '1.0.0' && !rows.includes(id));
  return lost.length === 0 ? [] : [`the volume ${kept} that is kept lacks ${lost.length} rows`];
}

/** Rows in any rescue backup, of either schema. */
function rescuedRows(root: string, image: FolderImage): string[] {
  const files = pathsWhere(image, (path) => /-rescue\/data\/(pgdata|data2)\.tar\.gz$/.test(path));
  return files.flatMap((path) => {
    const tree: FileTree = new Map(unpackTree(gunzipSync(readFileSync(join(root, path))), 'slipway-data'));
    return (tree.get('base/rows')?.content ?? '').split('\n').map((row) => row.replace(/\++$/, ''));
  });
}

/** The images that a release's plan leaves: by digest, and by its local tag. */
export function imagesFor(version: string, programs: readonly string[]): string[] {
  return [...new Set(programs)].flatMap((program) => {
    const name = program.replace(/-\d$/, '');
    return [imageOfProgram(program).pinned, `slipway.local/acme/${name}:${version}`];
  });
}

/** The person's view with some paths changed; null = gone. */
export function viewWith(
  view: ReadonlyMap<string, string>,
  changes: Readonly<Record<string, { readonly text?: string; readonly mode?: number; readonly folder?: boolean } | null>>,
): Map<string, string> {
  const changed = new Map(view);
  for (const [path, change] of Object.entries(changes)) {
    if (change === null) changed.delete(path);
    else
      changed.set(
        path,
        describe(change.folder === true ? 'folder' : 'file', change.mode ?? (change.folder === true ? 0o755 : 0o644), change.text ?? ''),
      );
  }
  return changed;
}
