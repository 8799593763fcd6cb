// The workflow files of a repository. Rule: reads only; line ends of another system are not a difference.
import { realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { isToolError } from '../model/error.ts';
import { listNames, readTextIfThere, statIfThere } from '../world/disk.ts';
import { type GitWorld, runGit } from '../world/git.ts';

export interface Workflows {
  /** The repository's top folder, absolute; the product's own where there is no git. */
  readonly top: string;
  /** The product's folder below it, with `/` at its end; empty at the top. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

const MOST_BYTES = 1024 * 1024;

/** Reads all workflows in these folders of the repository around `root`. */
export async function observeWorkflows(root: string, folders: readonly string[], world: GitWorld): Promise<Workflows> {
  const said = await runGit(['rev-parse', '--show-toplevel'], world, { cwd: root, codes: [0, 128] });
  const top = said.trim() === '' ? root : said.replace(/\n$/, '');
  const below = relative(await realpath(top), await realpath(root))
    .split(sep)
    .join('/');
  const files = await Promise.all(folders.map((folder) => readFolder(top, folder)));
  return { top, folder: below === '' ? '' : `${below}/`, files: files.flat() };
}

/** The top of the git repository that a folder, which need not be there yet, would be below; undefined when it is its own top. */
export async function observeRepositoryAround(root: string, world: GitWorld): Promise<string | undefined> {
  let near = root;
  while ((await statIfThere(near))?.isDirectory() !== true && near !== dirname(near)) near = dirname(near);
  const top = await topOf(near, world);
  return top === undefined || top === (await realpath(near)) + relative(near, root) ? undefined : top;
}

/** Undefined where there is no repository, or no git. */
async function topOf(folder: string, world: GitWorld): Promise<string | undefined> {
  try {
    const said = await runGit(['rev-parse', '--show-toplevel'], world, { cwd: folder, codes: [0, 128] });
    return said.trim() === '' ? undefined : said.replace(/\n$/, '');
  } catch (error) {
    if (isToolError(error, 'E_COMMAND')) return undefined;
    throw error;
  }
}

async function readFolder(top: string, folder: string): Promise<{ path: string; text: string }[]> {
  const names = (await listNames(join(top, folder))).filter((name) => /\.ya?ml$/.test(name));
  return Promise.all(
    names.map(async (name) => {
      const path = `${folder}/${name}`;
      return { path, text: ((await readTextIfThere(join(top, path), MOST_BYTES)) ?? '').replaceAll('\r\n', '\n') };
    }),
  );
}
