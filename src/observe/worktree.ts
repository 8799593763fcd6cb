// What lies in a git working tree besides its commit. Rule: what we write ourselves does not make a tree dirty, and what git ignores does not either.
import { relative, resolve } from 'node:path';
import { type GitWorld, runGit } from '../world/git.ts';

export interface Worktree {
  /** When HEAD was committed, in seconds since 1970. */
  readonly committed: number;
  /** Changed and new paths of the whole repository, relative to its top. */
  readonly changes: readonly string[];
  /** Tracked files below the folder, relative to it, and whether git has them as executable. */
  readonly executable: ReadonlyMap<string, boolean>;
  /** Tracked files that are committed with LF and lie here with CRLF, relative to the folder. */
  readonly lineEnds: ReadonlySet<string>;
}

/** Looks at the working tree around `root`, which has a commit. New files below one of the `own` folders are not counted as changes. */
export async function observeWorktree(root: string, world: GitWorld, own: readonly string[] = []): Promise<Worktree> {
  const prefix = (await runGit(['rev-parse', '--show-prefix'], world, { cwd: root })).trim();
  const time = await runGit(['-c', 'log.showSignature=false', 'log', '-1', '--format=%ct'], world, { cwd: root });
  const status = await runGit(['status', '--porcelain=v1', '-z', '--no-renames', '--untracked-files=all'], world, { cwd: root });
  const index = await runGit(['ls-files', '--stage', '-z'], world, { cwd: root });
  const ends = await runGit(['ls-files', '--eol', '-z'], world, { cwd: root });
  const ours = own.map((folder) => `${prefix}${relative(root, resolve(root, folder))}/`);
  const isOurs = (line: string): boolean => line.startsWith('?? ') && ours.some((folder) => line.slice(3).startsWith(folder));
  const changes = partsOf(status).filter((line) => !isOurs(line));
  return {
    committed: Number(time.trim()),
    changes: changes.map((line) => line.slice(3)),
    executable: readIndex(index),
    lineEnds: readLineEnds(ends),
  };
}

/** Those of the paths that git ignores: another checkout does not have them. */
export async function observeIgnored(root: string, paths: readonly string[], world: GitWorld): Promise<string[]> {
  if (paths.length === 0) return [];
  return partsOf(await runGit(['check-ignore', '-z', '--stdin'], world, { cwd: root, input: `${paths.join('\0')}\0`, codes: [0, 1] }));
}

/** The commit that a tag of this name is on, or undefined when there is no such tag. */
export async function observeTag(root: string, tag: string, world: GitWorld): Promise<string | undefined> {
  const commit = await runGit(['rev-parse', '--verify', '--quiet', `refs/tags/${tag}^{commit}`], world, { cwd: root, codes: [0, 1, 128] });
  return commit.trim() === '' ? undefined : commit.trim();
}

/** Lines of `git ls-files --stage`: `100755 <object> 0\t<path>`. */
function readIndex(text: string): Map<string, boolean> {
  return new Map(partsOf(text).map((line) => [line.slice(line.indexOf('\t') + 1), line.startsWith('100755 ')]));
}

/** Lines of `git ls-files --eol`: `i/lf    w/crlf  attr/…\t<path>`. */
function readLineEnds(text: string): Set<string> {
  const converted = partsOf(text).filter((line) => /^i\/lf\s+w\/(crlf|mixed)\s/.test(line));
  return new Set(converted.map((line) => line.slice(line.indexOf('\t') + 1)));
}

function partsOf(text: string): string[] {
  return text.split('\0').filter((part) => part !== '');
}
