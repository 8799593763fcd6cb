// What a maintainer changes about published releases: yanked, deprecated, limited, live again, or only that the file is fresh. Rule: no asset and no
// digest ever changes here, and `latest` never names a yanked release.
import { CHANNEL_TYPE, type Channel, type ChannelRelease, parseChannel, type ReleaseStatus } from './channel.ts';
import { type ChangedChannel, later, ownPayload, type SigningKey, signedNext } from './channel-change.ts';
import { ToolError } from './error.ts';
import type { NextChannel } from './host.ts';
import { canonicalJson } from './json.ts';
import { parseFields, parseJson } from './parse.ts';
import { compareVersions, isPrerelease, parseVersion } from './version.ts';

export interface ChannelEdit {
  readonly product: string;
  readonly channel: string;
  /** True for a channel of prereleases; elsewhere one never becomes `latest`. */
  readonly prereleases: boolean;
  readonly issued: string;
  /** null = never. */
  readonly expires: string | null;
  /** null = the file is made fresh, and that is all. */
  readonly release: ReleaseEdit | null;
}

export interface ReleaseEdit {
  readonly version: string;
  readonly status: ReleaseStatus;
  readonly reason: string | null;
  /** The versions that an upgrade may start from; undefined = as it is. */
  readonly from?: string;
}

/** The payload after the edit, or undefined when it says so already. Throws E_NOT_FOUND for a version that the channel does not have. */
export function editChannel(current: string, edit: ChannelEdit): ChangedChannel | undefined {
  const where = `channel ${edit.channel}`;
  const former = parseChannel(current, where);
  const raw = parseFields(parseJson(current, where), where);
  const { release, issued, expires } = edit;
  if (release !== null && isAlready(former, release)) return undefined;
  const releases = release === null ? former.releases : former.releases.map((each) => edited(each, release));
  const sequence = former.sequence + 1;
  const payload = canonicalJson({
    ...raw,
    type: CHANNEL_TYPE,
    sequence,
    issued: later(former.issued, issued),
    expires: expires === null ? null : later(former.expires ?? undefined, expires),
    latest: latestOf({ ...former, releases }, edit.prereleases),
    releases: keepUnknown(raw.releases, releases),
  });
  return { sequence, payload };
}

/** The signed file after the edit. The current one is verified with the product's own key first. Throws E_NOT_FOUND when there is none. */
export function nextEditedFile(current: string | undefined, edit: ChannelEdit, key: SigningKey): NextChannel | undefined {
  if (current === undefined) {
    throw new ToolError('E_NOT_FOUND', `nothing is published in the channel ${edit.channel}`, { hint: 'Publish a release first.' });
  }
  const changed = editChannel(ownPayload(current, edit, key), edit);
  return changed === undefined ? undefined : signedNext(changed, edit, key);
}

/** True when the channel says already what the edit would make it say. */
export function isAlready(channel: Channel, edit: ReleaseEdit): boolean {
  const release = channel.releases.find(({ version }) => version === edit.version);
  if (release === undefined) {
    throw new ToolError('E_NOT_FOUND', `the channel ${channel.channel} has no release ${edit.version}`, {
      hint: `It has: ${channel.releases.map(({ version }) => version).join(', ') || 'nothing'}.`,
    });
  }
  const { status, reason, from } = edited(release, edit);
  return release.status === status && release.reason === reason && release.from === from;
}

function edited(release: ChannelRelease, edit: ReleaseEdit): ChannelRelease {
  if (release.version !== edit.version) return release;
  return { ...release, status: edit.status, reason: edit.reason, from: edit.from ?? release.from };
}

/** The newest release that installs may choose by themselves; the present one when it still may be, for a later one may be held back on purpose. */
function latestOf({ latest, releases }: Pick<Channel, 'latest' | 'releases'>, prereleases: boolean): string | null {
  const choosable = releases.filter(
    ({ status, version, imported }) => status !== 'yanked' && imported !== true && (prereleases || !isPrerelease(parseVersion(version))),
  );
  if (choosable.some(({ version }) => version === latest)) return latest;
  const sorted = choosable.map(({ version }) => parseVersion(version)).sort((a, b) => compareVersions(b, a));
  return sorted[0] ?? null;
}

/** Fields of a release that this version does not know stay. */
function keepUnknown(raw: unknown, releases: readonly ChannelRelease[]): readonly unknown[] {
  const former: readonly unknown[] = Array.isArray(raw) ? raw : [];
  return releases.map((release, index) => ({ ...(former[index] as object), ...release }));
}
