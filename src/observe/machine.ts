// The machine under an install: engine, ports, disk, memory. Rule: asks, never changes; what cannot be known is undefined, not guessed.
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { MachineFacts, PortFact } from '../model/facts.ts';
import { parseFields, parseJson, parseOptional, parseText } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { imageId, listContainers } from '../world/containers.ts';
import { dockerEnvironment } from '../world/docker.ts';

export interface MachineWish {
  readonly root: string;
  readonly project: string;
  readonly ports: readonly { readonly port: number; readonly protocol: 'tcp' | 'udp' }[];
  /** Images by digest, of which those that are not here yet will need room. */
  readonly images: readonly { readonly pinned: string; readonly size: number }[];
}

/** Looks at the machine. An engine that does not answer is a fact (`engineTrouble`), not an error. */
export async function observeMachine(world: World, wish: MachineWish): Promise<MachineFacts> {
  const [engine, compose] = await Promise.all([observeEngineVersion(world), versionOf(world, ['docker', 'compose', 'version', '--short'])]);
  const containers = engine.trouble === undefined ? await listContainers({ world, root: wish.root }, wish.project) : [];
  return {
    docker: engine.version,
    engineTrouble: engine.trouble,
    compose,
    platform: engine.platform,
    memory: totalmem(),
    freeForInstall: await freeBytes(wish.root),
    freeForImages: engine.rootFolder === undefined ? undefined : await freeBytes(engine.rootFolder),
    imageBytes: engine.trouble === undefined ? await missingBytes(world, wish) : 0,
    ports: await Promise.all(wish.ports.map((port) => observePort(port.port, port.protocol))),
    projectContainers: containers,
  };
}

async function missingBytes(world: World, { root, images }: MachineWish): Promise<number> {
  const ids = await Promise.all(images.map((image) => imageId({ world, root }, image.pinned)));
  return images.reduce((sum, image, index) => (ids[index] === undefined ? sum + image.size : sum), 0);
}

interface EngineVersion {
  readonly version?: string;
  readonly platform?: string;
  readonly rootFolder?: string;
  readonly trouble?: string;
}

async function observeEngineVersion(world: World): Promise<EngineVersion> {
  try {
    const result = await world.run(['docker', 'info', '--format', '{{json .}}'], { env: dockerEnvironment(world.env), timeout: 30 });
    const f = parseFields(parseJson(result.stdout, 'docker info'), 'docker info');
    const errors = Array.isArray(f.ServerErrors) ? f.ServerErrors.map(String) : [];
    if (errors.length > 0 || result.code !== 0) return { trouble: errors.join('; ') || result.stderr.trim() };
    const architecture = parseOptional(f.Architecture, 'Architecture', parseText) ?? '';
    return {
      version: parseText(f.ServerVersion, 'ServerVersion'),
      platform: `${parseOptional(f.OSType, 'OSType', parseText) ?? 'linux'}/${architectureNames[architecture] ?? architecture}`,
      rootFolder: parseOptional(f.DockerRootDir, 'DockerRootDir', parseText) ?? '/',
    };
  } catch (error) {
    if (error instanceof ToolError) return { trouble: error.message };
    throw error;
  }
}

/** The kernel's names and those that image platforms use. */
const architectureNames: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64', armv7l: 'arm/v7' };

async function versionOf(world: World, argv: readonly string[]): Promise<string | undefined> {
  try {
    const result = await world.run(argv, { env: dockerEnvironment(world.env), timeout: 30 });
    return result.code === 0 ? result.stdout.trim().replace(/^v/, '') : undefined;
  } catch (error) {
    if (error instanceof ToolError) return undefined;
    throw error;
  }
}

/** Free bytes on the file system of a folder that may not exist yet. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  let path = folder;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  if (!existsSync(folder) && path === '/') return undefined;
  const stats = await statfs(path);
  return stats.bavail * stats.bsize;
}

/** A TCP port is free when it can be listened on; whoever asks again later may find it taken. UDP is not tried. */
async function observePort(port: number, protocol: 'tcp' | 'udp'): Promise<PortFact> {
  if (protocol === 'udp') return { port, protocol, taken: false };
  const taken = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(false)));
  });
  return { port, protocol, taken };
}
