// From the shorthand of slipway.yaml to the types of the manifest. Rule: only what is built is read; the rest was refused before.

import { type BuildRules, DEFAULT_BRANCH_NAMESPACE, DEFAULT_TAGS } from './build-rules.ts';
import { type CiRules, DEFAULT_MIRROR, DEFAULT_OUTDATED, DEFAULT_SETUP } from './ci-rules.ts';
import {
  type DataItem,
  type Feature,
  keep,
  type Migration,
  type Probe,
  type ServiceTraits,
  type UpgradeRules,
  type Variable,
} from './description.ts';
import { externalFeatures, externalVariables } from './external.ts';
import type { Source } from './problem.ts';
import type { BaseRule, BundleRules, ImageRules, OwnImage, Product, ProductHost, ReleaseRules, ThirdPartyImage } from './product.ts';
import type { RawProduct } from './product-schema.ts';
import type { PortNeed, Requirements } from './requirements.ts';
import { plainPath } from './schema-parts.ts';
import type { SecretRule } from './secret-rule.ts';
import { VERSION_PLACE } from './tag.ts';
import { parseDuration, parseSize } from './units.ts';
import { parseVersion } from './version.ts';

type Raw<K extends keyof RawProduct> = NonNullable<RawProduct[K]>;
type RawOwnImage = Raw<'images'>['own'][string];
type RawThirdParty = Raw<'images'>['thirdParty'][string][number];

/** The product that the schema accepted, with every default filled in. */
export function normaliseProduct(raw: RawProduct, source: Source): Product {
  const services = mapValues(raw.services, normaliseService);
  return {
    product: raw.product,
    title: raw.title ?? raw.product,
    cli: raw.cli ?? `${raw.product}ctl`,
    release: normaliseRelease(raw.release, raw.product),
    bundle: raw.bundle === undefined ? undefined : normaliseBundle(raw.bundle),
    images: normaliseImages(raw.images),
    features: { ...mapValues(raw.features, normaliseFeature), ...externalFeatures(services) },
    env: externalVariables(services, { ...registryVariables(raw.images), ...mapValues(raw.env, normaliseVariable) }),
    requires: normaliseRequirements(raw.requires),
    services,
    data: mapValues(raw.data, normaliseDataItem),
    backup: keep({ ...raw.backup }),
    upgrade: normaliseUpgrade(raw.upgrade),
    ci: normaliseCi(raw.ci),
    sync: keep(raw.sync),
    ignore: raw.check.ignore,
    source,
  };
}

function normaliseRelease(raw: Raw<'release'>, product: string): ReleaseRules {
  const publishTo = raw.publishTo ?? Object.keys(raw.hosts);
  return {
    tag: raw.tag,
    versions: raw.versions,
    base: normaliseBase(raw.base),
    formerTags: raw.formerTags.map((former) => keep(former)),
    repositories: raw.repositories,
    notes: raw.notes === undefined ? undefined : plainPath(raw.notes),
    artifact: raw.artifact ?? `${product}-bundle-${VERSION_PLACE}.tar.gz`,
    aliases: raw.aliases,
    channels: mapValues(raw.channels, ({ branch, prerelease, versions, includes, float, promoteFrom }) =>
      keep({ branch, prerelease, versions, includes, float, promoteFrom }),
    ),
    expires: raw.expires === 'never' ? null : seconds(raw.expires),
    publicKey: raw.publicKey,
    nextPublicKey: raw.nextPublicKey,
    hosts: Object.entries(raw.hosts).map(([name, host]): ProductHost => keep({ name, ...host })),
    publishTo,
    authority: raw.authority ?? publishTo[0] ?? '',
    allowReplace: raw.allowReplace,
  };
}

/** `git`, a text file, or `file.json#key.below`. */
function normaliseBase(raw: string): BaseRule {
  if (raw === 'git') return { kind: 'git' };
  const [file = '', key] = raw.split('#');
  return key === undefined ? { kind: 'text', path: plainPath(file) } : { kind: 'json', path: plainPath(file), key: key.split('.') };
}

function normaliseBundle(raw: Raw<'bundle'>): BundleRules {
  const compose = typeof raw.compose === 'string' ? [raw.compose] : raw.compose;
  return {
    compose: compose.map(plainPath),
    env: raw.env === undefined ? undefined : plainPath(raw.env),
    files: raw.files.map(({ from, to, exclude }) => ({ from: plainPath(from), to: plainPath(to), exclude })),
    hostFiles: raw.hostFiles.map(({ from, to, mode = '0644', when }) =>
      keep({ path: plainPath(to), template: plainPath(from), mode, when }),
    ),
    validate: raw.validate,
    folders: raw.folders.map(plainPath),
    userOwned: raw.userOwned.map(plainPath),
    hostPaths: raw.hostPaths,
    shims: Object.fromEntries(Object.entries(raw.shims).map(([path, command]) => [plainPath(path), command])),
    values: raw.values,
  };
}

function normaliseImages(raw: Raw<'images'>): ImageRules {
  return {
    registry: raw.registry?.replace(/\/+$/, ''),
    registryVariable: raw.registryVariable,
    mirror: raw.mirror,
    login: raw.login,
    own: mapValues(raw.own, normaliseOwnImage),
    tags: { ...DEFAULT_TAGS, ...keep(raw.tags ?? {}) },
    branchNamespace: raw.branchNamespace ?? DEFAULT_BRANCH_NAMESPACE,
    thirdParty: Object.entries(raw.thirdParty).flatMap(([group, images]) =>
      images.map((image, index) => normaliseThirdParty(image, group, index)),
    ),
  };
}

/** In every `.env`, empty unless the site says otherwise. */
function registryVariables({ registryVariable: name, registry = '' }: Raw<'images'>): Record<string, Variable> {
  if (name === undefined) return {};
  return { [name]: { group: 'Images', help: `A registry of your own, with the same images as ${registry}; empty = ${registry}` } };
}

function normaliseOwnImage(raw: RawOwnImage, name: string): OwnImage {
  const { repository = name, tag, platforms, release, needs = [], optIn = false } = raw;
  const version = raw.version === undefined ? undefined : parseVersion(raw.version);
  return keep({ repository, tag, platforms, release, version, needs, optIn, build: normaliseBuild(raw) });
}

/** Without a context the image is built elsewhere. */
function normaliseBuild(raw: RawOwnImage): BuildRules | undefined {
  if (raw.context === undefined) return undefined;
  const context = raw.context === '.' ? '.' : plainPath(raw.context).replace(/\/$/, '');
  const inside = (name: string): string => (context === '.' ? name : `${context}/${name}`);
  const dockerfile = raw.dockerfile === undefined ? inside('Dockerfile') : plainPath(raw.dockerfile);
  return keep({
    context,
    dockerfile,
    target: raw.target,
    args: mapValues(raw.args ?? {}, String),
    paths: (raw.paths ?? [inside('**'), dockerfile]).map(plainPath),
    cache: raw.cache ?? 'none',
  });
}

function normaliseThirdParty(raw: RawThirdParty, group: string, index: number): ThirdPartyImage {
  const source = typeof raw === 'string' ? raw : raw.source;
  const last = source.slice(source.lastIndexOf('/') + 1);
  const { as, tags, asTags, platforms, to }: Partial<Exclude<RawThirdParty, string>> = typeof raw === 'string' ? {} : raw;
  return keep({ name: as ?? last.replace(/:.*$/, ''), source, group, index, tags, asTags, platforms, to });
}

function normaliseFeature(raw: Raw<'features'>[string], name: string): Feature {
  return keep({
    ask: raw.ask,
    profiles: raw.profiles ?? (raw.choices === undefined ? [name] : []),
    default: raw.choices === undefined ? raw.default : String(raw.default),
    choices: raw.choices,
    requires: raw.requires,
    memory: raw.memory === undefined ? undefined : bytes(raw.memory),
  });
}

function normaliseVariable(raw: Raw<'env'>[string]): Variable {
  const { group, ask, help, type, required, pattern, sensitive, length, immutable, when, deprecated, renamedFrom, reveal, rotate } = raw;
  const choices = raw.choices?.map(String);
  const known = { group, ask, help, type, required, default: raw.default, choices, pattern, sensitive };
  const file = raw.file === undefined ? undefined : plainPath(raw.file);
  const secret = raw.secret === undefined ? undefined : normaliseSecret(raw.secret);
  return keep({ ...known, secret, length, immutable, when, deprecated, renamedFrom, reveal, file, rotate });
}

function normaliseSecret(raw: NonNullable<Raw<'env'>[string]['secret']>): SecretRule {
  if (typeof raw === 'string' || 'bcrypt' in raw) return raw;
  return keep({ jwt: raw.jwt, claims: raw.claims, expires: raw.expires === undefined ? undefined : seconds(raw.expires) });
}

function normaliseService({ kind, optional, writer, external }: Raw<'services'>[string]): ServiceTraits {
  return keep({ kind, optional, writer, external: external === undefined ? undefined : keep(external) });
}

function normaliseRequirements(raw: Raw<'requires'>): Requirements {
  return keep({
    docker: raw.docker,
    compose: raw.compose,
    memory: raw.memory === undefined ? undefined : bytes(raw.memory),
    disk: raw.disk === undefined ? undefined : bytes(raw.disk),
    ports: raw.ports.map(normalisePort),
    platforms: raw.platforms,
  });
}

function normalisePort(raw: Raw<'requires'>['ports'][number]): PortNeed {
  if (typeof raw !== 'object') return { port: String(raw), protocol: 'tcp' };
  return keep({ port: String(raw.port), protocol: raw.protocol, when: raw.when });
}

function normaliseDataItem(raw: Raw<'data'>[string], name: string): DataItem {
  const { path, migrate, ...rest } = raw;
  return keep({
    path: path === undefined ? undefined : plainPath(path),
    ...rest,
    migrate: migrate === undefined ? undefined : keep({ ...migrate, from: migrate.from ?? name }),
  });
}

function normaliseUpgrade(raw: Raw<'upgrade'>): UpgradeRules {
  return {
    from: raw.from,
    stop: raw.stop,
    migrate: raw.migrate.map((step): Migration => ({ ...step, timeout: step.timeout === 'none' ? null : seconds(step.timeout) })),
    entry: raw.entry,
    ...keep({ maintenance: raw.maintenance }),
    health: raw.health.map((probe): Probe => keep(probe)),
    timeout: seconds(raw.timeout),
    probation: seconds(raw.probation),
    ...(raw.finishTimeout === undefined ? {} : { finishTimeout: seconds(raw.finishTimeout) }),
  };
}

/** What was left out is on with its default; `false` is off. */
function normaliseCi({ setup, mirror, outdated, refresh, ...rest }: Raw<'ci'>): CiRules {
  return keep({
    ...rest,
    setup: setup ?? DEFAULT_SETUP,
    mirror: mirror === false ? undefined : keep({ schedule: DEFAULT_MIRROR, ...mirror }),
    outdated: outdated === false ? undefined : { schedule: DEFAULT_OUTDATED, report: 'issue' as const, ...outdated },
    refresh: refresh === false ? undefined : refresh,
  });
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, change: (value: T, key: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

/** The schema let only durations through. */
function seconds(value: string | number): number {
  return parseDuration(value) ?? 0;
}

/** The schema let only sizes through. */
function bytes(value: string | number): number {
  return parseSize(value) ?? 0;
}
