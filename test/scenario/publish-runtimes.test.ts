// The Node.js for hosts without one, on every kind of host. Rule: once per Node.js version, the same bytes everywhere, and named by the signed channel file.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { digestOf } from '../../src/model/digest.ts';
import { OPERATOR_NODE, type RuntimeSet, runtimesOf } from '../../src/model/runtime.ts';
import { fetchChannel } from '../../src/observe/channel.ts';
import { openSource } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { commitFiles } from '../fakes/git-workspace.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { latestRow } from '../fakes/gitea-releases.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';
import { makeRuntimeSet } from '../fakes/runtime-set.ts';

const keys = makeKeys();
const TAG = 'runtime-node-24.21.0';
const PROGRAMS = { 'linux-x64': '#!/bin/sh\necho v24.21.0\n', 'linux-arm64': '#!/bin/sh\necho v24.21.0 on arm64\n' };
let folder: string;
let workspace: string;
let commit: string;
let built: RuntimeSet;
let gitea: FakeGitea;
let github: FakeGithub;
let registry: FakeRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  [gitea, github, registry] = await Promise.all([startGitea(), startGithub(), startFakeRegistry()]);
  commit = await commitFiles(workspace, { 'slipway.yaml': productText(), '.gitignore': 'dist/\n.slipway/\n' });
  for (const { state } of [gitea, github]) state.commits.add(commit);
  built = await makeRuntimeSet(join(folder, 'runtimes'), '24.21.0', PROGRAMS);
  await pack('1.0.0');
});

afterEach(async () => {
  await Promise.all([gitea.close(), github.close(), registry.close()]);
  await rm(folder, { recursive: true });
});

function productText(): string {
  return `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${keys.publicKey}
  hosts:
    local: { type: folder, path: ${folder}/local }
    other: { type: folder, path: ${folder}/other }
    forge: { type: gitea, repository: acme/acme, url: "${gitea.url}", token: TOKEN }
    github: { type: github, repository: acme/acme, url: "${github.url}", token: TOKEN }
    mirror: { type: oci, repository: "${registry.host}/acme/releases" }
  publishTo: [local, forge, github, mirror]
  authority: local
`;
}

async function pack(version: string, runtimes = built): Promise<void> {
  const runtime = { needs: OPERATOR_NODE, files: runtimes.files };
  await buildRelease({ workspace, version, keys, manifest: { commit, runtime } });
}

function slipway(
  command: typeof publish,
  flags: Record<string, string | boolean | string[]>,
  positionals: string[] = [],
): Promise<CommandResult> {
  const secrets = { SLIPWAY_SECRET_KEY: keys.secretKeyText, TOKEN: 'good-token' };
  const world = quietWorld({ env: { PATH: process.env.PATH, ...secrets, SLIPWAY_RUNTIMES: join(folder, 'runtimes') }, run: runProgram });
  const given = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: given, positionals, program: 'slipway', file: import.meta.filename });
}

interface Row {
  readonly kind: string;
  readonly host?: { readonly name: string };
  readonly tag?: string;
  readonly draft?: { readonly tag: string };
}

/** The steps that concern the runtimes, as `kind host`. */
async function planned(version: string): Promise<readonly string[]> {
  const { fields } = await slipway(publish, { tag: `v${version}`, plan: true });
  const { steps } = fields.plan as { steps: readonly Row[] };
  return steps.filter((step) => [step.tag, step.draft?.tag].includes(TAG)).map(({ kind, host }) => `${kind} ${host?.name}`);
}

const locations = (): readonly string[] => [
  join(folder, 'local'),
  `${gitea.url}/acme/acme`,
  `${github.url}/acme/acme`,
  `oci://${registry.host}/acme/releases`,
];

describe('publishing a release that was packed with Node.js for hosts without one', () => {
  test('puts it on every host, where the signed channel file says it is', async () => {
    await slipway(publish, { tag: 'v1.0.0' });
    const trust = { key: keys.publicKey, signed: true, sequences: {} };
    for (const location of locations()) {
      const source = openSource(location, quietWorld({ run: runProgram }));
      const { channel } = await fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
      expect(channel.releases[0]?.node).toBe('>=20.19');
      expect(runtimesOf(channel), location).toEqual(built.files);
      for (const { tag, name, size, sha256 } of built.files) {
        await source.download(tag, name, { to: join(folder, 'got'), maxBytes: size, sha256 });
        expect(digestOf(await readFile(join(folder, 'got'))), location).toBe(sha256);
      }
    }
  });

  test('shows it below runtimes/ of a folder, under names without a version', async () => {
    await slipway(publish, { tag: 'v1.0.0', to: ['local'] });
    expect(await readdir(join(folder, 'local/runtimes'))).toEqual(['runtime-linux-arm64.gz', 'runtime-linux-x64.gz']);
    for (const { name, sha256 } of built.files) expect(digestOf(await readFile(join(folder, 'local/runtimes', name)))).toBe(sha256);
  });

  test('uploads it once, and never again for later releases with the same Node.js', async () => {
    const first = await planned('1.0.0');
    expect(first.filter((step) => step.startsWith('upload-assets'))).toHaveLength(4);
    expect(first.filter((step) => step.startsWith('reserve-tag'))).toEqual([]); // it has its tag in the reservation
    await slipway(publish, { tag: 'v1.0.0' });
    await pack('1.1.0');
    expect(await planned('1.1.0')).toEqual([]);
    await rm(join(folder, 'runtimes'), { recursive: true }); // whoever publishes the next one need not even have it
    await slipway(publish, { tag: 'v1.1.0' });
    expect(await readFile(join(folder, 'local/channels/stable.json'), 'utf8')).toContain('"latest":"1.1.0"');
  });

  test('makes it the latest release nowhere', async () => {
    await slipway(publish, { tag: 'v1.0.0' });
    expect(github.state.releases.map(({ tag }) => tag)).toContain(TAG);
    expect(github.state.releases.find(({ id }) => id === github.state.latest)?.tag).toBe('v1.0.0');
    expect(latestRow(gitea.state)?.tag).toBe('v1.0.0');
  });

  test('refuses before the first write when a host has other bytes of the same Node.js', async () => {
    await slipway(publish, { tag: 'v1.0.0' });
    const before = await readFile(join(folder, 'local/channels/stable.signed.json'), 'utf8');
    built = await makeRuntimeSet(join(folder, 'runtimes'), '24.21.0', { ...PROGRAMS, 'linux-x64': '#!/bin/sh\necho other\n' });
    await pack('1.1.0');
    await expect(slipway(publish, { tag: 'v1.1.0' })).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
      message: expect.stringContaining('another runtime-linux-x64.gz of Node.js 24.21.0'),
      hint: expect.stringContaining(TAG),
    });
    expect(await readFile(join(folder, 'local/channels/stable.signed.json'), 'utf8')).toBe(before);
    expect(await readdir(join(folder, 'local/releases'))).toEqual([TAG, 'v1.0.0']);
  });

  test('keeps the former Node.js beside a newer one, for install.sh of older releases', async () => {
    await slipway(publish, { tag: 'v1.0.0', to: ['local'] });
    const newer = await makeRuntimeSet(join(folder, 'runtimes'), '24.22.0', PROGRAMS);
    await pack('1.1.0', newer);
    await slipway(publish, { tag: 'v1.1.0', to: ['local'] });
    expect(await readdir(join(folder, 'local/releases'))).toEqual([TAG, 'runtime-node-24.22.0', 'v1.0.0', 'v1.1.0']);
    const channel = JSON.parse(await readFile(join(folder, 'local/channels/stable.json'), 'utf8')) as { runtimes: { node: string }[] };
    expect(channel.runtimes.map(({ node }) => node)).toEqual(['24.22.0', '24.22.0', '24.21.0', '24.21.0']);
  });

  test('says what is missing when the release was packed with it, and it is not there any more', async () => {
    await rm(join(folder, 'runtimes'), { recursive: true });
    await expect(slipway(publish, { tag: 'v1.0.0' })).rejects.toMatchObject({
      code: 'E_NOT_PACKED',
      hint: expect.stringContaining('build:runtime'),
    });
    expect(await readdir(folder)).toEqual(['workspace']);
  });

  test('is copied with the history, so that install.sh finds it on the other host too', async () => {
    await slipway(publish, { tag: 'v1.0.0', to: ['local'] });
    await slipway(release, { from: 'local', to: ['other'] }, ['copy']);
    const { name, sha256 } = built.files[0] as RuntimeSet['files'][number];
    expect(digestOf(await readFile(join(folder, 'other/releases', TAG, name)))).toBe(sha256);
    const again = await slipway(release, { from: 'local', to: ['other'], plan: true }, ['copy']);
    expect((again.fields.plan as { steps: unknown[] }).steps).toEqual([]);
  });
});
