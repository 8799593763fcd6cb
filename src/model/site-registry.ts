// A site's own registry instead of the product's. Rule: only where images come from changes, never their digests; what was signed stays beside what is used.
import { type Digest, digestOf } from './digest.ts';
import { isToolError, ToolError } from './error.ts';
import { type ImageHome, imageName, parseImageHome, parseImageRef, printTagged, rehomeImage } from './image.ts';
import type { Manifest, ManifestImage } from './manifest.ts';

/** The one compose file of a bundle. */
export const COMPOSE_FILE = 'docker-compose.yml';

/** A release as a site uses it. */
export interface SiteRelease {
  readonly manifest: Manifest;
  /** As it was signed; the same object where nothing differs. */
  readonly shipped: Manifest;
  /** The compose file, when it is not the shipped one. */
  readonly compose?: { readonly digest: Digest; readonly text: string };
}

/** Parses `HOST/PATH`; empty text is none. Throws E_USAGE. */
export function parseSiteRegistry(text: string, where: string): string | null {
  const plain = text.trim().replace(/\/+$/, '');
  if (plain === '') return null;
  try {
    const { registry, path } = parseImageHome(plain, where);
    if (/[.:]|^localhost$/.test(plain.split('/')[0] ?? '')) return path === '' ? registry : `${registry}/${path}`;
  } catch (error) {
    if (!isToolError(error, 'E_FORMAT')) throw error;
  }
  throw new ToolError('E_USAGE', `${where}: ${JSON.stringify(plain)} is not a registry with a path`, {
    hint: 'Write it as registry.site.example/acme, without https:// and without a tag.',
  });
}

/** Where the images of an install come from: what its variable says, where the release has one, else what was written down; null = the product's own. */
export function siteRegistry(manifest: Manifest, values: ReadonlyMap<string, string>, recorded: string | null): string | null {
  const { registryVariable: name } = manifest;
  const registry = name === undefined ? recorded : parseSiteRegistry(values.get(name) ?? '', name);
  return registry === manifest.registry ? null : registry;
}

/** The release with its images at the site's registry; `compose` is its compose file as it was shipped. */
export function rehomeRelease(shipped: Manifest, compose: string, registry: string | null): SiteRelease {
  if (registry === null) return { manifest: shipped, shipped };
  const to = parseImageHome(registry, 'registry');
  const from = shipped.registry === undefined ? undefined : parseImageHome(shipped.registry, 'registry');
  const images = shipped.images.map((image) => ({ ...image, reference: rehomedReference(image, to, from) }));
  if (shipped.registryVariable !== undefined) return { manifest: { ...shipped, images }, shipped };
  const text = shipped.images.reduce((all, image, index) => withImage(all, image, images[index]?.reference ?? ''), compose);
  const digest = digestOf(text);
  const files = shipped.files.map((file) =>
    file.path === COMPOSE_FILE ? { ...file, sha256: digest, size: Buffer.byteLength(text) } : file,
  );
  return { manifest: { ...shipped, images, files }, shipped, compose: { digest, text } };
}

/** What a plan must know to keep the compose file as it was shipped. */
export function shippedComposeOf({ shipped, compose }: SiteRelease): { readonly shippedCompose?: Digest } {
  const file = shipped.files.find(({ path }) => path === COMPOSE_FILE);
  return compose === undefined || file === undefined ? {} : { shippedCompose: file.sha256 };
}

/** Below the product's registry the path is kept; an image from elsewhere has its name in the product, as `images mirror` gives it. */
function rehomedReference({ reference, name }: ManifestImage, to: ImageHome, from: ImageHome | undefined): string {
  const ref = parseImageRef(reference, 'image');
  const rehomed = rehomeImage(ref, to, from);
  const isBelow =
    from !== undefined && ref.registry === from.registry && `${ref.repository}/`.startsWith(from.path === '' ? '' : `${from.path}/`);
  if (from === undefined || isBelow || name === imageName(ref)) return printTagged(rehomed);
  return printTagged(rehomeImage({ ...ref, repository: name.toLowerCase() }, to));
}

/** Both name the digest, so that nothing else can be meant. */
function withImage(text: string, { reference, digest }: ManifestImage, rehomed: string): string {
  return text.replaceAll(`${reference}@${digest}`, () => `${rehomed}@${digest}`);
}
