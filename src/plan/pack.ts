// Decides what a release's folder holds. Rule: the manifest says it all but the archive's own hash; the step only writes what the manifest says.

import { keep } from '../model/description.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { OPERATOR_ASSET, publicLocation } from '../model/host.ts';
import type { ResolvedImage } from '../model/image.ts';
import { printTagged } from '../model/image.ts';
import { MANIFEST_TYPE, type ManifestFile, type ManifestImage } from '../model/manifest.ts';
import type { Content, Planned, Signing, Step } from '../model/plan.ts';
import type { BundleRules, Product } from '../model/product.ts';
import { OPERATOR_NODE, type RuntimeSet } from '../model/runtime.ts';
import { printUnsealed, type UnsealedManifest } from '../model/seal.ts';
import type { OperatorProgram } from '../model/source-file.ts';
import { VERSION_PLACE } from '../model/tag.ts';
import type { BundleEntry } from '../model/to-publish.ts';
import { writtenOrder } from '../model/written-order.ts';
import type { BundleItem } from './bundle-items.ts';
import { addedBytes } from './image-parts.ts';
import type { ReleaseName } from './render-bundle.ts';

export interface PackWanted extends ReleaseName {
  readonly id: string;
  /** The folder of packed releases, relative to the root, or absolute. */
  readonly out: string;
  readonly signing: Signing;
}

export interface PackFacts {
  readonly product: Product;
  readonly commit: string | null;
  /** The time of every entry, and what the manifest says of itself. */
  readonly made: string;
  readonly items: readonly BundleItem[];
  readonly images: readonly ResolvedImage[];
  readonly operator: OperatorProgram;
  /** install.sh, rendered for this release. */
  readonly installer: string;
  /** What hosts without a suitable Node.js fetch; install.sh names the same. */
  readonly runtimes?: RuntimeSet | undefined;
  /** What lies in the release's folder: its unsealed manifest, `broken` when it is not whole, undefined when there is nothing. */
  readonly packed: string | 'broken' | undefined;
}

/** The plan; without steps when the release is packed already, for its compressed bytes are made once. */
export function planPack(wanted: PackWanted, facts: PackFacts): Planned {
  const { id, tag, out } = wanted;
  const manifest = printUnsealed(manifestOf(wanted, facts));
  const write = writeStep(wanted, facts, digestOf(manifest));
  const replaced: Step[] =
    facts.packed === undefined ? [] : [{ kind: 'remove-paths', why: 'what was packed there before', paths: [replacedPath(out, id)] }];
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'pack',
    basedOn: digestOf(`${manifest}\n${facts.packed ?? ''}`),
    steps: facts.packed === manifest ? [] : [write, ...replaced],
    commitAfter: 0,
    notes: notesOf(wanted, facts, tag),
  } as const;
  return { plan, contents: contentsOf(facts, manifest) };
}

/** Where the folder that a pack replaces lies until the new one is in its place. */
export function replacedPath(out: string, planId: string): string {
  return `${out}/.slipway-tmp-${planId}-before`;
}

/** The text of an artifact's or alias's name for a version. */
export function assetNameOf(pattern: string, version: string): string {
  return pattern.replaceAll(VERSION_PLACE, () => version);
}

/** The manifest of the release. What is listed has an order of its own, so that the same product gives the same text. */
export function manifestOf({ version, tag, channel }: ReleaseName, facts: PackFacts): UnsealedManifest {
  const { product, commit, made, items, operator, images, runtimes } = facts;
  const bundle = bundleOf(product);
  return {
    type: MANIFEST_TYPE,
    product: product.product,
    title: product.title,
    cli: product.cli,
    version,
    tag,
    channel,
    commit,
    made,
    project: product.product,
    hosts: hostAddresses(product),
    operator: operator.sha256,
    artifact: { name: assetNameOf(product.release.artifact, version) },
    requires: product.requires,
    files: items.map((item) => manifestFile(item, bundle.userOwned)),
    ...(bundle.hostFiles.length === 0 ? {} : { hostFiles: bundle.hostFiles }),
    folders: bundle.folders.map((path) => path.replace(/\/$/, '')),
    userOwned: bundle.userOwned,
    hostPaths: bundle.hostPaths,
    images: manifestImages(images),
    ...registryFields(product.images),
    features: product.features,
    env: product.env,
    services: product.services,
    data: product.data,
    backup: product.backup,
    upgrade: product.upgrade,
    validate: bundle.validate,
    ...writtenOrder(product.env, product.features),
    ...(runtimes === undefined ? {} : { runtime: { needs: OPERATOR_NODE, files: runtimes.files } }),
  };
}

/** Where the product is published, in order: addresses, and folders that are the same wherever the product is packed. */
export function hostAddresses({ release }: Product): string[] {
  return release.publishTo.flatMap((name) => {
    const host = release.hosts.find((each) => each.name === name);
    const location = host && publicLocation(host);
    return location === undefined ? [] : [location];
  });
}

function writeStep(
  wanted: PackWanted,
  { product, made, items, operator, installer, images }: PackFacts,
  manifest: Digest,
): Step<'write-bundle'> {
  const artifact = assetNameOf(product.release.artifact, wanted.version);
  return {
    kind: 'write-bundle',
    why: `${items.length} files and ${images.length} image digests become ${artifact}`,
    product: product.product,
    version: wanted.version,
    tag: wanted.tag,
    out: wanted.out,
    artifact,
    aliases: product.release.aliases.map((alias) => assetNameOf(alias, wanted.version)),
    made,
    entries: items.map(entryOf),
    folders: bundleOf(product).folders.map((path) => path.replace(/\/$/, '')),
    manifest,
    extra: [
      { path: OPERATOR_ASSET, content: operator.sha256, mode: 0o644 },
      { path: 'install.sh', content: digestOf(installer), mode: 0o755 },
    ],
    signing: wanted.signing,
  };
}

function entryOf({ path, executable, size, sha256, from }: BundleItem): BundleEntry {
  const entry = { path, mode: executable ? 0o755 : 0o644, size, sha256 };
  return 'file' in from ? { ...entry, file: from.file } : entry;
}

function contentsOf({ items, operator, installer }: PackFacts, manifest: string): ReadonlyMap<Digest, Content> {
  const texts = items.flatMap(({ sha256, from }): [Digest, Content][] => ('text' in from ? [[sha256, { text: from.text }]] : []));
  return new Map<Digest, Content>([
    ...texts,
    [operator.sha256, { file: operator.file }],
    [digestOf(installer), { text: installer }],
    [digestOf(manifest), { text: manifest }],
  ]);
}

/** A file of the bundle, and whose it is. */
export function manifestFile(
  { path, executable, size, sha256 }: Pick<BundleItem, 'path' | 'executable' | 'size' | 'sha256'>,
  userOwned: readonly string[],
): ManifestFile {
  const isUsers = userOwned.some((owned) => path === owned || path.startsWith(`${owned.replace(/\/$/, '')}/`));
  return { path, mode: executable ? '0755' : '0644', size, sha256, owner: isUsers ? 'user' : 'vendor' };
}

/** What installs must know of the registry: with a flat one the names of the images are enough. */
function registryFields({
  registry,
  registryVariable,
  login,
  own,
}: Product['images']): Pick<UnsealedManifest, 'registry' | 'registryVariable' | 'login'> {
  const isFlat = Object.values(own).every(({ repository }) => !repository.includes('/'));
  if (registryVariable === undefined && login === 'none' && isFlat) return {};
  return keep({ registry, registryVariable, login: login === 'ask' ? login : undefined });
}

function manifestImages(images: readonly ResolvedImage[]): ManifestImage[] {
  const added = addedBytes(images);
  return images.map(({ name, reference, digest, platforms, size }, index) =>
    keep({ name, reference: printTagged(reference), digest, platforms, size, added: added[index] }),
  );
}

function bundleOf({ bundle }: Product): BundleRules {
  if (bundle === undefined) throw new Error('a product without a bundle is not packed');
  return bundle;
}

function notesOf({ signing, out }: PackWanted, { packed, commit }: PackFacts, tag: string): readonly string[] {
  const unsigned = signing.publicKey === null ? [UNSIGNED] : [];
  const replaces = packed === undefined ? [] : [`${out}/${tag} holds something else now, and is replaced.`];
  const nowhere = commit === null ? ['There is no commit to name: this is no git repository.'] : [];
  return [...unsigned, ...replaces, ...nowhere];
}

export const UNSIGNED = 'This bundle is NOT SIGNED: whoever installs it cannot tell it from a forged one.';
