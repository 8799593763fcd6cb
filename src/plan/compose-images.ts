// Images of the compose file against the image table. Rule: a bundle runs images by digest, and only those that the product declares.
import type { Digest } from '../model/digest.ts';
import { type ImageRef, imageName, parseImageRef, printImageRef, printTagged } from '../model/image.ts';
import { fillReferences } from '../model/interpolation.ts';
import { isRefused, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { withPlainRegistry } from '../model/registry-variable.ts';
import { readYaml } from '../model/yaml-file.ts';
import { type ComposeService, fieldsOf } from './compose-parts.ts';

/** An image of the table, with the digest that was found for its reference. */
export interface PinnedImage {
  readonly name: string;
  readonly reference: string;
  readonly digest?: string;
}

interface Table {
  readonly product: Product;
  readonly images: readonly PinnedImage[];
  readonly pinned?: boolean;
}

/** Images that are not in the table or not fixed to its digest, and `build:` sections that are left. */
export function checkComposeImages(services: readonly ComposeService[], table: Table): ProblemText[] {
  return services.flatMap((service) => [...checkBuild(service), ...checkImage(service, table)]);
}

export interface ComposeImages {
  readonly pinned: readonly { readonly name: string; readonly reference: string; readonly digest: Digest }[];
  readonly unpinned: readonly { readonly name: string; readonly reference: string }[];
}

/** The images of a compose file, each once; variables count by their defaults, and what is no image name is left out. */
export function composeImages(text: string): ComposeImages {
  const services = Object.entries(fieldsOf(fieldsOf(readYaml(text, 'compose').value).services));
  const found = new Map<string, { readonly name: string; readonly ref: ImageRef }>();
  for (const [service, fields] of services) {
    const { image } = fieldsOf(fields);
    const ref = typeof image === 'string' ? readRef(fillReferences(image, () => undefined)) : undefined;
    if (ref === undefined || found.has(printImageRef(ref))) continue;
    const isTaken = [...found.values()].some(({ name }) => name === imageName(ref));
    found.set(printImageRef(ref), { name: isTaken ? service : imageName(ref), ref });
  }
  const images = [...found.values()].map(({ name, ref }) => ({ name, reference: printTagged(ref), digest: ref.digest }));
  return {
    pinned: images.flatMap(({ name, reference, digest }) => (digest === undefined ? [] : [{ name, reference, digest }])),
    unpinned: images.flatMap(({ name, reference, digest }) => (digest === undefined ? [{ name, reference }] : [])),
  };
}

/** Those of the table that a rendered compose file runs. */
export function runImages<T extends { readonly reference: string }>(text: string, table: readonly T[], product: Product): T[] {
  const services = Object.values(fieldsOf(fieldsOf(readYaml(text, 'compose').value).services)).map(fieldsOf);
  const images = services.flatMap(({ image }) => (typeof image === 'string' ? [withPlainRegistry(image, product.images)] : []));
  const run = new Set(images.flatMap((image) => taggedName(image) ?? []));
  return table.filter(({ reference }) => run.has(taggedName(reference) ?? ''));
}

function checkBuild({ name, path, fields }: ComposeService): ProblemText[] {
  if (fields.build === undefined) return [];
  const hint = 'Add the image to images.own, or remove the build section: servers do not build.';
  return [{ code: 'E_BUILD_LEFT', path: [...path, 'build'], message: `${name} would be built on the server`, hint }];
}

function checkImage({ name, path, fields }: ComposeService, { product, images, pinned = true }: Table): ProblemText[] {
  const { image } = fields;
  const at = [...path, 'image'];
  if (typeof image !== 'string') {
    const hint = 'Write {{image "name"}} with a name of the image table.';
    return fields.build === undefined ? [{ code: 'E_NO_IMAGE', path, message: `${name} has no image`, hint }] : [];
  }
  const plain = withPlainRegistry(image, product.images);
  const ref = plain.includes('$') ? undefined : readRef(plain);
  if (ref === undefined) {
    const hint = 'Write {{image "name"}}: an image that a variable chooses is not the one that was published.';
    return [{ code: 'E_IMAGE', path: at, message: `${name}: ${image} is not a plain image name`, hint }];
  }
  const entry = images.find(({ reference }) => taggedName(reference) === printTagged(withoutDigest(ref)));
  if (entry === undefined) {
    if (isRefused(product.source, ['images'])) return [];
    const hint = 'Add it to images.own or images.thirdParty, and write {{image "name"}}.';
    return [{ code: 'E_IMAGE_UNKNOWN', path: at, message: `${name}: ${image} is not in the image table`, hint }];
  }
  return pinned ? checkDigest({ name, at, ref, entry }) : [];
}

interface Found {
  readonly name: string;
  readonly at: (string | number)[];
  readonly ref: ImageRef;
  readonly entry: PinnedImage;
}

function checkDigest({ name, at, ref, entry }: Found): ProblemText[] {
  if (ref.digest === undefined || entry.digest === undefined) {
    const hint = 'Run `slipway images lock`, and write {{image "name"}}.';
    return [{ code: 'E_IMAGE_UNPINNED', path: at, message: `${name}: ${entry.reference} has no digest`, hint }];
  }
  if (ref.digest === entry.digest) return [];
  const message = `${name}: the digest of ${entry.reference} is not the one of the image table`;
  return [{ code: 'E_IMAGE_DIGEST', path: at, message, hint: 'Write {{image "name"}} instead of the digest.' }];
}

function withoutDigest({ registry, repository, tag }: ImageRef): ImageRef {
  return { registry, repository, ...(tag === undefined ? {} : { tag }) };
}

function taggedName(text: string): string | undefined {
  const ref = readRef(text);
  return ref === undefined ? undefined : printTagged(withoutDigest(ref));
}

/** Undefined for what is no image name; the caller says where. */
function readRef(text: string): ImageRef | undefined {
  try {
    return parseImageRef(text, 'image');
  } catch {
    return undefined;
  }
}
