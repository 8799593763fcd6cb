// Taking an install away, as a list of steps. Rule: only what is ours by its records; data, settings and what a person changed stay unless all of it is to go.
import { resolve } from 'node:path';
import type { Digest } from '../model/digest.ts';
import type { ContainerFact, InstallFacts } from '../model/facts.ts';
import { pristineFolder } from '../model/layout.ts';
import type { ComposeProject, Plan, Step } from '../model/plan.ts';
import { homesOf } from '../model/settings.ts';
import { imagesToPull } from './release-steps.ts';

export interface UninstallWish {
  readonly id: string;
  readonly basedOn: Digest;
  /** The data, the settings and the backups go too. */
  readonly purge: boolean;
  /** install.json as it will be, when it stays. */
  readonly record: Digest;
}

export interface UninstallFacts {
  readonly install: InstallFacts;
  readonly containers: readonly ContainerFact[];
  readonly networks: readonly string[];
  /** The volumes that carry the project's label. */
  readonly volumes: readonly string[];
  /** The local tags of the product that are here, and who else uses their images: tag → container. */
  readonly localImages: readonly string[];
  readonly imageUsers: ReadonlyMap<string, string>;
  /** References that were here before the product was, and folders made for it outside of its own. */
  readonly foreignImages: readonly string[];
  readonly foldersMade: readonly string[];
  /** Units of systemd: what takes them away, and those that a person changed. */
  readonly units?: { readonly steps: readonly Step[]; readonly kept: readonly string[] };
  /** Backups in the install's own folder. */
  readonly backups: readonly string[];
  /** What is left of former work below `.slipway`: paths relative to the root. */
  readonly leftovers: readonly string[];
}

export interface Uninstall {
  readonly plan: Plan;
  readonly gone: readonly string[];
  readonly kept: readonly string[];
}

/** The plan, and in words what goes and what stays. Without anything left to do the plan has no steps. */
export function planUninstall(wish: UninstallWish, facts: UninstallFacts): Uninstall {
  const { install, containers } = facts;
  const { record } = install;
  const files = decideFiles(wish.purge, facts);
  const images = decideImages(facts);
  const services = [...new Set(containers.filter((each) => !each.oneOff).map((each) => each.service))].sort();
  const stop: Step[] =
    services.length === 0
      ? []
      : [{ kind: 'stop-services', why: 'the services stop, and their containers go', project: install.project, services }];
  const after = [
    ...engineSteps(wish.purge, facts, images.gone),
    ...fileSteps(files.gone, facts),
    ...(wish.purge ? [] : recordSteps(wish, facts)),
    ...commandSteps(facts),
  ];
  const isGone = record.uninstalled !== undefined && !wish.purge;
  const steps = isGone ? [] : [...stop, ...after];
  const { gone, kept } = toWords(wish.purge, facts, { files, images });
  return {
    gone,
    kept,
    plan: {
      schema: 1,
      ...{ id: wish.id, operation: wish.id, command: 'uninstall', basedOn: wish.basedOn },
      steps,
      commitAfter: stop.length - 1,
      ...(wish.purge ? { leaves: 'nothing' as const } : {}),
      notes: [...gone.map((text) => `goes: ${text}`), ...kept.map((text) => `stays: ${text}`)],
    },
  };
}

interface Decided {
  readonly gone: readonly string[];
  readonly kept: readonly string[];
}

/** Files of the release that are as they were shipped; all of them, and the data in folders, when the data is to go. */
function decideFiles(purge: boolean, { install }: UninstallFacts): Decided {
  const { manifest, files, root } = install;
  const shipped = manifest.files.filter(({ path }) => files.has(path));
  const isOurs = ({ path, owner, sha256 }: (typeof shipped)[number]): boolean =>
    purge || (owner === 'vendor' && files.get(path)?.digest === sha256);
  const own = ['bundle.json', 'bundle.json.minisig'].filter((path) => files.has(path));
  const override = ['docker-compose.override.yml'].filter((path) => files.has(path));
  const settings = homesOf(manifest.env).filter((path) => files.has(path));
  const data = Object.values(manifest.data).flatMap(({ path }) => path ?? []);
  const [inside, outside] = [data.filter((path) => isBelow(root, path)), data.filter((path) => !isBelow(root, path))];
  return {
    gone: [...shipped.filter(isOurs).map(({ path }) => path), ...own, ...(purge ? [...settings, ...inside] : [])],
    kept: [...shipped.filter((file) => !isOurs(file)).map(({ path }) => path), ...override, ...(purge ? outside : settings)],
  };
}

/** An image that another project's container uses, or that was here before, is not ours to remove. */
function decideImages({ install, localImages, imageUsers, foreignImages }: UninstallFacts): Decided {
  const pinned = imagesToPull(install.manifest).map((image) => image.pinned);
  const all = [...new Set([...localImages, ...pinned])].filter((reference) => !foreignImages.includes(reference));
  return { gone: all.filter((reference) => !imageUsers.has(reference)), kept: all.filter((reference) => imageUsers.has(reference)) };
}

function engineSteps(purge: boolean, facts: UninstallFacts, images: readonly string[]): Step[] {
  const { containers, networks, volumes } = facts;
  const { project } = facts.install;
  const nothingLeft = containers.length === 0 && networks.length === 0 && (!purge || volumes.length === 0);
  const data = purge && volumes.length > 0;
  const bare: ComposeProject = { name: project.name, folder: project.folder, files: project.files };
  return [
    ...(nothingLeft
      ? []
      : [
          {
            kind: 'remove-project',
            why: data ? 'its networks, and its volumes with all data in them' : 'its networks',
            project: bare,
            volumes: data ? volumes : [],
          } as const,
        ]),
    ...(images.length === 0 ? [] : [{ kind: 'remove-images', why: 'its images', local: images } as const]),
  ];
}

function fileSteps(gone: readonly string[], { install, leftovers }: UninstallFacts): Step[] {
  const { manifest } = install;
  const paths = [...gone, ...leftovers];
  const folders = innermostFirst([
    ...manifest.folders.flatMap(parentsAnd),
    ...[...manifest.files.map(({ path }) => path), ...homesOf(manifest.env)].flatMap((path) => parentsAnd(path).slice(0, -1)),
    ...Object.values(manifest.data).flatMap(({ path }) => (path === undefined ? [] : parentsAnd(path).slice(0, -1))),
  ]).filter((folder) => isBelow(install.root, folder));
  return [
    ...(paths.length === 0 ? [] : [{ kind: 'remove-paths', why: 'its files', paths } as const]),
    { kind: 'clear-folders', why: 'its folders that are empty by then', folders },
  ];
}

/** What a later install needs is written down: project, volumes, fingerprints of secrets. */
function recordSteps({ id, record }: UninstallWish, _: UninstallFacts): Step[] {
  const tree = `.slipway/staged/${id}/tree`;
  const file = { path: '.slipway/install.json', content: record, mode: 0o600 };
  return [
    { kind: 'stage-files', why: 'what a later install must know is prepared', to: tree, files: [file] },
    { kind: 'swap-files', why: 'it is written down as uninstalled', from: tree, files: [file] },
  ];
}

/** Last, for whoever is cut off before needs them to go on. */
function commandSteps({ install, foldersMade, units }: UninstallFacts): Step[] {
  const { root, record } = install;
  return [
    ...(units?.steps ?? []),
    ...(record.launcher === undefined
      ? []
      : [{ kind: 'remove-launcher', why: 'the command on PATH, unless it starts another install by now', path: record.launcher } as const]),
    ...(foldersMade.length === 0
      ? []
      : [{ kind: 'clear-folders', why: 'the folders that were made for it, where they are empty', folders: foldersMade } as const]),
    ...(record.runtime === undefined
      ? []
      : [
          {
            kind: 'drop-runtime',
            why: `Node.js ${record.runtime.node} goes, unless another product uses it`,
            ...record.runtime,
            user: root,
          } as const,
        ]),
  ];
}

interface Choice {
  readonly files: Decided;
  readonly images: Decided;
}

function toWords(purge: boolean, facts: UninstallFacts, { files, images }: Choice): { gone: string[]; kept: string[] } {
  const { install, containers, networks, volumes, backups, imageUsers, foreignImages } = facts;
  const { record, root, manifest } = install;
  const foreign = imagesToPull(manifest).filter(({ pinned }) => foreignImages.includes(pinned));
  const data = [
    ...volumes.map((name) => `the volume ${name}, with its data`),
    ...backups.map((path) => `the backup ${resolve(root, path)}`),
  ];
  return {
    gone: [
      ...containers.map(({ name }) => `the container ${name}`),
      ...networks.map((name) => `the network ${name}`),
      ...images.gone.map((reference) => `the image ${reference.replace(/@sha256:([0-9a-f]{12})[0-9a-f]+$/, '@sha256:$1…')}`),
      ...(purge ? data : []),
      ...files.gone.map((path) => `the file ${resolve(root, path)}`.replace('the file', isData(path, facts) ? 'the data in' : 'the file')),
      ...(record.launcher === undefined ? [] : [`the command ${record.launcher}`]),
      ...unitNames(facts).map((path) => `the unit ${path}`),
      ...(purge ? [`all of ${resolve(root, '.slipway')}`] : []),
    ],
    kept: [
      ...(purge ? [] : data),
      ...files.kept.map((path) => keptFile(path, purge, facts)),
      ...images.kept.map((reference) => `the image ${reference}: the container ${imageUsers.get(reference)} uses it`),
      ...(facts.units?.kept ?? []).map((name) => `the unit ${record.units?.folder}/${name}, switched off: it is yours`),
      ...foreign.map(({ pinned }) => `the image ${pinned}: it was here before`),
      ...(record.login === undefined ? [] : [`docker’s login for ${record.login}: docker logout ${record.login} ends it`]),
      ...(purge ? [] : [`what a later install must know, in ${resolve(root, '.slipway')}`]),
    ],
  };
}

function unitNames({ units, install: { record } }: UninstallFacts): string[] {
  const names = Object.keys(record.units?.files ?? {}).filter((name) => units?.kept.includes(name) !== true);
  return units === undefined ? [] : names.map((name) => `${record.units?.folder}/${name}`);
}

function keptFile(path: string, purge: boolean, { install }: UninstallFacts): string {
  const full = resolve(install.root, path);
  if (homesOf(install.manifest.env).includes(path)) return `${full}, with the secrets that the data needs`;
  if (purge && path !== 'docker-compose.override.yml') return `${full}: it lies outside the install`;
  return `${full}: it is yours`;
}

function isData(path: string, { install }: UninstallFacts): boolean {
  return Object.values(install.manifest.data).some((item) => item.path === path);
}

/** The pristine files and programs of former releases; the manifest of this one stays, for it says what the data is. */
export function leftoversOf(
  version: string,
  found: { readonly pristine: readonly string[]; readonly others: readonly string[] },
): string[] {
  const kept = [`${pristineFolder(version)}/bundle.json`, `${pristineFolder(version)}/bundle.json.minisig`];
  return [...found.pristine.filter((path) => !kept.includes(path)), ...found.others];
}

function isBelow(root: string, path: string): boolean {
  return resolve(root, path).startsWith(`${resolve(root)}/`);
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`. */
function parentsAnd(path: string): string[] {
  const parts = path.replace(/\/$/, '').split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function innermostFirst(paths: readonly string[]): string[] {
  const depth = (path: string): number => path.split('/').length;
  return [...new Set(paths)].sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1));
}
