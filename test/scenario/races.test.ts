// Twenty publishers, and twenty who reserve, at once, through the commands, on each kind of host that decides.
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { CHANNEL_MAX_BYTES, type Channel, parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { exitCodeOf, ToolError } from '../../src/model/error.ts';
import type { Event } from '../../src/model/event.ts';
import { openView } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { AUTHORITIES, type Authority, makePublishers, openAuthority, type Publishers, scratchFolder } from '../fakes/authority-stage.ts';
import { gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { type BuiltRelease, buildRelease, makeKeys, quietWorld, type ReleaseOptions } from '../fakes/release-builder.ts';

const MANY = 20;
const TAG = 'v1.0.0';
const keys = makeKeys();
let folder: string;
let authority: Authority;

describe.each(AUTHORITIES)('%s decides:', (kind) => {
  beforeEach(async () => {
    folder = await scratchFolder();
    authority = await openAuthority(kind, folder);
  });
  afterEach(async () => {
    await authority.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('of twenty publishers with different bytes, from two commits, one is published, and 19 are told who has the version', async () => {
    const { workspaces, commits } = await publishers(2);
    const built = await packEach(workspaces, (index) => ({
      files: { VERSION: '1.0.0\n', who: `publisher ${index}\n` },
      manifest: { commit: commits[index % 2] as string },
    }));
    const ends = await Promise.all(workspaces.map((root) => settled(run(publish, root, { tag: TAG }))));
    const losers = ends.filter((end): end is ToolError => end instanceof ToolError);
    expect(losers).toHaveLength(MANY - 1);
    const reservation = await view().reservation(TAG);
    for (const { message, code, hint } of losers) {
      expect(['E_PUBLISHED_DIFFERS', 'E_RESERVED_ELSEWHERE'], message).toContain(code);
      expect(message).toContain(reservation?.by ?? 'somebody');
      expect(hint).toContain('next version');
    }
    expect(losers.map(exitCodeOf)).toEqual(Array(MANY - 1).fill(5));
    const winner = ends.findIndex((end) => !(end instanceof ToolError));
    await expectOnly(built[winner] as BuiltRelease);
    expect(reservation?.commit).toBe(commits[winner % 2]);
  });

  test('of twenty publishers with the same bytes all succeed, and there is one release without twins or drafts', async () => {
    const { workspaces, commits } = await publishers(1);
    const built = await packEach(workspaces, () => ({ manifest: { commit: commits[0] as string } }));
    const ends = await Promise.all(workspaces.map((root) => settled(run(publish, root, { tag: TAG }))));
    expect(ends.filter((end) => end instanceof ToolError)).toEqual([]);
    await expectOnly(built[0] as BuiltRelease);
  });

  test('twenty who reserve the next version of a channel have twenty counters, and each is told who was before it', async () => {
    const { workspaces } = await publishers(1);
    const notes: string[] = [];
    const taken = await Promise.all(workspaces.map((root) => run(reserve, root, { channel: 'staging' }, notes)));
    const counters = taken.map(({ fields }) => Number(String(fields.version).split('.').at(-1))).sort((a, b) => a - b);
    expect(counters).toEqual(Array.from({ length: MANY }, (_, n) => n));
    const holders = await Promise.all(taken.map(async ({ fields }) => (await view().reservation(String(fields.tag)))?.by));
    expect(new Set(holders).size).toBe(MANY);
    for (const text of notes) {
      const [, by = ''] = /^v1\.0\.0-staging\.\d+ is reserved as .* by (\S+) since .* Going on to 1\.0\.0-staging\.\d+\.$/.exec(text) ?? [];
      expect(holders, text).toContain(by);
    }
  }, 240_000);
});

function publishers(commits: number): Promise<Publishers> {
  const release = `  publicKey: ${keys.publicKey}\n  base: package.json#version\n  channels: { stable: {}, staging: { prerelease: staging } }\n`;
  return makePublishers(authority, { folder, count: MANY, commits, release });
}

function packEach(workspaces: readonly string[], options: (index: number) => Partial<ReleaseOptions>): Promise<BuiltRelease[]> {
  return Promise.all(workspaces.map((workspace, index) => buildRelease({ workspace, version: '1.0.0', keys, ...options(index) })));
}

/** Runs a command as a publisher in a process of its own would: nothing is shared but the host. Waits are shortened. */
function run(command: Command, root: string, flags: Record<string, string>, notes: string[] = []): Promise<CommandResult> {
  const env = { ...gitEnvironment, ...authority.env, SLIPWAY_SECRET_KEY: keys.secretKeyText };
  const report = (event: Event): void => void (event.type === 'note' && notes.push(event.text));
  const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds / 20));
  return runCommand(command, flags, { root, world: { env, report, sleep } });
}

async function settled(work: Promise<CommandResult>): Promise<CommandResult | ToolError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
}

function view(): ReturnType<typeof openView> {
  return openView(authority.address, quietWorld({ env: { ...gitEnvironment, ...authority.env }, run: runProgram }));
}

/** This release is there whole and alone, and the channel names it alone. */
async function expectOnly({ tag, manifestDigest, manifest }: BuiltRelease): Promise<void> {
  const names = [
    manifest.artifact.name,
    'bundle.json',
    'bundle.json.minisig',
    'operator.js',
    'install.sh',
    'SHA256SUMS',
    'SHA256SUMS.minisig',
  ];
  expect(await authority.shown(tag)).toEqual(names.sort());
  expect(await channelThere()).toMatchObject({ sequence: 1, latest: '1.0.0', releases: [{ tag, manifest: manifestDigest }] });
  expect((await channelThere()).releases).toHaveLength(1);
}

async function channelThere(): Promise<Channel> {
  const text = (await view().read('channels/stable.signed.json', CHANNEL_MAX_BYTES))?.toString() ?? '';
  return parseChannel(parseSignedChannel(text, 'channel').payload, 'channel');
}
