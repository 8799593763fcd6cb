// A channel that offers the releases of another: people who test prereleases get the final release too.
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { type Channel, parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { parseVersion } from '../../src/model/version.ts';
import { fetchChannel } from '../../src/observe/channel.ts';
import { findPath } from '../../src/plan/path.ts';
import { folderSource } from '../../src/world/folder-source.ts';
import { runProgram } from '../../src/world/run.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
let folder: string;
let workspace: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  await mkdir(workspace);
  const channels = 'stable: {}, staging: { prerelease: staging, includes: [stable] }, edge: { prerelease: edge, includes: [staging] }';
  const hosts = `local: { type: folder, path: ${join(folder, 'local')} }, mirror: { type: folder, path: ${join(folder, 'mirror')} }`;
  const settings = `  tag: v{version}\n  publicKey: ${keys.publicKey}\n  channels: { ${channels} }\n  hosts: { ${hosts} }\n  publishTo: [local, mirror]`;
  await writeFile(join(workspace, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease:\n${settings}\n`);
});

async function run(command: Command, flags: Record<string, string | boolean>, positionals: string[] = []): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText }, run: runProgram });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

async function publishRelease(version: string, channel: string): Promise<void> {
  await buildRelease({ workspace, version, keys, manifest: { channel } });
  await run(publish, { tag: `v${version}` });
}

async function channelAt(host: string, name: string): Promise<Channel | undefined> {
  const text = await folderSource(join(folder, host)).read(`channels/${name}.signed.json`, 1 << 20);
  return text && parseChannel(parseSignedChannel(text.toString(), name).payload, name);
}

const offered = async (host: string, name: string) => {
  const channel = await channelAt(host, name);
  return channel && [channel.latest, ...channel.releases.map(({ version }) => version)];
};

test('a final release joins the channels that include its own, on every host, and is the latest there', async () => {
  await publishRelease('1.0.0-staging.1', 'staging');
  await publishRelease('1.0.0', 'stable');
  for (const host of ['local', 'mirror']) {
    expect(await offered(host, 'stable')).toEqual(['1.0.0', '1.0.0']);
    expect(await offered(host, 'staging')).toEqual(['1.0.0', '1.0.0', '1.0.0-staging.1']);
    expect(await offered(host, 'edge')).toEqual(['1.0.0', '1.0.0', '1.0.0-staging.1']);
  }
  await publishRelease('1.0.1-staging.1', 'staging');
  expect(await offered('local', 'staging')).toEqual(['1.0.1-staging.1', '1.0.1-staging.1', '1.0.0', '1.0.0-staging.1']);
  expect(await offered('local', 'stable')).toEqual(['1.0.0', '1.0.0']);
});

test('publishing again puts right what was cut off between the channel files', async () => {
  await publishRelease('1.0.0', 'stable');
  const before = await channelAt('local', 'stable');
  for (const host of ['local', 'mirror']) {
    for (const suffix of ['signed.json', 'json', 'json.minisig']) await rm(join(folder, host, 'channels', `staging.${suffix}`));
  }
  await run(publish, { tag: 'v1.0.0' });
  expect(await offered('mirror', 'staging')).toEqual(['1.0.0', '1.0.0']);
  expect(await channelAt('local', 'stable')).toEqual(before);
});

test('a yanked release is yanked in every channel that offers it', async () => {
  await publishRelease('1.0.0', 'stable');
  await run(release, { reason: 'broken' }, ['yank', '1.0.0']);
  for (const name of ['stable', 'staging', 'edge']) {
    expect((await channelAt('mirror', name))?.releases[0]).toMatchObject({ status: 'yanked', reason: 'broken' });
  }
});

test('an install that follows the prereleases is offered the final release', async () => {
  await publishRelease('1.0.0-staging.7', 'staging');
  await publishRelease('1.0.0', 'stable');
  const trust = { key: keys.publicKey, signed: true, sequences: {} };
  const sources = [folderSource(join(folder, 'local'))];
  const staging = await fetchChannel({ sources, product: 'acme', channel: 'staging', trust, now: new Date() });
  expect(findPath(staging.channel, { from: parseVersion('1.0.0-staging.7'), held: [] })).toMatchObject([{ version: '1.0.0' }]);
});

test('a publish that stops between its own channel file and the others has released it in its own, and the next run adds the rest', async () => {
  await publishRelease('1.0.0-staging.1', 'staging');
  const staging = join(folder, 'local/channels/staging.signed.json');
  await rename(staging, `${staging}.away`);
  await mkdir(staging); // nothing can take the place of a folder with something in it
  await writeFile(join(staging, 'in-the-way'), '');
  await expect(publishRelease('1.0.0', 'stable')).rejects.toThrow();
  expect(await offered('local', 'stable')).toEqual(['1.0.0', '1.0.0']);
  await rm(staging, { recursive: true });
  await rename(`${staging}.away`, staging);
  await run(publish, { tag: 'v1.0.0' });
  for (const host of ['local', 'mirror']) {
    expect(await offered(host, 'stable')).toEqual(['1.0.0', '1.0.0']);
    expect(await offered(host, 'staging')).toEqual(['1.0.0', '1.0.0', '1.0.0-staging.1']);
    expect(await offered(host, 'edge')).toEqual(['1.0.0', '1.0.0', '1.0.0-staging.1']);
  }
});

test('a release that is limited is so in every channel, and a yanked one joins a channel as yanked', async () => {
  await publishRelease('1.0.0', 'stable');
  await run(release, { reason: 'needs 0.9', 'not-from': '<0.9.0' }, ['limit', '1.0.0']);
  for (const name of ['stable', 'staging', 'edge']) {
    expect((await channelAt('mirror', name))?.releases[0]).toMatchObject({ status: 'limited', from: expect.stringContaining('>=0.9.0') });
  }
  await run(release, { reason: 'broken' }, ['yank', '1.0.0']);
  for (const host of ['local', 'mirror']) {
    const lost = (await readdir(join(folder, host, 'channels'), { recursive: true })).filter((name) => /staging/.test(name));
    for (const name of lost) await rm(join(folder, host, 'channels', name));
  }
  await run(publish, { tag: 'v1.0.0' });
  expect(await channelAt('mirror', 'staging')).toMatchObject({ latest: null, releases: [{ version: '1.0.0', status: 'yanked' }] });
});
