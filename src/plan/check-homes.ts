// Checks of the env files that variables live in. Rule: what Compose cannot see from where it is used is found here and not on somebody's server.
import type { Variable } from '../model/description.ts';
import { placeholdersIn } from '../model/placeholder.ts';
import type { Path, ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { homeOf, MAIN_ENV } from '../model/settings.ts';

/** Names in an install that are not the product's to give to an env file. */
const RESERVED = [
  'VERSION',
  'docker-compose.yml',
  'docker-compose.override.yml',
  '.env.example',
  'bundle.json',
  'bundle.json.minisig',
  '.slipway',
];

/** Env files with a name or a place that they cannot have, and values that are used where they are not known. */
export function checkHomes(product: Product): ProblemText[] {
  const named = Object.entries(product.env).filter(([, variable]) => variable.file !== undefined);
  return [...named.flatMap(([name, { file = '' }]) => checkPlace(product, name, file)), ...checkDefaults(product), ...checkUses(product)];
}

function checkPlace({ cli, bundle, data }: Product, name: string, file: string): ProblemText[] {
  const path = ['env', name, 'file'];
  const taken = [...RESERVED, cli, ...Object.keys(bundle?.shims ?? {})].find((other) => isWithin(file, other));
  if (file.toLowerCase() === MAIN_ENV)
    return [{ code: 'E_NAME_TAKEN', path, message: `env.${name} lives in .env anyway`, hint: 'Remove file.' }];
  if (taken !== undefined) {
    const hint = 'Choose another path, such as env/api.env.';
    return [{ code: 'E_NAME_TAKEN', path, message: `env.${name}.file: ${file} is a name of the install or the bundle`, hint }];
  }
  const folders = [...(bundle?.userOwned ?? []), ...Object.values(data).flatMap((item) => item.path ?? [])];
  const folder = folders.find((each) => isWithin(file, each.replace(/\/$/, '')));
  if (folder === undefined) return [];
  const message = `env.${name}.file: ${file} lies in ${folder}, which upgrades do not touch`;
  return [{ code: 'E_NAME_TAKEN', path, message, hint: 'Choose a path outside of user-owned folders and data.' }];
}

/** `.env` is read first and alone; every other env file sees `.env` and itself. */
function checkDefaults({ env }: Product): ProblemText[] {
  return Object.entries(env).flatMap(([name, variable]) => {
    const unseen = placeholdersIn(String(variable.default ?? '')).find((other) => !isSeen(env, other, homeOf(variable)));
    if (unseen === undefined) return [];
    const message = `env.${name}.default is made of ${unseen}, which lives in ${homeOf(env[unseen])}, where ${homeOf(variable)} cannot see it`;
    return [
      { code: 'E_UNSET_VARIABLE', path: ['env', name, 'default'], message, hint: `Let ${unseen} live in .env, or both in one file.` },
    ];
  });
}

/** Ports, probes and the backup's place are filled from `.env` alone. */
function checkUses({ env, requires, backup, upgrade }: Product): ProblemText[] {
  const texts: { readonly path: Path; readonly text: string }[] = [
    ...requires.ports.map(({ port }, index) => ({ path: ['requires', 'ports', index], text: port })),
    { path: ['backup', 'to'], text: backup.to ?? '' },
    { path: ['backup', 'encryptTo'], text: backup.encryptTo ?? '' },
    ...upgrade.health.map(({ http = '', tcp = '' }, index) => ({ path: ['upgrade', 'health', index], text: `${http} ${tcp}` })),
  ];
  return texts.flatMap(({ path, text }) => {
    const unseen = placeholdersIn(text).find((name) => !isSeen(env, name, MAIN_ENV));
    if (unseen === undefined) return [];
    const message = `${unseen} lives in ${homeOf(env[unseen])}, and only .env is read here`;
    return [{ code: 'E_UNSET_VARIABLE' as const, path, message, hint: `Remove env.${unseen}.file.` }];
  });
}

function isSeen(env: Product['env'], name: string, home: string): boolean {
  const other: Variable | undefined = Object.hasOwn(env, name) ? env[name] : undefined;
  return [MAIN_ENV, home].includes(homeOf(other));
}

function isWithin(file: string, other: string): boolean {
  const [path, folder] = [file.toLowerCase(), other.toLowerCase()];
  return path === folder || path.startsWith(`${folder}/`);
}
