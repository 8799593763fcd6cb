// Which files of an install change. Rule: three versions of each are compared; what a person changed is never overwritten, and a conflict stops before anything changes.
import type { Conflict } from '../model/content-merge.ts';
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { FileFact, InstallFacts } from '../model/facts.ts';
import { type FileMerge, mergeFile, mergeMode } from '../model/file-merge.ts';
import type { Manifest, ManifestFile } from '../model/manifest.ts';
import type { FileAfter, FileToWrite } from '../model/plan.ts';

export interface FilesWish {
  /** The manifest that is installed; undefined at a first install. */
  readonly old: Manifest | undefined;
  readonly target: Manifest;
  /** What is on disk now. */
  readonly found: ReadonlyMap<string, FileFact>;
  /** What became of the files that both sides changed; those that are not named are in conflict. */
  readonly merges?: ReadonlyMap<string, FileMerge>;
  /** Files of the old release that were never here: as far as they still are not, they are new. */
  readonly neverHere?: readonly string[];
}

export interface FilesDecision {
  /** Every file of the release as it will be, the person's own versions included: the tree that is staged and validated. */
  readonly staged: readonly FileToWrite[];
  /** Those that differ from what is on disk. */
  readonly swapped: readonly FileAfter[];
  /** Files whose local change stays. */
  readonly kept: readonly string[];
  /** Files whose local change and the release's became one. */
  readonly merged: readonly string[];
  /** Those among the kept that the person replaced by a link: a link has no content to stage. */
  readonly linked: readonly string[];
}

/** Decides for every file of both releases. Throws E_CONFLICT naming all places that both sides changed. */
export function decideFiles(wish: FilesWish): FilesDecision {
  const versions = versionsOf(wish);
  const decided = versions.map((file) => ({ ...file, decision: decideOne(file, wish.merges) }));
  const open = decided.filter(({ decision }) => decision === 'conflict').map(({ path }) => path);
  if (open.length > 0) throw wish.old === undefined ? inTheWay(open) : inConflict(open, wish.merges);
  const parts = decided.map((file) => partOf(file, wish.merges?.get(file.path)));
  const pathsWhere = (is: keyof Pick<Part, 'kept' | 'merged' | 'linked'>): string[] =>
    parts.flatMap((part) => (part[is] ? [part.path] : []));
  return {
    staged: parts.flatMap(({ staged }) => staged ?? []),
    swapped: parts.flatMap(({ swapped }) => swapped ?? []),
    kept: pathsWhere('kept'),
    merged: pathsWhere('merged'),
    linked: pathsWhere('linked'),
  };
}

/** The paths of files that both releases ship, or the host has, and that both sides changed. */
export function changedByBoth(wish: FilesWish): string[] {
  return versionsOf(wish)
    .filter((file) => decideOne(file, undefined) === 'conflict')
    .map(({ path }) => path);
}

interface FileVersions {
  readonly path: string;
  readonly old: ManifestFile | undefined;
  readonly mine: FileFact | undefined;
  readonly theirs: ManifestFile | undefined;
  /** Where the person's version lies, when the release gave the file another name. */
  readonly from?: string;
  /** True when the person's version goes on under the new name. */
  readonly leaves?: boolean;
}

/** All files in three versions; one that the release renamed has those of its former name, which goes. */
function versionsOf({ old, target, found, neverHere }: FilesWish): readonly FileVersions[] {
  const before = byPath(old, (path) => !found.has(path) && neverHere?.includes(path) === true);
  const after = byPath(target);
  const renamed = renamedFiles(before, after);
  const formerly = new Map([...renamed].map(([from, to]) => [to, from]));
  const isEdited = (path: string): boolean => found.get(path)?.digest !== before.get(path)?.sha256;
  return [...new Set([...before.keys(), ...after.keys()])].sort().map((path) => {
    const [mine, theirs] = [found.get(path), after.get(path)];
    const from = formerly.get(path);
    if (from !== undefined && mine === undefined && isEdited(from))
      return { path, old: before.get(from), mine: found.get(from), theirs, from };
    const to = renamed.get(path);
    return { path, old: before.get(path), mine, theirs, leaves: to !== undefined && !found.has(to) && mine !== undefined };
  });
}

/** Files that a release ships under another name: the same bytes, gone here and new there, and no second of either. */
function renamedFiles(before: ReadonlyMap<string, ManifestFile>, after: ReadonlyMap<string, ManifestFile>): ReadonlyMap<string, string> {
  const gone = [...before.values()].filter(({ path, owner }) => !after.has(path) && owner !== 'user');
  const added = [...after.values()].filter(({ path, owner }) => !before.has(path) && owner !== 'user');
  const only = (files: readonly ManifestFile[], digest: Digest): ManifestFile | undefined => {
    const same = files.filter(({ sha256 }) => sha256 === digest);
    return same.length === 1 ? same[0] : undefined;
  };
  return new Map(
    gone.flatMap(({ path, sha256 }) => {
      const to = only(gone, sha256) && only(added, sha256);
      return to === undefined ? [] : [[path, to.path] as const];
    }),
  );
}

type Decision = ReturnType<typeof mergeFile> | 'merged';

function decideOne({ path, old, mine, theirs, leaves }: FileVersions, merges: FilesWish['merges']): Decision {
  if (leaves) return 'remove';
  // The person's own files: shipped once, never touched again, not even when the vendor stops shipping them.
  const theirOwn = theirs?.owner === 'user' || (theirs === undefined && old?.owner === 'user');
  if (theirOwn) return old === undefined && mine === undefined ? 'add' : 'keep';
  const decision = mergeFile({ base: old?.sha256, mine: mine?.digest, theirs: theirs?.sha256 });
  if (decision !== 'conflict') return decision;
  const merge = merges?.get(path)?.kind ?? 'conflict';
  if (merge === 'mine') return 'keep';
  if (merge === 'vendor') return theirs === undefined ? 'remove' : 'take';
  return merge;
}

/** What one file adds to the decision. */
interface Part {
  readonly path: string;
  readonly staged?: FileToWrite;
  readonly swapped?: FileAfter;
  readonly kept?: boolean;
  readonly merged?: boolean;
  readonly linked?: boolean;
}

function partOf(file: FileVersions & { readonly decision: Decision }, merge: FileMerge | undefined): Part {
  const { path, old, mine, theirs, decision, from } = file;
  if (decision === 'remove') return { path, swapped: { path, content: null, mode: 0 } };
  const mode = mergeMode(old && modeOf(old), mine?.mode, theirs === undefined ? (mine?.mode ?? 0) : modeOf(theirs));
  if (decision === 'keep') {
    const kept = theirs?.owner !== 'user' && old?.owner !== 'user';
    if (mine === undefined) return { path, kept };
    if (mine.mode === 0) return { path, kept, linked: true };
    const staged = { path, content: mine.digest, mode: kept ? mode : mine.mode };
    return { path, kept, staged, ...(from !== undefined || staged.mode !== mine.mode ? { swapped: staged } : {}) };
  }
  const content = decision === 'merged' && merge?.kind === 'merged' ? merge.content : theirs?.sha256;
  if (content === undefined) return { path };
  const staged = { path, content, mode: mine?.mode === 0 ? modeOf(theirs as ManifestFile) : mode };
  const swaps = decision !== 'same' || mine?.mode !== staged.mode || from !== undefined;
  return { path, staged, merged: decision === 'merged', ...(swaps ? { swapped: staged } : {}) };
}

/** Local changes of an install, for `status` and `diff`: what was edited, removed or made unreadable against its release. */
export function localEdits({
  manifest,
  files,
  record,
}: Pick<InstallFacts, 'manifest' | 'files' | 'record'>): { path: string; change: 'edited' | 'removed' | 'mode' }[] {
  const edits: { path: string; change: 'edited' | 'removed' | 'mode' }[] = [];
  for (const file of manifest.files) {
    if (file.owner === 'user') continue;
    const mine = files.get(file.path);
    if (mine === undefined) {
      if (record.adopted?.missing.includes(file.path) !== true) edits.push({ path: file.path, change: 'removed' });
    } else if (mine.digest !== file.sha256) edits.push({ path: file.path, change: 'edited' });
    else if (mine.mode !== modeOf(file)) edits.push({ path: file.path, change: 'mode' });
  }
  return edits;
}

/** The files of an install that a backup holds: the release's as they are on disk, the settings, the override and the record. */
export function filesToBackUp({ files }: Pick<InstallFacts, 'files'>): string[] {
  return [...new Set([...files.keys(), '.slipway/install.json'])];
}

/** The content of a manifest's files that a plan will need. */
export function contentsNeeded(files: readonly { readonly content: Digest | null }[]): Digest[] {
  return [...new Set(files.flatMap((file) => file.content ?? []))];
}

function byPath(manifest: Manifest | undefined, isLeftOut: (path: string) => boolean = () => false): ReadonlyMap<string, ManifestFile> {
  return new Map(manifest?.files.filter(({ path }) => !isLeftOut(path)).map((file) => [file.path, file]));
}

function modeOf(file: ManifestFile): number {
  return Number.parseInt(file.mode, 8);
}

function inTheWay(paths: readonly string[]): ToolError {
  return new ToolError('E_CONFLICT', `these files are here already, and differ from the release's: ${paths.join(', ')}`, {
    hint: 'Nothing was changed. Move them away, or choose another folder with --dir.',
    details: { files: paths.map((path) => ({ path, change: 'both', conflict: true })) },
  });
}

function inConflict(paths: readonly string[], merges: FilesWish['merges']): ToolError {
  const files = paths.map((path) => {
    const merge = merges?.get(path);
    return { path, change: 'both', conflict: true, places: merge?.kind === 'conflict' ? merge.conflicts : [] };
  });
  const lines = files.flatMap(({ path, places }) => (places.length === 0 ? [] : [`\n    ${path}: ${places.map(placeToText).join('; ')}`]));
  return new ToolError('E_CONFLICT', `you and the new release both changed: ${paths.join(', ')}${lines.join('')}`, {
    hint: 'Nothing was changed. Decide with --on-conflict mine, --on-conflict vendor, or file by file: --on-conflict PATH=mine, PATH=vendor or PATH=FILE with a file that you merged. Changes in docker-compose.override.yml and .env never get in the way.',
    details: { files },
  });
}

function placeToText({ key, mine, theirs }: Conflict): string {
  const at = [
    ...(mine === null ? [] : [`yours ${linesToText(mine)}`]),
    ...(theirs === null ? [] : [`the release’s ${linesToText(theirs)}`]),
  ];
  const where = at.join(', ');
  if (key === null) return where === '' ? 'as a whole' : where;
  return `${key} (${where})`;
}

function linesToText({ line, count }: { readonly line: number; readonly count: number }): string {
  if (count === 0) return `nothing before line ${line}`;
  return count === 1 ? `line ${line}` : `lines ${line}-${line + count - 1}`;
}
