// Is there room on the disks? Rule: what lies on one disk is added up, and what is on the engine already is not counted; what nobody could measure is not guessed.
import type { DiskFact, MachineFacts } from '../model/facts.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';
import { sizeToText } from '../model/units.ts';
import type { PreflightFinding } from './preflight.ts';

/**
 * Bytes on disk for each compressed byte of an image while it is pulled: 2.2 to 2.8 unpacked over common images (alpine 2.2, debian 2.4, nginx 2.7, node 2.8), and
 * the packed layers beside it, which wait to be unpacked or, in containerd's store, stay.
 */
const PULLED = 3.5;
/** A release's files lie in the download, staged, in place, and pristine for the next merge. */
const COPIES_OF_FILES = 4;
/** Besides a backup for each hop: what going back keeps of the data that is there by then. */
const COPIES_FOR_GOING_BACK = 1;

interface Need {
  readonly disk: DiskFact | undefined;
  readonly bytes: number;
  /** What it is for, after `for`. */
  readonly what: string;
}

/** One finding for each disk that would be full; `manifest` is all releases of the path as one. */
export function findRoom(manifest: Manifest, machine: MachineFacts, hops = 1): PreflightFinding[] {
  const disks = new Map<string, { readonly disk: DiskFact; readonly needs: Need[] }>();
  for (const need of needsOf(manifest, machine, hops)) {
    if (need.disk === undefined || need.bytes === 0) continue;
    const known = disks.get(need.disk.device) ?? { disk: need.disk, needs: [] };
    known.needs.push(need);
    disks.set(need.disk.device, known);
  }
  return [...disks.values()].flatMap(({ disk, needs }) => (disk.free < sum(needs) ? [tooFull(disk, needs)] : []));
}

function needsOf(manifest: Manifest, { disks, missingImages, dataBytes = 0 }: MachineFacts, hops: number): Need[] {
  const images = manifest.images.filter(({ digest }) => missingImages.includes(digest));
  const files = manifest.files.reduce((total, { size }) => total + size, 0);
  return [
    { disk: disks.images, bytes: Math.ceil(compressedBytes(images) * PULLED), what: imagesToText(images) },
    { disk: disks.images, bytes: Math.max(0, (manifest.requires.disk ?? 0) - dataBytes), what: 'its data' },
    { disk: disks.backups, bytes: dataBytes * (hops + COPIES_FOR_GOING_BACK), what: `backups of ${sizeToText(dataBytes)} of data` },
    { disk: disks.install, bytes: files * COPIES_OF_FILES, what: hops > 1 ? 'the files of the releases' : 'the files of the release' },
  ];
}

/** An image that is there twice counts once; a layer that an image before it brings counts there, as far as the manifest tells. */
function compressedBytes(images: readonly ManifestImage[]): number {
  const sizes = new Map(images.map(({ digest, size, added }) => [digest, added ?? size]));
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}

function imagesToText(images: readonly ManifestImage[]): string {
  const names = images.map(({ name }) => name).join(', ');
  return `${images.length === 1 ? 'the image' : `${images.length} images`} to pull (${names})`;
}

function tooFull({ path, free }: DiskFact, needs: readonly Need[]): PreflightFinding {
  const parts = needs.map(({ bytes, what }) => `${sizeToText(bytes)} for ${what}`);
  return {
    severity: 'block',
    code: 'disk-full',
    message: `${path} has ${sizeToText(free)} free, and ${sizeToText(sum(needs))} are needed: ${parts.join(', ')}`,
    hint: `Make room on the disk of ${path}, then try again.`,
  };
}

function sum(needs: readonly Need[]): number {
  return needs.reduce((total, { bytes }) => total + bytes, 0);
}
