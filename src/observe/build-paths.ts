// The folders and files that images are built from. Rule: they are there, inside of the product's folder; a link that leads out of it is none of them.
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../model/error.ts';
import type { Path, ProblemText } from '../model/problem.ts';

export interface BuildPath {
  readonly path: Path;
  /** Relative to the product file's folder. */
  readonly name: string;
}

export interface BuildPathFacts {
  /** The names of what is not there. */
  readonly missing: readonly string[];
  readonly problems: readonly ProblemText[];
}

/** Looks at each of the paths. */
export async function observeBuildPaths(root: string, paths: readonly BuildPath[]): Promise<BuildPathFacts> {
  const real = await realpath(root);
  const missing: string[] = [];
  const problems: ProblemText[] = [];
  for (const { path, name } of paths) {
    const found = await realPathIfThere(join(root, name));
    if (found === undefined) missing.push(name);
    else if (!`${found}/`.startsWith(`${real}/`)) {
      const message = `${name} is a link that leads out of the product's folder`;
      problems.push({ code: 'E_LINK', path, message, hint: 'Put the files themselves there.' });
    }
  }
  return { missing, problems };
}

async function realPathIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
