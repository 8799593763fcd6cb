// What an image says of itself: when it was made, and its labels. Rule: of an index, its first image speaks for all.
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import { parseImageManifest } from '../model/image-manifest.ts';
import { type Fields, parseFields, parseJson } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { registriesOf } from '../world/registries.ts';

export interface ImageConfig {
  /** Undefined when it is not said. */
  readonly created: Date | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

const NOTHING: ImageConfig = { created: undefined, labels: {} };
const MOST_CONFIG_BYTES = 8 * 1024 * 1024;

/** The configuration behind a tag or digest; empty for what is no image. Throws E_NOT_FOUND. */
export async function observeImageConfig(ref: ImageRef, world: World, depth = 0): Promise<ImageConfig> {
  const registry = registriesOf(world);
  const { bytes, mediaType } = await registry.readManifest(ref);
  const manifest = parseImageManifest(bytes, mediaType, printImageRef(ref));
  if (manifest.kind === 'index') {
    const [first] = manifest.entries;
    return first === undefined || depth > 2 ? NOTHING : observeImageConfig(pinImage(ref, first.digest), world, depth + 1);
  }
  if (manifest.config.size > MOST_CONFIG_BYTES) return NOTHING;
  const chunks: Buffer[] = [];
  for await (const chunk of registry.readBlob(ref, manifest.config)) chunks.push(chunk);
  return configOf(Buffer.concat(chunks).toString('utf8'), printImageRef(ref));
}

function configOf(text: string, where: string): ImageConfig {
  const f = parseFields(parseJson(text, where), where);
  const labels = fieldsOf(fieldsOf(f.config).Labels);
  const created = typeof f.created === 'string' ? Date.parse(f.created) : Number.NaN;
  return {
    created: Number.isNaN(created) ? undefined : new Date(created),
    labels: Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
  };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
