// Fetches a release into the content-addressed cache. Rule: signature, digests and sizes are verified before anything is unpacked, and cached bytes are
// hashed again before they are believed.
import { mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelAsset, ChannelRelease } from '../model/channel.ts';
import { type Digest, digestOf, hexOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { OPERATOR_ASSET, type ReleaseSource } from '../model/host.ts';
import type { Manifest } from '../model/manifest.ts';
import { type Trust, verifyManifest } from '../model/trust.ts';
import { measureFile, readBounded, syncFolder } from '../world/folder-files.ts';
import { DEFAULT_LIMITS, type TarMode } from '../world/tarball.ts';
import { type ExpectedFile, readEntries, unpackTarball } from '../world/tarball-read.ts';
import { openImported } from './imported-release.ts';
import { inIncoming } from './incoming.ts';

const MANIFEST = 'bundle.json';
const SIGNATURE = 'bundle.json.minisig';
const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;
const MOST_SIGNATURE_BYTES = 4096;

export interface ReleaseRequest {
  readonly source: ReleaseSource;
  /** The entry of a verified channel file. */
  readonly release: ChannelRelease;
  readonly product: string;
  readonly trust: Pick<Trust, 'key' | 'signed' | 'former'>;
  /** The folder of the cache; made when it is not there, private. */
  readonly cache: string;
  readonly onBytes?: (done: number, total: number) => void;
}

export interface FetchedRelease {
  readonly manifest: Manifest;
  /** bundle.json as it was signed. */
  readonly manifestText: string;
  /** bundle.json.minisig; null for an unsigned product. */
  readonly signature: string | null;
  /** Every file of the manifest, by path; its bytes are at `cachedFile(cache, digest)`. */
  readonly files: ReadonlyMap<string, Digest>;
}

/** Where the cache keeps the bytes of a digest. */
export function cachedFile(cache: string, digest: Digest): string {
  return join(cache, 'sha256', hexOf(digest));
}

/** The release, verified and unpacked into the cache; nothing is downloaded when the cache is complete. Throws what `verifyManifest`, downloads and archives throw. */
export async function fetchRelease(request: ReleaseRequest): Promise<FetchedRelease> {
  const cached = await readCached(request);
  if (cached !== undefined) return cached;
  await mkdir(join(request.cache, 'sha256'), { recursive: true, mode: 0o700 });
  return inIncoming(request.cache, (incoming) => fetchInto(incoming, request));
}

/** The text of one file of a fetched release; empty when the release has no such file. */
export async function readReleaseText(bundle: FetchedRelease, cache: string, path: string): Promise<string> {
  const digest = bundle.files.get(path);
  return digest === undefined ? '' : readFile(cachedFile(cache, digest), 'utf8');
}

export interface OperatorRequest {
  readonly source: ReleaseSource;
  readonly release: ChannelRelease;
  readonly cache: string;
  /** The file to write, mode 0600, on the cache's file system. */
  readonly to: string;
}

/** The operator program of a release alone, checked against the channel file. */
export async function fetchOperator({ source, release, cache, to }: OperatorRequest): Promise<void> {
  const asset = release.assets.find(({ name }) => name === OPERATOR_ASSET);
  if (asset === undefined)
    throw new ToolError('E_FORMAT', `${release.tag}: the channel file names no ${OPERATOR_ASSET}`, { hint: 'Tell the vendor.' });
  if (asset.sha256 !== release.operator) throw otherBytes(`${OPERATOR_ASSET} of ${release.tag}`);
  await inIncoming(cache, async (incoming) => {
    const file = join(incoming, OPERATOR_ASSET);
    await source.download(release.tag, asset.name, { to: file, maxBytes: asset.size, sha256: release.operator });
    await store(file, to);
  });
}

async function readCached(request: ReleaseRequest): Promise<FetchedRelease | undefined> {
  const { cache, release, trust } = request;
  const content = await readBounded(cachedFile(cache, release.manifest), MOST_MANIFEST_BYTES);
  if (content === undefined || digestOf(content) !== release.manifest) return undefined;
  const signature = (await readBounded(signaturePath(cache, release.manifest), MOST_SIGNATURE_BYTES))?.toString() ?? null;
  if (signature === null && trust.key !== null) return undefined;
  const manifest = verifyManifest(content, signature, request);
  for (const { sha256 } of manifest.files) if (!(await isCached(cache, sha256))) return undefined;
  return fetchedOf(manifest, content, signature);
}

async function isCached(cache: string, digest: Digest): Promise<boolean> {
  const path = cachedFile(cache, digest);
  try {
    return (await stat(path)).isFile() && (await measureFile(path)).sha256 === digest;
  } catch {
    return false; // whatever is wrong with it, fetching it again mends it
  }
}

async function fetchInto(incoming: string, request: ReleaseRequest): Promise<FetchedRelease> {
  const { source, release, cache, onBytes } = request;
  const artifact = artifactOf(release);
  const file = join(incoming, 'bundle.tar.gz');
  const progress = onBytes === undefined ? {} : { onBytes: (done: number) => onBytes(done, artifact.size) };
  await source.download(release.tag, artifact.name, { to: file, maxBytes: artifact.size, sha256: artifact.sha256, ...progress });
  const open = release.imported === true ? openImported : openBundle;
  const { manifest, content, signature, places } = await open({ file, folder: join(incoming, 'unpacked') }, request);
  for (const { path, sha256 } of manifest.files) await store(places.get(path) ?? '', cachedFile(cache, sha256));
  if (signature !== null) await storeText(incoming, signature, signaturePath(cache, release.manifest));
  await storeText(incoming, content, cachedFile(cache, release.manifest)); // last: with it the cache counts as complete
  await syncFolder(join(cache, 'sha256'));
  return fetchedOf(manifest, content, signature);
}

/** A bundle that was fetched and proved to hold what its manifest says. */
export interface OpenedBundle {
  readonly manifest: Manifest;
  readonly content: Buffer;
  readonly signature: string | null;
  /** Where each file of the manifest lies, by path. */
  readonly places: ReadonlyMap<string, string>;
}

/** An archive, and a folder to unpack it into. */
export interface BundleToOpen {
  readonly file: string;
  readonly folder: string;
}

async function openBundle({ file, folder }: BundleToOpen, request: ReleaseRequest): Promise<OpenedBundle> {
  const read = await readManifest(file, request);
  const { files, artifact, product } = read.manifest;
  const expected = new Map(files.map((entry) => [entry.path, expectedOf(entry)]));
  const { tarSha256 } = await unpackTarball({ file, into: folder, top: product, limits: DEFAULT_LIMITS, expected });
  if (tarSha256 !== artifact.tarSha256) throw otherBytes(artifact.name);
  return { ...read, places: new Map(files.map(({ path }) => [path, join(folder, path)])) };
}

/** The bundle is the first archive among the assets; aliases are further names of the same bytes. */
function artifactOf({ assets, tag }: ChannelRelease): ChannelAsset {
  const artifact = assets.find(({ name }) => /\.(tar\.gz|tgz)$/.test(name));
  if (artifact !== undefined) return artifact;
  throw new ToolError('E_FORMAT', `${tag}: the channel file names no bundle`, { hint: 'Tell the vendor.' });
}

async function readManifest(
  file: string,
  request: ReleaseRequest,
): Promise<{ readonly manifest: Manifest; readonly content: Buffer; readonly signature: string | null }> {
  const entries = await readEntries({ file, names: [MANIFEST, SIGNATURE], maxBytes: MOST_MANIFEST_BYTES });
  const content = entries.get(MANIFEST);
  if (content === undefined)
    throw new ToolError('E_ARCHIVE', `${request.release.tag}: its archive has no ${MANIFEST}`, { hint: 'Tell the vendor.' });
  const signature = entries.get(SIGNATURE)?.toString() ?? null;
  return { manifest: verifyManifest(content, signature, request), content, signature };
}

function expectedOf({ size, sha256, mode }: Manifest['files'][number]): ExpectedFile {
  return { size, sha256, mode: (mode === '0755' ? 0o755 : 0o644) satisfies TarMode };
}

/** Moves a file that arrived to its place, private and synced. */
async function store(from: string, to: string): Promise<void> {
  const file = await open(from, 'r');
  try {
    await file.chmod(0o600);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(from, to);
}

async function storeText(incoming: string, content: string | Uint8Array, to: string): Promise<void> {
  const from = join(incoming, 'text');
  await writeFile(from, content);
  await store(from, to);
}

function fetchedOf(manifest: Manifest, content: Buffer, signature: string | null): FetchedRelease {
  const files = new Map(manifest.files.map(({ path, sha256 }) => [path, sha256]));
  return { manifest, manifestText: content.toString(), signature, files };
}

function signaturePath(cache: string, manifest: Digest): string {
  return `${cachedFile(cache, manifest)}.minisig`;
}

function otherBytes(what: string): ToolError {
  return new ToolError('E_DIGEST', `${what}: its content is not what the manifest says`, {
    hint: 'It was damaged or replaced. Try another host, or tell the vendor.',
  });
}
