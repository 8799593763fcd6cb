// `slipway check` across the whole product file. Rule: pure; what the file alone cannot tell comes in as facts.
import type { Probe } from '../model/description.ts';
import { imageTable } from '../model/image-table.ts';
import { planMirrorNames } from '../model/mirror.ts';
import { isRefused, lineOf, type Problem, type ProblemText, pathText, problemAt, sortProblems, withoutIgnored } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { VERSION_PLACE } from '../model/tag.ts';
import { parseVersion } from '../model/version.ts';
import { checkBuilds } from './build-check.ts';
import { checkData } from './check-data.ts';
import { checkEnv } from './check-env.ts';
import { checkExternal } from './check-external.ts';
import { checkFeatures } from './check-features.ts';
import { checkHomes } from './check-homes.ts';
import { checkMaintenance } from './check-maintenance.ts';
import { checkReferences } from './check-references.ts';
import { checkRelease } from './check-release.ts';
import { checkSecrets } from './check-secrets.ts';

export interface ProductFacts {
  /** The services of the compose file; undefined or empty when it could not be read. */
  readonly services?: readonly string[];
  /** The public key that belongs to the secret key at hand, as one line; undefined when there is no secret key. */
  readonly publicKey?: string;
  /** Those of `namedPaths` that are not there. */
  readonly missing?: readonly string[];
}

/** Everything that is wrong between the parts of the product file, without what `check.ignore` names. */
export function checkProduct(product: Product, facts: ProductFacts): Problem[] {
  const problems = [
    ...checkAssets(product),
    ...checkRelease(product),
    ...checkPublicKey(product, facts.publicKey),
    ...checkNextKey(product),
    ...checkImages(product),
    ...checkBuilds(product),
    ...checkProbes(product),
    ...checkBundleNames(product),
    ...checkEnv(product),
    ...checkHomes(product),
    ...checkSecrets(product),
    ...checkFeatures(product),
    ...checkExternal(product),
    ...checkMaintenance(product),
    ...checkData(product),
    ...checkReferences(product, facts),
  ];
  const placed = problems.map((problem) => problemAt(product.source, problem));
  return sortProblems(withoutIgnored(placed, product.ignore));
}

/** Groups of paths that differ only in upper and lower case: one file system in the world keeps only one of them. */
export function caseCollisions(paths: Iterable<string>): string[][] {
  const groups = new Map<string, Set<string>>();
  for (const path of paths) {
    const folded = path.normalize('NFC').toLowerCase();
    groups.set(folded, (groups.get(folded) ?? new Set()).add(path));
  }
  return [...groups.values()].filter((group) => group.size > 1).map((group) => [...group]);
}

const RELEASE_ASSETS = ['bundle.json', 'bundle.json.minisig', 'SHA256SUMS', 'SHA256SUMS.minisig', 'operator.js', 'install.sh'];
const BUNDLE_FILES = [
  'VERSION',
  'docker-compose.yml',
  'docker-compose.override.yml',
  '.env',
  '.env.example',
  'bundle.json',
  'bundle.json.minisig',
  '.slipway',
];

function checkAssets({ release }: Product): ProblemText[] {
  const problems: ProblemText[] = [];
  if (!release.artifact.includes(VERSION_PLACE)) {
    const message = `release.artifact: ${release.artifact} is the same for every version`;
    problems.push({ code: 'E_ARTIFACT', path: ['release', 'artifact'], message, hint: 'Put {version} into the file name.' });
  }
  const taken = new Set([...RELEASE_ASSETS, release.artifact].map((name) => name.toLowerCase()));
  for (const [index, alias] of release.aliases.entries()) {
    const folded = alias.toLowerCase();
    if (taken.has(folded)) {
      const message = `release.aliases: a release already has a file ${alias}`;
      problems.push({ code: 'E_DUPLICATE_ASSET', path: ['release', 'aliases', index], message, hint: 'Choose another file name.' });
    }
    taken.add(folded);
  }
  return problems;
}

function checkNextKey({ release: { publicKey, nextPublicKey } }: Product): ProblemText[] {
  if (nextPublicKey === undefined) return [];
  const path = ['release', 'nextPublicKey'];
  const hint = 'It is one line that starts with RW: `slipway keys show --key new.key` prints it.';
  if (!isKeyLine(keyLine(nextPublicKey))) {
    return [{ code: 'E_PUBLIC_KEY', path, message: 'release.nextPublicKey is not a minisign public key', hint }];
  }
  if (publicKey !== undefined && keyLine(publicKey) !== keyLine(nextPublicKey)) return [];
  return [
    {
      code: 'E_PUBLIC_KEY',
      path,
      message: 'release.nextPublicKey follows no other release.publicKey',
      hint: 'Name the present key as publicKey, or remove this line.',
    },
  ];
}

function checkPublicKey({ release }: Product, held: string | undefined): ProblemText[] {
  const path = ['release', 'publicKey'];
  if (release.publicKey === undefined) return [];
  const line = keyLine(release.publicKey);
  if (!isKeyLine(line)) {
    const hint = 'It is one line of 56 characters that begins with RW; `slipway keys show` prints yours.';
    return [{ code: 'E_PUBLIC_KEY', path, message: 'release.publicKey is not a minisign public key', hint }];
  }
  if (held === undefined || keyLine(held) === line) return [];
  const hint = 'Installs trust the public key alone: sign with the secret key that belongs to it.';
  return [{ code: 'E_KEY_MISMATCH', path, message: 'the secret key at hand does not belong to release.publicKey', hint }];
}

/** A public key as minisign prints it: base64 of 42 bytes, `Ed` first; a comment line before it is allowed. */
function isKeyLine(line: string): boolean {
  return /^RW[A-Za-z0-9+/]{54}$/.test(line);
}

function keyLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}

function checkImages(product: Product): ProblemText[] {
  const { registry, own, thirdParty } = product.images;
  const problems: ProblemText[] = [];
  if (registry === undefined && Object.keys(own).length > 0 && !isRefused(product.source, ['images', 'registry'])) {
    const hint = 'Set images.registry to the place that the bundle pulls from.';
    problems.push({ code: 'E_REGISTRY', path: ['images', 'own'], message: 'own images need a registry', hint });
  }
  if (product.images.registryVariable !== undefined && !/^[^/]*[.:]/.test(registry ?? '')) {
    const hint = 'Set images.registry with its host: it is what the variable stands for when nobody sets it.';
    problems.push({ code: 'E_REGISTRY', path: ['images', 'registryVariable'], message: 'images.registryVariable needs a registry', hint });
  }
  for (const image of thirdParty) {
    const path = ['images', 'thirdParty', image.group, image.index];
    const tagged = image.tags !== undefined || image.source.slice(image.source.lastIndexOf('/') + 1).includes(':');
    if (tagged || isRefused(product.source, path)) continue;
    const message = `${image.source} has no tag, so it would be whatever is newest`;
    problems.push({ code: 'E_IMAGE_TAG', path, message, hint: `Write the tag: ${image.source}:<tag>; or mirror many with \`tags\`.` });
  }
  return [...problems, ...duplicateImages(product), ...planMirrorNames(product).problems];
}

/** Two images of one name, or two names for one reference. */
function duplicateImages(product: Product): ProblemText[] {
  const own = Object.keys(product.images.own).map((name) => ['images', 'own', name]);
  const named = product.images.thirdParty.filter(({ tags }) => tags === undefined);
  const thirdParty = named.map(({ group, index }) => ['images', 'thirdParty', group, index]);
  const paths = [...own, ...thirdParty];
  const table = imageTable(product, parseVersion('1.0.0'));
  return table.flatMap((image, index): ProblemText[] => {
    const first = table.findIndex((other) => other.name === image.name || other.reference === image.reference);
    if (first === index) return [];
    const same =
      table[first]?.name === image.name
        ? `a second image named ${image.name}`
        : `${image.reference} is there already as ${table[first]?.name}`;
    const message = `${same} (the first: ${pathText(paths[first] ?? [])}, line ${lineOf(product.source, paths[first] ?? [])})`;
    return [
      { code: 'E_DUPLICATE_IMAGE', path: paths[index] ?? [], message, hint: 'Give one of them another name with `as`, or remove it.' },
    ];
  });
}

function checkProbes({ upgrade }: Product): ProblemText[] {
  return upgrade.health.flatMap((probe, index) => {
    const path = ['upgrade', 'health', index];
    const problem = probeProblem(probe);
    return problem === undefined ? [] : [{ code: 'E_PROBE' as const, path, ...problem }];
  });
}

function probeProblem(probe: Probe): { message: string; hint: string } | undefined {
  const kinds = [probe.http, probe.tcp, probe.service].filter((kind) => kind !== undefined);
  if (kinds.length !== 1) {
    const message = `a health probe names exactly one of http, tcp and service; this one names ${kinds.length === 0 ? 'none' : kinds.length}`;
    return { message, hint: 'Write one probe for each.' };
  }
  if ((probe.service === undefined) !== (probe.command === undefined)) {
    return { message: 'service and command belong together', hint: 'Name the service and the command that runs inside of it.' };
  }
  if (probe.http === undefined && (probe.status !== undefined || probe.json !== undefined)) {
    return { message: 'status and json are for http probes', hint: 'Remove them, or probe with http.' };
  }
  if (probe.refused && (probe.service !== undefined || probe.status !== undefined || probe.json !== undefined)) {
    return {
      message: 'refused means that nobody answers, so there is no answer to look at',
      hint: 'Remove refused, or what is expected of the answer.',
    };
  }
  return undefined;
}

/** The names of our own making that share the bundle's folder. */
function checkBundleNames({ cli, bundle }: Product): ProblemText[] {
  if (bundle === undefined) return [];
  const named: { path: (string | number)[]; name: string }[] = [
    ...BUNDLE_FILES.map((name) => ({ path: [], name })),
    { path: ['cli'], name: cli },
    ...Object.keys(bundle.shims).map((name) => ({ path: ['bundle', 'shims', name], name })),
    ...bundle.folders.map((name, index) => ({ path: ['bundle', 'folders', index], name: name.replace(/\/$/, '') })),
  ];
  return named.flatMap(({ path, name }, index): ProblemText[] => {
    const other = named.slice(0, index).find((earlier) => earlier.name.toLowerCase() === name.toLowerCase());
    if (other === undefined) return [];
    const message =
      other.name === name ? `the bundle already has a ${name}` : `${name} and ${other.name} differ only in upper and lower case`;
    return [{ code: 'E_NAME_TAKEN', path, message, hint: 'Choose another name.' }];
  });
}
