// publish onto a folder that decides and a real registry that mirrors it, and what installs read at oci://.
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { verify } from '../../src/commands/slipway/verify.ts';
import { isToolError } from '../../src/model/error.ts';
import { fetchChannel } from '../../src/observe/channel.ts';
import { folderSource } from '../../src/world/folder-source.ts';
import { openSource } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

if (process.env.CI === 'true' && !hasDockerRegistry()) throw new Error('docker-registry is not installed');
const keys = makeKeys();
const trust = { key: keys.publicKey, signed: true, sequences: {} };
let registry: DockerRegistry;
let stages = 0;
let repository: string;
let folder: string;
let host: string;

beforeAll(async () => {
  if (hasDockerRegistry()) registry = await startDockerRegistry();
});
afterAll(() => registry?.close());

beforeEach(async () => {
  stages += 1;
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  host = join(folder, 'host');
  repository = `${registry?.host}/acme/bundle-${stages}`;
});

/** A workspace of its own, as every CI run has. */
async function workspaceOf(name: string): Promise<string> {
  const workspace = join(folder, name);
  await mkdir(workspace);
  const hosts = `    local: { type: folder, path: ${host} }\n    oci: { type: oci, repository: "${repository}" }`;
  const settings = `  tag: v{version}\n  publicKey: ${keys.publicKey}\n  allowReplace: true\n  hosts:\n${hosts}\n  publishTo: [local, oci]`;
  await writeFile(join(workspace, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease:\n${settings}\n`);
  return workspace;
}

async function run(
  command: Command,
  workspace: string,
  flags: Record<string, string | boolean>,
  positionals: string[] = [],
): Promise<CommandResult> {
  const env = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText };
  const world = quietWorld({ env, run: runProgram });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

const ociChannel = () => {
  const source = openSource(`oci://${repository}`, quietWorld());
  return fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
};

describe.skipIf(!hasDockerRegistry())('a registry beside a folder', () => {
  test('gets the same bytes and the same channel file, and installs read them there', async () => {
    const workspace = await workspaceOf('w');
    const built = await buildRelease({ workspace, version: '1.0.0', keys });
    expect((await run(publish, workspace, { tag: 'v1.0.0' })).fields.hosts).toEqual([
      expect.objectContaining({ name: 'local', outcome: 'published' }),
      expect.objectContaining({ name: 'oci', outcome: 'published', url: `oci://${repository}:v1.0.0` }),
    ]);
    const { channel, source } = await ociChannel();
    expect(channel.latest).toBe('1.0.0');
    for (const { name, size, sha256 } of channel.releases[0]?.assets ?? []) {
      await source.download('v1.0.0', name, { to: join(folder, 'got'), maxBytes: size, sha256 });
      expect(await readFile(join(folder, 'got'))).toEqual(await readFile(join(built.folder, name)));
    }
    for (const path of ['channels/stable.signed.json', 'channels/stable.json', 'channels/stable.json.minisig', 'install.sh']) {
      expect(await source.read(path, 1 << 20)).toEqual(await folderSource(host).read(path, 1 << 20));
    }
    expect((await run(publish, workspace, { tag: 'v1.0.0' })).fields.hosts).toMatchObject([
      { outcome: 'already-published' },
      { outcome: 'already-published' },
    ]);
    expect((await run(verify, workspace, { 'all-hosts': true, tag: 'v1.0.0' })).fields.verified).toBe(true);
  });

  test('follows what is yanked and replaced at its authority', async () => {
    const workspace = await workspaceOf('w');
    await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, workspace, { tag: 'v1.0.0' });
    const other = await workspaceOf('other');
    await buildRelease({ workspace: other, version: '1.0.0', keys, files: { 'notes.txt': 'other bytes' } });
    await expect(run(publish, other, { tag: 'v1.0.0' })).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    const replaced = await run(publish, other, { tag: 'v1.0.0', replace: true, reason: 'wrong file' });
    expect(replaced.fields.hosts).toMatchObject([{ outcome: 'replaced' }, { outcome: 'replaced' }]);
    await run(release, other, { reason: 'broken' }, ['yank', '1.0.0']);
    const { channel } = await ociChannel();
    expect(channel.releases[0]).toMatchObject({ status: 'yanked', replaced: [expect.anything()] });
    expect((await run(verify, other, { 'all-hosts': true, tag: 'v1.0.0' })).fields.verified).toBe(true);
  });

  test('of twenty publishers with different bytes it has those of the one that won at its authority', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const workspace = await workspaceOf(`w${index}`);
        await buildRelease({ workspace, version: '1.0.0', keys, files: { 'notes.txt': `bytes of ${index}` } });
        return outcomeOf(run(publish, workspace, { tag: 'v1.0.0' }));
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'published')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['published', 'refused']));
    const winner = join(folder, `w${outcomes.indexOf('published')}`);
    expect((await run(verify, winner, { 'all-hosts': true, tag: 'v1.0.0' })).fields.verified).toBe(true);
    expect((await ociChannel()).channel.releases).toHaveLength(1);
  });
});

async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'published';
  } catch (error) {
    if (isToolError(error, 'E_PUBLISHED_DIFFERS') || isToolError(error, 'E_RESERVED_ELSEWHERE')) return 'refused';
    throw error;
  }
}
