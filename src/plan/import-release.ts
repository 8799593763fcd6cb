// Decides how a release that was made before Slipway becomes known to it. Rule: its archive stays byte for byte what it is; the manifest says what is in it, and claims nothing else.
import { type Digest, digestOf } from '../model/digest.ts';
import { OPERATOR_ASSET } from '../model/host.ts';
import { MANIFEST_TYPE } from '../model/manifest.ts';
import type { Planned, Signing } from '../model/plan.ts';
import type { Product } from '../model/product.ts';
import { printUnsealed, type UnsealedManifest } from '../model/seal.ts';

import { hostAddresses, manifestFile } from './pack.ts';

export interface ImportWanted {
  readonly id: string;
  readonly version: string;
  readonly tag: string;
  readonly channel: string;
  readonly signing: Signing;
}

export interface ImportFacts {
  readonly product: Product;
  /** The commit that the tag is on; null where there is none. */
  readonly commit: string | null;
  /** The archive's absolute path, and its own name. */
  readonly file: string;
  readonly name: string;
  readonly archive: {
    readonly size: number;
    readonly sha256: Digest;
    readonly tarSha256: Digest;
    /** By path, relative to the one top folder. */
    readonly files: readonly { readonly path: string; readonly executable: boolean; readonly size: number; readonly sha256: Digest }[];
  };
}

/** Nobody knows when it was made; the same archive gives the same manifest. */
const MADE = '1980-01-01T00:00:00Z';
/** What stands in the place of the operator program, which there was none of. */
const OPERATOR = `#!/usr/bin/env node
console.error('This release was made before its operator command: install a newer one.');
process.exit(3);
`;

/** The plan that writes `dist/<tag>`. */
export function planImport(wanted: ImportWanted, facts: ImportFacts): Planned {
  const { id, version, tag, signing } = wanted;
  const { product, file, name, archive } = facts;
  const manifest = printUnsealed(manifestOf(wanted, facts));
  const operator = digestOf(OPERATOR);
  const { size, sha256, tarSha256 } = archive;
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'release import',
    basedOn: digestOf(manifest),
    steps: [
      {
        kind: 'write-bundle',
        why: `${archive.files.length} files of ${name} get a signed manifest`,
        ...{ product: product.product, version, tag, out: 'dist', artifact: name, aliases: [], made: MADE },
        ...{ entries: [], folders: [], manifest: digestOf(manifest) },
        original: { file, size, sha256, tarSha256 },
        extra: [{ path: OPERATOR_ASSET, content: operator, mode: 0o644 }],
        signing,
      },
    ],
    commitAfter: 0,
    notes: [],
  } as const;
  const contents = new Map([
    [digestOf(manifest), { text: manifest }],
    [operator, { text: OPERATOR }],
  ]);
  return { plan, contents };
}

function manifestOf({ version, tag, channel }: ImportWanted, { product, commit, name, archive }: ImportFacts): UnsealedManifest {
  const userOwned = product.bundle?.userOwned ?? [];
  return {
    type: MANIFEST_TYPE,
    ...{ product: product.product, title: product.title, cli: product.cli, version, tag, channel, commit, made: MADE },
    project: product.product,
    hosts: hostAddresses(product),
    operator: digestOf(OPERATOR),
    artifact: { name },
    requires: { ports: [], platforms: [] },
    files: archive.files.map((file) => manifestFile(file, userOwned)),
    ...{ folders: [], userOwned, hostPaths: [], images: [], features: {}, env: {}, services: {}, data: {}, validate: [] },
    backup: product.backup,
    upgrade: { from: '<0.0.0-0', stop: false, migrate: [], entry: [], health: [], timeout: 120, probation: 0 },
    imported: true,
  };
}
