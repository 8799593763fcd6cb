// Which product a maintainer's command means. Rule: --config, else slipway.yaml in the current folder; all relative paths in it start at its folder.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemCode, ToolError } from '../../model/error.ts';
import { addressOf, type HostAddress } from '../../model/host.ts';
import { nearest } from '../../model/near.ts';
import { type Product, readProduct } from '../../model/product.ts';
import { versionOfTag } from '../../model/tag.ts';
import { parseVersion, type Version } from '../../model/version.ts';
import type { Checkout } from '../../observe/checkout.ts';
import { type Context, type FlagTable, textFlag, textFlags } from '../command.ts';

export const PRODUCT_FLAGS = {
  config: { type: 'string', value: 'FILE', help: 'the product file (default slipway.yaml)' },
} as const satisfies FlagTable;

export const HOST_FLAGS = {
  to: { type: 'string', value: 'HOST', multiple: true, help: 'a host of release.hosts (default release.publishTo)' },
} as const satisfies FlagTable;

export interface ProductFile {
  readonly product: Product;
  /** The folder of the product file; absolute. */
  readonly root: string;
}

export interface TagAndVersion {
  readonly tag: string;
  readonly version: Version;
}

/** Reads the product file. Throws E_CONFIG with all its problems. */
export async function readProductFile(context: Context): Promise<ProductFile> {
  const named = textFlag(context.flags, 'config') ?? 'slipway.yaml';
  const file = resolve(named);
  return { product: readProduct(await readText(file, named), named), root: dirname(file) };
}

/** The tag of --tag, else the one on HEAD that is of the product's grammar. Throws E_USAGE. */
export function chooseTag(context: Context, product: Product, checkout: Checkout): TagAndVersion {
  const pattern = product.release.tag;
  const given = textFlag(context.flags, 'tag');
  const tags = (given === undefined ? checkout.tags : [given]).flatMap((tag): TagAndVersion[] => {
    const version = versionOfTag(product.release, tag);
    return version === undefined ? [] : [{ tag, version }];
  });
  const [only, second] = tags;
  if (only !== undefined && second === undefined) return only;
  if (given !== undefined)
    throw new ToolError('E_USAGE', `${given} is not a tag of the form ${pattern}`, { hint: 'See `release.tag` in the product file.' });
  const why =
    only === undefined
      ? `there is no tag of the form ${pattern} on HEAD`
      : `there are several tags on HEAD: ${tags.map(({ tag }) => tag).join(', ')}`;
  throw new ToolError('E_USAGE', why, { hint: 'Name one with --tag.' });
}

/** Where a release goes: the host that decides, and the hosts that --to or `release.publishTo` name, the deciding one first. */
export interface ReleaseHosts {
  readonly authority: HostAddress;
  readonly targets: readonly HostAddress[];
}

/** Throws E_CONFIG for a host that is not declared. */
export function chooseHosts(context: Context, file: ProductFile): ReleaseHosts {
  const { publishTo, authority } = file.product.release;
  const given = textFlags(context.flags, 'to');
  const names = [...new Set(given.length > 0 ? given : publishTo)];
  const ordered = [...names.filter((name) => name === authority), ...names.filter((name) => name !== authority)];
  return { authority: hostNamed(authority, file), targets: ordered.map((name) => hostNamed(name, file)) };
}

/** The host of this name. Throws E_CONFIG for one that is not declared. */
export function hostNamed(name: string, { product, root }: ProductFile): HostAddress {
  const { hosts } = product.release;
  const host = hosts.find((each) => each.name === name);
  if (host !== undefined) return addressOf(host, root);
  const names = hosts.map((each) => each.name);
  const near = nearest(name, names);
  const hint = `${near === undefined ? '' : `Did you mean ${near}? `}Known: ${names.join(', ') || 'none; add one under `release.hosts`'}.`;
  throw new ToolError('E_CONFIG', `there is no release host ${JSON.stringify(name)}`, { hint });
}

async function readText(file: string, named: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw new ToolError('E_CONFIG', `cannot read ${named} (${systemCode(cause)})`, { cause });
    throw new ToolError('E_CONFIG', `there is no ${named} here`, {
      cause,
      hint: 'Go to the product’s folder, or name its file with --config.',
    });
  }
}

/** A release of no version, for what can be known before there is one. */
export const ANY_RELEASE = { version: parseVersion('0.0.0'), tag: 'v0.0.0', channel: 'stable' } as const;
