// Which release a folder is nearest to. Rule: a digest that is equal counts, and a name that is equal only where nobody knows the digest; nothing is guessed from what is not there.
import type { ComparedFile, ComparedImage, KnownRelease, ServiceImage } from '../model/adoption.ts';
import type { ChannelRelease } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { FileFact } from '../model/facts.ts';
import { type ImageRef, imageName, readRef } from '../model/image.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';
import { compareVersions, parseVersion } from '../model/version.ts';

/** What a folder says of itself. */
export interface FolderFacts {
  readonly root: string;
  /** What its VERSION file says. */
  readonly version: string | undefined;
  /** The commits of releases that its checkout went through. */
  readonly commits: ReadonlySet<string>;
  /** By path, for all paths of all releases compared. */
  readonly files: ReadonlyMap<string, FileFact>;
  readonly images: readonly ServiceImage[];
}

export interface Comparison extends KnownRelease {
  /** The folder itself says that it is this release: by its VERSION file, or by its commit. */
  readonly says: 'version' | 'commit' | null;
  /** Files of the release but those that are the person's own. */
  readonly files: readonly ComparedFile[];
  readonly images: readonly ComparedImage[];
  /** Other releases that fit as well. */
  readonly alike: readonly string[];
}

/** The release that the folder is nearest to. Throws E_POLICY when none is near enough to say that it is one. */
export function chooseNearest(known: readonly KnownRelease[], folder: FolderFacts, isNamed: boolean): Comparison {
  const newestFirst = [...known].sort((a, b) => compareVersions(parseVersion(b.release.version), parseVersion(a.release.version)));
  const compared = newestFirst.map((one) => compareRelease(one, folder));
  const [best, ...others] = compared.sort((a, b) => compareScores(scoreOf(b), scoreOf(a)));
  if (best === undefined || !(isNamed || isNear(best))) throw nothingNear(best, folder, newestFirst);
  const alike = others.filter((each) => best.says !== 'commit' && compareScores(scoreOf(each), scoreOf(best)) === 0);
  return { ...best, alike: alike.map(({ release }) => release.version) };
}

/** True when a text of a VERSION file means this release. */
export function isCalled({ version, tag }: Pick<ChannelRelease, 'version' | 'tag'>, text: string | undefined): boolean {
  return text !== undefined && [version, tag, `v${version}`].includes(text);
}

/** The files of a release but those that are the person's own, beside what lies there. */
export function compareFiles({ files }: Pick<Manifest, 'files'>, found: ReadonlyMap<string, FileFact>): ComparedFile[] {
  return files.filter(({ owner }) => owner !== 'user').map((file) => compareFile(file, found.get(file.path)));
}

function compareRelease(one: KnownRelease, folder: FolderFacts): Comparison {
  const { release, manifest } = one;
  const isAncestor = manifest.commit !== null && folder.commits.has(manifest.commit);
  return {
    ...one,
    says: isAncestor ? 'commit' : isCalled(release, folder.version) ? 'version' : null,
    files: compareFiles(manifest, folder.files),
    images: [...manifest.images, ...(manifest.unpinned ?? [])].map((image) => compareImage(image, folder.images)),
    alike: [],
  };
}

function compareFile({ path, sha256, mode }: Manifest['files'][number], mine: FileFact | undefined): ComparedFile {
  if (mine === undefined) return { path, state: 'missing' };
  return { path, state: mine.digest === sha256 && mine.mode === Number.parseInt(mode, 8) ? 'same' : 'edited' };
}

type WantedImage = Pick<ManifestImage, 'name' | 'reference'> & Partial<Pick<ManifestImage, 'digest'>>;

/** Without a digest, as in a release of older scripts, a name and tag that are equal are all that can be equal. */
function compareImage({ name, reference, digest }: WantedImage, images: readonly ServiceImage[]): ComparedImage {
  const wanted = readRef(reference);
  const has = (image: ServiceImage): boolean => [...image.digests, ...refsOf(image).map((ref) => ref.digest)].includes(digest);
  const same = digest === undefined ? undefined : images.find(has);
  if (same !== undefined) return { name, state: 'same', found: same.references[0] ?? null };
  const candidates = images.filter((image) => refsOf(image).some((ref) => wanted !== undefined && isAkin(ref, wanted)));
  const [other] = candidates;
  if (other === undefined) return { name, state: 'unused', found: null };
  const tagged = candidates.find(
    (image) => (digest === undefined || image.digests.length === 0) && refsOf(image).some((ref) => isTagged(ref, wanted)),
  );
  return { name, state: tagged === undefined ? 'differs' : 'tag', found: (tagged ?? other).references[0] ?? null };
}

function refsOf({ references }: ServiceImage): ImageRef[] {
  return references.flatMap((reference) => readRef(reference) ?? []);
}

/** The same image from whichever home. */
function isAkin(ref: ImageRef, wanted: ImageRef): boolean {
  return ref.repository === wanted.repository || imageName(ref) === imageName(wanted);
}

function isTagged(ref: ImageRef, wanted: ImageRef | undefined): boolean {
  return (
    wanted !== undefined &&
    ref.digest === undefined &&
    ref.registry === wanted.registry &&
    ref.repository === wanted.repository &&
    (ref.tag ?? 'latest') === wanted.tag
  );
}

function sameImages({ images }: Comparison): number {
  return images.filter(({ state }) => state === 'same' || state === 'tag').length;
}

function sameFiles({ files }: Comparison): number {
  return files.filter(({ state }) => state === 'same').length;
}

/** A checkout's own word comes first, then a VERSION file, then images, then files. */
function scoreOf(one: Comparison): readonly number[] {
  if (one.says === 'commit') return [2, 0, 0];
  return [one.says === 'version' ? 1 : 0, sameImages(one), one.files.length === 0 ? 0 : sameFiles(one) / one.files.length];
}

function compareScores(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}

/** Half of the images or half of the files: fewer can be shared by products that have nothing to do with each other. */
function isNear(one: Comparison): boolean {
  if (one.says !== null) return true;
  return (
    (sameImages(one) > 0 && sameImages(one) * 2 >= one.images.length) || (sameFiles(one) > 0 && sameFiles(one) * 2 >= one.files.length)
  );
}

function nothingNear(best: Comparison | undefined, { root }: FolderFacts, known: readonly KnownRelease[]): ToolError {
  const nearest =
    best === undefined
      ? 'the channel has no release'
      : `the nearest is ${best.release.version}, with ${sameImages(best)} of ${best.images.length} images and ${sameFiles(best)} of ${best.files.length} files`;
  return new ToolError('E_POLICY', `what runs from ${root} is near to no release: ${nearest}`, {
    hint: `Say which one it is: \`adopt --as VERSION\` (${known.map(({ release }) => release.version).join(', ')}). Or install afresh: \`install --dir FOLDER --project NAME\`, which leaves this folder alone.`,
  });
}
