// What the contract suite publishes, and onto what. Rule: knows no kind of host; each client is a fresh one.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { isToolError } from '../../src/model/error.ts';
import { contentsOf, type Draft, type Publication, type ReleaseHost } from '../../src/model/host.ts';
import { RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';

export const TAG = 'v1.0.0';
export const MANY = 20;
export const FILES = { 'acme-1.0.0.tar.gz': 'bundle bytes', 'bundle.json': '{"one":1}', 'install.sh': '#!/bin/sh\n' };
let attempts = 0;

export interface Packed {
  readonly folder: string;
  readonly assets: readonly ChannelAsset[];
}

/** Writes files as `pack` leaves them, into a folder of their own. */
export async function pack(files: Readonly<Record<string, string>> = FILES): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const assets = Object.entries(files).map(([name, text]) => ({ name, size: Buffer.byteLength(text), sha256: digestOf(text) }));
  return { folder, assets };
}

/** A draft with a name of its own, as each attempt has. */
export function draftOf({ assets }: Packed): Draft {
  attempts += 1;
  return { tag: TAG, name: `d${attempts}`, contents: contentsOf(assets) };
}

export function publicationOf({ assets }: Packed): Publication {
  return { assets, latest: true, prerelease: false, title: 'Acme 1.0.0', notes: '# New\n', replaces: null };
}

export function reservationOf(parts: Partial<Reservation>): Reservation {
  const fixed = { type: RESERVATION_TYPE, product: 'acme', version: '1.0.0', tag: TAG, commit: null } as const;
  return { ...fixed, by: 'ci:acme:run:1', nonce: 'n1', at: '2026-03-15T10:00:00Z', ...parts };
}

/** Twenty at once. */
export function each<T>(act: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: MANY }, (_, index) => act(index)));
}

/** What became of a publication: its result, or the refusal of a loser. */
export async function outcomeOf(work: Promise<string>): Promise<string> {
  try {
    return await work;
  } catch (error) {
    if (isToolError(error, 'E_PUBLISHED_DIFFERS') || isToolError(error, 'E_RESERVED_ELSEWHERE')) return error.code;
    throw error;
  }
}

/** Comparable: by name, and nothing but what a digest vouches for. */
export function byName(assets: readonly ChannelAsset[] | undefined): readonly ChannelAsset[] | undefined {
  return assets && [...assets].map(({ name, size, sha256 }) => ({ name, size, sha256 })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A host and what a test needs to know of it. */
export interface ContractStage {
  /** A fresh client; `by` names the publisher for hosts that tell them apart. */
  readonly host: (by?: string) => ReleaseHost;
  /** A commit that exists there, and another one. */
  readonly commit: string;
  readonly other: string;
  /** False where nobody can be refused: such a host only mirrors. */
  readonly canDecide: boolean;
  /** False where no releases are held. */
  readonly canPublish: boolean;
  readonly close: () => Promise<void>;
}

/** The host of the running test. */
export const bench: { stage: ContractStage } = { stage: undefined as unknown as ContractStage };

/** Draft and uploads. */
export async function upload(packed: Packed, assets = packed.assets, draft = draftOf(packed), by?: string): Promise<Draft> {
  const host = bench.stage.host(by);
  await host.openDraft(draft);
  for (const asset of assets) await host.upload(draft, asset, { from: join(packed.folder, asset.name) });
  return draft;
}

/** Draft, uploads and publishing. */
export async function release(packed: Packed, by?: string, parts: Partial<Publication> = {}): Promise<string> {
  const draft = await upload(packed, packed.assets, draftOf(packed), by);
  return bench.stage.host(by).publish(draft, { ...publicationOf(packed), ...parts });
}

/** Where tags are reserved, the release's is, before anything is published under it. */
export async function claim(): Promise<void> {
  if (bench.stage.canDecide) await bench.stage.host().reserve(reservation());
}

export function reservation(parts: Partial<Reservation> = {}): Reservation {
  return reservationOf({ commit: bench.stage.commit, ...parts });
}

/** Leaves a test out where this kind of host does not do such a thing. */
export function needs(context: TestContext, able: boolean): void {
  if (!able) context.skip('this kind of host does not');
}
