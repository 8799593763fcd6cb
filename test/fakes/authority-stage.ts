// Every kind of host that can decide who has a version, each with a product that publishes to it. Rule: publishers share nothing but the host.
import { cp, mkdir, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostAddress } from '../../src/model/host.ts';
import { measureFolder } from '../../src/world/folder-source.ts';
import { commitFiles, git } from './git-workspace.ts';
import { startGitea } from './gitea.ts';
import { startGithub } from './github.ts';

export const AUTHORITIES = ['folder', 'github', 'gitea', 'git'] as const;
export type AuthorityKind = (typeof AUTHORITIES)[number];

/** A host that decides, in the state in which nothing was published. */
export interface Authority {
  readonly address: HostAddress;
  /** Lines of the product file below `release:`. */
  readonly yaml: string;
  readonly env: Readonly<Record<string, string>>;
  /** Makes the commits of this repository known to the host, as a push does. */
  readonly push: (repository: string, commits: readonly string[]) => void;
  /** The names of what readers see below the tag, `draft` for each draft, and `twin` for each second file of one name. */
  readonly shown: (tag: string) => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

/** Starts a host of this kind, with what else it needs below `folder`. */
export async function openAuthority(kind: AuthorityKind, folder: string): Promise<Authority> {
  if (kind === 'folder') return folderAuthority(folder);
  if (kind === 'git') return gitAuthority(folder);
  return kind === 'github' ? githubAuthority() : giteaAuthority();
}

function folderAuthority(folder: string): Authority {
  const path = join(folder, 'host');
  return {
    address: { type: 'folder', name: 'local', path },
    yaml: `  hosts: { local: { type: folder, path: "${path}" } }\n  publishTo: [local]\n`,
    env: {},
    push: () => {},
    shown: (tag) => shownInFolder(path, tag),
    close: async () => {},
  };
}

/** A remote that decides, and a folder that holds the releases. */
async function gitAuthority(folder: string): Promise<Authority> {
  const bare = join(folder, 'acme.git');
  const path = join(folder, 'host');
  await mkdir(bare);
  git(bare, 'init', '-q', '--bare', '-b', 'main');
  git(bare, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
  const url = `file://${bare}`;
  return {
    address: { type: 'git', name: 'origin', url },
    yaml: `  hosts: { origin: { type: git, url: "${url}" }, local: { type: folder, path: "${path}" } }\n  publishTo: [origin, local]\n`,
    env: {},
    push: (repository) => void git(repository, 'push', '-q', '--force', url, 'HEAD:main'),
    shown: (tag) => shownInFolder(path, tag),
    close: async () => {},
  };
}

async function githubAuthority(): Promise<Authority> {
  const { address, state, close } = await startGithub();
  return {
    address,
    yaml: `  hosts: { github: { type: github, repository: acme/acme, url: "${address.url}", token: GITHUB_TOKEN } }\n  publishTo: [github]\n`,
    env: { GITHUB_TOKEN: 'good-token' },
    push: (_, commits) => {
      for (const commit of commits) state.commits.add(commit);
    },
    shown: async () => {
      return state.releases.flatMap(({ draft, assets }) => (draft ? ['draft'] : namesOf(assets.map(({ name }) => name)))).sort();
    },
    close,
  };
}

async function giteaAuthority(): Promise<Authority> {
  const { address, state, url, close } = await startGitea();
  return {
    address,
    yaml: `  hosts: { forge: { type: gitea, repository: acme/acme, url: "${url}", token: GITEA_TOKEN } }\n  publishTo: [forge]\n`,
    env: { GITEA_TOKEN: 'good-token' },
    push: (_, commits) => {
      for (const commit of commits) state.commits.add(commit);
    },
    shown: async () => {
      const rows = state.rows.filter(({ isTag }) => !isTag);
      return rows.flatMap(({ draft, assets }) => (draft ? ['draft'] : namesOf(assets.map(({ name }) => name)))).sort();
    },
    close,
  };
}

async function shownInFolder(root: string, tag: string): Promise<readonly string[]> {
  const entries = await readdir(root).catch(() => []);
  const drafts = entries.filter((name) => name.startsWith('.slipway-tmp-')).map(() => 'draft');
  const assets = (await measureFolder(join(root, 'releases', tag))) ?? [];
  return [...drafts, ...assets.map(({ name }) => name)].sort();
}

function namesOf(names: readonly string[]): readonly string[] {
  return names.map((name, index) => (names.indexOf(name) === index ? name : 'twin'));
}

export interface Publishers {
  /** One folder for each publisher: a clone of its own, with an identity of its own. */
  readonly workspaces: readonly string[];
  /** The commits that they are at, in turn. */
  readonly commits: readonly string[];
}

export interface PublishersWish {
  readonly folder: string;
  readonly count: number;
  readonly commits: number;
  /** Lines of the product file below `release:`. */
  readonly release: string;
  /** What package.json says; 1.0.0 by default. */
  readonly version?: string;
}

/** Clones of one product at these many commits, all of which the host knows. `count` publishers take them in turn. */
export async function makePublishers(
  authority: Pick<Authority, 'yaml' | 'push'>,
  { folder, count, commits: many, release, version = '1.0.0' }: PublishersWish,
): Promise<Publishers> {
  const first = join(folder, 'workspace');
  const yaml = `schema: 1\nproduct: acme\nrelease:\n  tag: v{version}\n${release}${authority.yaml}`;
  const commits = [
    await commitFiles(first, { 'slipway.yaml': yaml, 'package.json': `{ "version": "${version}" }\n`, '.gitignore': 'dist\n.slipway\n' }),
  ];
  while (commits.length < many) commits.push(await commitFiles(first, { change: String(commits.length) }));
  authority.push(first, commits);
  const workspaces = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const clone = join(folder, `publisher-${index}`);
      await cp(first, clone, { recursive: true });
      git(clone, 'checkout', '-q', '--detach', commits[index % many] as string);
      return clone;
    }),
  );
  return { workspaces, commits };
}

/** An empty folder of its own. */
export function scratchFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'slipway-'));
}
