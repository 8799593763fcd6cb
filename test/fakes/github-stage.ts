// A publisher's side of a test with a fake GitHub. Rule: every client is a new one, as after a crash.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Event } from '../../src/model/event.ts';
import type { Draft, Publication, ReleaseHost } from '../../src/model/host.ts';
import { RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';
import { githubHost } from '../../src/world/github.ts';
import { draftOf, publicationOf } from './gitea-stage.ts';
import { type FakeGithub, startGithub } from './github.ts';
import { type GithubSettings, objectId } from './github-state.ts';
import { type TestHttpWorld, testHttpWorld } from './http-world.ts';

export const FIRST = objectId('first');
export const SECOND = objectId('second');
export const TAG = 'v1.0.0';
export const FILES = { 'acme-1.0.0.tar.gz': 'bundle bytes', 'bundle.json': '{"one":1}', 'install.sh': '#!/bin/sh\n' };

export interface GithubStage {
  readonly github: FakeGithub;
  readonly packed: string;
  readonly world: TestHttpWorld;
  readonly events: Event[];
  /** A new client; `token` null = without one. */
  readonly host: (token?: string | null) => ReleaseHost;
}

export async function githubStage(settings: Partial<GithubSettings> = {}): Promise<GithubStage> {
  const github = await startGithub(settings);
  const packed = await mkdtemp(join(tmpdir(), 'slipway-'));
  const world = testHttpWorld();
  const events: Event[] = [];
  const report = { report: (event: Event) => void events.push(event) };
  const host = (token: string | null = 'good-token'): ReleaseHost =>
    githubHost(github.address, { ...world, ...report, env: token === null ? {} : { GITHUB_TOKEN: token } });
  return { github, packed, world, events, host };
}

/** A host whose every call is made by a new client, as the steps of a publish do. */
export function forgetful(stage: GithubStage): ReleaseHost {
  return new Proxy(stage.host(), {
    get: (_, name) => (stage.host() as unknown as Record<string | symbol, unknown>)[name],
  });
}

/** Writes files as `pack` leaves them. */
export async function pack(
  stage: Pick<GithubStage, 'packed'>,
  files: Readonly<Record<string, string>> = FILES,
): Promise<readonly ChannelAsset[]> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(stage.packed, name), text);
  return Object.entries(files).map(([name, text]) => ({ name, size: Buffer.byteLength(text), sha256: digestOf(text) }));
}

export function reservation(parts: Partial<Reservation> = {}): Reservation {
  const fixed = { type: RESERVATION_TYPE, product: 'acme', version: '1.0.0', tag: TAG, commit: FIRST } as const;
  return { ...fixed, by: 'ci:github:acme/acme:run:1', nonce: 'n1', at: '2026-03-15T10:00:00Z', ...parts };
}

export async function upload({ packed }: GithubStage, host: ReleaseHost, assets: readonly ChannelAsset[]): Promise<Draft> {
  const draft = draftOf(assets);
  await host.openDraft(draft);
  for (const asset of assets) await host.upload(draft, asset, { from: join(packed, asset.name) });
  return draft;
}

export async function release(
  stage: GithubStage,
  host: ReleaseHost,
  assets: readonly ChannelAsset[],
  parts: Partial<Publication> = {},
): Promise<string> {
  return host.publish(await upload(stage, host, assets), publicationOf(assets, parts));
}

/** What GitHub holds, without ids and nonces. */
export function endState({ github: { state } }: GithubStage): unknown {
  const releases = state.releases.map(({ tag, name, body, draft, prerelease, assets }) => {
    return {
      tag,
      name,
      body,
      draft,
      prerelease,
      files: assets.map((asset) => `${asset.name} ${asset.state} ${digestOf(asset.bytes)}`).sort(),
    };
  });
  const files = [...(state.files ?? [])].map(([path, bytes]) => `${path} ${digestOf(bytes)}`).sort();
  return { releases, files, refs: [...state.refs.keys()].sort(), latest: state.releases.findIndex(({ id }) => id === state.latest) };
}
