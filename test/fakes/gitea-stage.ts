// A publisher's side of a test with a fake Gitea: packed files, clients, and what is there in the end. Rule: every client is a new one, as after a crash.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { CHANNEL_TYPE, parseChannel, parseSignedChannel, printSignedChannel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { contentsOf, type Draft, type NextChannel, type Publication, type ReleaseHost } from '../../src/model/host.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';
import { giteaHost } from '../../src/world/gitea.ts';
import { type FakeGitea, startGitea } from './gitea.ts';
import { objectId, type Settings } from './gitea-state.ts';
import { type TestHttpWorld, testHttpWorld } from './http-world.ts';

export const FIRST = objectId('first');
export const SECOND = objectId('second');
export const TAG = 'v1.0.0';

export interface GiteaStage {
  readonly gitea: FakeGitea;
  /** Where the packed files lie. */
  readonly packed: string;
  readonly world: TestHttpWorld;
  /** A new client; `token` null = without one. */
  readonly host: (token?: string | null) => ReleaseHost;
}

/** Starts a server and an empty folder for packed files. */
export async function giteaStage(settings: Partial<Settings> = {}): Promise<GiteaStage> {
  const gitea = await startGitea(settings);
  const packed = await mkdtemp(join(tmpdir(), 'slipway-'));
  const world = testHttpWorld();
  const run = () => Promise.reject(new Error('Gitea needs no program'));
  const host = (token: string | null = 'good-token'): ReleaseHost =>
    giteaHost(gitea.address, { ...world, env: token === null ? {} : { GITEA_TOKEN: token }, run });
  return { gitea, packed, world, host };
}

/** Writes files as `pack` leaves them. */
export async function pack(stage: GiteaStage, files: Readonly<Record<string, string>>): Promise<readonly ChannelAsset[]> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(stage.packed, name), text);
  return Object.entries(files).map(([name, text]) => ({ name, size: Buffer.byteLength(text), sha256: digestOf(text) }));
}

export function reservation(parts: Partial<Reservation> = {}): Reservation {
  const fixed = { type: RESERVATION_TYPE, product: 'acme', version: '1.0.0', tag: TAG, commit: FIRST } as const;
  return { ...fixed, by: 'ci:gitea:acme/acme:run:1', nonce: 'n1', at: '2026-03-15T10:00:00Z', ...parts };
}

export function draftOf(assets: readonly ChannelAsset[], tag = TAG): Draft {
  return { tag, name: 'd1', contents: contentsOf(assets) };
}

export function publicationOf(assets: readonly ChannelAsset[], parts: Partial<Publication> = {}): Publication {
  return { assets, latest: true, prerelease: false, title: 'Acme 1.0.0', notes: '# New\n', replaces: null, ...parts };
}

/** Draft and uploads. */
export async function upload(stage: GiteaStage, host: ReleaseHost, assets: readonly ChannelAsset[], tag = TAG): Promise<Draft> {
  const draft = draftOf(assets, tag);
  await host.openDraft(draft);
  for (const asset of assets) await host.upload(draft, asset, { from: join(stage.packed, asset.name) });
  return draft;
}

/** Draft, uploads and publishing. */
export async function release(
  stage: GiteaStage,
  host: ReleaseHost,
  assets: readonly ChannelAsset[],
  parts: Partial<Publication> = {},
): Promise<string> {
  return host.publish(await upload(stage, host, assets), publicationOf(assets, parts));
}

/** A channel file with this sequence, whose `latest` is who wrote it. */
export function channelFile(sequence: number, latest: string): NextChannel {
  const payload = canonicalJson({
    type: CHANNEL_TYPE,
    product: 'acme',
    channel: 'stable',
    sequence,
    issued: '2026-03-15T10:00:00Z',
    expires: null,
    latest,
    hosts: [],
    moved: null,
    releases: [],
    runtimes: [],
  });
  return { sequence, text: printSignedChannel(payload, null) };
}

/** The next channel file by this writer, or undefined when the current one is already. */
export function byWriter(writer: string): (current: string | undefined) => NextChannel | undefined {
  return (current) => {
    const former = current === undefined ? undefined : parseChannel(parseSignedChannel(current, 'channel').payload, 'channel');
    return former?.latest === writer ? undefined : channelFile((former?.sequence ?? 0) + 1, writer);
  };
}

/** What the server holds, without ids, times and nonces. */
export function endState({ gitea: { state } }: GiteaStage): unknown {
  const rows = state.rows.map(({ tag, isTag, draft, prerelease, title, note, assets }) => {
    const files = assets.map(({ name, bytes }) => `${name} ${digestOf(bytes)}`).sort();
    return { tag, isTag, draft, prerelease, title, note, files };
  });
  const tags = [...state.tags].map(([name, { commit, message }]) => `${name} ${commit} ${message?.replace(/"nonce":"[^"]*"/, '')}`);
  const files = [...(state.branches.get('channels')?.files ?? [])].map(([path, bytes]) => `${path} ${digestOf(bytes)}`).sort();
  return { rows, tags, files, commits: state.commits.size };
}
