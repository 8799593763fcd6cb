// The notes of a release: what its changelog says, and what changed since the one before. Rule: a version without a text is a problem, unless somebody says why.
import { isStub, notesPath } from '../model/changelog.ts';
import type { Manifest } from '../model/manifest.ts';
import { type Problem, problemAt, withoutIgnored } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { type Version, versionOf } from '../model/version.ts';
import { compareReleases, type Difference, type ImageChange, type ReleaseChanges } from './notes-changes.ts';

/** No forge takes more (GitHub: 125 000 characters). */
export const MOST_NOTES = 125_000;

export interface NotesFacts {
  /** The release; undefined before it is packed: then nothing is compared. */
  readonly manifest: Manifest | undefined;
  /** The release before it in its channel; undefined for the first. */
  readonly previous: Manifest | undefined;
  /** Why it may go without a text. */
  readonly withoutReason?: string;
}

export interface Notes {
  /** At most `MOST_NOTES` characters. */
  readonly markdown: string;
  readonly problems: readonly Problem[];
  readonly changes: ReleaseChanges | null;
}

/** The notes of a packed release. `texts` holds the changelog file by its path beside the product file, as far as it is there. */
export function notesOf(product: Product, texts: ReadonlyMap<string, string>, facts: NotesFacts & { readonly manifest: Manifest }): Notes {
  const version = versionOf(facts.manifest.version);
  if (version === undefined) throw new Error(`the manifest's version ${facts.manifest.version} was parsed before`);
  return planNotes(product, texts, { ...facts, version });
}

/** The same for a version that may not be packed yet. */
export function planNotes(product: Product, texts: ReadonlyMap<string, string>, facts: NotesFacts & { readonly version: Version }): Notes {
  const { manifest, previous, version, withoutReason } = facts;
  const problems = withoutReason === undefined ? checkChangelog(product, texts, version) : [];
  const written = writtenText(product, texts, version);
  const reason = written === undefined && withoutReason !== undefined ? `_Released without notes: ${plain(withoutReason)}_` : '';
  const changes = manifest === undefined || previous === undefined ? null : compareReleases(previous, manifest);
  const since = changes === null || previous === undefined ? '' : changesToMarkdown(changes, previous, manifest);
  return { markdown: joined(written ?? reason, since), problems, changes };
}

function checkChangelog(product: Product, texts: ReadonlyMap<string, string>, version: Version): Problem[] {
  const { notes } = product.release;
  if (notes === undefined) return [];
  const path = notesPath(notes, version);
  const text = texts.get(path);
  if (text !== undefined && !isStub(text)) return [];
  const hint = `Write in ${path} what people should know about ${version}.`;
  const at = { path: ['release', 'notes'], hint };
  const problem =
    text === undefined
      ? problemAt(product.source, { ...at, code: 'E_NOTES_MISSING', message: `${path} does not exist: ${version} has no notes` })
      : problemAt(product.source, { ...at, code: 'E_NOTES_STUB', message: `${path} says nothing about ${version} yet` });
  return withoutIgnored([problem], product.ignore);
}

function writtenText({ release }: Product, texts: ReadonlyMap<string, string>, version: Version): string | undefined {
  const text = release.notes === undefined ? undefined : texts.get(notesPath(release.notes, version));
  return text === undefined || isStub(text) ? undefined : text.replaceAll('\r\n', '\n').trim();
}

/** Both parts within the bound: the written one is cut first only where it alone is too long. */
function joined(written: string, since: string): string {
  const end = '\n\n… (cut short here)';
  const cut = (text: string, most: number): string => {
    if (text.length <= most) return text;
    return `${text.slice(0, Math.max(0, most - end.length)).replace(/[\ud800-\udbff]$/, '')}${end}`;
  };
  const text = cut(written, MOST_NOTES - 1);
  if (since === '') return text === '' ? '' : `${text}\n`;
  const left = MOST_NOTES - text.length - 3;
  const rest = left > 200 ? cut(since, left) : '';
  return `${[text, rest].filter((part) => part !== '').join('\n\n')}\n`;
}

function changesToMarkdown(changes: ReleaseChanges, previous: Manifest, manifest: Manifest | undefined): string {
  const { required, removedVariables, services, ports, volumes, hostPaths, images, migrations } = changes;
  const asked = required.map((name) => `- ${code(name)}${helpOf(manifest, name)}`);
  const moved = removedVariables.map(({ name, to }) => `- ${code(name)} ${to === null ? 'is gone' : `is now ${code(to)}`}`);
  const sections = [
    section('New required settings', asked),
    section('Settings that are gone', moved),
    section('Services', lines(services)),
    section('Ports', lines(ports)),
    section('Volumes', lines(volumes)),
    section('Paths of the host', lines(hostPaths)),
    section(
      'Migrations',
      migrations.map((command) => `- ${code(command)}`),
    ),
    section('Images', images.map(imageLine)),
  ].filter((text) => text !== '');
  const rules = rulesOf(previous, manifest);
  if (sections.length === 0 && rules === '') return '';
  return [`## Changes since ${plain(previous.version)}`, rules, ...sections].filter((text) => text !== '').join('\n\n');
}

/** What an upgrade to this release asks for. */
function rulesOf(previous: Manifest, manifest: Manifest | undefined): string {
  if (manifest === undefined) return '';
  const from = manifest.upgrade.from === previous.upgrade.from ? [] : [`Upgrades from ${code(manifest.upgrade.from)}.`];
  return [...from, ...(manifest.upgrade.stop ? ['No upgrade may skip this release.'] : [])].join(' ');
}

function helpOf(manifest: Manifest | undefined, name: string): string {
  const { ask, help } = manifest?.env[name] ?? {};
  const text = help ?? ask;
  return text === undefined ? '' : `: ${plain(text)}`;
}

function section(title: string, list: readonly string[]): string {
  return list.length === 0 ? '' : `### ${title}\n\n${list.join('\n')}`;
}

function lines({ added, removed }: Difference): string[] {
  return [...added.map((name) => `- new: ${code(name)}`), ...removed.map((name) => `- gone: ${code(name)}`)];
}

function imageLine({ name, before, after }: ImageChange): string {
  if (after === null) return `- ${code(name)}: gone`;
  const digest = after.digest.slice(0, 19);
  if (before === null) return `- ${code(name)}: new, ${code(after.reference)} ${code(digest)}`;
  const reference = before.reference === after.reference ? code(after.reference) : `${code(before.reference)} → ${code(after.reference)}`;
  return `- ${code(name)}: ${reference}, ${code(before.digest.slice(0, 19))} → ${code(digest)}`;
}

function code(text: string): string {
  return `\`${text.replace(/\s+/g, ' ').trim().replaceAll('`', "'")}\``;
}

/** One line, without markup that could break out of its place. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('<', '&lt;').trim();
}
