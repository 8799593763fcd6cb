// Publishing: reserve, draft, upload, publish, check, channel, files at the root. Rule: what is published stays; only what no reader saw is taken back.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES, type Channel, type ChannelRelease, parseChannel, parseSignedChannel } from '../../model/channel.ts';
import { nextChannelFile } from '../../model/channel-change.ts';
import { isAlready, nextEditedFile } from '../../model/channel-edit.ts';
import { nextMirrorFile } from '../../model/channel-mirror.ts';
import { digestOf } from '../../model/digest.ts';
import { isToolError, ToolError } from '../../model/error.ts';
import { type HostAddress, MANIFEST_ASSET, publicLocation, type ReleaseHost } from '../../model/host.ts';
import { parsePublicKey, signerIdOf } from '../../model/minisign.ts';
import type { AssetToPublish, Signing, Step } from '../../model/plan.ts';
import { assetDifferences, publishedDiffers, reservedElsewhere, tagGone } from '../../model/published.ts';
import { judgeReservation } from '../../model/reservation.ts';
import { readTextIfThere } from '../../world/disk.ts';
import { type HostWorld, isChannelCopied, openHost, openSource, openView } from '../../world/hosts.ts';
import { readSecretKey } from '../../world/secret-key.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { workFolder } from '../site.ts';

const reserveTag: Handler<'reserve-tag'> = {
  done: async ({ host, reservation }, site) => {
    const found = await hostOf(host, site).reservation(reservation.tag);
    return found !== undefined && judgeReservation(reservation, found) !== 'elsewhere';
  },
  run: async ({ host, reservation }, site) => {
    const found = await hostOf(host, site).reserve(reservation);
    if (judgeReservation(reservation, found) === 'elsewhere') throw reservedElsewhere(reservation, found);
  },
  undo: async ({ host, reservation }, _saved, site) => hostOf(host, site).unreserve(reservation),
};

const draftRelease: Handler<'draft-release'> = {
  done: async ({ host, draft }, site) => (await hostOf(host, site).listDraft(draft)) !== undefined,
  run: async ({ host, draft }, site) => hostOf(host, site).openDraft(draft),
  undo: async ({ host, draft }, _saved, site) => hostOf(host, site).dropDraft(draft),
};

const uploadAssets: Handler<'upload-assets'> = {
  done: async ({ host, draft, assets }, site) => holds(await hostOf(host, site).listDraft(draft), assets),
  run: async ({ host, draft, assets, from }, site) => {
    for (const asset of assets) {
      if (site.interrupted()) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Run the same command again to publish.' });
      const onBytes = (done: number): void => {
        site.world.report({ type: 'progress', text: asset.name, done, total: asset.size, unit: 'bytes' });
      };
      await hostOf(host, site).upload(draft, asset, { from: join(site.root, from, asset.name), onBytes });
    }
  },
};

const publishRelease: Handler<'publish-release'> = {
  done: async ({ host, draft, publication }, site) => {
    const open = hostOf(host, site);
    return (await open.listDraft(draft)) === undefined && manifestOf(await open.listRelease(draft.tag)) === manifestOf(publication.assets);
  },
  run: async ({ host, draft, publication }, site) => {
    const open = hostOf(host, site);
    try {
      if (isForge(host) && (await open.reservation(draft.tag)) === undefined) throw tagGone(host.name, draft.tag);
      await open.publish(draft, publication);
    } catch (error) {
      await open.dropDraft(draft); // refused past the point of no return: nothing of ours stays behind
      throw error;
    }
  },
};

const checkPublished: Handler<'check-published'> = {
  done: async () => false, // reading again is all it does
  run: async ({ host, tag, assets }, site) => {
    const found = await hostOf(host, site).listRelease(tag);
    if (manifestOf(found) !== manifestOf(assets)) throw publishedDiffers(tag, manifestOf(found), manifestOf(assets));
    const differences = assetDifferences(found ?? [], assets);
    if (differences.length > 0) throw otherPacking(tag, differences);
    const shown = host.type === 'folder' ? host.url : publicLocation(host);
    if (shown !== undefined) await checkShown(shown, { tag, assets }, site);
  },
};

const putChannel: Handler<'put-channel'> = {
  done: async ({ host, addition }, site) => {
    const { version, manifest } = addition.release;
    const channel = await readChannel(host, addition.channel, site.world);
    const joined = channel?.releases.some((release) => release.version === version && release.manifest === manifest) === true;
    return joined && (await isChannelCopied(openView(host, site.world), addition.channel));
  },
  run: async ({ host, addition, signing }, site) => {
    const key = { publicKey: signing.publicKey, secretKey: await readSecretKey(signing, site.world.env) };
    await hostOf(host, site).changeChannel(addition.channel, (current) => nextChannelFile(current, addition, key));
  },
};

const editChannel: Handler<'edit-channel'> = {
  done: async ({ host, edit, signing }, site) => {
    const channel = await readChannel(host, edit.channel, site.world);
    if (!(await isSignedBy(signing, host, { channel: edit.channel, world: site.world }))) return false;
    if (channel === undefined || !(await isChannelCopied(openView(host, site.world), edit.channel))) return false;
    return edit.release === null ? channel.issued >= edit.issued : isAlready(channel, edit.release);
  },
  run: async ({ host, edit, signing }, site) => {
    const { publicKey, former } = signing;
    const key = { publicKey, secretKey: await readSecretKey(signing, site.world.env), ...(former === undefined ? {} : { former }) };
    await hostOf(host, site).changeChannel(edit.channel, (current) => nextEditedFile(current, edit, key));
  },
};

const putTexts: Handler<'put-texts'> = {
  done: async ({ host, texts }, { world }) => {
    for (const { path, text } of texts) {
      if ((await openView(host, world).read(path, Buffer.byteLength(text)).catch(ifTooLarge))?.toString() !== text) return false;
    }
    return true;
  },
  run: async ({ host, texts }, site) => {
    for (const { path, text } of texts) await hostOf(host, site).putText(path, text);
  },
};

const mirrorChannel: Handler<'mirror-channel'> = {
  done: async (step, site) => {
    const text = await channelToMirror(step, site);
    const there = await signedChannel(step.host, step.channel, site.world);
    return text !== undefined && text === there && (await isChannelCopied(openView(step.host, site.world), step.channel));
  },
  run: async (step, site) => {
    const { from, host, channel } = step;
    const text = await channelToMirror(step, site);
    if (text === undefined) throw new ToolError('E_NOT_FOUND', `${from.name} has no channel ${channel}`, { hint: 'Publish to it first.' });
    await hostOf(host, site).changeChannel(channel, (current) => nextMirrorFile(current, text, channel));
  },
};

const putFiles: Handler<'put-files'> = {
  done: async (step, site) => {
    const release = await latestOf(step, site.world);
    for (const asset of assetsAt(step, release)) {
      const there = await openView(step.host, site.world).read(asset.name, asset.size).catch(ifTooLarge);
      if (there === undefined || digestOf(there) !== asset.sha256) return false;
    }
    return true;
  },
  run: async (step, site) => {
    for (let release = await latestOf(step, site.world); release !== undefined; ) {
      for (const asset of assetsAt(step, release)) await hostOf(step.host, site).putAsset(release.tag, asset, asset.name);
      const now = await latestOf(step, site.world);
      if (now?.tag === release.tag) return;
      release = now; // a later release came meanwhile, and its publisher may have written before us
    }
  },
};

const showRuntimes: Handler<'show-runtimes'> = {
  done: async ({ host, assets }, { world }) => {
    for (const { name, size, sha256 } of assets) {
      const there = await openView(host, world).read(`runtimes/${name}`, size).catch(ifTooLarge);
      if (there === undefined || digestOf(there) !== sha256) return false;
    }
    return true;
  },
  run: async ({ host, tag, assets }, site) => {
    for (const asset of assets) await hostOf(host, site).putAsset(tag, asset, `runtimes/${asset.name}`);
  },
};

/** The handlers of publishing. */
export const releaseSteps = {
  'reserve-tag': reserveTag,
  'draft-release': draftRelease,
  'upload-assets': uploadAssets,
  'publish-release': publishRelease,
  'check-published': checkPublished,
  'put-channel': putChannel,
  'edit-channel': editChannel,
  'put-texts': putTexts,
  'mirror-channel': mirrorChannel,
  'put-files': putFiles,
  'show-runtimes': showRuntimes,
} satisfies Pick<
  Handlers,
  | 'reserve-tag'
  | 'draft-release'
  | 'upload-assets'
  | 'publish-release'
  | 'check-published'
  | 'put-channel'
  | 'edit-channel'
  | 'put-texts'
  | 'mirror-channel'
  | 'put-files'
  | 'show-runtimes'
>;

function hostOf(address: HostAddress, site: Site): ReleaseHost {
  return openHost(address, site.world);
}

function isForge({ type }: HostAddress): boolean {
  return type === 'github' || type === 'gitea';
}

function holds(found: readonly AssetToPublish[] | undefined, wanted: readonly AssetToPublish[]): boolean {
  return found !== undefined && assetDifferences(found, wanted).length === 0;
}

function manifestOf(assets: readonly AssetToPublish[] | undefined): AssetToPublish['sha256'] | undefined {
  return assets?.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
}

/** Reads the release as installs will. A server that does not show the folder yet is said, not failed: it may be copied there later. */
async function checkShown(url: string, { tag, assets }: Pick<Step<'check-published'>, 'tag' | 'assets'>, site: Site): Promise<void> {
  const folder = join(workFolder(site.root, site.planId), 'shown');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const source = openSource(url, site.world);
  try {
    for (const { name, size, sha256 } of assets) await source.download(tag, name, { to: join(folder, name), maxBytes: size, sha256 });
  } catch (error) {
    if (!isToolError(error, 'E_NETWORK') && !isToolError(error, 'E_NOT_FOUND')) throw error;
    site.world.report({
      type: 'warning',
      text: `${tag} is not shown at ${url}: ${error.message}`,
      ...(error.hint ? { hint: error.hint } : {}),
    });
  }
}

/** False while a former key's signature waits to be replaced. */
async function isSignedBy(
  { publicKey, former }: Signing,
  host: HostAddress,
  { channel, world }: { readonly channel: string; readonly world: HostWorld },
): Promise<boolean> {
  if (former === undefined || publicKey === null) return true;
  const text = await signedChannel(host, channel, world);
  const minisig = text === undefined ? null : parseSignedChannel(text, channel).minisig;
  return minisig !== null && signerIdOf(minisig, channel) === parsePublicKey(publicKey).keyId;
}

async function readChannel(host: HostAddress, name: string, world: HostWorld): Promise<Channel | undefined> {
  const text = await signedChannel(host, name, world);
  const where = `channels/${name}.signed.json`;
  return text === undefined ? undefined : parseChannel(parseSignedChannel(text, where).payload, where);
}

async function signedChannel(host: HostAddress, name: string, world: HostWorld): Promise<string | undefined> {
  return (await openView(host, world).read(`channels/${name}.signed.json`, CHANNEL_MAX_BYTES))?.toString();
}

function channelToMirror({ from, channel, content }: Step<'mirror-channel'>, site: Site): Promise<string | undefined> {
  return content === undefined ? signedChannel(from, channel, site.world) : readTextIfThere(site.content(content));
}

async function latestOf({ host, channel }: Step<'put-files'>, world: HostWorld): Promise<ChannelRelease | undefined> {
  const found = await readChannel(host, channel, world);
  return found?.releases.find(({ version }) => version === found.latest);
}

function assetsAt({ names }: Step<'put-files'>, release: ChannelRelease | undefined): readonly AssetToPublish[] {
  return release?.assets.filter(({ name }) => names.includes(name)) ?? [];
}

function ifTooLarge(error: unknown): undefined {
  if (!isToolError(error, 'E_TOO_LARGE')) throw error;
}

function otherPacking(tag: string, differences: readonly string[]): ToolError {
  return new ToolError('E_PLAN_STALE', `${tag} was published at the same time, packed to other bytes: ${differences.join(', ')}`, {
    hint: 'The contents are the same. Run the same command again: it goes on with what is published.',
  });
}
