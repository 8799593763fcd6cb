// Looks up the digests of a product's images. Rule: the registry answers for the product's own images and for what the lock lacks; all
// problems come at once.
import { ToolError } from '../model/error.ts';
import { type ImageRef, printTagged, type ResolvedImage } from '../model/image.ts';
import { type LockedImage, type LockFile, lockedFor } from '../model/lock-file.ts';
import type { RegistrySource } from '../model/registry.ts';

export interface WantedImage {
  readonly name: string;
  readonly reference: ImageRef;
  /** The product's own image: built again under the same tag it would differ, so the lock has no say. */
  readonly own: boolean;
}

export interface DigestQuestion {
  readonly wanted: readonly WantedImage[];
  readonly lock: LockFile;
  readonly registry: Pick<RegistrySource, 'headManifest' | 'resolveManifest'>;
  /** Asks the registry about every image, as `images lock` does; the lock then only saves requests. */
  readonly fresh?: boolean;
  /** Called after each image. */
  readonly onImage?: (done: number, total: number) => void;
}

const AT_ONCE = 4;

/** The digests of the wanted images, in their order. Throws one ToolError for all that could not be resolved. */
export async function observeImageDigests(question: DigestQuestion): Promise<readonly ResolvedImage[]> {
  const { wanted } = question;
  const outcomes: (ResolvedImage | Problem)[] = [];
  const waiting = wanted.map((image, index) => ({ image, index }));
  let done = 0;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      outcomes[next.index] = await resolve(question, next.image);
      done += 1;
      question.onImage?.(done, wanted.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const problems = outcomes.filter((outcome): outcome is Problem => 'error' in outcome);
  if (problems.length > 0) throw combine(problems);
  return outcomes.filter((outcome): outcome is ResolvedImage => !('error' in outcome));
}

interface Problem {
  readonly image: WantedImage;
  readonly error: ToolError;
}

async function resolve(question: DigestQuestion, image: WantedImage): Promise<ResolvedImage | Problem> {
  const locked = lockedFor(question.lock, image.name, image.reference);
  if (locked !== undefined && !image.own && question.fresh !== true) return fromLock(image, locked);
  try {
    if (locked !== undefined && (await isCurrent(question, image, locked))) return fromLock(image, locked);
    const { digest, platforms, compressedSize: size, parts } = await question.registry.resolveManifest(image.reference);
    return { name: image.name, reference: image.reference, digest, platforms, size, parts };
  } catch (error) {
    if (error instanceof ToolError && error.code !== 'E_INTERRUPTED') return { image, error };
    throw error;
  }
}

/** One HEAD: an equal digest means equal platforms and sizes. */
async function isCurrent({ registry }: DigestQuestion, { reference }: WantedImage, locked: LockedImage): Promise<boolean> {
  const head = await registry.headManifest(reference);
  return head?.digest === locked.digest;
}

function fromLock({ name, reference }: WantedImage, { digest, platforms, size }: LockedImage): ResolvedImage {
  return { name, reference, digest, platforms, size };
}

function combine(problems: readonly Problem[]): ToolError {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) return first.error;
  const lines = problems.map(({ image, error }) => `  ${image.name} (${printTagged(image.reference)}): ${error.message}`);
  const hints = new Set(problems.map(({ error }) => error.hint).filter((hint) => hint !== undefined));
  return new ToolError(first?.error.code ?? 'E_NETWORK', `${problems.length} images could not be resolved:\n${lines.join('\n')}`, {
    hint: [...hints].join('\n'),
    details: { problems: problems.map(({ image, error }) => ({ image: image.name, code: error.code, message: error.message })) },
  });
}
