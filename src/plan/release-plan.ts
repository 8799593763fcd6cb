// Everything that the next release would do, and how it differs from the last one. Rule: pure and complete; what is not known yet says so.
import type { Channel } from '../model/channel.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';
import type { Problem } from '../model/problem.ts';
import type { ChannelRule } from '../model/tag.ts';
import { channelsIncluding } from '../model/tag.ts';
import { compareVersions, parseVersion, versionOf } from '../model/version.ts';
import { compareReleases, type ReleaseChanges } from './notes-changes.ts';

export interface ReleasePlan {
  readonly version: string;
  readonly tag: string;
  readonly channel: string;
  readonly commit: string | null;
  /** The release that it is compared with; null for the first. */
  readonly since: string | null;
  readonly images: readonly PlannedImage[];
  readonly files: FileChanges;
  readonly env: EnvChanges;
  /** Null for the first release. */
  readonly changes: ReleaseChanges | null;
  readonly size: ReleaseSize;
  readonly hosts: readonly PlannedHost[];
  readonly channels: readonly ChannelMove[];
  readonly upgrade: { readonly from: string; readonly stop: boolean };
  /** Releases that installs are told not to take. */
  readonly withdrawn: readonly { readonly version: string; readonly status: string; readonly reason: string | null }[];
  /** Markdown. */
  readonly notes: string;
  /** What would stop it, and warnings. */
  readonly problems: readonly Problem[];
}

export interface PlannedImage {
  readonly name: string;
  readonly reference: string;
  /** Null while the registry does not have it. */
  readonly digest: string | null;
  readonly change: 'new' | 'changed' | 'same' | 'unknown';
}

export interface FileChanges {
  readonly total: number;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export interface EnvChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Bytes. */
export interface ReleaseSize {
  /** The bundle's files before they are compressed. */
  readonly files: number;
  /** All images, compressed. */
  readonly images: number;
  /** What an install of the release before has to fetch anew; all of it for the first. */
  readonly toFetch: number;
}

export interface PlannedHost {
  readonly name: string;
  readonly authority: boolean;
  readonly outcome: 'publish' | 'published-already' | 'unreachable';
  /** What would stop it there. */
  readonly problems: readonly string[];
}

export interface ChannelMove {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface ReleasePlanFacts {
  readonly manifest: Manifest;
  readonly previous: Manifest | undefined;
  /** All images of the table, in its order. */
  readonly table: readonly { readonly name: string; readonly reference: string }[];
  readonly rules: Readonly<Record<string, ChannelRule>>;
  /** The authority's channel files by name. */
  readonly channels: ReadonlyMap<string, Channel | undefined>;
  readonly hosts: readonly PlannedHost[];
  readonly notes: string;
  readonly problems: readonly Problem[];
}

/** The plan of a release that nobody has packed yet. */
export function planRelease(facts: ReleasePlanFacts): ReleasePlan {
  const { manifest, previous, channels, rules } = facts;
  const { version, tag, channel, commit, upgrade } = manifest;
  const names = [channel, ...channelsIncluding(rules, channel)];
  const releases = channels.get(channel)?.releases ?? [];
  return {
    version,
    tag,
    channel,
    commit,
    since: previous?.version ?? null,
    images: facts.table.map((image) => plannedImage(image, manifest, previous)),
    files: fileChanges(manifest, previous),
    env: envChanges(manifest, previous),
    changes: previous === undefined ? null : compareReleases(previous, manifest),
    size: sizeOf(manifest, previous),
    hosts: facts.hosts,
    channels: names.map((name) => moveOf(name, version, channels.get(name))),
    upgrade: { from: upgrade.from, stop: upgrade.stop },
    withdrawn: releases
      .filter(({ status }) => status !== 'live')
      .map(({ version: other, status, reason }) => ({ version: other, status, reason })),
    notes: facts.notes,
    problems: facts.problems,
  };
}

function plannedImage(
  { name, reference }: ReleasePlanFacts['table'][number],
  { images }: Manifest,
  previous: Manifest | undefined,
): PlannedImage {
  const now = images.find((image) => image.name === name);
  const before = previous?.images.find((image) => image.name === name);
  if (now === undefined) return { name, reference, digest: null, change: 'unknown' };
  const change = before === undefined ? 'new' : before.digest === now.digest ? 'same' : 'changed';
  return { name, reference, digest: now.digest, change };
}

/** VERSION and the manifest of the operator program differ every time, and say nothing. */
function fileChanges({ files, cli }: Manifest, previous: Manifest | undefined): FileChanges {
  const former = new Map(previous?.files.map((file) => [file.path, file]));
  const isTold = (path: string): boolean => path !== 'VERSION' && path !== cli;
  const changed = files.filter((file) => former.has(file.path) && former.get(file.path)?.sha256 !== file.sha256);
  const removed = [...former.keys()].filter((path) => !files.some((file) => file.path === path));
  return {
    total: files.length,
    added: previous === undefined ? [] : files.map(({ path }) => path).filter((path) => !former.has(path)),
    changed: changed.map(({ path }) => path).filter(isTold),
    removed: removed.filter((path) => path !== previous?.cli),
  };
}

function envChanges({ env }: Manifest, previous: Manifest | undefined): EnvChanges {
  if (previous === undefined) return { added: [], changed: [], removed: [] };
  const same = (name: string): boolean => JSON.stringify(env[name]) === JSON.stringify(previous.env[name]);
  const names = Object.keys(env);
  return {
    added: names.filter((name) => previous.env[name] === undefined),
    changed: names.filter((name) => previous.env[name] !== undefined && !same(name)),
    removed: Object.keys(previous.env).filter((name) => env[name] === undefined),
  };
}

function sizeOf({ files, images }: Manifest, previous: Manifest | undefined): ReleaseSize {
  const former = new Set(previous?.images.map(({ digest }) => digest));
  const bytes = (list: readonly ManifestImage[]): number => list.reduce((sum, { size, added }) => sum + (added ?? size), 0);
  return {
    files: files.reduce((sum, { size }) => sum + size, 0),
    images: bytes(images),
    toFetch: bytes(images.filter(({ digest }) => !former.has(digest))),
  };
}

/** The latest of a channel only goes up: a backport never becomes it. */
function moveOf(name: string, version: string, channel: Channel | undefined): ChannelMove {
  const before = channel?.latest ?? null;
  const known = before === null ? undefined : versionOf(before);
  const isHigher = known === undefined || compareVersions(parseVersion(version), known) > 0;
  return { name, before, after: isHigher ? version : before };
}
