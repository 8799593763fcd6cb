// What the contract suite publishes: packed files, drafts, reservations. Rule: knows nothing of hosts.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelAsset } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { isToolError } from '../../src/model/error.ts';
import { contentsOf, type Draft, type Publication } from '../../src/model/host.ts';
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
