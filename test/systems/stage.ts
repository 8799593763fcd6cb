// The products of this folder as their maintainers have them: each in a checkout of its own, its registries and forges in this process. Rule: files are as
// they are here, but for the addresses of registries and forges, and the key that signs.
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command, CommandResult, Flags } from '../../src/commands/command.ts';
import { images } from '../../src/commands/slipway/images.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { imageTable, type TableImage } from '../../src/model/image-table.ts';
import { type Manifest, parseManifest } from '../../src/model/manifest.ts';
import { type Product, readProduct } from '../../src/model/product.ts';
import type { World } from '../../src/model/seams.ts';
import { parseVersion } from '../../src/model/version.ts';
import { runProgram } from '../../src/world/run.ts';
import { git, gitEnvironment } from '../fakes/git-workspace.ts';
import type { FakeRegistry } from '../fakes/registry.ts';
import { entryOf, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { type Keys, makeKeys, quietWorld } from '../fakes/release-builder.ts';
import { OPERATOR_TEXT } from '../fakes/slipway-program.ts';

/** Every product file of the five systems, by its folder. */
export const PRODUCTS = [
  'changemaker',
  ...['ctms/devops', 'ctms/web', 'ctms/data-pipeline', 'ctms/docs'],
  ...['essensys/gateway', 'essensys/backend'],
  'metaboost',
  ...['labnow/images', 'labnow/mirror'],
] as const;
export type SystemName = (typeof PRODUCTS)[number];

export interface Surroundings {
  /** Where all registries of the product file are. */
  readonly registry: Pick<FakeRegistry, 'host'>;
  /** Where its forge is, or a folder that releases go to instead; by default nobody answers. */
  readonly forge?: string;
}

export interface System {
  readonly root: string;
  readonly product: Product;
  readonly keys: Keys;
  /** The file of the operator program that its bundles have. */
  readonly operator: string;
  readonly run: (command: Command, flags?: Flags, positionals?: readonly string[], world?: Partial<World>) => Promise<CommandResult>;
  /** Puts a change into the checkout and commits it. */
  readonly commit: (files?: Readonly<Record<string, string>>) => Promise<void>;
}

const NOBODY = 'http://127.0.0.1:9';
/** Names of registries, but not where a forge is. */
const REGISTRIES =
  /(?<![/\w.-])((?:docker\.io|ghcr\.io|quay\.io|lscr\.io|gcr\.io|gitea\.bnkops\.com|registry\.cn-[a-z]+\.aliyuncs\.com)\/)/g;

/** The text of a product file, as it is in this folder. */
export function productText(name: SystemName): Promise<string> {
  return readFile(join(import.meta.dirname, name, 'slipway.yaml'), 'utf8');
}

/** Checks a product out, with its registries at `registry`, below the names that they have in the world. */
export async function openSystem(name: SystemName, { registry, forge }: Surroundings): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-system-'));
  const [root, operator, keys] = [join(folder, 'checkout'), join(folder, 'operator.js'), makeKeys()];
  await cp(join(import.meta.dirname, name), root, { recursive: true });
  await writeFile(operator, OPERATOR_TEXT);
  const text = await productText(name);
  const moved = moveForge(text.replace(REGISTRIES, `${registry.host}/$1`), forge).replace(
    /^release:\n/m,
    `release:\n  publicKey: ${keys.publicKey}\n`,
  );
  await writeFile(join(root, 'slipway.yaml'), moved);
  await writeFile(join(root, '.gitignore'), 'dist/\n.slipway/\n');
  if (name === 'ctms/devops') await moveCompose(join(root, 'docker-compose.yml'), registry.host);
  git(root, 'init', '-q', '-b', 'main');
  const commit: System['commit'] = async (files = {}) => {
    for (const [path, content] of Object.entries(files)) await writeFile(join(root, path), content);
    git(root, 'add', '-A');
    git(root, 'commit', '-q', '--allow-empty', '-m', 'change');
  };
  await commit();
  const env = {
    ...gitEnvironment,
    SLIPWAY_SECRET_KEY: keys.secretKeyText,
    SLIPWAY_OPERATOR: operator,
    SLIPWAY_RUNTIMES: '',
    GITEA_REGISTRY_API_TOKEN: 'good-token',
  };
  const run: System['run'] = (command, flags = {}, positionals = [], world = {}) =>
    command.run({
      world: quietWorld({ env, run: runProgram, ...world }),
      flags: { config: join(root, 'slipway.yaml'), ...('yes' in command.flags ? { yes: true } : {}), ...flags },
      positionals,
      program: 'slipway',
      file: join(import.meta.dirname, '../../src/main.ts'),
    });
  return { root, product: readProduct(moved, 'slipway.yaml'), keys, operator, run, commit };
}

/** Puts every image of a version into the registry but those that are built only when they are named, for all platforms; gives the table. */
export async function pushTable(system: System, registry: FakeRegistry, version: string): Promise<TableImage[]> {
  const { own } = system.product.images;
  const table = imageTable(system.product, parseVersion(version)).filter(({ name }) => own[name]?.optIn !== true);
  for (const { reference, platforms } of table) await pushReference(registry, reference, platforms);
  return table;
}

/** A release as the maintainer makes it: images, lock, commit, publish. Gives what its bundle says; `before` is called with the commit. */
export async function releaseOf(
  system: System,
  registry: FakeRegistry,
  tag: string,
  before: (commit: string) => void = () => {},
): Promise<Manifest> {
  await pushTable(system, registry, tag.replace(/^.*v\.?/i, ''));
  await system.run(images, {}, ['lock']);
  await system.commit();
  before(git(system.root, 'rev-parse', 'HEAD'));
  const { fields } = await system.run(publish, { tag });
  const hosts = fields.hosts as readonly { readonly outcome: string }[];
  if (hosts.some(({ outcome }) => outcome !== 'published')) throw new Error(JSON.stringify(hosts));
  return parseManifest(await readFile(join(system.root, 'dist', tag, 'bundle.json'), 'utf8'));
}

/** Puts one image into the registry, its content made of its name. */
export async function pushReference(registry: FakeRegistry, reference: string, platforms: readonly string[] = []): Promise<string> {
  const [, repository = '', tag = ''] = /^[^/]+\/(.+):([^:]+)$/.exec(reference) ?? [];
  const architectures = (platforms.length === 0 ? ['linux/amd64', 'linux/arm64'] : platforms).map((each) => each.replace('linux/', ''));
  const entries: Record<string, unknown>[] = [];
  for (const architecture of architectures) {
    const pushed = await pushImage(registry, repository, { architecture, layers: [`${repository} ${tag} ${architecture}`] });
    entries.push(entryOf(pushed, { os: 'linux', architecture }));
  }
  return (await pushIndex(registry, repository, { tag, entries })).digest;
}

/** What a packed archive holds, path by path. */
export function listArchive(file: string): string[] {
  return execFileSync('tar', ['-tzf', file]).toString().trim().split('\n');
}

/** A file of a packed archive. */
export function readArchived(file: string, path: string): string {
  return execFileSync('tar', ['-xzOf', file, path]).toString();
}

/** The forges of this process have one repository; a folder takes the forge's place. */
function moveForge(text: string, forge: string | undefined): string {
  if (forge?.startsWith('/')) return text.replace(/\{ type: (?:github|gitea), [^}]*\}/, `{ type: folder, path: ${forge} }`);
  const url = `url: "${forge ?? NOBODY}"`;
  const moved = text.replace('type: github,', `type: github, ${url},`).replace('url: "https://gitea.bnkops.com"', url);
  return forge === undefined ? moved : moved.replace(/repository: [\w.-]+\/[\w.-]+, token/, 'repository: acme/acme, token');
}

/** Docker Hub's short names, too, are names in the registry of this process. */
async function moveCompose(file: string, host: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const full = (name: string): string => `docker.io/${name.includes('/') ? name : `library/${name}`}`;
  await writeFile(
    file,
    text.replace(/image: (\S+)/g, (_, name: string) => `image: ${host}/${full(name)}`),
  );
}
