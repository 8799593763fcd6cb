// Files that come with slipway itself. Rule: looked up here and nowhere else, beside the program or one folder up.
import { dirname, join, resolve } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';
import { statIfThere } from '../world/disk.ts';

const OWN_FILES = {
  operator: ['operator.mjs', '../dist/operator.mjs'],
  installer: ['templates/install.sh', '../templates/install.sh'],
} as const;

/** The path of one of our own files, for the program that runs from `program`. $SLIPWAY_OPERATOR names another operator program. Throws E_CONFIG when it is missing. */
export async function findOwnFile(name: keyof typeof OWN_FILES, program: string, env: World['env']): Promise<string> {
  const given = name === 'operator' ? env.SLIPWAY_OPERATOR : undefined;
  const candidates = given ? [resolve(given)] : OWN_FILES[name].map((path) => join(dirname(program), path));
  for (const path of candidates) if ((await statIfThere(path))?.isFile() === true) return path;
  throw new ToolError('E_CONFIG', `${candidates[0]} is missing`, {
    hint: given
      ? '$SLIPWAY_OPERATOR must name a file.'
      : 'Slipway is not installed completely: install it again, or build it (npm run build).',
  });
}
