// May this release run on this machine? Rule: all problems at once, each with a hint; `block` stops, `warn` is told, and nothing here looks at the world.
import type { MachineFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import { satisfies, versionOf } from '../model/version.ts';

export interface PreflightFinding {
  readonly severity: 'block' | 'warn';
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export interface PreflightWish {
  readonly manifest: Manifest;
  readonly root: string;
  readonly project: string;
  /** Bytes of data that a backup will copy. */
  readonly dataBytes: number;
}

/** An unpacked image takes about this many times its compressed size, measured over common images. */
const UNPACKED = 3;

/** Compares what a release needs with what the machine has. */
export function preflight(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  if (machine.docker === undefined || machine.engineTrouble !== undefined) return [noEngine(machine)];
  return [...versions(wish, machine), ...ownership(wish, machine), ...ports(machine), ...platforms(wish, machine), ...room(wish, machine)];
}

function noEngine(machine: MachineFacts): PreflightFinding {
  const message = machine.engineTrouble ?? 'the Docker Engine does not answer';
  return {
    severity: 'block',
    code: 'no-engine',
    message: `Docker: ${message}`,
    hint: 'Install Docker, start it, and see that this user may use it (root, or the docker group).',
  };
}

function versions(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  const found: PreflightFinding[] = [];
  const { requires } = wish.manifest;
  if (machine.compose === undefined) {
    found.push({
      severity: 'block',
      code: 'no-compose',
      message: 'the Docker Compose plugin (v2) is missing',
      hint: 'Install docker-compose-plugin, then try again.',
    });
  } else if (requires.compose !== undefined && !inRange(machine.compose, requires.compose)) {
    found.push({
      severity: 'block',
      code: 'old-compose',
      message: `Docker Compose ${machine.compose} is not ${requires.compose}`,
      hint: 'Upgrade the Compose plugin.',
    });
  }
  if (requires.docker !== undefined && machine.docker !== undefined && !inRange(machine.docker, requires.docker)) {
    found.push({
      severity: 'block',
      code: 'old-docker',
      message: `Docker ${machine.docker} is not ${requires.docker}`,
      hint: 'Upgrade the Docker Engine.',
    });
  }
  return found;
}

/** Distributions add letters to version numbers (`20.10.24+dfsg1`): only the numbers count. */
function inRange(found: string, range: string): boolean {
  const version = versionOf(/^\d+\.\d+(\.\d+)?/.exec(found)?.[0].replace(/^(\d+\.\d+)$/, '$1.0') ?? '');
  return version === undefined || satisfies(version, range);
}

/** Volumes are named after the project: two folders with one project would share data. */
function ownership(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  const others = new Set(
    machine.projectContainers.map((each) => each.workingFolder).filter((folder) => folder !== '' && folder !== wish.root),
  );
  return [...others].map((folder) => ({
    severity: 'block',
    code: 'project-elsewhere',
    message: `the compose project ${wish.project} belongs to ${folder}`,
    hint: 'Work in that folder. A second install on this machine needs a project name of its own.',
  }));
}

function ports(machine: MachineFacts): PreflightFinding[] {
  return machine.ports
    .filter((port) => port.taken)
    .map((port) => ({
      severity: 'block',
      code: 'port-taken',
      message: `port ${port.port}/${port.protocol} is in use`,
      hint: `Free it (\`ss -ltnp\` names the program), or choose another port.`,
    }));
}

function platforms(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  const { platform } = machine;
  if (platform === undefined) return [];
  return wish.manifest.images
    .filter((image) => image.platforms.length > 0 && !image.platforms.some((each) => each === platform || each.startsWith(`${platform}/`)))
    .map((image) => ({
      severity: 'block',
      code: 'no-platform',
      message: `the image ${image.name} is not made for ${platform}`,
      hint: `It exists for ${image.platforms.join(', ')}.`,
    }));
}

function room(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  const found: PreflightFinding[] = [];
  const { memory, disk = 0 } = wish.manifest.requires;
  if (memory !== undefined && machine.memory < memory * 0.95) {
    found.push({
      severity: 'warn',
      code: 'little-memory',
      message: `${gigabytes(machine.memory)} of memory, ${gigabytes(memory)} are asked for`,
      hint: 'It may run slowly, or be stopped by the system.',
    });
  }
  const images = machine.imageBytes * UNPACKED;
  if (machine.freeForImages !== undefined && machine.freeForImages < images + disk) {
    found.push(tooFull('for images', machine.freeForImages, images + disk));
  }
  if (machine.freeForInstall !== undefined && machine.freeForInstall < wish.dataBytes * 2) {
    found.push(tooFull('for the backup', machine.freeForInstall, wish.dataBytes * 2));
  }
  return found;
}

function tooFull(what: string, free: number, needed: number): PreflightFinding {
  return {
    severity: 'block',
    code: 'disk-full',
    message: `${gigabytes(free)} of disk are free ${what}, ${gigabytes(needed)} are needed`,
    hint: 'Free some space, then try again.',
  };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
