// What an upgrade is decided from: the wish, the facts, and what follows from both. Rule: made once; the rules of the plan only read it.
import { type DataMove, findMoves } from '../model/data-move.ts';
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { ownServerNotes, ownServers, withoutOwnServers } from '../model/external.ts';
import type { ComposeFact, EngineFacts, InstallFacts } from '../model/facts.ts';
import type { FileMerge } from '../model/file-merge.ts';
import { pristineFolder } from '../model/layout.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ComposeProject, DataToCopy, FileToWrite, ImageToPull } from '../model/plan.ts';
import { MAIN_ENV } from '../model/settings.ts';
import { COMPOSE_FILE } from '../model/site-registry.ts';
import type { CommandWish } from './command.ts';
import { backupPath, copiesFolder, dataToCopy } from './data.ts';
import { refuseLostData } from './data-guard.ts';
import { itemsToMove } from './data-moves.ts';
import { decideFiles, type FilesDecision } from './files.ts';
import { imagesToPull } from './release-steps.ts';
import { decideServices, type ServicesDecision } from './services.ts';
import { remadeServices, type SourceWish } from './source-upgrade.ts';

export interface UpgradeWish {
  /** The command's launcher and its Node.js, where they change. */
  readonly launching?: CommandWish;
  /** `configure` is a hop to the same release with other answers: no backup, no migration, only what changes. */
  readonly command: 'upgrade' | 'configure';
  readonly id: string;
  readonly operation: string;
  /** UTC, RFC 3339. */
  readonly at: string;
  readonly basedOn: Digest;
  readonly target: Manifest;
  /** Its compose file as it was signed, where the site re-homes its images. */
  readonly shippedCompose?: Digest;
  /** Present for an install that is a git checkout. */
  readonly source?: SourceWish;
  /** A registry that docker must log in to first. */
  readonly login?: string | undefined;
  readonly targetDigest: Digest;
  /** bundle.json and its signature, as they are written into the install. */
  readonly extra: readonly FileToWrite[];
  /** The merged env files. */
  readonly settings: readonly FileToWrite[];
  /** Their values, for paths that hold placeholders. */
  readonly values: ReadonlyMap<string, string>;
  /** install.json as it will be. */
  readonly record: Digest;
  readonly features: readonly string[];
  /** False: nothing but files (`--no-start`). */
  readonly start: boolean;
  /** Versions that follow in the same operation: what they need is neither missing nor cleared away. */
  readonly onward?: readonly string[];
  /** Their images. */
  readonly further?: readonly ImageToPull[];
}

export interface UpgradeFacts {
  readonly install: InstallFacts;
  readonly engine: EngineFacts;
  /** The compose project as the new files will describe it. */
  readonly next: ComposeFact;
  /** Finished backups, oldest first. */
  readonly backups: readonly { readonly path: string; readonly rescue: boolean; readonly complete?: boolean }[];
  /** What became of the files that both sides changed. */
  readonly merges?: ReadonlyMap<string, FileMerge>;
  /** What data takes on disk, by volume or path. */
  readonly sizes?: ReadonlyMap<string, number>;
  /** Pristine releases that are kept. */
  readonly releases: readonly string[];
  /** Kept operator programs, by the hex of their digests. */
  readonly operators: readonly string[];
  /** Local tags `slipway.local/<product>/…`. */
  readonly localImages: readonly string[];
  /** Majors of data as they were read on disk, by the engine's volumes. */
  readonly majors?: ReadonlyMap<string, number>;
}

/** What the rules work from: the wish, the facts, and what was decided from them. */
export interface Course extends UpgradeWish, UpgradeFacts {
  readonly old: Manifest;
  readonly files: FilesDecision;
  readonly services: ServicesDecision;
  readonly items: readonly DataToCopy[];
  /** Data that the new release looks for in other volumes. */
  readonly moves: readonly DataMove[];
  /** An image that is present when data is copied. */
  readonly image: string;
  readonly migrations: Manifest['upgrade']['migrate'];
  readonly project: ComposeProject;
  /** Files rendered anew for the same release: the bases of later comparisons. */
  readonly bases: readonly FileToWrite[];
  readonly tree: string;
  readonly backup: string;
  /** What is said of servers that are the site's own. */
  readonly ownServers: readonly string[];
  /** The door exists, and is shut until the point of no return. */
  readonly door: boolean;
}

/** Sets the course of one hop. Throws E_CONFLICT for files that both sides changed, E_POLICY when data would be left behind. */
export function setCourse(wish: UpgradeWish, facts: UpgradeFacts): Course {
  refuseLinkedSettings(wish.settings, facts.install);
  const { install, engine, next, majors = new Map() } = facts;
  const target = withoutOwnServers(wish.target, wish.features);
  const old = withoutOwnServers(install.manifest, install.record.features);
  const neverHere = wish.command === 'upgrade' ? install.record.adopted?.missing : undefined;
  const files = decideFiles({
    old,
    target,
    found: install.files,
    ...(neverHere && { neverHere }),
    ...(facts.merges && { merges: facts.merges }),
  });
  const image = imagesToPull(target)[0]?.pinned ?? wish.source?.images.builds[0]?.local ?? '';
  const hop = wish.start && wish.command === 'upgrade';
  const moves = findMoves({ record: install.record, old, target, next, majors });
  refuseLostData({ install, engine, next, target, moves, majors, carries: hop });
  const { sizes } = facts;
  const copied = hop ? dataToCopy({ manifest: old, config: engine.config, volumes: engine.volumes, image, forUpgrade: true, sizes }) : [];
  const moved = itemsToMove({ moves, old, image });
  const items = [...copied, ...moved.filter(({ name }) => !copied.some((item) => item.name === name))];
  const migrations = hop ? target.upgrade.migrate.filter((migration) => migration.on.includes('upgrade')) : [];
  const quiet = items.length > 0 || migrations.length > 0;
  const written = [...files.swapped, ...swappedSettings(wish.settings, install)].map((file) => file.path);
  const swapped = [...written, ...(wish.source?.paths ?? [])];
  const services = decideServices({ root: install.root, old, target, engine, next, swapped, remade: remadeServices(wish), items, quiet });
  return {
    ...wish,
    ...facts,
    target,
    old,
    files,
    services,
    items,
    moves,
    image,
    migrations,
    project: install.project,
    bases: wish.command === 'configure' ? basesOf(old, target) : [],
    tree: `.slipway/staged/${wish.id}/tree`,
    backup: backupPath(copiesFolder(old, wish.values), wish.at, old.version),
    ownServers: [...ownServerNotes(wish.target, wish.features), ...movedServerNotes(wish, facts)],
    door: services.entry.length > 0,
  };
}

/** The compose file is kept as it was shipped, wherever its images come from. */
function basesOf(old: Manifest, target: Manifest): FileToWrite[] {
  const before = new Set(old.files.map(({ path, sha256 }) => `${path} ${sha256}`));
  const changed = target.files.filter(({ path, sha256 }) => path !== COMPOSE_FILE && !before.has(`${path} ${sha256}`));
  return changed.map(({ path, sha256, mode }) => ({
    path: `${pristineFolder(target.version)}/${path}`,
    content: sha256,
    mode: Number.parseInt(mode, 8),
  }));
}

/** Data does not follow a choice by itself. */
function movedServerNotes({ target, features }: UpgradeWish, { install: { manifest, record } }: UpgradeFacts): string[] {
  const [before, after] = [ownServers(manifest.services, record.features), ownServers(target.services, features)];
  const left = after.filter((name) => !before.includes(name) && manifest.services[name] !== undefined);
  const back = before.filter((name) => !after.includes(name) && target.services[name] !== undefined);
  return [
    ...left.map((name) => `what the container of ${name} holds stays on this machine, and is not carried over to your server`),
    ...back.map((name) => `${name} is a container again: nothing is carried over from your server`),
  ];
}

/** `.env` always; the other env files where they change, for whoever mounts them is made anew. */
export function swappedSettings(settings: readonly FileToWrite[], { files }: InstallFacts): readonly FileToWrite[] {
  const isSame = ({ path, content, mode }: FileToWrite): boolean => files.get(path)?.digest === content && files.get(path)?.mode === mode;
  return settings.filter((file) => file.path === MAIN_ENV || !isSame(file));
}

/** A link gives way to a file when it is replaced: whoever edits what it leads to would edit for nobody. */
function refuseLinkedSettings(settings: readonly FileToWrite[], { root, files }: InstallFacts): void {
  const link = settings.find(({ path }) => files.get(path)?.mode === 0)?.path;
  if (link === undefined) return;
  throw new ToolError('E_POLICY', `${link} is a link, and would become a file of its own`, {
    hint: `Put the file itself there: cp --remove-destination "$(readlink -f ${root}/${link})" ${root}/${link}`,
  });
}
