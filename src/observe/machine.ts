// The machine under an install: engine, ports, disk, memory. Rule: asks, never changes; what cannot be known is undefined, not guessed.
import { existsSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { keep } from '../model/description.ts';
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { ContainerFact, DiskFact, EngineTraits, MachineFacts } from '../model/facts.ts';
import { type Fields, parseFields, parseJson, parseList, parseOptional, parseText } from '../model/parse.ts';
import type { RegistryLogin } from '../model/registry-login.ts';
import type { World } from '../model/seams.ts';
import { imageIds, listAllContainers, listContainers } from '../world/containers.ts';
import { readTextIfThere } from '../world/disk.ts';
import { dockerEnvironment } from '../world/docker.ts';
import { type DataPlaces, observeDataSizes, sumOfSizes } from './data-size.ts';
import { observeClock, observeRegistries } from './network.ts';
import { observePorts, type PortWish } from './ports.ts';

export interface MachineWish {
  readonly root: string;
  readonly project: string;
  readonly ports: readonly PortWish[];
  /** Images by digest, of which those that are not here yet will need room. */
  readonly images: readonly { readonly pinned: string; readonly digest: Digest }[];
  /** The folder of backups, relative to the install or absolute. */
  readonly backups: string;
  readonly data: DataPlaces;
  /** Where releases come from; when given, its clock and the images' registries are asked. */
  readonly hosts?: readonly string[];
  /** Tried for its registry instead of docker's own. */
  readonly login?: RegistryLogin | undefined;
  /** The project's containers, where they are looked at already. */
  readonly containers?: Promise<readonly ContainerFact[]>;
  /** Where the engine was asked already who it is. */
  readonly engine?: Promise<EngineVersion>;
  /** Where Compose's version does not matter unless this is so: it is at work. */
  readonly hasComposeFailed?: () => boolean;
}

/** Looks at the machine. An engine that does not answer is a fact (`engineTrouble`), not an error. */
export async function observeMachine(world: World, wish: MachineWish): Promise<MachineFacts> {
  const inside = observeInside(world, wish);
  const clock = wish.hosts === undefined ? undefined : observeClock(world, wish.hosts);
  for (const each of [inside, clock]) each?.catch(() => undefined); // asked while the engine says who it is; counts only when that answers
  const engine = await (wish.engine ?? observeEngineVersion(world));
  const answers = engine.trouble === undefined;
  const compose = engine.compose ?? (wish.hasComposeFailed?.() === false ? '' : await versionOf(world, COMPOSE_VERSION));
  const { containers, missing, dataSizes } = answers ? await inside : NOTHING_INSIDE;
  return {
    docker: engine.version,
    engineTrouble: engine.trouble,
    compose,
    platform: engine.platform,
    memory: totalmem(),
    disks: {
      install: await observeDisk(wish.root),
      backups: await observeDisk(resolve(wish.root, wish.backups)),
      images: engine.imageFolder === undefined ? undefined : await observeDisk(engine.imageFolder),
    },
    missingImages: missing.map(({ digest }) => digest),
    dataBytes: answers ? sumOfSizes(dataSizes, wish.data) : undefined,
    dataSizes,
    ports: await observePorts(wish.ports, async () => (engine.trouble === undefined ? listAllContainers({ world, root: wish.root }) : [])),
    projectContainers: containers,
    ...(engine.traits === undefined ? {} : { engine: engine.traits }),
    proxies: Object.keys(world.env).filter((name) => /^(https?|all)_proxy$/i.test(name) && world.env[name]),
    ...lowestPortOf(await readTextIfThere('/proc/sys/net/ipv4/ip_unprivileged_port_start')),
    ...(clock === undefined ? {} : await observeOutside(world, { clock, login: wish.login }, missing)),
  };
}

interface Inside {
  readonly containers: readonly ContainerFact[];
  readonly missing: MachineWish['images'];
  readonly dataSizes: ReadonlyMap<string, number>;
}

const NOTHING_INSIDE: Inside = { containers: [], missing: [], dataSizes: new Map() };

/** What only an engine that answers can tell. */
async function observeInside(world: World, wish: MachineWish): Promise<Inside> {
  const [containers, missing, dataSizes] = await Promise.all([
    wish.containers ?? listContainers({ world, root: wish.root }, wish.project),
    missingImages(world, wish),
    observeDataSizes(world, wish.root, wish.data),
  ]);
  return { containers, missing, dataSizes };
}

async function observeOutside(
  world: World,
  { clock, login }: { readonly clock: ReturnType<typeof observeClock>; readonly login: RegistryLogin | undefined },
  missing: MachineWish['images'],
): Promise<Pick<MachineFacts, 'clockAhead' | 'registries'>> {
  const images = missing.map(({ pinned }) => pinned);
  const [clockAhead, registries] = await Promise.all([clock, observeRegistries(world, images, login)]);
  return { ...(clockAhead === undefined ? {} : { clockAhead }), registries };
}

function lowestPortOf(text: string | undefined): Pick<MachineFacts, 'lowestPort'> {
  const port = Number(text?.trim() || Number.NaN);
  return Number.isSafeInteger(port) ? { lowestPort: port } : {};
}

async function missingImages(world: World, { root, images }: MachineWish): Promise<MachineWish['images']> {
  const ids = await imageIds(
    { world, root },
    images.map(({ pinned }) => pinned),
  );
  return images.filter(({ pinned }) => !ids.has(pinned));
}

export interface EngineVersion {
  readonly version?: string;
  /** Of docker's Compose plugin, where docker says it. */
  readonly compose?: string;
  readonly platform?: string;
  /** Where images lie, when that is on this machine. */
  readonly imageFolder?: string;
  readonly trouble?: string;
  readonly traits?: EngineTraits;
}

/** Who the engine is; one that does not answer is a fact. Throws E_INTERRUPTED alone. */
export async function observeEngineVersion(world: World, { asksCompose = true } = {}): Promise<EngineVersion> {
  try {
    const { info: f, compose, trouble } = await readInfo(world, asksCompose);
    if (trouble !== undefined) return { trouble };
    const architecture = parseOptional(f.Architecture, 'Architecture', parseText) ?? '';
    return {
      version: parseText(f.ServerVersion, 'ServerVersion'),
      platform: `${parseOptional(f.OSType, 'OSType', parseText) ?? 'linux'}/${architectureNames[architecture] ?? architecture}`,
      ...imageFolderOf(f, world),
      ...keep({ compose }),
      traits: traitsOf(f, world),
    };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { trouble: error.message };
  }
}

interface Info {
  readonly info: Fields;
  readonly compose?: string | undefined;
  readonly trouble?: string;
}

/** What the engine says of itself, and Compose's version if asked; docker itself asks all its plugins first, which takes long. */
async function readInfo(world: World, asksCompose: boolean): Promise<Info> {
  const env = dockerEnvironment(world.env);
  const [asked, compose] = await Promise.all([
    world.askEngine?.('/info', env),
    world.askEngine === undefined || !asksCompose ? undefined : versionOf(world, COMPOSE_VERSION),
  ]);
  if (asked !== undefined && asked !== null && (compose !== undefined || !asksCompose))
    return { info: parseFields(asked, 'the engine\u2019s word on itself'), compose };
  const result = await world.run(['docker', 'info', '--format', '{{json .}}'], { env, timeout: 30 });
  const info = parseFields(parseJson(result.stdout, 'docker info'), 'docker info');
  const errors = Array.isArray(info.ServerErrors) ? info.ServerErrors.map(String) : [];
  return errors.length > 0 || result.code !== 0
    ? { info, trouble: errors.join('; ') || result.stderr.trim() }
    : { info, compose: pluginOf(info) };
}

const COMPOSE_VERSION = ['docker', 'compose', 'version', '--short'];

function traitsOf(info: Fields, { env }: World): EngineTraits {
  const security = JSON.stringify(info.SecurityOptions ?? []);
  const remote = elsewhere(env.DOCKER_HOST ?? '');
  return {
    name: parseOptional(info.Name, 'Name', parseText) ?? 'this machine',
    ...(remote === undefined ? {} : { remote }),
    rootless: security.includes('name=rootless'),
    selinux: security.includes('name=selinux'),
    snap: String(info.DockerRootDir ?? '').startsWith('/var/snap/'),
    driver: parseOptional(info.Driver, 'Driver', parseText) ?? '',
    hasProxy: Boolean(info.HttpProxy) || Boolean(info.HttpsProxy),
  };
}

/** Docker has asked its plugins already. */
function pluginOf(info: Fields): string | undefined {
  const client = parseOptional(info.ClientInfo, 'ClientInfo', parseFields);
  const plugins = parseList(client?.Plugins ?? [], 'ClientInfo.Plugins', parseFields);
  const version = plugins.find((plugin) => plugin.Name === 'compose')?.Version;
  return typeof version === 'string' && version !== '' ? version.replace(/^v/, '') : undefined;
}

/** The address of an engine on another machine, without a user's name. */
function elsewhere(address: string): string | undefined {
  const isHere = !/^(tcp|ssh|https?):/.test(address) || /^\w+:\/\/([^/@]*@)?(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/.test(address);
  return isHere ? undefined : address.replace(/\/\/[^/@]*@/, '//');
}

/** The kernel's names and those that image platforms use. */
const architectureNames: Readonly<Record<string, string>> = {
  ...{ x86_64: 'amd64', i386: '386', i686: '386', aarch64: 'arm64' },
  ...{ armv7l: 'arm/v7', armv6l: 'arm/v6' },
};

/** An engine on another host has its disks there; with containerd's store images are not below Docker's own folder. */
function imageFolderOf(info: Fields, { env }: World): { readonly imageFolder?: string } {
  if (env.DOCKER_HOST !== undefined && env.DOCKER_HOST !== '' && !env.DOCKER_HOST.startsWith('unix://')) return {};
  const root = parseOptional(info.DockerRootDir, 'DockerRootDir', parseText) ?? '/';
  const isContainerd = JSON.stringify(info.DriverStatus ?? '').includes('io.containerd.snapshotter');
  return { imageFolder: isContainerd && existsSync(CONTAINERD) ? CONTAINERD : root };
}

const CONTAINERD = '/var/lib/containerd';

async function versionOf(world: World, argv: readonly string[]): Promise<string | undefined> {
  try {
    const result = await world.run(argv, { env: dockerEnvironment(world.env), timeout: 30 });
    return result.code === 0 ? result.stdout.trim().replace(/^v/, '') : undefined;
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return undefined;
  }
}

/** The file system of a folder that may not exist yet. */
export async function observeDisk(folder: string): Promise<DiskFact | undefined> {
  let path = folder;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  if (!existsSync(folder) && path === '/') return undefined;
  const [{ bavail, bsize }, { dev }] = await Promise.all([statfs(path), stat(path)]);
  return { path, device: String(dev), free: bavail * bsize };
}
