// Services on images of another release than the one that is installed. Rule: the record names each of them; what was signed stays beside what is used.
import { withServiceImages } from './compose-image.ts';
import { digestOf } from './digest.ts';
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

/** By service. */
export type Mixed = Readonly<Record<string, MixedService>>;

/** Parses what install.json says of it; throws E_FORMAT. */
export function parseMixed(value: unknown, where: string): Mixed {
  return parseMap(value, where, (entry, at) => {
    const f = parseFields(entry, at);
    return {
      version: parseText(f.version, `${at}.version`),
      image: parseText(f.image, `${at}.image`),
      row: parseManifestImage(f.row, `${at}.row`),
    };
  });
}

/** What makes a release other than it was signed; a record has both. */
export interface SiteChoice {
  /** Null = the product's own. */
  readonly registry: string | null;
  readonly mixed?: Mixed | undefined;
}

/** A release as this site uses it: with images of other releases where the record says so, and all of them from the site's registry. */
export function releaseOnSite(signed: Manifest, compose: string, site: SiteChoice): SiteRelease {
  if (site.mixed === undefined) return rehomeRelease(signed, compose, site.registry);
  const text = withServiceImages(compose, imagesOf(site.mixed));
  const digest = digestOf(text);
  const files = signed.files.map((file) =>
    file.path === COMPOSE_FILE ? { ...file, sha256: digest, size: Buffer.byteLength(text) } : file,
  );
  const mixed = { ...signed, images: [...signed.images, ...rowsOf(site.mixed)], files };
  const used = rehomeRelease(mixed, text, site.registry);
  return { ...used, shipped: signed, compose: used.compose ?? { digest, text } };
}

function imagesOf(mixed: Mixed): ReadonlyMap<string, string> {
  return new Map(Object.entries(mixed).map(([name, { image }]) => [name, image]));
}

/** Several services may have one image. */
function rowsOf(mixed: Mixed): readonly ManifestImage[] {
  const rows = Object.values(mixed).map(({ row, version }) => ({ ...row, version }));
  return [...new Map(rows.map((row) => [`${row.version} ${row.name}`, row])).values()];
}
