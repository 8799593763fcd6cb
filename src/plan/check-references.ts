// Names that one part of the product file uses and another one declares. Rule: what was already refused where it is declared is not reported again.
import { choosable } from '../model/feature.ts';
import { didYouMean } from '../model/near.ts';
import { placeholdersIn } from '../model/placeholder.ts';
import { isRefused, type Path, type ProblemCode, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { buildPaths } from './build-check.ts';
import type { ProductFacts } from './check.ts';

interface Use {
  readonly path: Path;
  readonly name: string;
}

/** Commands that a shim may stand for (design: the table of the operator command). */
const OPERATOR_COMMANDS = [
  ...['install', 'configure', 'status', 'check', 'upgrade', 'attach', 'restore', 'recover', 'relocate', 'adopt'],
  ...['start', 'stop', 'restart', 'logs', 'history', 'diff', 'backup', 'rotate', 'channel', 'trust'],
  ...['doctor', 'support-bundle', 'uninstall'],
];

/** Features, variables, services, hosts, commands and paths that are named but not there. */
export function checkReferences(product: Product, facts: ProductFacts): ProblemText[] {
  const hosts = product.release.hosts.map((host) => host.name);
  const services = facts.services ?? [];
  const missing = new Set(facts.missing ?? []);
  return [
    ...unknown(product, featureUses(product), {
      code: 'E_UNKNOWN_FEATURE',
      what: 'feature',
      known: featureNames(product),
      at: ['features'],
    }),
    ...unknown(product, variableUses(product), {
      code: 'E_UNKNOWN_VARIABLE',
      what: 'variable',
      known: Object.keys(product.env),
      at: ['env'],
    }),
    ...unknown(product, hostUses(product), { code: 'E_UNKNOWN_HOST', what: 'host', known: hosts, at: ['release', 'hosts'] }),
    ...unknown(product, shimUses(product), { code: 'E_UNKNOWN_COMMAND', what: 'operator command', known: OPERATOR_COMMANDS }),
    ...(services.length === 0
      ? []
      : unknown(product, serviceUses(product), { code: 'E_UNKNOWN_SERVICE', what: 'service of the compose file', known: services })),
    ...namedPaths(product)
      .filter(({ name }) => missing.has(name))
      .map(missingPath),
  ];
}

/** The files and folders beside slipway.yaml that it names. */
export function namedPaths(product: Product): Use[] {
  return [...bundlePaths(product), ...buildPaths(product)];
}

function bundlePaths({ bundle }: Product): Use[] {
  if (bundle === undefined) return [];
  const compose = bundle.compose.map((name, index) => ({
    path: ['bundle', 'compose', ...(bundle.compose.length > 1 ? [index] : [])],
    name,
  }));
  const env = bundle.env === undefined ? [] : [{ path: ['bundle', 'env'], name: bundle.env }];
  const templates = bundle.hostFiles.map(({ template }, index) => ({ path: ['bundle', 'hostFiles', index, 'from'], name: template }));
  return [
    ...compose,
    ...env,
    ...bundle.files.map(({ from }, index) => ({ path: ['bundle', 'files', index, 'from'], name: from })),
    ...templates,
  ];
}

function missingPath({ path, name }: Use): ProblemText {
  const hint = 'Paths start at the folder of the product file.';
  return { code: 'E_NO_FILE', path, message: `${name} does not exist`, hint };
}

interface Declared {
  readonly code: ProblemCode;
  readonly what: string;
  readonly known: readonly string[];
  /** Where the names are declared, when that is in the product file. */
  readonly at?: Path;
}

function unknown(product: Product, uses: readonly Use[], { code, what, known, at }: Declared): ProblemText[] {
  const names = new Set(known);
  const missing = uses.filter(
    ({ name }) => !names.has(name) && !(at !== undefined && isRefused(product.source, [...at, name.replace(/=.*/, '')])),
  );
  return missing.map(({ path, name }) => ({
    code,
    path,
    message: `there is no ${what} ${name}`,
    hint: didYouMean(name, known, 'There are'),
  }));
}

function featureUses({ bundle, env, features, requires, upgrade }: Product): Use[] {
  const all = [
    ...Object.entries(env).map(([name, { when }]) => ({ path: ['env', name, 'when'], when })),
    ...(bundle?.hostFiles ?? []).map(({ when }, index) => ({ path: ['bundle', 'hostFiles', index, 'when'], when })),
    ...requires.ports.map(({ when }, index) => ({ path: ['requires', 'ports', index, 'when'], when })),
    ...upgrade.health.map(({ when }, index) => ({ path: ['upgrade', 'health', index, 'when'], when })),
  ];
  const needed = Object.entries(features).flatMap(([name, { requires: names = [] }]) =>
    names.map((other, index) => ({ path: ['features', name, 'requires', index], name: other })),
  );
  return [...needed, ...all.flatMap(({ path, when }) => (when === undefined ? [] : [{ path, name: when.replace(/^features\./, '') }]))];
}

/** What a condition may name. */
function featureNames({ features }: Product): string[] {
  return Object.keys(features).flatMap((name) => choosable(features, name));
}

function variableUses({ env, requires, backup, upgrade }: Product): Use[] {
  const all: { path: Path; text: string }[] = [
    ...Object.entries(env).map(([name, variable]) => ({ path: ['env', name, 'default'], text: String(variable.default ?? '') })),
    ...requires.ports.map(({ port }, index) => ({ path: ['requires', 'ports', index], text: port })),
    { path: ['backup', 'to'], text: backup.to ?? '' },
    { path: ['backup', 'encryptTo'], text: backup.encryptTo ?? '' },
    ...upgrade.health.flatMap(({ http = '', tcp = '', command = [] }, index) => [
      { path: ['upgrade', 'health', index, 'http'], text: http },
      { path: ['upgrade', 'health', index, 'tcp'], text: tcp },
      { path: ['upgrade', 'health', index, 'command'], text: command.join(' ') },
    ]),
  ];
  return all.flatMap(({ path, text }) => placeholdersIn(text).map((name) => ({ path, name })));
}

function hostUses({ release, source }: Product): Use[] {
  const publishTo = release.publishTo.map((name, index) => ({ path: ['release', 'publishTo', index], name }));
  const written = source.lines.has('release.authority');
  return written ? [...publishTo, { path: ['release', 'authority'], name: release.authority }] : publishTo;
}

function shimUses({ bundle }: Product): Use[] {
  return Object.entries(bundle?.shims ?? {}).map(([path, name]) => ({ path: ['bundle', 'shims', path], name }));
}

function serviceUses({ bundle, services, data, env, upgrade }: Product): Use[] {
  return [
    ...(bundle?.validate ?? []).map(({ service }, index) => ({ path: ['bundle', 'validate', index, 'service'], name: service })),
    ...Object.keys(services).map((name) => ({ path: ['services', name], name })),
    ...Object.entries(data).flatMap(([item, { backup }]) =>
      backup === undefined ? [] : [{ path: ['data', item, 'backup', 'service'], name: backup.service }],
    ),
    ...upgrade.migrate.flatMap(({ service, needs }, index) => [
      { path: ['upgrade', 'migrate', index, 'service'], name: service },
      ...needs.map((name, at) => ({ path: ['upgrade', 'migrate', index, 'needs', at], name })),
    ]),
    ...upgrade.entry.map((name, index) => ({ path: ['upgrade', 'entry', index], name })),
    ...(upgrade.maintenance === undefined ? [] : [{ path: ['upgrade', 'maintenance'], name: upgrade.maintenance }]),
    ...Object.entries(env).flatMap(([name, { rotate }]) =>
      rotate === undefined ? [] : [{ path: ['env', name, 'rotate', 'service'], name: rotate.service }],
    ),
    ...upgrade.health.flatMap(({ service }, index) =>
      service === undefined ? [] : [{ path: ['upgrade', 'health', index, 'service'], name: service }],
    ),
  ];
}
