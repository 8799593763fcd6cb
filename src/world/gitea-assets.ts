// The files of a release on Gitea. Rule: Gitea takes two files of one name without a word, so every upload looks before and after, and one stays.
import type { ChannelAsset } from '../model/channel.ts';
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { UploadOptions } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import { sizeToText } from '../model/units.ts';
import type { ForgeAnswer } from './forge.ts';
import { failureOf, type Gitea, pause, saidBy } from './gitea-api.ts';
import type { GiteaRelease, StoredAsset } from './gitea-row.ts';

const MOST_TRIES = 3;
/** How often a release is read anew because others tidy it up: each of them may remove a file that was about to be read. */
const MOST_LOOKS = 20;
/** Statuses of an upload that are looked into here. */
const ANSWERS: readonly number[] = [400, 404, 409, 413, 422, 500, 502, 503, 504];

/** Reads a release anew; undefined when it is gone. */
export type Reread = () => Promise<GiteaRelease | undefined>;

/** The assets with the digests of what is stored. Files that go while they are read belong to somebody who tidies: then it is read anew. */
export async function measureAssets(gitea: Gitea, reread: Reread): Promise<readonly ChannelAsset[] | undefined> {
  for (let tries = 1; ; tries += 1) {
    const release = await reread();
    if (release === undefined) return undefined;
    try {
      const assets: ChannelAsset[] = [];
      for (const asset of release.assets) assets.push({ name: asset.name, size: asset.size, sha256: await digestOfStored(gitea, asset) });
      return nameTwins(assets);
    } catch (error) {
      if (tries === MOST_LOOKS || !isToolError(error, 'E_NOT_FOUND')) throw error;
      await pause(gitea, tries);
    }
  }
}

/**
 * Puts an asset into the draft that `reread` gives; does nothing when it is there. A release that was published meanwhile, from this very draft, is
 * left as it is, but for the twin that an upload at that moment made.
 */
export async function uploadAsset(
  gitea: Gitea,
  reread: () => Promise<GiteaRelease>,
  wanted: ChannelAsset,
  options: UploadOptions,
): Promise<void> {
  let failed: ToolError | undefined;
  for (let tries = 1; ; tries += 1) {
    const release = await reread();
    if (!release.draft) return removeTwins(gitea, release, [wanted]);
    if (await keepOne(gitea, release, wanted)) return;
    if (tries > MOST_TRIES) throw failed ?? notStored(gitea, wanted);
    failed = await sendAsset(gitea, release, wanted, options);
    if (failed !== undefined) await pause(gitea, tries * 8); // a server that answered too early may still be storing it
  }
}

/**
 * Leaves one complete copy of an asset in the release, the oldest, and deletes every other file of its name: twins and what is cut short. Everybody
 * who tidies keeps the same one. Returns whether there is one.
 */
export async function keepOne(gitea: Gitea, release: GiteaRelease, wanted: ChannelAsset): Promise<boolean> {
  const { kept, others } = await sortCopies(gitea, release, wanted);
  for (const asset of others) await deleteAsset(gitea, release, asset);
  return kept !== undefined;
}

/** Deletes twins of these assets, each only where a complete copy stays. */
export async function removeTwins(gitea: Gitea, release: GiteaRelease, wanted: readonly ChannelAsset[]): Promise<void> {
  for (const asset of wanted) {
    if (release.assets.filter(({ name }) => name === asset.name).length < 2) continue;
    const { kept, others } = await sortCopies(gitea, release, asset);
    for (const other of kept === undefined ? [] : others) await deleteAsset(gitea, release, other);
  }
}

async function sortCopies(
  gitea: Gitea,
  { assets }: GiteaRelease,
  wanted: ChannelAsset,
): Promise<{ readonly kept: StoredAsset | undefined; readonly others: readonly StoredAsset[] }> {
  const named = assets.filter(({ name }) => name === wanted.name).sort((a, b) => a.id - b.id);
  let kept: StoredAsset | undefined;
  for (const asset of named) if (kept === undefined && (await isComplete(gitea, asset, wanted))) kept = asset;
  return { kept, others: named.filter((asset) => asset !== kept) };
}

/** The digest of what Gitea stores under this uuid; it computes none itself. */
export async function digestOfStored(gitea: Gitea, { uuid, size }: StoredAsset): Promise<Digest> {
  const known = gitea.measured.get(uuid);
  if (known !== undefined) return known;
  const { sha256 } = await gitea.forge.measure(`${gitea.web}/attachments/${encodeURIComponent(uuid)}`, size);
  gitea.measured.set(uuid, sha256);
  return sha256;
}

/** Equal twins are one asset; of different ones every further is shown under a name that no release has. */
function nameTwins(assets: readonly ChannelAsset[]): readonly ChannelAsset[] {
  const different = assets.filter(
    (asset, index) => assets.findIndex(({ name, sha256 }) => name === asset.name && sha256 === asset.sha256) === index,
  );
  return different.map((asset, index) => {
    const before = different.slice(0, index).filter(({ name }) => name === asset.name).length;
    return before === 0 ? asset : { ...asset, name: `${asset.name} (twin ${before})` };
  });
}

async function isComplete(gitea: Gitea, asset: StoredAsset, wanted: ChannelAsset): Promise<boolean> {
  if (asset.size !== wanted.size) return false;
  try {
    return (await digestOfStored(gitea, asset)) === wanted.sha256;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return false; // another publisher of the same contents tidied it away
    throw error;
  }
}

async function deleteAsset({ forge, path }: Gitea, release: GiteaRelease, asset: StoredAsset): Promise<void> {
  await forge.call({ method: 'DELETE', path: `${path}/releases/${release.id}/assets/${asset.id}`, answers: [404] });
}

/** Sends it once; returns the error of an attempt whose outcome is open. A form, for only newer servers take the bare bytes. */
async function sendAsset(
  gitea: Gitea,
  release: GiteaRelease,
  asset: ChannelAsset,
  { from, onBytes }: UploadOptions,
): Promise<ToolError | undefined> {
  const boundary = `slipway-${gitea.world.random(16).toString('hex')}`;
  const name = encodeURIComponent(parseFileName(asset.name, 'asset'));
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="attachment"; filename="${asset.name}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  try {
    const answer = await gitea.forge.send({
      url: `${gitea.web}/api/v1/${gitea.path}/releases/${release.id}/assets?name=${name}`,
      file: from,
      asset,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      prefix: Buffer.from(head),
      suffix: Buffer.from(`\r\n--${boundary}--\r\n`),
      answers: ANSWERS,
      ...(onBytes === undefined ? {} : { onBytes }),
    });
    return refusalOf(gitea, asset, answer);
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return error;
    throw error;
  }
}

/** Throws what another try cannot change. */
function refusalOf(gitea: Gitea, { name, size }: ChannelAsset, answer: ForgeAnswer): ToolError | undefined {
  if (answer.status < 300) return undefined;
  if (answer.status === 413) {
    throw new ToolError('E_TOO_LARGE', `${gitea.name} takes no file of ${sizeToText(size)}: ${name}${saidBy(answer)}`, {
      hint: `Raise [attachment] MAX_SIZE of the server (or FILE_MAX_SIZE in [repository.release]), and the limit of a proxy before it.`,
    });
  }
  if (answer.status === 400) {
    throw new ToolError('E_NOT_SUPPORTED', `${gitea.name} takes no file such as ${name}${saidBy(answer)}`, {
      hint: 'Set ALLOWED_TYPES in [repository.release] of the server to nothing, or add this type.',
    });
  }
  return failureOf(gitea, `uploading ${name}`, answer);
}

function notStored(gitea: Gitea, { name }: ChannelAsset): ToolError {
  return new ToolError('E_NETWORK', `${gitea.name} took ${name} and does not show it`, { hint: 'Run the same command again.' });
}
