// bundle.json: what a release holds and needs (contract: slipway/bundle@1). Rule: signed, so canonical; unknown fields are kept by whoever stores it.
import {
  type BackupPolicy,
  type DataItem,
  type Feature,
  keep,
  parseBackupPolicy,
  parseDataItem,
  parseFeature,
  parseServiceCommand,
  parseServiceTraits,
  parseTexts,
  parseUpgradeRules,
  parseVariable,
  type ServiceCommand,
  type ServiceTraits,
  type UpgradeRules,
  type Variable,
} from './description.ts';
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { type HostFile, parseHostFile } from './host-file.ts';
import {
  parseCount,
  parseFields,
  parseJson,
  parseList,
  parseMap,
  parseMoment,
  parseOptional,
  parseRelativePath,
  parseText,
  parseType,
} from './parse.ts';
import { parseRequirements, type Requirements } from './requirements.ts';
import { parseRuntimeNeed, type RuntimeNeed } from './runtime.ts';
import { inOrder, parseOrder, type WrittenOrder } from './written-order.ts';

export const MANIFEST_TYPE = 'slipway/bundle@1';

/** One file of the bundle. `vendor` files are replaced and merged, `user` files are never touched after the first install. */
export interface ManifestFile {
  readonly path: string;
  /** Four octal digits, `0644` or `0755`. */
  readonly mode: string;
  readonly size: number;
  readonly sha256: Digest;
  readonly owner: 'vendor' | 'user';
}

export interface ManifestImage {
  readonly name: string;
  /** `registry/repository:tag`, without the digest. */
  readonly reference: string;
  readonly digest: Digest;
  readonly platforms: readonly string[];
  /** Compressed bytes of the largest platform. */
  readonly size: number;
  /** Of these, the bytes that no image before it in the list has; absent where that is not known, or all of them. */
  readonly added?: number;
  /** The release that it is of, where an install has it from another one. Never in bundle.json. */
  readonly version?: string;
}

export interface Manifest {
  readonly type: typeof MANIFEST_TYPE;
  readonly product: string;
  readonly title: string;
  readonly cli: string;
  readonly version: string;
  readonly tag: string;
  readonly channel: string;
  readonly commit: string | null;
  readonly made: string;
  /** The compose project name. */
  readonly project: string;
  readonly hosts: readonly string[];
  readonly operator: Digest;
  readonly artifact: { readonly name: string; readonly tarSha256: Digest };
  readonly requires: Requirements;
  readonly files: readonly ManifestFile[];
  /** Files that are rendered on the host; bundle.json lists them among the others, with the owner `host`. */
  readonly hostFiles?: readonly HostFile[];
  readonly folders: readonly string[];
  readonly userOwned: readonly string[];
  readonly hostPaths: readonly string[];
  readonly images: readonly ManifestImage[];
  /** The place that the product's images are pulled from; what lies below it keeps its path at a site's own registry. */
  readonly registry?: string;
  /** The variable of `.env` by which compose files name that place. */
  readonly registryVariable?: string;
  /** The images are private: whoever installs is asked for a login where docker's own does not suffice. */
  readonly login?: 'ask';
  readonly features: Readonly<Record<string, Feature>>;
  readonly env: Readonly<Record<string, Variable>>;
  readonly services: Readonly<Record<string, ServiceTraits>>;
  readonly data: Readonly<Record<string, DataItem>>;
  readonly backup: BackupPolicy;
  readonly upgrade: UpgradeRules;
  readonly validate: readonly ServiceCommand[];
  /** The order of `env` and `features`, where it is not that of their names. */
  readonly order?: WrittenOrder;
  /** The Node.js for hosts without a suitable one; absent where none was built. */
  readonly runtime?: RuntimeNeed;
  /** True for a release that was made before Slipway: known by its files, and never installed from here. */
  readonly imported?: true;
  /** Images of an imported release that nothing fixes to a digest. */
  readonly unpinned?: readonly UnpinnedImage[];
}

export interface UnpinnedImage {
  readonly name: string;
  readonly reference: string;
}

/** Parses the text of a bundle.json; throws E_WRONG_TYPE or E_FORMAT naming the field. */
export function parseManifest(text: string, where = 'bundle.json'): Manifest {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, MANIFEST_TYPE, where);
  const artifact = parseFields(f.artifact, `${where}: artifact`);
  const at = (key: string): string => `${where}: ${key}`;
  const order = parseOptional(f.order, at('order'), parseOrder);
  return {
    type: MANIFEST_TYPE,
    product: parseProductName(f.product, at('product')),
    title: parseText(f.title, at('title')),
    cli: parseFileName(f.cli, at('cli')),
    version: parseText(f.version, at('version')),
    tag: parseText(f.tag, at('tag')),
    channel: parseText(f.channel, at('channel')),
    commit: parseOptional(f.commit, at('commit'), parseText) ?? null,
    made: parseMoment(f.made, at('made')),
    project: parseProductName(f.project, at('project')),
    hosts: parseTexts(f.hosts, at('hosts')),
    operator: parseDigest(f.operator, at('operator')),
    artifact: {
      name: parseFileName(artifact.name, at('artifact.name')),
      tarSha256: parseDigest(artifact.tarSha256, at('artifact.tarSha256')),
    },
    requires: parseRequirements(f.requires, at('requires')),
    ...parseFiles(f.files, at('files')),
    folders: parseList(f.folders, at('folders'), parseRelativePath),
    userOwned: parseList(f.userOwned, at('userOwned'), parseRelativePath),
    hostPaths: parseTexts(f.hostPaths, at('hostPaths')),
    images: parseList(f.images, at('images'), parseManifestImage),
    ...keep({
      registry: parseOptional(f.registry, at('registry'), parseText),
      registryVariable: parseOptional(f.registryVariable, at('registryVariable'), parseText),
      login: f.login === 'ask' ? ('ask' as const) : undefined,
    }),
    features: inOrder(parseMap(f.features, at('features'), parseFeature), order?.features),
    env: inOrder(parseMap(f.env, at('env'), parseVariable), order?.env),
    services: parseMap(f.services, at('services'), parseServiceTraits),
    data: parseMap(f.data, at('data'), parseDataItem),
    backup: parseBackupPolicy(f.backup, at('backup')),
    upgrade: parseUpgradeRules(f.upgrade, at('upgrade')),
    validate: parseList(f.validate, at('validate'), parseServiceCommand),
    ...(order === undefined ? {} : { order }),
    ...(f.runtime === undefined ? {} : { runtime: parseRuntimeNeed(f.runtime, at('runtime')) }),
    ...(f.imported === true ? { imported: true as const } : {}),
    ...(f.unpinned === undefined ? {} : { unpinned: parseList(f.unpinned, at('unpinned'), parseUnpinned) }),
  };
}

/** A product name: `[a-z][a-z0-9-]*`, at most 63 characters; it names folders and the compose project. */
export function parseProductName(value: unknown, where: string): string {
  const text = parseText(value, where);
  if (/^[a-z][a-z0-9-]{0,62}$/.test(text)) return text;
  throw new ToolError('E_FORMAT', `${where}: ${JSON.stringify(text)} is not a product name ([a-z][a-z0-9-]*)`);
}

/** A plain file name: no folder, not hidden, nothing a shell or a person could misread. */
export function parseFileName(value: unknown, where: string): string {
  const text = parseText(value, where);
  if (/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/.test(text)) return text;
  throw new ToolError('E_FORMAT', `${where}: ${JSON.stringify(text)} is not a plain file name`);
}

function parseFiles(value: unknown, where: string): Pick<Manifest, 'files' | 'hostFiles'> {
  const parsed = parseList(value, where, (entry, at) =>
    parseFields(entry, at).owner === 'host' ? parseHostFile(entry, at) : parseManifestFile(entry, at),
  );
  const hostFiles = parsed.filter((file): file is HostFile => 'template' in file);
  const files = parsed.filter((file): file is ManifestFile => !('template' in file));
  const known = new Set(files.map(({ path }) => path));
  for (const { path, template } of hostFiles) {
    const wrong = known.has(path) ? `${path} is there twice` : known.has(template) ? undefined : `${template} is no file of the bundle`;
    if (wrong !== undefined) throw new ToolError('E_FORMAT', `${where}: ${wrong}`, { hint: 'Tell the vendor.' });
    known.add(path);
  }
  return hostFiles.length === 0 ? { files } : { files, hostFiles };
}

function parseManifestFile(value: unknown, where: string): ManifestFile {
  const f = parseFields(value, where);
  const mode = parseText(f.mode, `${where}.mode`);
  if (mode !== '0644' && mode !== '0755') throw new ToolError('E_FORMAT', `${where}.mode: expected 0644 or 0755`);
  const owner = f.owner ?? 'vendor';
  if (owner !== 'vendor' && owner !== 'user') {
    throw new ToolError('E_FORMAT', `${where}.owner: expected vendor, user or host`);
  }
  return {
    path: parseRelativePath(f.path, `${where}.path`),
    mode,
    size: parseCount(f.size, `${where}.size`),
    sha256: parseDigest(f.sha256, `${where}.sha256`),
    owner,
  };
}

/** One row of `images`; throws E_FORMAT naming the field. */
export function parseManifestImage(value: unknown, where: string): ManifestImage {
  const f = parseFields(value, where);
  return keep({
    name: parseText(f.name, `${where}.name`),
    reference: parseText(f.reference, `${where}.reference`),
    digest: parseDigest(f.digest, `${where}.digest`),
    platforms: parseTexts(f.platforms, `${where}.platforms`),
    size: parseCount(f.size, `${where}.size`),
    added: parseOptional(f.added, `${where}.added`, parseCount),
  });
}

function parseUnpinned(value: unknown, where: string): UnpinnedImage {
  const f = parseFields(value, where);
  return { name: parseText(f.name, `${where}.name`), reference: parseText(f.reference, `${where}.reference`) };
}
