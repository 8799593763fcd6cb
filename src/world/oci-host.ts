// A registry as a mirror of releases: each is an artifact at its tag. Rule: a registry cannot refuse a second writer, so it decides nothing; what
// was written is read back, and what is published there stays.
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import {
  type Draft,
  type HostProblem,
  MANIFEST_ASSET,
  type OciAddress,
  type Publication,
  type ReleaseHost,
  type ReleaseWanted,
  type UploadOptions,
} from '../model/host.ts';
import { isReleaseTag, ociTag } from '../model/oci-artifact.ts';
import { parseRelativePath } from '../model/parse.ts';
import { assetDifferences, publishedDiffers } from '../model/published.ts';
import { changeOciChannel } from './oci-channel.ts';
import { readOciFile, releaseAt } from './oci-source.ts';
import { artifactAt, type OciStore, type OciWorld, openOciStore, putArtifact, putBytes, putFile, tagsOf } from './oci-store.ts';

const MOST_TRIES = 10;
const MOST_TEXT_BYTES = 256 * 1024;

/** The repository of a registry as a mirror. Nothing is asked until it is used. */
export function ociHost({ name, repository }: OciAddress, world: OciWorld): ReleaseHost {
  const store = openOciStore(repository, world);
  return {
    label: store.label,
    read: (path, maxBytes) => readOciFile(store, path, maxBytes),
    reservation: async () => undefined,
    tags: async (prefix) => (await tagsOf(store)).filter((tag) => isReleaseTag(tag) && tag.startsWith(prefix)),
    listRelease: async (tag) => (await releaseAt(store, tag))?.files,
    preflight: (wanted) => findProblems(store, wanted),
    reserve: () => Promise.reject(undecided(name)),
    unreserve: async () => undefined,
    openDraft: (draft) => openDraft(store, draft),
    listDraft: (draft) => listDraft(store, draft),
    upload: (draft, asset, options) => upload(store, draft, { asset, options }),
    dropDraft: (draft) => dropDraft(store, draft),
    publish: (draft, publication) => publish(store, draft, publication),
    changeChannel: (channel, next) => changeOciChannel(store, channel, next),
    putAsset: (tag, asset, path) => putAsset(store, { tag, asset, path }),
    putText: (path, text) => putText(store, path, text),
  };
}

/** Beginning an upload is the one question whose answer tells whether we may write; it is given up at once. */
async function findProblems({ ref, registry, label }: OciStore, { tag }: ReleaseWanted): Promise<readonly HostProblem[]> {
  const named: HostProblem[] = isReleaseTag(tag)
    ? []
    : [
        {
          severity: 'error',
          message: `${tag} cannot be a tag of ${label}`,
          hint: 'Use letters, digits, dots, dashes and underscores only.',
        },
      ];
  try {
    await registry.checkPush(ref);
    return named;
  } catch (error) {
    if (!isToolError(error, 'E_AUTH') && !isToolError(error, 'E_NOT_FOUND')) throw error;
    return [...named, { severity: 'error', message: error.message, hint: error.hint ?? '' }];
  }
}

async function openDraft(store: OciStore, draft: Draft): Promise<void> {
  if ((await listDraft(store, draft)) === undefined) await putArtifact(store, ociTag.draft(draft.contents), { kind: 'draft', files: [] });
}

async function listDraft(store: OciStore, { contents }: Draft): Promise<readonly ChannelAsset[] | undefined> {
  const found = await artifactAt(store, ociTag.draft(contents));
  return found?.kind === 'draft' ? found.files : undefined;
}

interface DraftUpload {
  readonly asset: ChannelAsset;
  readonly options: UploadOptions;
}

/** The bytes first; then the draft's list, which a publisher with the same contents may be writing too. */
async function upload(store: OciStore, draft: Draft, { asset, options }: DraftUpload): Promise<void> {
  const entry = { name: asset.name, size: asset.size, sha256: asset.sha256 };
  const listed = (await listDraft(store, draft))?.some((file) => isSame(file, entry));
  if (listed) return options.onBytes?.(asset.size);
  await putFile(store, asset, options);
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const files = (await listDraft(store, draft)) ?? [];
    if (files.some((file) => isSame(file, entry))) return;
    const next = [...files.filter(({ name }) => name !== asset.name), entry];
    if (await putArtifact(store, ociTag.draft(draft.contents), { kind: 'draft', files: next })) return;
  }
  throw new ToolError('E_NETWORK', `${store.label}: the draft of ${draft.tag} comes and goes`, { hint: 'Run the same command again.' });
}

/** Where nothing may be removed, the draft's name stays and says that it was dropped. */
async function dropDraft(store: OciStore, { contents }: Draft): Promise<void> {
  const found = await artifactAt(store, ociTag.draft(contents));
  if (found?.kind !== 'draft') return;
  if (await store.registry.deleteManifest(store.ref, found.digest)) {
    if ((await artifactAt(store, ociTag.draft(contents))) === undefined) return;
  }
  await putArtifact(store, ociTag.draft(contents), { kind: 'dropped', files: [] });
}

async function publish(store: OciStore, draft: Draft, publication: Publication): Promise<'published' | 'already-published'> {
  const there = await releaseAt(store, draft.tag);
  if (there !== undefined && manifestOf(there.files) !== publication.replaces) return settle(store, draft, publication);
  const found = (await listDraft(store, draft)) ?? [];
  const differences = assetDifferences(found, publication.assets);
  if (differences.length > 0) {
    throw new ToolError('E_DIGEST', `the draft of ${draft.tag} is not what was uploaded: ${differences.join(', ')}`, {
      hint: 'Publish again.',
    });
  }
  const files = publication.assets.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  if (!(await putArtifact(store, draft.tag, { kind: 'release', files }))) return settle(store, draft, publication); // somebody wrote in between
  await dropDraft(store, draft);
  return 'published';
}

/** Somebody published this tag: ours is dropped, and the manifest tells whether that is success. */
async function settle(store: OciStore, draft: Draft, { assets }: Publication): Promise<'already-published'> {
  await dropDraft(store, draft);
  const published = manifestOf((await releaseAt(store, draft.tag))?.files);
  if (published !== undefined && published === manifestOf(assets)) return 'already-published';
  throw publishedDiffers(draft.tag, published, manifestOf(assets));
}

async function putAsset(
  store: OciStore,
  { tag, asset, path }: { readonly tag: string; readonly asset: ChannelAsset; readonly path: string },
): Promise<void> {
  const there = (await releaseAt(store, tag))?.files.some((file) => isSame(file, asset));
  if (!there) throw new ToolError('E_NOT_FOUND', `${store.label}: ${tag} has no such ${asset.name}`, { hint: 'Publish it first.' });
  await putArtifact(store, fileTag(path), { kind: 'file', files: [{ name: baseOf(path), size: asset.size, sha256: asset.sha256 }] });
}

async function putText(store: OciStore, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const file = { name: baseOf(path), size: bytes.length, sha256: digestOf(bytes) };
  if ((await artifactAt(store, fileTag(path))) === undefined) {
    await putBytes(store, { digest: file.sha256, size: file.size }, bytes);
    await putArtifact(store, fileTag(path), { kind: 'file', files: [file] });
  }
  const found = await readOciFile(store, path, MOST_TEXT_BYTES);
  if (found?.toString() !== text) throw publishedDiffers(path, found && digestOf(found), file.sha256);
}

function fileTag(path: string): string {
  return ociTag.file(parseRelativePath(path, 'path'));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function isSame(a: ChannelAsset, b: ChannelAsset): boolean {
  return a.name === b.name && a.size === b.size && a.sha256 === b.sha256;
}

function manifestOf(assets: readonly ChannelAsset[] | undefined): Digest | undefined {
  return assets?.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
}

function undecided(name: string): ToolError {
  return new ToolError('E_NOT_SUPPORTED', `the registry ${name} cannot decide who has a version`, {
    hint: 'Name another host as release.authority: github, gitea, git or folder.',
  });
}
