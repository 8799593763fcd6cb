// A product and an install of it, sketched in a few words, as the facts that planners get. Rule: only what observers could have found.
import type { UpgradeRules } from '../../src/model/description.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { parseEnvFile } from '../../src/model/env-file.ts';
import type { ComposeFact, ContainerFact, FileFact, InstallFacts, MountFact } from '../../src/model/facts.ts';
import { fingerprintInstall } from '../../src/model/fingerprint.ts';
import { INSTALL_TYPE } from '../../src/model/install.ts';
import { MANIFEST_TYPE, type Manifest, type ManifestFile } from '../../src/model/manifest.ts';
import { pathsOf } from '../../src/observe/install.ts';
import type { UpgradeFacts, UpgradeWish } from '../../src/plan/course.ts';

export const ROOT = '/srv/acme';
export const PROJECT = { name: 'acme', folder: '.', files: ['docker-compose.yml'] };

const ENV = parseEnvFile('LEVEL=info\n');

export interface ServiceSketch {
  /** What its container is made from: another word is a change. */
  readonly made?: string;
  /** Volumes by their keys, and `./paths` of the install. */
  readonly holds?: readonly string[];
  readonly publishes?: boolean;
  /** Only with this feature. */
  readonly feature?: string | undefined;
}

export interface ReleaseSketch {
  readonly version: string;
  readonly services: Readonly<Record<string, ServiceSketch>>;
  /** Path → text; the person's own ones begin with `content/`. */
  readonly files?: Readonly<Record<string, string>>;
  readonly upgrade?: Partial<UpgradeRules>;
  readonly rest?: Partial<Manifest>;
}

export interface InstallSketch {
  readonly release: ReleaseSketch;
  readonly features?: readonly string[];
  /** Path → text, as the person left it; null = removed. */
  readonly edits?: Readonly<Record<string, string | null>>;
  /** Service → its container's state; `absent` = none. All others run, and jobs have ended. */
  readonly states?: Readonly<Record<string, 'running' | 'failed' | 'absent'>>;
}

const manifests = new WeakMap<ReleaseSketch, Manifest>();

/** The release's manifest; the same sketch gives the same object, for there are thousands. */
export function manifestOf(release: ReleaseSketch): Manifest {
  const known = manifests.get(release) ?? makeManifest(release);
  manifests.set(release, known);
  return known;
}

function makeManifest({ version, services, files = {}, upgrade = {}, rest = {} }: ReleaseSketch): Manifest {
  const features = new Set(Object.values(services).flatMap(({ feature }) => feature ?? []));
  return {
    type: MANIFEST_TYPE,
    ...{ product: 'acme', title: 'Acme', cli: 'acmectl', version, tag: `v${version}`, channel: 'stable', commit: null },
    ...{ made: '2026-03-01T00:00:00Z', project: PROJECT.name, hosts: ['https://releases.test'], operator: digestOf(`operator ${version}`) },
    artifact: { name: `acme-${version}.tar.gz`, tarSha256: digestOf(`tar ${version}`) },
    requires: { ports: [], platforms: ['linux/amd64'] },
    files: Object.entries({ 'docker-compose.yml': `compose ${version}`, ...files }).map(fileOf),
    ...{ folders: [], userOwned: ['content/'], hostPaths: [], env: {}, services: {}, data: {}, backup: { keep: 3 }, validate: [] },
    images: Object.entries(services).map(([name, { made = version }]) => ({
      ...{ name, reference: `registry.test/acme/${name}:${version}`, digest: digestOf(`${name} ${made}`) },
      ...{ platforms: ['linux/amd64'], size: 1000 },
    })),
    features: Object.fromEntries([...features].map((name) => [name, { profiles: [name], default: false }])),
    upgrade: { from: '>=1.0.0', stop: false, entry: [], migrate: [], health: [], timeout: 60, probation: 10, ...upgrade },
    ...rest,
  };
}

/** Stands for the digest of the manifest's text, which no planner reads. */
export function manifestDigest(release: ReleaseSketch): Digest {
  return digestOf(`manifest ${release.version}`);
}

/** The project as Compose reads it with these features. */
export function composeOf(release: ReleaseSketch, features: readonly string[] = []): ComposeFact {
  const active = Object.entries(release.services).filter(([, { feature }]) => feature === undefined || features.includes(feature));
  const volumes = active.flatMap(([, { holds = [] }]) => holds.filter(isVolume)); // Compose leaves out what nobody uses
  return {
    name: PROJECT.name,
    services: Object.fromEntries(active.map(([name, service]) => [name, serviceOf(name, service)])),
    volumes: Object.fromEntries(volumes.map((key) => [key, volumeName(key)])),
    unset: [],
    hashes: Object.fromEntries(active.map(([name, { made = release.version }]) => [name, `${name} ${made}`])),
  };
}

export function installOf(sketch: InstallSketch, target: ReleaseSketch = sketch.release): InstallFacts {
  const { release, features = [], edits = {} } = sketch;
  const manifest = manifestOf(release);
  const asked = new Set([...pathsOf(manifest), ...pathsOf(manifestOf(target))]);
  const files = new Map<string, FileFact>();
  for (const file of manifest.files) files.set(file.path, { digest: file.sha256, mode: Number.parseInt(file.mode, 8), size: file.size });
  for (const path of ['.env', 'bundle.json']) files.set(path, factOf(`${path} ${release.version}`, path === '.env' ? 0o600 : 0o644));
  for (const [path, text] of Object.entries(edits)) {
    if (text === null || !asked.has(path)) files.delete(path);
    else files.set(path, factOf(text, 0o644));
  }
  const volumes = Object.entries(composeOf(release, features).volumes).filter(([key]) => manifest.data[key] !== undefined);
  return {
    root: ROOT,
    record: {
      type: INSTALL_TYPE,
      ...{ product: 'acme', folder: ROOT, project: PROJECT.name, version: release.version, manifest: manifestDigest(release) },
      ...{ channel: 'stable', hosts: [], registry: null, trust: { key: null, signed: false, sequences: {} } },
      ...{ volumes: Object.fromEntries(volumes), features, secrets: {}, held: [], installed: '2026-03-01T00:00:00Z', operations: [] },
    },
    manifest,
    manifestText: '',
    ...{ project: PROJECT, env: ENV, settings: new Map([['.env', ENV]]), files, openOperation: undefined, lock: undefined },
  };
}

export function containersOf({ release, features, states = {} }: InstallSketch): ContainerFact[] {
  const { services, hashes } = composeOf(release, features);
  const traits = manifestOf(release).services;
  return Object.keys(services).flatMap((service) => {
    const state = states[service] ?? 'running';
    if (state === 'absent') return [];
    const ended = state === 'failed' || traits[service]?.kind === 'job';
    return [
      {
        ...{ id: digestOf(service), name: `acme-${service}-1`, project: PROJECT.name, service, oneOff: false },
        ...{ state: ended ? 'exited' : 'running', health: undefined, exitCode: state === 'failed' ? 1 : 0, restarts: 0 },
        ...{
          startedAt: '2026-03-02T00:00:00Z',
          image: service,
          imageId: digestOf(hashes[service] ?? ''),
          configHash: hashes[service] ?? '',
        },
        workingFolder: ROOT,
        volumes: (release.services[service]?.holds ?? []).filter(isVolume).map(volumeName),
      },
    ];
  });
}

export interface HopSketch {
  readonly from: InstallSketch;
  readonly to: ReleaseSketch;
  readonly features?: readonly string[];
  readonly wish?: Partial<UpgradeWish>;
  readonly facts?: Partial<UpgradeFacts>;
}

export interface Hop {
  readonly wish: UpgradeWish;
  readonly facts: UpgradeFacts;
}

/** What `planUpgrade` is asked, and what it is told. */
export function hopOf({ from, to, features = from.features ?? [], wish = {}, facts = {} }: HopSketch): Hop {
  const start = wish.start ?? true;
  const install = installOf(from, to);
  const containers = start ? containersOf(from) : [];
  const config = composeOf(from.release, from.features);
  return {
    wish: {
      ...{ command: 'upgrade', id: 'upgrade-1', operation: 'upgrade-1', at: '2026-03-16T10:00:00Z' },
      basedOn: fingerprintInstall(install, containers),
      ...{ target: manifestOf(to), targetDigest: manifestDigest(to) },
      extra: [{ path: 'bundle.json', content: manifestDigest(to), mode: 0o644 }],
      ...{ settings: [{ path: '.env', content: digestOf('.env as it will be'), mode: 0o600 }], values: new Map() },
      ...{ record: digestOf('install.json as it will be') },
      ...{ features, start },
      ...wish,
    },
    facts: {
      install,
      engine: { containers, volumes: Object.values(config.volumes), config },
      next: composeOf(to, features),
      ...{ backups: [], releases: [from.release.version], operators: [], localImages: [] },
      ...facts,
    },
  };
}

export function volumeName(key: string): string {
  return `${PROJECT.name}_${key}`;
}

/** Everything in it, frozen: whoever writes to it fails. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of value instanceof Map ? value.values() : Object.values(value)) freeze(part);
  }
  return value;
}

function isVolume(name: string): boolean {
  return !name.startsWith('./');
}

function fileOf([path, text]: [string, string]): ManifestFile {
  const owner = path.startsWith('content/') ? 'user' : 'vendor';
  return { path, mode: path.endsWith('.sh') ? '0755' : '0644', size: text.length, sha256: digestOf(text), owner };
}

function factOf(text: string, mode: number): FileFact {
  return { digest: digestOf(text), mode, size: text.length };
}

function serviceOf(name: string, { made = '', holds = [], publishes = false, feature }: ServiceSketch): ComposeFact['services'][string] {
  const mounts = holds.map((held): MountFact => {
    const where = isVolume(held) ? { type: 'volume', source: held } : { type: 'bind', source: `${ROOT}/${held.slice(2)}` };
    return { ...where, target: '/mnt', readOnly: false };
  });
  return { image: `${name} ${made}`, profiles: feature === undefined ? [] : [feature], publishes: publishes ? ['80/tcp'] : [], mounts };
}
