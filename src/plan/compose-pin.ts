// A plain compose file made fit for a bundle: images pinned, build sections dropped, the project named. Rule: comments and order stay, and what is not
// in the image table stays as it is, for the checks to refuse.
import { isMap, isScalar, parseDocument, visit, type YAMLMap } from 'yaml';
import { parseImageRef, printTagged } from '../model/image.ts';
import { nameProject } from './compose-parts.ts';

/** An image of the table as a compose file may write it. */
export interface PinnableImage {
  /** What the bundle pulls, `registry/repository:tag`. */
  readonly reference: string;
  /** Where a third-party image comes from upstream. */
  readonly source?: string;
  readonly kind: 'own' | 'third-party';
  /** What is written instead: reference and digest. */
  readonly pinned: string;
}

export interface PinWish {
  readonly product: string;
  readonly images: readonly PinnableImage[];
}

/** The compose text with every `image:` of the table pinned. An own image is known by its name, whatever its tag; a text that is no YAML stays as it is. */
export function pinCompose(text: string, { product, images }: PinWish): string {
  const document = parseDocument(text, { merge: true, logLevel: 'silent' });
  if (document.errors.length > 0 || !isMap(document.contents)) return text;
  visit(document, {
    Map: (_key, map) => {
      const pinned = pinnedImage(map, images);
      if (pinned === undefined) return;
      map.set('image', pinned);
      map.delete('build');
    },
  });
  if (!document.contents.has('name')) nameProject(document, document.contents, product);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function pinnedImage(map: YAMLMap, images: readonly PinnableImage[]): string | undefined {
  const written = map.get('image', true);
  if (!isScalar(written) || typeof written.value !== 'string') return undefined;
  const { value } = written;
  return images.find((image) => isSame(value, image))?.pinned;
}

function isSame(written: string, { reference, source, kind }: PinnableImage): boolean {
  const name = nameOf(written, kind === 'own');
  return name !== undefined && [reference, source].some((known) => known !== undefined && nameOf(known, kind === 'own') === name);
}

/** The full name, with or without its tag; undefined for what is no image name, or has a digest of its own. */
function nameOf(text: string, withoutTag: boolean): string | undefined {
  if (text.includes('$') || text.includes('@')) return undefined;
  try {
    const { registry, repository, tag } = parseImageRef(text, 'image');
    return printTagged({ registry, repository, ...(withoutTag || tag === undefined ? {} : { tag }) });
  } catch {
    return undefined;
  }
}
