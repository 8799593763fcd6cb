// release and channel as a maintainer calls them, and what installs see of it.
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { channel } from '../../src/commands/slipway/channel.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { type Channel, type ChannelRelease, parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { chooseRelease } from '../../src/model/choose-release.ts';
import type { World } from '../../src/model/seams.ts';
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
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${keys.publicKey}
  expires: 30d
  channels: { stable: {}, staging: { prerelease: staging } }
  hosts:
    local: { type: folder, path: ${folder}/host }
    mirror: { type: folder, path: ${folder}/mirror }
  publishTo: [local, mirror]
`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
  for (const version of ['1.0.0', '1.1.0', '2.0.0']) {
    await buildRelease({ workspace, version, keys });
    await run(publish, [], { tag: `v${version}` });
  }
});

function run(
  command: Command,
  positionals: string[],
  flags: Record<string, string | boolean> = {},
  more: Partial<World> = {},
): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText }, run: runProgram, ...more });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

async function shown(host = 'host'): Promise<Channel> {
  const text = await readFile(join(folder, host, 'channels/stable.signed.json'), 'utf8');
  return parseChannel(parseSignedChannel(text, host).payload, host);
}

async function seen(version: string): Promise<ChannelRelease | undefined> {
  return (await shown()).releases.find((each) => each.version === version);
}

function fetched(): ReturnType<typeof fetchChannel> {
  const trust = { key: keys.publicKey, signed: true, sequences: {} };
  return fetchChannel({ sources: [folderSource(join(folder, 'host'))], product: 'acme', channel: 'stable', trust, now: new Date() });
}

describe('release list', () => {
  test('shows every release, newest first, with what is said of it', async () => {
    await run(release, ['deprecate', '1.0.0'], { reason: 'out of support' });
    const { fields, text } = await run(release, ['list']);
    expect(fields.releases).toMatchObject([
      { version: '2.0.0', latest: true, status: 'live' },
      { version: '1.1.0', latest: false, status: 'live' },
      { version: '1.0.0', latest: false, status: 'deprecated', reason: 'out of support' },
    ]);
    expect(text.split('\n')[2]).toContain('deprecated: out of support');
  });
});

describe('release yank', () => {
  test('takes a release out of every install’s choice, with the reason, on all hosts, and latest falls back', async () => {
    const before = await shown();
    await run(release, ['yank', '2.0.0'], { reason: 'loses uploads' });
    expect(await shown()).toMatchObject({ sequence: before.sequence + 1, latest: '1.1.0' });
    expect(await shown('mirror')).toEqual(await shown());
    const channelNow = await fetched();
    expect(() => chooseRelease(channelNow.channel, '2.0.0')).toThrow(
      expect.objectContaining({ code: 'E_POLICY', message: expect.stringContaining('loses uploads') }),
    );
    expect(findPath(channelNow.channel, { from: parseVersion('1.0.0'), held: [] })).toMatchObject([{ version: '1.1.0' }]);
    expect((await seen('2.0.0'))?.assets).toEqual(before.releases.find(({ version }) => version === '2.0.0')?.assets);
  });

  test('is undone by restore, and said twice changes nothing', async () => {
    await run(release, ['yank', '1.0.0'], { reason: 'x' });
    const { sequence } = await shown();
    expect((await run(release, ['yank', '1.0.0'], { reason: 'x' })).fields.outcome).toBe('unchanged');
    expect((await shown()).sequence).toBe(sequence);
    await run(release, ['restore', '1.0.0']);
    expect(await seen('1.0.0')).toMatchObject({ status: 'live', reason: null });
  });

  test('needs a reason and a version that is published, and shows its plan without a change', async () => {
    const before = await shown();
    await expect(run(release, ['yank', '2.0.0'])).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(run(release, ['yank', '9.0.0'], { reason: 'x' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(run(release, ['yank'])).rejects.toMatchObject({ code: 'E_USAGE' });
    const { fields } = await run(release, ['yank', '2.0.0'], { reason: 'x', plan: true });
    expect(fields.plan).toMatchObject({ steps: [{ kind: 'edit-channel' }, { kind: 'mirror-channel' }] });
    expect(await shown()).toEqual(before);
  });
});

describe('release limit', () => {
  test('keeps older installs from going to a release directly, and leads them by way of another', async () => {
    await run(release, ['limit', '2.0.0'], { 'not-from': '<1.1.0', reason: 'needs the migration of 1.1.0' });
    const channelNow = await fetched();
    expect(findPath(channelNow.channel, { from: parseVersion('1.1.0'), held: [] })).toMatchObject([{ version: '2.0.0' }]);
    expect(findPath(channelNow.channel, { from: parseVersion('1.0.0'), held: [] })).toMatchObject([
      { version: '1.1.0' },
      { version: '2.0.0' },
    ]);
  });

  test('takes only what a range can say', async () => {
    await expect(run(release, ['limit', '2.0.0'], { reason: 'x' })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(run(release, ['limit', '2.0.0'], { 'not-from': '^1.0.0', reason: 'x' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});

describe('channel refresh', () => {
  test('makes an expired channel usable again, and changes nothing else', async () => {
    const before = await shown();
    const late = new Date(Date.parse(before.expires ?? '') + 86_400_000);
    const trust = { key: keys.publicKey, signed: true, sequences: {} };
    const look = (): Promise<unknown> =>
      fetchChannel({ sources: [folderSource(join(folder, 'mirror'))], product: 'acme', channel: 'stable', trust, now: late });
    await expect(look()).rejects.toMatchObject({ code: 'E_EXPIRED' });
    await run(channel, ['refresh'], {}, { now: () => late });
    await look();
    const { sequence, issued, expires, ...rest } = await shown();
    expect(sequence).toBe(before.sequence + 1);
    expect([issued > before.issued, (expires ?? '') > (before.expires ?? '')]).toEqual([true, true]);
    expect({ ...before, sequence, issued, expires }).toEqual({ ...rest, sequence, issued, expires });
  });
});
