// Copies images between registries. Rule: a layer goes to each registry once and is mounted from there; children before their index, the tag last; one image that
// fails stops no other.
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import { type AttachedToCopy, blobsOf, bytesToSend, type CopiedImage, type ImageToCopy, type ManifestToCopy } from '../model/image-copy.ts';
import type { Blob, Registry } from '../model/registry.ts';
import { type Limit, limitTo } from '../world/limit.ts';

export interface Copying {
  readonly registry: Registry;
  /** Bytes that were sent since the last call. */
  readonly onBytes: (bytes: number) => void;
  readonly onImage: (copied: CopiedImage) => void;
}

/** Transfers of layers at a time, most of which wait for the receiver's disk, and questions and manifests, which must not wait behind layers. */
const TRANSFERS = 24;
const QUESTIONS = 32;
/** Bytes: hashing less takes no time that anybody would see. */
const WORTH_ASKING = 64 * 1024 * 1024;

/** Where a layer has to be, by registry and digest. */
interface Job {
  readonly blob: Blob;
  readonly source: ImageRef;
  /** The repositories that need it; the first gets the bytes. */
  readonly targets: ImageRef[];
  readonly ready: Map<string, Promise<void>>;
  /** Bytes that were sent, told to the image that waits for it first. */
  sent: number;
}

interface Work extends Copying {
  readonly transfers: Limit;
  readonly questions: Limit;
  readonly jobs: ReadonlyMap<string, Job>;
  /** Whether a registry knew the repository when the copying began. */
  readonly isNew: (place: ImageRef) => Promise<boolean>;
  /** Whether a registry refuses what does not fit its digest, where so much goes there that hashing it twice costs more than asking. */
  readonly checksDigests: (place: ImageRef) => Promise<boolean>;
}

/** Copies all images to all their destinations; what became of each is told as it ends. Throws E_INTERRUPTED alone. */
export async function copyImages(images: readonly ImageToCopy[], copying: Copying): Promise<readonly CopiedImage[]> {
  const jobs = jobsOf(images);
  const questions = limitTo(QUESTIONS);
  const isNew = onceEach(nameOf, (place) => questions(() => copying.registry.isNew(place)));
  const isMuch = bytesToSend(images) > WORTH_ASKING;
  const checksDigests = onceEach(
    ({ registry }) => registry,
    async (place) => isMuch && questions(() => copying.registry.checksDigests(place).catch(() => false)),
  );
  const work: Work = { ...copying, transfers: limitTo(TRANSFERS), questions, jobs, isNew, checksDigests };
  for (const job of [...jobs.values()].sort((a, b) => b.blob.size - a.blob.size)) startJob(job, work); // the largest first: the last one decides the time
  const ends = images.flatMap((image, index) => image.destinations.map((destination) => copyImage({ image, index, destination }, work)));
  return Promise.all(ends);
}

function onceEach<T>(keyOf: (place: ImageRef) => string, ask: (place: ImageRef) => Promise<T>): (place: ImageRef) => Promise<T> {
  const asked = new Map<string, Promise<T>>();
  return (place) => {
    const key = keyOf(place);
    const answer = asked.get(key) ?? ask(place);
    asked.set(key, answer);
    return answer;
  };
}

function nameOf(place: ImageRef): string {
  return printImageRef(repositoryOf(place));
}

function jobsOf(images: readonly ImageToCopy[]): ReadonlyMap<string, Job> {
  const jobs = new Map<string, Job>();
  for (const image of images) {
    const { source, destinations } = image;
    for (const destination of destinations) {
      for (const blob of blobsOf(image)) {
        const key = keyOf(destination, blob);
        const job: Job = jobs.get(key) ?? { blob, source, targets: [], ready: new Map(), sent: 0 };
        if (!job.targets.some(({ repository }) => repository === destination.repository)) job.targets.push(repositoryOf(destination));
        jobs.set(key, job);
      }
    }
  }
  return jobs;
}

function startJob(job: Job, work: Work): void {
  const [first, ...others] = job.targets;
  if (first === undefined) return;
  const sent = sendBlob(job, first, work);
  job.ready.set(first.repository, sent);
  for (const other of others) job.ready.set(other.repository, mountBlob(job, { from: first, to: other, sent }, work));
  for (const ready of job.ready.values()) ready.catch(() => undefined); // whoever waits for it is told
}

async function sendBlob(job: Job, to: ImageRef, work: Work): Promise<void> {
  const { registry, transfers, onBytes } = work;
  if (await isThere(job, to, work)) return onBytes(job.blob.size);
  const content = await contentOf(job, to, work);
  await transfers(() => registry.putBlob(to, { blob: job.blob, content, from: to.repository })); // an earlier run may have brought it, and ended before its manifest
}

/** The bytes from the source; a receiver that checks them by itself is believed once, and what it refuses is looked at by us. */
async function contentOf(job: Job, to: ImageRef, { registry, checksDigests, onBytes }: Work): Promise<() => AsyncIterable<Buffer>> {
  const { blob, source } = job;
  let unchecked = await checksDigests(to);
  const onChunk = (bytes: number): void => {
    job.sent += bytes;
    onBytes(bytes);
  };
  return () => {
    const chunks = registry.readBlob(source, blob, { onBytes: onChunk, unchecked });
    unchecked = false;
    return chunks;
  };
}

/** What a registry does not know needs no question for each layer. */
async function isThere({ blob }: Job, to: ImageRef, { registry, questions, isNew }: Work): Promise<boolean> {
  return !(await isNew(to)) && questions(() => registry.hasBlob(to, blob));
}

/** The same bytes in another repository: mounted, and sent again only where a registry does not mount. */
async function mountBlob(
  job: Job,
  { from, to, sent }: { readonly from: ImageRef; readonly to: ImageRef; readonly sent: Promise<void> },
  work: Work,
): Promise<void> {
  const { registry, questions } = work;
  const arrived = await sent.then(
    () => true,
    () => false,
  );
  if (await isThere(job, to, work)) return;
  const content = await contentOf(job, to, work);
  await questions(() => registry.putBlob(to, { blob: job.blob, content, from: arrived ? from.repository : to.repository }));
}

interface OneCopy {
  readonly image: ImageToCopy;
  readonly index: number;
  readonly destination: ImageRef;
}

async function copyImage(copy: OneCopy, work: Work): Promise<CopiedImage> {
  const { index, destination } = copy;
  try {
    const bytes = await putImage(copy, work);
    return tell({ index, destination, outcome: 'copied', bytes, error: null }, work);
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    const hint = error.hint === undefined ? '' : ` (${error.hint})`;
    return tell({ index, destination, outcome: 'failed', bytes: 0, error: `${error.message}${hint}` }, work);
  }
}

function tell(copied: CopiedImage, { onImage }: Work): CopiedImage {
  onImage(copied);
  return copied;
}

/** Layers, then manifests from the leaves to the root, what belongs to them, then the tag, then a look at what it names. Gives the bytes that it took. */
async function putImage(copy: OneCopy, work: Work): Promise<number> {
  const { image, destination } = copy;
  const { registry, questions } = work;
  const root = image.manifests.at(-1);
  let bytes = 0;
  for (const manifest of image.manifests.slice(0, -1)) bytes += await putManifest(copy, { manifest }, work);
  if (root !== undefined && image.attached !== undefined) bytes += await putManifest(copy, { manifest: root }, work); // some take nothing for what is not there
  for (const attached of image.attached ?? []) bytes += await putAttached(copy, attached, work);
  if (root === undefined) return bytes;
  let refused: unknown;
  bytes += await putManifest(copy, { manifest: root, to: destination }, work).catch((error: unknown) => {
    if (!isToolError(error, 'E_CONFLICT')) throw error;
    refused = error; // a tag that is written once may be this image already
    return 0;
  });
  const stored = await questions(() =>
    registry.headManifest(destination.tag === undefined ? pinImage(destination, root.digest) : destination),
  );
  if (stored?.digest === root.digest) return bytes;
  if (refused !== undefined) throw refused;
  throw new ToolError('E_DIGEST', `${printImageRef(destination)} is ${stored?.digest ?? 'gone'} after it was written as ${root.digest}`, {
    hint: 'Somebody else writes there too, or the registry changes what it stores. Run the same command again.',
  });
}

/** With its children; at its tag, or in the list of what it refers to. */
async function putAttached(copy: OneCopy, { manifests, place }: AttachedToCopy, work: Work): Promise<number> {
  const last = manifests.at(-1);
  const to = 'tag' in place ? { ...repositoryOf(copy.destination), tag: place.tag } : repositoryOf(copy.destination);
  const subject = 'tag' in place ? undefined : place.subject;
  let bytes = 0;
  for (const manifest of manifests) bytes += await putManifest(copy, manifest === last ? { manifest, to, subject } : { manifest }, work);
  return bytes;
}

interface OneManifest {
  readonly manifest: ManifestToCopy;
  /** Under its digest alone where absent. */
  readonly to?: ImageRef;
  readonly subject?: Digest | undefined;
}

/** One manifest after its layers. Gives the bytes that those took. */
async function putManifest(copy: OneCopy, { manifest, to, subject }: OneManifest, work: Work): Promise<number> {
  const { image, destination } = copy;
  const { registry, questions, jobs } = work;
  const place = to ?? repositoryOf(destination);
  await Promise.all(manifest.blobs.map((blob) => jobs.get(keyOf(destination, blob))?.ready.get(destination.repository)));
  let bytes = takeSent(manifest, destination, jobs);
  const put = (): Promise<void> =>
    questions(async () => {
      const stored = await manifestOf(image, manifest, registry);
      return subject === undefined ? registry.putManifest(place, stored) : registry.putReferrer(place, stored, subject);
    });
  await put().catch(async (error: unknown) => {
    if (!missesBlobs(error) || manifest.blobs.length === 0) throw error;
    await Promise.all(manifest.blobs.map((blob) => sendAnyway(blob, destination, work)));
    bytes += takeSent(manifest, destination, jobs);
    await put();
  });
  return bytes;
}

/** A registry may say that it has a layer, and miss it when the manifest comes. */
function missesBlobs(error: unknown): boolean {
  return isToolError(error, 'E_CONFLICT') && /BLOB_UNKNOWN/.test(String(error.details.reason));
}

async function sendAnyway(blob: Blob, to: ImageRef, work: Work): Promise<void> {
  const job = work.jobs.get(keyOf(to, blob));
  if (job === undefined) return;
  const content = await contentOf(job, to, work);
  await work.transfers(() => work.registry.putBlob(to, { blob, content }));
}

/** Bytes are counted for the first image that needed them. */
function takeSent({ blobs }: ManifestToCopy, destination: ImageRef, jobs: ReadonlyMap<string, Job>): number {
  let bytes = 0;
  for (const blob of blobs) {
    const job = jobs.get(keyOf(destination, blob));
    bytes += job?.sent ?? 0;
    if (job !== undefined) job.sent = 0;
  }
  return bytes;
}

async function manifestOf({ source }: ImageToCopy, { digest, mediaType, size, text }: ManifestToCopy, registry: Registry) {
  if (text !== undefined) return { digest, mediaType, size, bytes: Buffer.from(text) };
  return registry.readManifest(pinImage(source, digest));
}

function repositoryOf({ registry, repository }: ImageRef): ImageRef {
  return { registry, repository };
}

function keyOf({ registry }: ImageRef, { digest }: Blob): string {
  return `${registry} ${digest}`;
}
