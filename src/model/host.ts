// Where releases live. Rule: an address is data that a plan may hold; tokens are the names of environment variables, never values.
import { resolve } from 'node:path';
import type { ChannelAsset } from './channel.ts';
import { type Digest, digestOf } from './digest.ts';
import { canonicalJson } from './json.ts';
import type { Reservation } from './reservation.ts';

export type HostAddress = FolderAddress | GithubAddress | GiteaAddress | GitAddress | OciAddress;

/** A directory as a release host; `url` is where a static web server shows it, if any. */
export interface FolderAddress {
  readonly type: 'folder';
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly url?: string;
}

/** Releases of a repository on GitHub. */
export interface GithubAddress {
  readonly type: 'github';
  readonly name: string;
  /** `owner/name`. */
  readonly repository: string;
  /** The base of the REST API; https://api.github.com where absent, https://HOST/api/v3 on GitHub Enterprise Server. */
  readonly url?: string;
  /** The name of the environment variable with the token. */
  readonly token?: string;
}

/** Releases of a repository on Gitea or Forgejo. */
export interface GiteaAddress {
  readonly type: 'gitea';
  readonly name: string;
  /** `owner/name`. */
  readonly repository: string;
  /** The base of the web pages; the API is at `/api/v1` below it. */
  readonly url: string;
  readonly token?: string;
}

/** A git remote that decides who has a version, by annotated tags, and keeps the channel files on a branch. It holds no releases. */
export interface GitAddress {
  readonly type: 'git';
  readonly name: string;
  /** What `git push` takes: https, ssh, file or a path. Credentials are git's own affair. */
  readonly url: string;
}

/** An OCI registry as a mirror of releases. It cannot refuse a second writer, so it decides nothing. */
export interface OciAddress {
  readonly type: 'oci';
  readonly name: string;
  /** `registry/name` as in an image reference; credentials are docker's. */
  readonly repository: string;
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
  /** Higher than the current file's: one more at the authority; a mirror may have missed some. */
  readonly sequence: number;
  readonly text: string;
}

/** What publishers look at before they write. A host on which nothing was ever published shows nothing; a listing that fails is never an empty one. */
export interface HostView extends Pick<ReleaseSource, 'label' | 'read'> {
  readonly reservation: (tag: string) => Promise<Reservation | undefined>;
  /** The names of all tags that begin with `prefix`, reserved or published, over all pages. */
  readonly tags: (prefix: string) => Promise<readonly string[]>;
  /** The assets of a published release, with the digests of what is stored; undefined when there is none. */
  readonly listRelease: (tag: string) => Promise<readonly ChannelAsset[] | undefined>;
  /** What would stop a release there, as far as it can be known before the first write. Nothing when all is well. */
  readonly preflight: (wanted: ReleaseWanted) => Promise<readonly HostProblem[]>;
}

/** What `preflight` judges. */
export interface ReleaseWanted {
  readonly tag: string;
  readonly commit: string | null;
  readonly assets: readonly ChannelAsset[];
  /** True when a published release is to be replaced. */
  readonly replace: boolean;
}

export interface HostProblem {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly hint: string;
}

/** A draft of one publisher. */
export interface Draft {
  readonly tag: string;
  /** Its name, different for each attempt; hosts on which a draft must be found again from another machine go by `contents`. */
  readonly name: string;
  /** `contentsOf` the assets that are to be in it: publishers with other contents never share a draft. */
  readonly contents: Digest;
}

/** How a draft becomes a release. */
export interface Publication {
  /** Exactly these are in the draft. */
  readonly assets: readonly ChannelAsset[];
  /** True when the forge may show it as the latest release; never for prereleases and backports. */
  readonly latest: boolean;
  readonly prerelease: boolean;
  readonly title: string;
  /** Markdown. */
  readonly notes: string;
  /** The manifest digest of the published release whose place it takes. */
  readonly replaces: Digest | null;
}

/** What publishers write to. Whatever is published stays as it is; every call is safe to repeat. */
export interface ReleaseHost extends HostView {
  /** Reserves the tag unless somebody has; returns the reservation in force, read back from the host. */
  readonly reserve: (wanted: Reservation) => Promise<Reservation>;
  /** Gives the tag free again when this very reservation is in force and nothing was published under it. */
  readonly unreserve: (wanted: Reservation) => Promise<void>;
  /** Makes an empty draft, which no reader sees, unless it is there. */
  readonly openDraft: (draft: Draft) => Promise<void>;
  /** The complete assets of a draft, with the digests of what is stored; undefined when there is no such draft. */
  readonly listDraft: (draft: Draft) => Promise<readonly ChannelAsset[] | undefined>;
  /** Puts one asset into a draft, from a file that must still have this size and digest; does nothing when it is there. */
  readonly upload: (draft: Draft, asset: ChannelAsset, upload: UploadOptions) => Promise<void>;
  readonly dropDraft: (draft: Draft) => Promise<void>;
  /**
   * Publishes a draft that holds exactly these assets, at once and for ever. A published release with the same manifest digest is success
   * and drops the draft; with another one, unless it is the one to be replaced, throws E_PUBLISHED_DIFFERS.
   */
  readonly publish: (draft: Draft, publication: Publication) => Promise<'published' | 'already-published'>;
  /**
   * Replaces a channel file by what `next` makes of the current text; asked again when another publisher came first. Its sequence never
   * falls, whoever is cut off at whatever moment. `next` returns undefined when nothing is to be changed.
   */
  readonly changeChannel: (channel: string, next: (current: string | undefined) => NextChannel | undefined) => Promise<void>;
  /** Copies an asset of a published release to `path` below the root, in place of what is there. */
  readonly putAsset: (tag: string, asset: ChannelAsset, path: string) => Promise<void>;
  /** Puts a small text at `path` below the root for ever: key statements. Throws E_PUBLISHED_DIFFERS when something else is there. */
  readonly putText: (path: string, text: string) => Promise<void>;
}

export interface UploadOptions {
  readonly from: string;
  readonly onBytes?: (done: number) => void;
}

/** A host as the product file writes it, where a folder's path may begin at that file, as an address. */
export function addressOf(host: HostAddress, root: string): HostAddress {
  return host.type === 'folder' ? { ...host, path: resolve(root, host.path) } : host;
}

/** What installs are told: where this host shows its releases; undefined where they could not read it. */
export function publicLocation(host: HostAddress): string | undefined {
  switch (host.type) {
    case 'folder':
      return host.url ?? (host.path.startsWith('/') ? host.path : undefined);
    case 'github':
      return `${webBaseOf(host)}/${host.repository}`;
    case 'gitea':
      return `${host.url.replace(/\/+$/, '')}/${host.repository}`;
    case 'oci':
      return `oci://${host.repository}`;
    default:
      return undefined;
  }
}

/** Where a person looks at a release. */
export function releaseUrl(host: HostAddress, tag: string): string {
  switch (host.type) {
    case 'folder':
      return host.url === undefined ? `file://${encodeURI(host.path)}/releases/${tag}` : `${host.url.replace(/\/+$/, '')}/releases/${tag}`;
    case 'github':
    case 'gitea':
      return `${publicLocation(host)}/releases/tag/${tag}`;
    case 'oci':
      return `oci://${host.repository}:${tag}`;
    default:
      return host.url;
  }
}

/** GitHub's pages: github.com, or the host of an Enterprise server, whose API is at `/api/v3`. */
function webBaseOf({ url }: GithubAddress): string {
  return url === undefined || url.startsWith('https://api.github.com') ? 'https://github.com' : url.replace(/\/api\/v3\/?$|\/+$/, '');
}

/** What stands for a draft's contents: the digest of its assets by name. */
export function contentsOf(assets: readonly ChannelAsset[]): Digest {
  const sorted = [...assets].sort((a, b) => (a.name < b.name ? -1 : 1));
  return digestOf(canonicalJson(sorted.map(({ name, size, sha256 }) => ({ name, size, sha256 }))));
}

/** The name of the manifest among a release's assets. */
export const MANIFEST_ASSET = 'bundle.json';
/** The name of the operator program among a release's assets. */
export const OPERATOR_ASSET = 'operator.js';
/** The assets of the main channel's latest release that lie at the root of a host too. */
export const ROOT_ASSETS: readonly string[] = ['install.sh'];
