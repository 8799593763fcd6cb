// The hop of an install that is a git checkout: what git and Compose say of the next commit. Rule: what the checkout tracks comes from git alone; the release brings its images, its settings and what git does not know.
import { type Digest, digestOf } from '../../model/digest.ts';
import type { ComposeFact, InstallFacts } from '../../model/facts.ts';
import type { InstallRecord } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content } from '../../model/plan.ts';
import { homesOf } from '../../model/settings.ts';
import { observeSource, observeStanding, readCommitted, type SourceFacts } from '../../observe/source.ts';
import { decideSourceImages, localImagesFile, type SourceWish } from '../../plan/source-upgrade.ts';
import { type Context, isSet } from '../command.ts';
import { isSourceInstall } from './source-install.ts';

export interface SourceHop {
  readonly facts: SourceFacts;
  /** Compose files that the commit changes, as it has them. */
  readonly texts: ReadonlyMap<string, string>;
  readonly useRegistry: boolean;
}

/** Looks at the checkout and fetches the release's commit; undefined for an install that is none. */
export async function prepareSource({ world, flags }: Context, install: InstallFacts, manifest: Manifest): Promise<SourceHop | undefined> {
  const { root, record, project } = install;
  if (!(await isSourceInstall(root, record))) return undefined;
  const { version, tag, commit } = manifest;
  const own = ['.slipway', ...homesOf(install.manifest.env), ...homesOf(manifest.env)];
  const facts = await observeSource(world, { root, version, tag, commit, own });
  const changed = facts.changes.filter(({ change }) => change !== 'removed').map(({ path }) => path);
  const texts = new Map<string, string>();
  for (const path of project.files.filter((file) => changed.includes(file)))
    texts.set(path, await readCommitted(world, { root, commit: facts.commit }, path));
  return { facts, texts, useRegistry: isSet(flags, 'use-registry') };
}

/** The release for preflight: which images are built here is not known yet. */
export function withoutImages(manifest: Manifest, source: SourceHop | undefined): Manifest {
  return source === undefined || source.useRegistry ? manifest : { ...manifest, images: [] };
}

/** The release with those of its files that git does not bring and that an install must have: what is rendered here, and its command. */
export function besideCheckout(manifest: Manifest, source: SourceHop | undefined): Manifest {
  if (source === undefined) return manifest;
  const rendered = new Set((manifest.hostFiles ?? []).map(({ path }) => path));
  const isOurs = (path: string): boolean => (rendered.has(path) || path === manifest.cli) && !source.facts.tracked.has(path);
  return { ...manifest, files: manifest.files.filter(({ path }) => isOurs(path)) };
}

export interface SourcePlanning {
  readonly install: InstallFacts;
  readonly next: ComposeFact;
  /** The release as this site uses it, with all its files and images. */
  readonly whole: Manifest;
  readonly contents: readonly (readonly [Digest, Content])[];
}

/** What the plan is told of the checkout, with the images that are pulled, and the contents that it adds. */
export function sourceWish(
  { facts, useRegistry }: SourceHop,
  { install, next, whole }: Omit<SourcePlanning, 'contents'>,
): { readonly wish: SourceWish; readonly contents: readonly (readonly [Digest, Content])[] } {
  const images = decideSourceImages({ target: whole, old: install.manifest, next, useRegistry });
  const text = localImagesFile(images);
  const { branch, head, commit, changes, edits, removed } = facts;
  const paths = changes.map(({ path }) => path);
  const wish = {
    branch,
    head,
    commit,
    paths,
    edits,
    removed,
    links: linksOf(install, whole, facts),
    images,
    override: digestOf(text),
    whole,
  };
  return { wish, contents: [[wish.override, { text }]] };
}

/** Settings, compose files and the person's own paths that git does not have are seen in the staged tree too: as links, so that no build takes them in. */
function linksOf({ settings, project }: InstallFacts, whole: Manifest, { tracked }: SourceFacts): string[] {
  const own = whole.userOwned.map((path) => path.replace(/\/$/, ''));
  const paths = new Set([...homesOf(whole.env), ...settings.keys(), ...project.files, ...own]);
  const isTracked = (path: string): boolean => tracked.has(path) || [...tracked].some((each) => each.startsWith(`${path}/`));
  return [...paths].filter((path) => !path.startsWith('/') && !isTracked(path));
}

/** The digest that a plan is based on, with the checkout as it is now. */
export async function withCheckout({ world }: Context, root: string, basedOn: Digest, source: SourceHop | undefined): Promise<Digest> {
  return source === undefined ? basedOn : digestOf(`${basedOn}\n${await observeStanding(world, root)}`);
}

/** The record of a checkout: which files of the release are not there because git does not have them. */
export function sourceRecord(record: InstallRecord, whole: Manifest, source: SourceHop | undefined): InstallRecord {
  if (source === undefined || record.adopted === undefined) return record;
  const brought = new Set(besideCheckout(whole, source).files.map(({ path }) => path));
  const missing = whole.files.map(({ path }) => path).filter((path) => !source.facts.tracked.has(path) && !brought.has(path));
  return { ...record, adopted: { ...record.adopted, missing } };
}
