// What a Gitea server holds: one repository with git tags, release rows, attachments and branches. Rule: a tag and a release are one row, as there.
import { createHash, randomUUID } from 'node:crypto';

export interface Attachment {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly bytes: Buffer;
}

/** A row of the `release` table: a bare tag, a draft or a release. Its tag's name is unique without regard to case. */
export interface Row {
  readonly id: number;
  tag: string;
  isTag: boolean;
  draft: boolean;
  prerelease: boolean;
  title: string;
  note: string;
  target: string;
  created: number;
  assets: Attachment[];
}

/** A tag in git. `message` is undefined for a lightweight one. */
export interface GitTag {
  readonly id: string;
  readonly commit: string;
  readonly message: string | undefined;
  readonly created: string;
}

export interface Branch {
  head: string;
  files: ReadonlyMap<string, Buffer>;
}

export interface Token {
  readonly user: string;
  readonly scopes: readonly string[];
  /** What the user may do in the repository. */
  readonly access: 'admin' | 'write' | 'read' | 'none';
}

export interface TagProtection {
  readonly name_pattern: string;
  readonly whitelist_usernames: readonly string[];
  readonly whitelist_teams: readonly string[];
}

/** Settings of the server and the repository; a test may change them at any time. */
export interface Settings {
  private: boolean;
  archived: boolean;
  empty: boolean;
  hasReleases: boolean;
  /** MAX_RESPONSE_ITEMS: no page is longer, whatever is asked for. */
  pageSize: number;
  /** [attachment] MAX_SIZE in MB; shown by the settings API. */
  maxSize: number;
  /** [repository.release] ALLOWED_TYPES; shown nowhere. */
  allowedTypes: readonly string[];
  protections: readonly TagProtection[];
  version: string;
  /** Downloads answer with a redirect: `relative` to a path of this server, or the URL of an object storage. */
  storage: 'inline' | 'relative' | string;
  /** REQUIRE_SIGNIN_VIEW: pages lead anonymous readers to a login form. */
  signIn: boolean;
}

export interface GiteaState {
  readonly settings: Settings;
  readonly rows: Row[];
  readonly tags: Map<string, GitTag>;
  readonly branches: Map<string, Branch>;
  readonly commits: Set<string>;
  /** Of the commits that the API made. */
  readonly messages: string[];
  readonly tokens: Map<string, Token>;
  /** Milliseconds between a check and the act that rests on it: the window in which others come between. */
  window: number;
  nextId: number;
}

export const DEFAULT_BRANCH = 'main';

/** A repository with two commits on `main`, one token that may do all, and nothing released. */
export function newGiteaState(settings: Partial<Settings> = {}): GiteaState {
  const commits = ['first', 'second'].map(objectId);
  const files = new Map([
    ['README.md', Buffer.from('# Acme\n')],
    ['.gitea/workflows/release.yml', Buffer.from('on: push\n')],
  ]);
  return {
    settings: {
      private: false,
      archived: false,
      empty: false,
      hasReleases: true,
      pageSize: 50,
      maxSize: 2048,
      allowedTypes: [],
      protections: [],
      version: '1.25.3',
      storage: 'inline',
      signIn: false,
      ...settings,
    },
    rows: [],
    tags: new Map(),
    branches: new Map([[DEFAULT_BRANCH, { head: commits[1] as string, files }]]),
    commits: new Set(commits),
    messages: [],
    tokens: new Map([['good-token', { user: 'publisher', scopes: ['write:repository'], access: 'write' }]]),
    window: 1,
    nextId: 1,
  };
}

/** What git names an object by: 40 hex digits. */
export function objectId(content: string): string {
  return createHash('sha1').update(content).digest('hex');
}

/** The id that git gives a file's content. */
export function blobId(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** The row of a tag, without regard to case. */
export function rowOf(state: GiteaState, tag: string): Row | undefined {
  return state.rows.find((row) => row.tag.toLowerCase() === tag.toLowerCase());
}

/** Inserts a row, or returns undefined where the unique index refuses it. */
export function insertRow(state: GiteaState, parts: Partial<Row> & Pick<Row, 'tag'>): Row | undefined {
  if (rowOf(state, parts.tag) !== undefined) return undefined;
  const row: Row = {
    id: state.nextId++,
    isTag: false,
    draft: false,
    prerelease: false,
    title: '',
    note: '',
    target: '',
    created: Date.now(),
    assets: [],
    ...parts,
  };
  state.rows.push(row);
  return row;
}

/** Stores an attachment. Nothing keeps two from having one name. */
export function attach(state: GiteaState, row: Row, name: string, bytes: Buffer): Attachment {
  const attachment = { id: state.nextId++, uuid: randomUUID(), name, bytes };
  row.assets.push(attachment);
  return attachment;
}

/** Makes a tag in git as `git push` would: no row comes with it. */
export function pushTag(state: GiteaState, name: string, commit: string, message?: string): GitTag {
  const created = '2026-03-15T10:00:00Z';
  const id = message === undefined ? commit : objectId(`tag ${name} ${commit} ${message} ${state.nextId++}`);
  const tag = { id, commit, message, created };
  state.tags.set(name, tag);
  return tag;
}

/** True when a tag protection keeps this user from making the tag. */
export function isProtected(state: GiteaState, tag: string, user: string): boolean {
  const matching = state.settings.protections.filter(({ name_pattern }) => patternOf(name_pattern).test(tag));
  return matching.length > 0 && !matching.some(({ whitelist_usernames }) => whitelist_usernames.includes(user));
}

function patternOf(pattern: string): RegExp {
  const inner = /^\/(.*)\/$/.exec(pattern)?.[1];
  return inner === undefined ? new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`) : new RegExp(inner);
}
