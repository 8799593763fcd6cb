// Services on images of another release than the one that is installed. Rule: the record names each of them; what was signed stays beside what is used.
import { withServiceImages } from './compose-image.ts';
import { type Digest, digestOf, parseDigest } from './digest.ts';
import { type Manifest, type ManifestImage, parseManifestImage } from './manifest.ts';
import { parseFields, parseMap, parseText } from './parse.ts';
import { COMPOSE_FILE, rehomeRelease, type SiteRelease } from './site-registry.ts';

/** A service, and the image that it has from another release. */
export interface MixedService {
  /** The release that the image is of. */
  readonly version: string;
  /** As the compose file names it, before a site's own registry counts. */
  readonly image: string;
  readonly row: ManifestImage;
}

/** What install.json says of such an install. */
export interface Mixed {
  /** The digest of the compose file with these images, before a site's own registry counts. */
  readonly compose: Digest;
  /** By their names. */
  readonly services: Readonly<Record<string, MixedService>>;
}

/** Parses what install.json says; throws E_FORMAT. */
export function parseMixed(value: unknown, where: string): Mixed {
  const f = parseFields(value, where);
  return { compose: parseDigest(f.compose, `${where}.compose`), services: parseMap(f.services, `${where}.services`, parseService) };
}

function parseService(value: unknown, where: string): MixedService {
  const f = parseFields(value, where);
  return {
    version: parseText(f.version, `${where}.version`),
    image: parseText(f.image, `${where}.image`),
    row: parseManifestImage(f.row, `${where}.row`),
  };
}

/** A compose file as it was shipped, with these services mixed. */
export function mixServices(compose: string, services: Mixed['services']): Mixed {
  return { compose: digestOf(withServiceImages(compose, imagesOf(services))), services };
}

/** What makes a release other than it was signed; a record has both. */
export interface SiteChoice {
  /** Null = the product's own. */
  readonly registry: string | null;
  readonly mixed?: Mixed | undefined;
}

/**
 * A release as this site uses it: with images of other releases where the record says so, and all of them from the site's registry. `compose` is its compose
 * file as it was shipped; where that is lost, and only an edited one is there, the result has no text.
 */
export function releaseOnSite(signed: Manifest, compose: string, site: SiteChoice): SiteRelease {
  if (site.mixed === undefined) return rehomeRelease(signed, compose, site.registry);
  const { compose: digest, services } = site.mixed;
  const text = withServiceImages(compose, imagesOf(services));
  const files = signed.files.map((file) =>
    file.path === COMPOSE_FILE ? { ...file, sha256: digest, size: Buffer.byteLength(text) } : file,
  );
  const mixed = { ...signed, images: [...signed.images, ...rowsOf(services)], files };
  const used = rehomeRelease(mixed, text, site.registry);
  const written = digestOf(text) === digest ? { compose: { digest, text } } : {};
  return { ...written, ...used, shipped: signed };
}

function imagesOf(services: Mixed['services']): ReadonlyMap<string, string> {
  return new Map(Object.entries(services).map(([name, { image }]) => [name, image]));
}

/** Several services may have one image. */
function rowsOf(services: Mixed['services']): readonly ManifestImage[] {
  const rows = Object.values(services).map(({ row, version }) => ({ ...row, version }));
  return [...new Map(rows.map((row) => [`${row.version} ${row.name}`, row])).values()];
}
