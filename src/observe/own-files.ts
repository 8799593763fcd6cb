// Files that come with slipway itself. Rule: looked up here and nowhere else, beside the program or one folder up.
import { dirname, join, resolve } from 'node:path';
import { ToolError } from '../model/error.ts';
import { MANIFEST_ASSET } from '../model/host.ts';
import { parseRuntimeSet, type RuntimeSet } from '../model/runtime.ts';
import type { World } from '../model/seams.ts';
import type { OperatorProgram } from '../model/source-file.ts';
import { listFiles, readTextIfThere, statIfThere } from '../world/disk.ts';
import { measureFile } from '../world/folder-files.ts';

const OWN_FILES = {
  operator: ['operator.mjs', '../dist/operator.mjs'],
  installer: ['templates/install.sh', '../templates/install.sh'],
  starter: ['templates/starter/slipway.yaml.hbs', '../templates/starter/slipway.yaml.hbs'],
  scripts: ['templates/scripts/install.sh.hbs', '../templates/scripts/install.sh.hbs'],
} as const;

/** The operator program that goes into bundles; $SLIPWAY_OPERATOR names another one. `program` is the file that slipway runs from. */
export async function observeOperatorProgram(program: string, env: World['env']): Promise<OperatorProgram> {
  const file = await findOwnFile('operator', program, env);
  return { file, ...(await measureFile(file)) };
}

/** The template of install.sh. */
export async function readInstallerTemplate(program: string, env: World['env']): Promise<string> {
  return (await readTextIfThere(await findOwnFile('installer', program, env))) ?? '';
}

/** The files of the starter product, by their paths in it. */
export async function readStarter(program: string, env: World['env']): Promise<ReadonlyMap<string, string>> {
  return readFolder(dirname(await findOwnFile('starter', program, env)));
}

/** The templates of a product's own scripts, by their names. */
export async function readScripts(program: string, env: World['env']): Promise<ReadonlyMap<string, string>> {
  return readFolder(dirname(await findOwnFile('scripts', program, env)));
}

async function readFolder(folder: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const path of (await listFiles(folder)).sort()) texts.set(path, (await readTextIfThere(join(folder, path))) ?? '');
  return texts;
}

/** The folder with the Node.js for hosts without one, as `npm run build:runtime` makes it; $SLIPWAY_RUNTIMES names another one, and empty means none. */
export function runtimesPlace(program: string, env: World['env']): string | undefined {
  const given = env.SLIPWAY_RUNTIMES;
  if (given === undefined) return join(dirname(program), 'runtimes');
  return given === '' ? undefined : resolve(given);
}

/** What that folder holds; undefined when it was not built. */
export async function observeRuntimes(program: string, env: World['env']): Promise<RuntimeSet | undefined> {
  const place = runtimesPlace(program, env);
  const path = place === undefined ? undefined : join(place, MANIFEST_ASSET);
  const text = path === undefined ? undefined : await readTextIfThere(path);
  if (path !== undefined && text !== undefined) return parseRuntimeSet(text, path);
  if (!env.SLIPWAY_RUNTIMES) return undefined;
  throw new ToolError('E_CONFIG', `${path} is missing`, {
    hint: '$SLIPWAY_RUNTIMES must name a folder that `npm run build:runtime` made.',
  });
}

async function findOwnFile(name: keyof typeof OWN_FILES, program: string, env: World['env']): Promise<string> {
  const given = name === 'operator' ? env.SLIPWAY_OPERATOR : undefined;
  const candidates = given ? [resolve(given)] : OWN_FILES[name].map((path) => join(dirname(program), path));
  for (const path of candidates) if ((await statIfThere(path))?.isFile() === true) return path;
  throw new ToolError('E_CONFIG', `${candidates[0]} is missing`, {
    hint: given
      ? '$SLIPWAY_OPERATOR must name a file.'
      : 'Slipway is not installed completely: install it again, or build it (npm run build).',
  });
}
