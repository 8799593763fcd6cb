// The workflow files of a repository. Rule: reads only; line ends of another system are not a difference.
import { realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { listNames, readTextIfThere } from '../world/disk.ts';
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

async function readFolder(top: string, folder: string): Promise<{ path: string; text: string }[]> {
  const names = (await listNames(join(top, folder))).filter((name) => /\.ya?ml$/.test(name));
  return Promise.all(
    names.map(async (name) => {
      const path = `${folder}/${name}`;
      return { path, text: ((await readTextIfThere(join(top, path), MOST_BYTES)) ?? '').replaceAll('\r\n', '\n') };
    }),
  );
}
