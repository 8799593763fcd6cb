// slipway.yaml as a typed value. Rule: everything is normalised here (seconds, bytes, lists), so nobody past this point knows the file's shorthand.

import type { BuildRules, TagTable } from './build-rules.ts';
import type { CiRules } from './ci-rules.ts';
import type { BackupPolicy, DataItem, Feature, ServiceCommand, ServiceTraits, UpgradeRules, Variable } from './description.ts';
import type { HostAddress } from './host.ts';
import type { HostFile } from './host-file.ts';
import { type Ignored, type Path, type Problem, pathText, refuseProblems, type Source, sortProblems } from './problem.ts';
import { normaliseProduct } from './product-normal.ts';
import { refusalsOf } from './product-problems.ts';
import { productSchema, type RawProduct } from './product-schema.ts';
import type { Requirements } from './requirements.ts';
import type { ChannelRule, TagGrammar, VersionGrammar } from './tag.ts';
import type { SyncRules } from './train.ts';
import type { Version } from './version.ts';
import { readYaml } from './yaml-file.ts';

export interface Product {
  readonly product: string;
  readonly title: string;
  readonly cli: string;
  readonly release: ReleaseRules;
  /** Undefined when there is nothing to pack. */
  readonly bundle: BundleRules | undefined;
  readonly images: ImageRules;
  readonly features: Readonly<Record<string, Feature>>;
  readonly env: Readonly<Record<string, Variable>>;
  readonly requires: Requirements;
  readonly services: Readonly<Record<string, ServiceTraits>>;
  readonly data: Readonly<Record<string, DataItem>>;
  readonly backup: BackupPolicy;
  readonly upgrade: UpgradeRules;
  readonly ci: CiRules;
  readonly sync: SyncRules;
  readonly ignore: readonly Ignored[];
  readonly source: Source;
}

export interface ReleaseRules {
  /** The tag pattern, with one `{version}`. */
  readonly tag: string;
  /** What may stand for `{version}`. */
  readonly versions: VersionGrammar;
  /** Where the next version comes from. */
  readonly base: BaseRule;
  /** Grammars that came before: read, never written. */
  readonly formerTags: readonly FormerTag[];
  /** Further repositories that get the same tag: `owner/name` on the authority's forge, or what `git push` takes. */
  readonly repositories: readonly string[];
  /** The changelog file of a version, with `{base}` or `{version}`; undefined = there is none. */
  readonly notes: string | undefined;
  /** The bundle's file name, with `{version}`. */
  readonly artifact: string;
  readonly aliases: readonly string[];
  readonly channels: Readonly<Record<string, ChannelRules>>;
  /** Seconds that a channel file stays fresh; null = for ever. */
  readonly expires: number | null;
  /** The minisign public key; undefined for an unsigned product. */
  readonly publicKey: string | undefined;
  /** The key that is announced to follow it. */
  readonly nextPublicKey: string | undefined;
  readonly hosts: readonly ProductHost[];
  /** Names of hosts, in the order in which they are published to. */
  readonly publishTo: readonly string[];
  readonly authority: string;
  /** True when a published version may be replaced where the host can. */
  readonly allowReplace: boolean;
}

export interface ChannelRules extends ChannelRule {
  readonly branch?: string;
}

export interface FormerTag extends TagGrammar {
  readonly artifact?: string;
}

/** A key of a JSON file, a file that holds a version and nothing else, or the highest tag. Paths start at the product file's folder. */
export type BaseRule =
  | { readonly kind: 'json'; readonly path: string; readonly key: readonly string[] }
  | { readonly kind: 'text'; readonly path: string }
  | { readonly kind: 'git' };

/** A release host as written: a relative `path` of a folder starts at the product file's folder. */
export type ProductHost = HostAddress;

/** What the bundle is made of; paths start at the product file's folder. */
export interface BundleRules {
  readonly compose: readonly string[];
  readonly env: string | undefined;
  readonly files: readonly { readonly from: string; readonly to: string; readonly exclude: readonly string[] }[];
  /** Rendered on the host; `template` is a file of the bundle, or one of the product's folder that goes there under the same path. */
  readonly hostFiles: readonly HostFile[];
  readonly validate: readonly ServiceCommand[];
  readonly folders: readonly string[];
  readonly userOwned: readonly string[];
  readonly hostPaths: readonly string[];
  /** Path in the bundle → operator command. */
  readonly shims: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface ImageRules {
  /** `registry/path` that the bundle pulls from; undefined = third-party images come from upstream. */
  readonly registry: string | undefined;
  /** False: third-party images come from upstream all the same. */
  readonly mirror: boolean;
  /** The variable by which compose files name `registry`, so that a site may use its own. */
  readonly registryVariable: string | undefined;
  /** `ask`: whoever installs is asked for the registry's login. */
  readonly login: 'none' | 'ask';
  readonly own: Readonly<Record<string, OwnImage>>;
  readonly thirdParty: readonly ThirdPartyImage[];
  readonly tags: TagTable;
  /** The last part of `registry` for a branch's images, with `{namespace}` and `{branch}`. */
  readonly branchNamespace: string;
}

export interface OwnImage {
  readonly repository: string;
  /** A tag in which `{version}` stands for the version. */
  readonly tag: string;
  readonly platforms: readonly string[];
  /** The pattern of the image's own git tags, if it has any. */
  readonly release?: string;
  /** The version that a bundle has of it, where it is not the bundle's own. */
  readonly version?: Version;
  /** Names of own images that it is built from. */
  readonly needs: readonly string[];
  /** True when it is built only when it is named. */
  readonly optIn: boolean;
  /** Undefined when it is built elsewhere. */
  readonly build?: BuildRules;
}

export interface ThirdPartyImage {
  readonly name: string;
  readonly source: string;
  readonly group: string;
  /** Its place in the list of the group. */
  readonly index: number;
  /** The tags to mirror, where it is not the one of `source`; such an image has no one reference that a bundle could name. */
  readonly tags?: readonly string[];
  /** What the tags are called at the destination, in their order. */
  readonly asTags?: readonly string[];
  /** The platforms to mirror; all where absent. */
  readonly platforms?: readonly string[];
  /** Further registries to mirror to. */
  readonly to?: readonly string[];
}

export interface ParsedProduct {
  /** There even with errors wherever the rest could be read, so that cross checks report at once; only `readProduct` may be packed from. */
  readonly product: Product | undefined;
  readonly problems: readonly Problem[];
}

/** Parses slipway.yaml; all problems at once, each with its line. `file` is only named in them. */
export function parseProduct(text: string, file: string): ParsedProduct {
  const yaml = readYaml(text, file);
  const problems = [...yaml.problems];
  if (yaml.value === undefined) return { product: undefined, problems };
  const { raw, refused, refusals } = readSchema(yaml.value, yaml.source);
  problems.push(...refusals);
  const source = { ...yaml.source, refused: new Set(refused.map(pathText)) };
  return { product: raw === undefined ? undefined : normaliseProduct(raw, source), problems: sortProblems(problems) };
}

/** Parses slipway.yaml; throws E_CONFIG (E_NOT_SUPPORTED) with all problems in the details when there is any error. */
export function readProduct(text: string, file: string): Product {
  const { product, problems } = parseProduct(text, file);
  refuseProblems(problems);
  if (product === undefined) throw new Error(`${file} gave neither a product nor a problem`);
  return product;
}

interface SchemaReading {
  readonly raw: RawProduct | undefined;
  readonly refused: readonly Path[];
  readonly refusals: readonly Problem[];
}

/** Parses by the schema; what it refuses is left out and the rest read again, so that nothing hides behind the first problem. */
function readSchema(value: unknown, source: Source): SchemaReading {
  const rest: unknown = structuredClone(value);
  const refused: Path[] = [];
  let refusals: readonly Problem[] | undefined;
  for (let round = 0; round < 10; round++) {
    const parsed = productSchema.safeParse(rest);
    if (parsed.success) return { raw: parsed.data, refused, refusals: refusals ?? [] };
    const found = refusalsOf(parsed.error.issues, productSchema, { value: rest, source });
    refusals ??= found.map(({ problem }) => problem);
    const removed = found.map(({ problem, remove }) => (problem.code === 'E_UNKNOWN_KEY' ? remove : wholeList(remove)));
    if (removed.some((path) => path.length === 0)) break;
    for (const path of removed) removeAt(rest, path);
    refused.push(...removed);
  }
  return { raw: undefined, refused, refusals: refusals ?? [] };
}

/** The path up to its first list: an item taken out would shift the lines of the others. */
function wholeList(path: Path): Path {
  const index = path.findIndex((part) => typeof part === 'number');
  return index < 0 ? path : path.slice(0, index);
}

function removeAt(value: unknown, path: Path): void {
  const holder = path.slice(0, -1).reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
  if (typeof holder === 'object' && holder !== null) delete (holder as Record<string | number, unknown>)[path.at(-1) ?? ''];
}
