// What git says of a build: the branch, and what changed since another commit. Rule: whatever cannot be told is said so, never taken for "nothing".
import { ToolError } from '../model/error.ts';
import { type GitWorld, runGit } from '../world/git.ts';

/** The branch of HEAD; undefined when it is detached, or outside of git. */
export async function observeBranch(root: string, world: GitWorld): Promise<string | undefined> {
  const name = await runGit(['symbolic-ref', '--quiet', '--short', 'HEAD'], world, { cwd: root, codes: [0, 1, 128] });
  return name.trim() === '' ? undefined : name.trim();
}

/**
 * The paths below the root, relative to it, that are not as they were where this history left the other commit: committed, changed or new. Undefined
 * for the commit of zeros that forges name before a branch's first push. Throws E_USAGE for a commit that git does not have.
 */
export async function observeChanges(root: string, since: string, world: GitWorld): Promise<readonly string[] | undefined> {
  if (/^0{40}$/.test(since)) return undefined;
  const git = (words: readonly string[], codes?: readonly number[]): Promise<string> =>
    runGit(words, world, { cwd: root, ...(codes === undefined ? {} : { codes }) });
  const commit = (await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${since}^{commit}`], [0, 1, 128])).trim();
  if (commit === '') {
    throw new ToolError('E_USAGE', `git does not have the commit ${JSON.stringify(since)}`, {
      hint: 'Fetch more of the history (in CI: fetch-depth: 0), or name another commit.',
    });
  }
  const base = (await git(['merge-base', commit, 'HEAD'], [0, 1])).trim() || commit;
  const changed = await git(['diff', '--name-only', '--no-renames', '--relative', '-z', base]);
  const added = await git(['ls-files', '--others', '--exclude-standard', '-z']);
  return [...new Set(`${changed}\0${added}`.split('\0'))].filter((path) => path !== '').sort();
}
