// A small product in a git repository, with its images in a fake registry. Rule: what a maintainer would have, and nothing more.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FakeRegistry } from './registry.ts';
import { pushImage } from './registry-push.ts';

export interface TinyProduct {
  readonly root: string;
  readonly git: (...words: string[]) => string;
  /** Writes files, and commits everything. */
  readonly commit: (files: Readonly<Record<string, string | Buffer>>) => Promise<void>;
}

/** slipway.yaml of the tiny product. `more` joins its release section. */
export function tinyProductFile(registry: string, more = ''): string {
  return `schema: 1
product: tiny
title: Tiny Product
release:
  tag: v{version}
  artifact: tiny-{version}.tar.gz
  aliases: [tiny-latest.tar.gz]
  channels: { stable: {}, staging: { prerelease: staging } }
  hosts: { local: { type: folder, path: releases } }
${more}bundle:
  compose: templates/compose.yml.hbs
  files:
    - { from: files, to: ., exclude: ["**/*.md"] }
  folders: [data]
  userOwned: [content/]
  shims: { scripts/upgrade.sh: upgrade, config.sh: configure }
  values: { motto: hello }
images:
  registry: ${registry}/acme
  own:
    api: { repository: tiny-api }
  thirdParty:
    core:
      - docker.io/library/postgres:16
env:
  PORT: { type: port, default: 8080, help: Where people find it }
  DB_PASSWORD: { secret: password, immutable: true }
requires: { platforms: [linux/amd64] }
data:
  pgdata: { engine: postgres, major: 16 }
`;
}

/** The other files of the tiny product. */
export const TINY_FILES: Readonly<Record<string, string>> = {
  'templates/compose.yml.hbs': `# {{title}} {{version}}
name: {{product}}
services:
  api:
    image: {{image "api"}}
    ports: ["\${PORT:-8080}:80"]
    environment:
      DB_PASSWORD: \${DB_PASSWORD:?not set}
      MOTTO: {{values.motto}}
    volumes: ["./configs/app.conf:/app.conf:ro", "./content:/content:ro"]
  db:
    image: {{image "postgres"}}
    volumes: ["pgdata:/var/lib/postgresql/data"]
volumes:
  pgdata:
`,
  'files/configs/app.conf': 'plain = true\n',
  'files/configs/made.conf.hbs': 'version = {{version}}\r\n',
  'files/content/welcome.txt': 'Welcome, größer\n',
  'files/scripts/tool.sh': '#!/bin/sh\necho tool\n',
  'files/README.md': 'not shipped\n',
};

/** Makes the repository, commits it at a fixed time, and pushes the images of 1.0.0 and postgres. */
export async function makeTinyProduct(root: string, registry: FakeRegistry, release = ''): Promise<TinyProduct> {
  await pushImage(registry, 'acme/tiny-api', { architecture: 'amd64', layers: ['api'], tag: '1.0.0' });
  await pushImage(registry, 'acme/postgres', { architecture: 'amd64', layers: ['postgres'], tag: '16' });
  await mkdir(root, { recursive: true });
  const identity = [
    '-c',
    'user.name=Test',
    '-c',
    'user.email=test@acme.example',
    '-c',
    'init.defaultBranch=main',
    '-c',
    'commit.gpgsign=false',
  ];
  const env = { ...process.env, GIT_COMMITTER_DATE: '2026-03-15T10:00:00Z', GIT_AUTHOR_DATE: '2026-03-15T10:00:00Z' };
  const git = (...words: string[]): string =>
    execFileSync('git', [...identity, ...words], { cwd: root, env, stdio: 'pipe' })
      .toString()
      .trim();
  git('init', '-q');
  const commit = async (files: Readonly<Record<string, string | Buffer>>): Promise<void> => {
    await writeTree(root, files);
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', 'change');
  };
  await writeTree(root, { ...TINY_FILES, 'slipway.yaml': tinyProductFile(registry.host, release) });
  await chmod(join(root, 'files/scripts/tool.sh'), 0o755);
  await commit({});
  return { root, git, commit };
}

/** Writes files below a folder. */
export async function writeTree(root: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}
