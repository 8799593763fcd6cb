// images list: the one table of images, with where they come from, where a mirror puts them, and what the lock knows. Rule: reads files alone.
import { printImageRef, readRef } from '../../model/image.ts';
import { imageTable, mirrorHome, type TableImage, thirdPartyReference } from '../../model/image-table.ts';
import { LOCK_FILE_NAME, type LockFile, lockedFor } from '../../model/lock-file.ts';
import { copiesOf, type MirrorEntry, planMirrorNames } from '../../model/mirror.ts';
import type { Product } from '../../model/product.ts';
import { readLockFile } from '../../observe/product-images.ts';
import { imagesToText, type ListedImage } from '../../show/images.ts';
import type { CommandResult } from '../command.ts';
import type { ProductFile } from './product-file.ts';
import { ANY_RELEASE } from './product-file.ts';

/** The table with `images lock`'s answers beside it; a table that was checked already. */
export async function listImages({ product, root }: ProductFile): Promise<CommandResult> {
  const images = listedImages(product, await readLockFile(root, LOCK_FILE_NAME));
  return { fields: { images }, text: imagesToText(images) };
}

function listedImages(product: Product, lock: LockFile): ListedImage[] {
  const { entries } = planMirrorNames(product);
  const own = imageTable(product, ANY_RELEASE.version).filter(({ kind }) => kind === 'own');
  const thirdParty = product.images.thirdParty.map((image): ListedImage => {
    const { name, group, index, source, tags = null } = image;
    const entry = entries.find(({ path }) => path[2] === group && path[3] === index);
    const reference = thirdPartyReference(image, mirrorHome(product.images));
    const ref = reference === undefined ? undefined : readRef(reference);
    const { platforms = [], digest = null, size = null } = (ref && lockedFor(lock, name, ref)) ?? {};
    const destinations = entry === undefined ? [] : destinationsOf(entry);
    return { name, kind: 'third-party', group, reference: reference ?? null, source, tags, destinations, platforms, digest, size };
  });
  return [...own.map((image) => ownImage(product, image)), ...thirdParty];
}

function ownImage({ images }: Product, { name, reference, platforms }: TableImage): ListedImage {
  const own = images.own[name];
  const written = own?.version === undefined ? reference.replace(/:[^:/]*$/, `:${own?.tag ?? ''}`) : reference;
  const unknown = { group: null, source: null, tags: null, destinations: [], digest: null, size: null };
  return { name, kind: 'own', reference: written, platforms, ...unknown };
}

/** Whole references for one tag; for several the repositories. */
function destinationsOf(entry: MirrorEntry): string[] {
  const [only, ...more] = entry.rules;
  const destinations = only?.kind === 'tag' && more.length === 0 ? copiesOf(entry, []).copies[0]?.destinations : entry.destinations;
  return (destinations ?? []).map(printImageRef);
}
