// Decides how a release that was made before Slipway becomes known to it. Rule: its archive stays byte for byte what it is; the manifest says what is in it, and claims nothing else.
import type { ChannelRelease } from '../model/channel.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type HostAddress, OPERATOR_ASSET } from '../model/host.ts';
import { MANIFEST_TYPE } from '../model/manifest.ts';
import type { Planned, Signing, Step } from '../model/plan.ts';
import type { Product } from '../model/product.ts';
import { publishedDiffers } from '../model/published.ts';
import { printUnsealed, sealManifest, type UnsealedManifest } from '../model/seal.ts';
import { composeImages } from './compose-images.ts';
import { hostAddresses, manifestFile } from './pack.ts';

export interface ImportWanted {
  readonly id: string;
  readonly version: string;
  readonly tag: string;
  readonly channel: string;
  /** The versions that could be upgraded to it. */
  readonly from: string;
  readonly signing: Signing;
}

export interface ImportFacts {
  readonly product: Product;
  /** The commit that the tag is on; null where there is none. */
  readonly commit: string | null;
  /** The archive's absolute path, and its own name. */
  readonly file: string;
  readonly name: string;
  readonly archive: {
    readonly size: number;
    readonly sha256: Digest;
    readonly tarSha256: Digest;
    /** By path, relative to the one top folder. */
    readonly files: readonly { readonly path: string; readonly executable: boolean; readonly size: number; readonly sha256: Digest }[];
    /** The text of its compose file. */
    readonly compose: string | undefined;
  };
  /** What the authority has of the version, and where from it can be had. */
  readonly published: PublishedImport | undefined;
}

export interface PublishedImport {
  readonly host: HostAddress;
  readonly release: ChannelRelease;
}

/** Nobody knows when it was made; the same archive gives the same manifest. */
const MADE = '1980-01-01T00:00:00Z';
/** What stands in the place of the operator program, which there was none of. */
const OPERATOR = `#!/usr/bin/env node
console.error('This release was made before its operator command: install a newer one.');
process.exit(3);
`;

/**
 * The plan that makes `dist/<tag>`: from the archive, or, when that archive is published already with a manifest of its time, from what is published.
 * Throws E_PUBLISHED_DIFFERS when the version is published with another archive.
 */
export function planImport(wanted: ImportWanted, facts: ImportFacts): Planned {
  const { id, tag, channel } = wanted;
  const manifest = printUnsealed(manifestOf(wanted, facts));
  const operator = digestOf(OPERATOR);
  const steps = stepsFor(wanted, facts, manifest);
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'release import',
    basedOn: digestOf(manifest),
    steps,
    commitAfter: steps.length === 1 ? 0 : -1, // what lay there before is not brought back
    notes: [`Then ${tag} is published in ${channel}, as a release that nobody is offered.`],
  } as const;
  const contents = new Map([
    [digestOf(manifest), { text: manifest }],
    [operator, { text: OPERATOR }],
  ]);
  return { plan, contents };
}

function stepsFor(wanted: ImportWanted, facts: ImportFacts, manifest: string): Step[] {
  const { version, tag, signing } = wanted;
  const { product, file, name, archive, published } = facts;
  if (published !== undefined && isOther(published.release, wanted, facts, manifest)) return fetching(published);
  const { size, sha256, tarSha256 } = archive;
  return [
    {
      kind: 'write-bundle',
      why: `${archive.files.length} files of ${name} get a signed manifest`,
      ...{ product: product.product, version, tag, out: 'dist', artifact: name, aliases: [], made: MADE },
      ...{ entries: [], folders: [], manifest: digestOf(manifest) },
      original: { file, size, sha256, tarSha256 },
      extra: [{ path: OPERATOR_ASSET, content: digestOf(OPERATOR), mode: 0o644 }],
      signing,
    },
  ];
}

/** True when this archive is published with another manifest: the product's description has changed since. */
function isOther(release: ChannelRelease, { tag }: ImportWanted, { archive }: ImportFacts, manifest: string): boolean {
  const ours = digestOf(sealManifest(manifest, archive.tarSha256));
  if (release.manifest === ours) return false;
  const isSame = release.imported === true && release.assets.some(({ sha256 }) => sha256 === archive.sha256);
  if (!isSame) throw publishedDiffers(release.tag, release.manifest, ours);
  if (release.tag === tag) return true;
  throw new ToolError('E_USAGE', `${release.version} is imported already, as ${release.tag}`, { hint: `Give --tag ${release.tag}.` });
}

function fetching({ host, release: { tag, assets } }: PublishedImport): Step[] {
  const to = `dist/${tag}`;
  return [
    { kind: 'drop-fetched', why: `${to} becomes what is published`, folder: to },
    { kind: 'fetch-release', why: `${assets.length} files of ${tag} as ${host.name} has them`, from: host, tag, assets, to },
  ];
}

function manifestOf({ version, tag, channel, from }: ImportWanted, { product, commit, name, archive }: ImportFacts): UnsealedManifest {
  const userOwned = product.bundle?.userOwned ?? [];
  const { pinned, unpinned } = archive.compose === undefined ? { pinned: [], unpinned: [] } : composeImages(archive.compose);
  return {
    type: MANIFEST_TYPE,
    ...{ product: product.product, title: product.title, cli: product.cli, version, tag, channel, commit, made: MADE },
    project: product.product,
    hosts: hostAddresses(product),
    operator: digestOf(OPERATOR),
    artifact: { name },
    requires: { ports: [], platforms: [] },
    files: archive.files.map((file) => manifestFile(file, userOwned)),
    images: pinned.map((image) => ({ ...image, platforms: [], size: 0 })), // nobody asks a registry about it
    ...{ folders: [], userOwned, hostPaths: [], features: {}, env: {}, validate: [] },
    ...{ services: product.services, data: product.data, backup: product.backup }, // an upgrade from it must find all data
    upgrade: { from, stop: false, migrate: [], entry: [], health: [], timeout: 120, probation: 0 },
    imported: true,
    ...(unpinned.length === 0 ? {} : { unpinned }),
  };
}
