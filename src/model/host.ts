// Where releases live. Rule: an address is data that a plan may hold; tokens are the names of environment variables, never values.
import type { ChannelAsset } from './channel.ts';
import type { Digest } from './digest.ts';
import type { Reservation } from './reservation.ts';

export type HostAddress = FolderAddress;

/** A directory as a release host; `url` is where a static web server shows it, if any. */
export interface FolderAddress {
  readonly type: 'folder';
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly url?: string;
}

/** A release's file as a host shows it. */
export interface Asset {
  readonly name: string;
  readonly size: number;
}

/** What installs and `verify` read from. Every read is bounded; what is absent gives undefined; a host that cannot be reached throws E_NETWORK. */
export interface ReleaseSource {
  /** For messages: a URL or a path. */
  readonly label: string;
  /** The bytes of a small file below the root (`channels/stable.signed.json`, `keys/<id>.json`), or undefined when it is absent. */
  readonly read: (path: string, maxBytes: number) => Promise<Buffer | undefined>;
  /** The assets of a published release, or undefined when there is none; never those of a draft. */
  readonly assets: (tag: string) => Promise<readonly Asset[] | undefined>;
  /** Writes one asset to `to` (mode 0600); throws E_TOO_LARGE beyond `maxBytes`, E_DIGEST for other content, and E_NOT_FOUND when it is absent. */
  readonly download: (tag: string, asset: string, options: DownloadOptions) => Promise<void>;
}

export interface DownloadOptions {
  readonly to: string;
  readonly maxBytes: number;
  /** The content that is expected; anything else is refused and leaves no file. */
  readonly sha256?: Digest;
  readonly onBytes?: (done: number) => void;
}

/** A channel file that is to take the place of the current one. */
export interface NextChannel {
  /** One more than the current file's. */
  readonly sequence: number;
  readonly text: string;
}

/** What publishers look at before they write. A host on which nothing was ever published shows nothing. */
export interface HostView extends Pick<ReleaseSource, 'label' | 'read'> {
  readonly reservation: (tag: string) => Promise<Reservation | undefined>;
  /** The assets of a published release, with the digests of what is stored; undefined when there is none. */
  readonly listRelease: (tag: string) => Promise<readonly ChannelAsset[] | undefined>;
}

/** What publishers write to. Whatever is published stays as it is; every call is safe to repeat. */
export interface ReleaseHost extends HostView {
  /** Reserves the tag unless somebody has; returns the reservation in force, read back from the host. */
  readonly reserve: (wanted: Reservation) => Promise<Reservation>;
  /** Gives the tag free again when this very reservation is in force and nothing was published under it. */
  readonly unreserve: (wanted: Reservation) => Promise<void>;
  /** Makes an empty draft, which no reader sees, unless it is there. */
  readonly openDraft: (draft: string) => Promise<void>;
  /** The complete assets of a draft, with the digests of what is stored; undefined when there is no such draft. */
  readonly listDraft: (draft: string) => Promise<readonly ChannelAsset[] | undefined>;
  /** Puts one asset into a draft, from a file that must still have this size and digest. */
  readonly upload: (draft: string, asset: ChannelAsset, upload: UploadOptions) => Promise<void>;
  readonly dropDraft: (draft: string) => Promise<void>;
  /**
   * Publishes a draft that holds exactly these assets, at once and for ever. A published release with the same manifest digest is success
   * and drops the draft; with another one throws E_PUBLISHED_DIFFERS.
   */
  readonly publish: (tag: string, draft: string, assets: readonly ChannelAsset[]) => Promise<'published' | 'already-published'>;
  /**
   * Replaces a channel file by what `next` makes of the current text; asked again when another publisher came first. Its sequence never
   * falls, whoever is cut off at whatever moment. `next` returns undefined when nothing is to be changed.
   */
  readonly changeChannel: (channel: string, next: (current: string | undefined) => NextChannel | undefined) => Promise<void>;
  /** Copies an asset of a published release to `path` below the root, in place of what is there. */
  readonly putAsset: (tag: string, asset: ChannelAsset, path: string) => Promise<void>;
}

export interface UploadOptions {
  readonly from: string;
  readonly onBytes?: (done: number) => void;
}

/** The name of the manifest among a release's assets. */
export const MANIFEST_ASSET = 'bundle.json';
/** The name of the operator program among a release's assets. */
export const OPERATOR_ASSET = 'operator.js';
/** The assets of the main channel's latest release that lie at the root of a host too. */
export const ROOT_ASSETS: readonly string[] = ['install.sh'];
