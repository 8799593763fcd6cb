// Makes tiny signed releases as `pack` would, and publishes them with the real plan and handlers. Rule: nothing here is friendlier than the real thing.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Handler, Site } from '../../src/apply/handler.ts';
import { releaseSteps } from '../../src/apply/steps/release.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { MANIFEST_TYPE, type Manifest, parseManifest } from '../../src/model/manifest.ts';
import { generateKeyPair, parsePublicKey, parseSecretKey } from '../../src/model/minisign.ts';
import type { Kind, Planned } from '../../src/model/plan.ts';
import { listed } from '../../src/model/seal.ts';
import type { World } from '../../src/model/seams.ts';
import { printSums } from '../../src/model/sums.ts';
import { signStatement } from '../../src/model/trusted-comment.ts';
import { observeHost, observePacked } from '../../src/observe/published.ts';
import type { PublishWanted } from '../../src/plan/announce.ts';
import { planPublish } from '../../src/plan/publish.ts';
import { writeTarball } from '../../src/world/tarball-write.ts';
import { neverStopped } from './http-world.ts';

export interface Keys {
  readonly secretKeyText: string;
  /** The one line that slipway.yaml and install.json hold. */
  readonly publicKey: string;
  readonly keyId: string;
}

export interface ReleaseOptions {
  /** The folder in which `dist/<tag>/` is made. */
  readonly workspace: string;
  readonly version: string;
  readonly product?: string;
  readonly channel?: string;
  /** null = unsigned. */
  readonly keys: Keys | null;
  /** Path in the bundle → text; shell scripts are executable. The operator program is added. */
  readonly files?: Readonly<Record<string, string>>;
  readonly operator?: string;
  readonly hosts?: readonly string[];
  /** Any field of the manifest. */
  readonly manifest?: Partial<Manifest>;
}

export interface BuiltRelease {
  readonly workspace: string;
  readonly tag: string;
  /** `dist/<tag>`, absolute. */
  readonly folder: string;
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly keys: Keys | null;
}

/** A key pair; new ones every time. */
export function makeKeys(): Keys {
  const { secretKeyText, publicKeyText, keyId } = generateKeyPair(randomBytes);
  return { secretKeyText, publicKey: parsePublicKey(publicKeyText).text, keyId };
}

/** Packs a release into `<workspace>/dist/<tag>/`: bundle, manifest, SHA256SUMS, operator.js, install.sh, and signatures. */
export async function buildRelease(options: ReleaseOptions): Promise<BuiltRelease> {
  const manifest = manifestOf(options);
  const folder = join(options.workspace, 'dist', manifest.tag);
  await mkdir(folder, { recursive: true });
  const complete = await writeBundle(folder, manifest, options);
  const text = canonicalJson(listed(complete));
  const sign = (role: 'bundle' | 'sums', content: string): string | undefined => signed(options.keys, role, manifest, content);
  await writeSigned(folder, 'bundle.json', text, sign('bundle', text));
  await writeFile(join(folder, 'operator.js'), operatorText(options));
  await writeFile(join(folder, 'install.sh'), `#!/bin/sh\n# installs ${manifest.product} ${manifest.version}\n`);
  const names = [
    manifest.artifact.name,
    'bundle.json',
    'operator.js',
    'install.sh',
    ...(options.keys === null ? [] : ['bundle.json.minisig']),
  ];
  const digests = new Map<string, Digest>();
  for (const name of names) digests.set(name, digestOf(await readFile(join(folder, name))));
  const sums = printSums({ product: manifest.product, version: manifest.version, digests });
  await writeSigned(folder, 'SHA256SUMS', sums, sign('sums', sums));
  const { workspace, keys } = options;
  return { workspace, tag: manifest.tag, folder, manifest: parseManifest(text), manifestDigest: digestOf(text), keys };
}

export interface PublishOptions {
  readonly world?: Partial<World>;
  readonly by?: string;
  readonly at?: string;
  readonly url?: string;
  /** Seconds. */
  readonly expires?: number | null;
  readonly prereleases?: boolean;
}

/** Plans the publishing of a built release to a folder host, from what both look like now. */
export async function planRelease(built: BuiltRelease, host: string, options: PublishOptions = {}): Promise<Planned> {
  const { workspace, manifest, keys, tag } = built;
  const publicKey = keys?.publicKey ?? null;
  const address = { type: 'folder', name: 'local', path: host, ...(options.url === undefined ? {} : { url: options.url }) } as const;
  const packed = await observePacked({ folder: built.folder, tag, product: manifest.product, publicKey });
  if (packed === undefined) throw new Error('not packed');
  const facts = await observeHost(
    {
      host: address,
      product: manifest.product,
      tag,
      channel: manifest.channel,
      including: [],
      publicKey,
      wanted: { tag, commit: null, assets: packed.assets, replace: false },
    },
    quietWorld(),
  );
  const nonce = randomBytes(8).toString('hex');
  const wanted: PublishWanted = {
    id: nonce,
    at: options.at ?? '2026-03-15T10:00:00Z',
    draft: `${tag}-${nonce}`,
    notes: '',
    reserver: { by: options.by ?? `id:${workspace}`, nonce },
    signing: { publicKey, keyFile: null },
    expires: options.expires === undefined ? 365 * 86_400 : options.expires,
    prereleases: options.prereleases ?? false,
    including: [],
    main: manifest.channel === 'stable',
    draftOnly: false,
    replace: null,
  };
  return planPublish(wanted, { ...packed, authority: facts, targets: [facts], from: packed.folder.slice(workspace.length + 1) });
}

/** Publishes a built release to a folder host; steps that are done are not run. */
export async function publishRelease(built: BuiltRelease, host: string, options: PublishOptions = {}): Promise<Planned> {
  const planned = await planRelease(built, host, options);
  await runSteps(planned, siteOf(built, options.world));
  return planned;
}

/** Runs the steps of a publishing plan in order, without a journal. */
export async function runSteps({ plan }: Planned, site: Site): Promise<void> {
  for (const step of plan.steps) {
    const handler = (releaseSteps as unknown as Record<string, Handler<Kind>>)[step.kind];
    if (handler === undefined) throw new Error(`no handler for ${step.kind}`);
    if (!(await handler.done(step, site))) await handler.run(step, site);
  }
}

/** A site in the release's workspace, with its secret key in the environment. */
export function siteOf(built: BuiltRelease, world: Partial<World> = {}): Site {
  const env = built.keys === null ? {} : { SLIPWAY_SECRET_KEY: built.keys.secretKeyText };
  return { root: built.workspace, planId: 'plan', content: () => '', interrupted: () => false, world: quietWorld({ env, ...world }) };
}

/** A world of this process that reports to nobody and asks nobody, and is in no container, wherever the tests run. */
export function quietWorld(parts: Partial<World> = {}): World {
  const refuse = (): never => {
    throw new Error('not in this test');
  };
  return {
    now: () => new Date(),
    random: (bytes) => randomBytes(bytes),
    run: refuse,
    terminal: { interactive: false, colour: false, columns: 80, out: () => {}, err: () => {}, ask: refuse },
    report: () => {},
    sleep: async () => {},
    stop: neverStopped(),
    ...parts,
    env: { SLIPWAY_MOUNTINFO: '', ...parts.env },
  };
}

/** The manifest before the tar's hash is known. */
function manifestOf(options: ReleaseOptions): Manifest {
  const { version, product = 'acme', channel = 'stable' } = options;
  const files = Object.entries(filesOf(options, product)).map(([path, text]) => ({
    path,
    mode: modeOf(path, product),
    size: Buffer.byteLength(text),
    sha256: digestOf(text),
    owner: 'vendor' as const,
  }));
  return {
    type: MANIFEST_TYPE,
    product,
    title: 'Acme Platform',
    cli: `${product}ctl`,
    version,
    tag: `v${version}`,
    channel,
    commit: null,
    made: '2026-03-15T10:00:00Z',
    project: product,
    hosts: options.hosts ?? [],
    operator: digestOf(operatorText(options)),
    artifact: { name: `${product}-bundle-${version}.tar.gz`, tarSha256: digestOf('') },
    requires: { ports: [], platforms: ['linux/amd64'] },
    files,
    folders: [],
    userOwned: [],
    hostPaths: [],
    images: [],
    features: {},
    env: {},
    services: {},
    data: {},
    backup: { keep: 5 },
    upgrade: { from: '>=0.0.0', stop: false, migrate: [], entry: [], health: [], timeout: 120, probation: 0 },
    validate: [],
    ...options.manifest,
  };
}

function filesOf(options: ReleaseOptions, product: string): Record<string, string> {
  const given = options.files ?? { 'docker-compose.yml': `name: ${product}\nservices: {}\n`, VERSION: `${options.version}\n` };
  return { ...given, [`${product}ctl`]: operatorText(options) };
}

function operatorText({ operator, version }: ReleaseOptions): string {
  return operator ?? `#!/usr/bin/env node\n// operator of ${version}\n`;
}

function modeOf(path: string, product: string): '0644' | '0755' {
  return path.endsWith('.sh') || path === `${product}ctl` ? '0755' : '0644';
}

/** Writes the archive; the manifest inside is the one returned. */
async function writeBundle(folder: string, manifest: Manifest, options: ReleaseOptions): Promise<Manifest> {
  let complete = manifest;
  const top = manifest.product;
  const entries = Object.entries(filesOf(options, top)).map(([path, text]) => ({
    path: `${top}/${path}`,
    kind: 'file' as const,
    mode: modeOf(path, top) === '0755' ? (0o755 as const) : (0o644 as const),
    source: { content: Buffer.from(text) },
  }));
  await writeTarball({
    out: join(folder, manifest.artifact.name),
    entries,
    mtime: new Date('2026-03-15T10:00:00Z'),
    tail: async (tarSha256) => {
      complete = { ...manifest, artifact: { ...manifest.artifact, tarSha256 } };
      const text = canonicalJson(listed(complete));
      const signature = signed(options.keys, 'bundle', manifest, text);
      return [
        tailEntry(`${top}/bundle.json`, text),
        ...(signature === undefined ? [] : [tailEntry(`${top}/bundle.json.minisig`, signature)]),
      ];
    },
  });
  return complete;
}

function tailEntry(path: string, text: string): { path: string; kind: 'file'; mode: 0o644; source: { content: Buffer } } {
  return { path, kind: 'file', mode: 0o644, source: { content: Buffer.from(text) } };
}

function signed(keys: Keys | null, role: 'bundle' | 'sums', { product, version }: Manifest, content: string): string | undefined {
  if (keys === null) return undefined;
  return signStatement({ role, product, subject: version, content: Buffer.from(content) }, parseSecretKey(keys.secretKeyText));
}

async function writeSigned(folder: string, name: string, text: string, signature: string | undefined): Promise<void> {
  await writeFile(join(folder, name), text);
  if (signature !== undefined) await writeFile(join(folder, `${name}.minisig`), signature);
}
