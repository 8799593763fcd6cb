// What a GitHub repository holds: git objects and names, releases with assets. Rule: objects are never changed, names are, and drafts are no tags.
import { createHash } from 'node:crypto';

export interface StoredAsset {
  readonly id: number;
  readonly name: string;
  readonly bytes: Buffer;
  /** `starter` is what a broken upload leaves: it blocks the name. */
  readonly state: 'uploaded' | 'starter';
}

export interface StoredRelease {
  readonly id: number;
  tag: string;
  name: string;
  body: string;
  draft: boolean;
  prerelease: boolean;
  immutable: boolean;
  assets: StoredAsset[];
}

export interface TagObject {
  readonly tag: string;
  readonly message: string;
  readonly object: { readonly sha: string; readonly type: string };
  readonly tagger: { readonly date: string };
}

export interface GithubState {
  readonly refs: Map<string, { readonly sha: string; readonly type: 'tag' | 'commit' }>;
  readonly tagObjects: Map<string, TagObject>;
  readonly commits: Set<string>;
  /** Of the branch `channels`; undefined = there is no such branch. */
  files: Map<string, Buffer> | undefined;
  releases: StoredRelease[];
  /** The release shown as latest; GitHub's own idea of it. */
  latest: number | undefined;
  settings: GithubSettings;
  nextId: number;
  /** How many more answers a fresh release is missing from. */
  readonly fresh: Map<number, number>;
  /** Tags of immutable releases, even of deleted ones. */
  readonly burned: Set<string>;
  /** How many more listings show a public release as a draft, and the notes that it had then. */
  readonly stale: Map<number, number>;
  readonly former: Map<number, string>;
}

export interface GithubSettings {
  private: boolean;
  archived: boolean;
  immutable: boolean;
  push: boolean;
  /** No page is longer, whatever is asked for. */
  pageSize: number;
  /** Digests of assets are null, as for those uploaded long ago. */
  oldAssets: boolean;
  /** How many listings and lookups a fresh release is missing from. */
  lag: number;
  /** How many listings show a release as the draft that it was. */
  staleDrafts: number;
  /** A rule refuses new tags. */
  tagRule: boolean;
  /** A rule refuses commits on branches. */
  branchRule: boolean;
  /** The token that is good now. */
  token: string;
  /** What a classic token may; undefined = a fine-grained one, which does not say. */
  scopes: string | undefined;
  /** Requests that are left this hour; undefined = a server without limits. */
  remaining: number | undefined;
  rulesets: readonly Readonly<Record<string, unknown>>[];
  changedFiles: readonly string[];
}

export function newGithubState(settings: Partial<GithubSettings> = {}): GithubState {
  const defaults = {
    private: false,
    archived: false,
    immutable: false,
    push: true,
    pageSize: 2,
    oldAssets: false,
    lag: 0,
    staleDrafts: 0,
    tagRule: false,
    branchRule: false,
    token: 'good-token',
    scopes: undefined,
    remaining: undefined,
    rulesets: [],
    changedFiles: [],
  };
  return {
    refs: new Map(),
    tagObjects: new Map(),
    commits: new Set([objectId('first'), objectId('second')]),
    files: undefined,
    releases: [],
    latest: undefined,
    settings: { ...defaults, ...settings },
    nextId: 1,
    fresh: new Map(),
    burned: new Set(),
    stale: new Map(),
    former: new Map(),
  };
}

export function objectId(content: string | Buffer): string {
  return createHash('sha1').update(content).digest('hex');
}

/** GitHub's blob ids are git's: of a header and the bytes. */
export function blobId(bytes: Buffer): string {
  return objectId(Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]));
}

/** What GitHub makes of a name: everything unusual becomes a dot. */
export function storedName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, '.').replace(/\.+$/, '');
  return plain.startsWith('.') ? `default${plain}` : plain;
}
