// The product's images in one table: build, lock and bundle read the same one. Rule: references as text, without digests; those come from the lock and the registry.
import type { ImageRules, OwnImage, Product, ThirdPartyImage } from './product.ts';
import { VERSION_PLACE } from './tag.ts';
import type { Version } from './version.ts';

export interface TableImage {
  readonly name: string;
  readonly kind: 'own' | 'third-party';
  /** What the bundle pulls, `registry/repository:tag`. */
  readonly reference: string;
  /** Where a third-party image comes from upstream. */
  readonly source?: string;
  /** The platforms that must be there; empty when none are declared. */
  readonly platforms: readonly string[];
}

/** Own images first, each part in the order written. What is mirrored by a list of tags has no one reference, and is not in it. */
export function imageTable(product: Pick<Product, 'images'>, version: Version): TableImage[] {
  const { registry, own, thirdParty } = product.images;
  const home = mirrorHome(product.images);
  return [
    ...Object.entries(own).map(([name, image]) => ownImage(name, image, { registry, version })),
    ...thirdParty.flatMap((image): TableImage[] => {
      const reference = thirdPartyReference(image, home);
      const { name, source } = image;
      return reference === undefined ? [] : [{ name, kind: 'third-party', reference, source, platforms: [] }];
    }),
  ];
}

function ownImage(name: string, image: OwnImage, { registry, version }: { registry: string | undefined; version: Version }): TableImage {
  const tag = image.tag.replaceAll(VERSION_PLACE, () => image.version ?? version);
  return { name, kind: 'own', reference: inRegistry(registry, `${image.repository}:${tag}`), platforms: image.platforms };
}

/** Where third-party images are mirrored to and pulled from; undefined = upstream. */
export function mirrorHome({ registry, mirror }: Pick<ImageRules, 'registry' | 'mirror'>): string | undefined {
  return mirror ? registry : undefined;
}

/**
 * What the bundle pulls for a third-party image: with a registry of the product's own it is pulled from there, under its name and the source's tag.
 * Undefined for an image that is mirrored by a list of tags.
 */
export function thirdPartyReference({ name, source, tags }: ThirdPartyImage, home: string | undefined): string | undefined {
  if (tags !== undefined) return undefined;
  const last = source.slice(source.lastIndexOf('/') + 1);
  const tag = last.includes(':') ? last.slice(last.indexOf(':')) : '';
  return home === undefined ? source : inRegistry(home, `${name}${tag}`);
}

function inRegistry(registry: string | undefined, rest: string): string {
  return registry === undefined ? rest : `${registry}/${rest}`;
}
