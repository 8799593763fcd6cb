// What each image of the synthetic set is made of, in bytes. Rule: pure and seeded; all blobs together make about half of what the
// repositories hold, because images share their bases.
import { createHash } from 'node:crypto';
import type { LayerPlan } from './image-set-layer.ts';
import { BASES, IMAGE_SET, type SetImage } from './image-set-list.ts';

export interface PlatformPlan {
  readonly platform: string;
  readonly layers: readonly LayerPlan[];
}

export interface ImagePlan extends SetImage {
  readonly contents: readonly PlatformPlan[];
}

interface Weighed {
  readonly key: string;
  readonly weight: number;
}

const SMALLEST_LAYER = 200;

/** The set with about `bytes` unique bytes. */
export function planImageSet({ bytes, seed }: { readonly bytes: number; readonly seed: string }): ImagePlan[] {
  const shared = IMAGE_SET.flatMap((image) => image.platforms.flatMap((platform) => baseLayers(image, platform)));
  const [sum, unique] = [total(shared), total(distinct(shared))];
  const own = IMAGE_SET.flatMap((image) => image.platforms.flatMap((platform) => ownLayers(image, platform, seed)));
  const ownShare = (sum - 2 * unique) / total(distinct(own)); // then unique + own = (sum + own) / 2
  const unit = bytes / (sum - unique);
  const plan = ({ key, weight }: Weighed, share: number): LayerPlan => ({
    key: `${seed} ${key}`,
    bytes: Math.max(Math.round(weight * share * unit), SMALLEST_LAYER),
  });
  return IMAGE_SET.map((image) => ({
    ...image,
    contents: image.platforms.map((platform) => ({
      platform,
      layers: [
        ...baseLayers(image, platform).map((layer) => plan(layer, 1)),
        ...ownLayers(image, platform, seed).map((layer) => plan(layer, ownShare)),
      ],
    })),
  }));
}

function baseLayers({ base }: SetImage, platform: string): Weighed[] {
  return BASES[base].map(([name, weight]) => ({ key: `${name} ${platform}`, weight }));
}

/** Between two and six layers, from small to large by chance; the last is the same on all platforms, as documents and scripts are. */
function ownLayers({ source }: SetImage, platform: string, seed: string): Weighed[] {
  const count = 2 + Math.floor(chance(`${seed} ${source} count`) * 5);
  return Array.from({ length: count }, (_, index) => {
    const key = index === count - 1 ? `${source} ${index}` : `${source} ${index} ${platform}`;
    return { key, weight: 60 ** chance(`${seed} ${source} ${index}`) * (index === count - 1 ? 0.05 : 1) };
  });
}

/** A number from 0 to 1 that this text always has. */
function chance(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32LE(0) / 2 ** 32;
}

function distinct(layers: readonly Weighed[]): Weighed[] {
  return [...new Map(layers.map((layer) => [layer.key, layer])).values()];
}

function total(layers: readonly Weighed[]): number {
  return layers.reduce((sum, { weight }) => sum + weight, 0);
}
