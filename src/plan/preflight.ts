// May this release run on this machine? Rule: all problems at once, each with a hint; `block` stops, `warn` is told, and nothing here looks at the world.
import type { MachineFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import { sizeToText } from '../model/units.ts';
import { satisfies, versionOf } from '../model/version.ts';
import { findRoom } from './room.ts';
import { surroundings } from './surroundings.ts';

export interface PreflightFinding {
  readonly severity: 'block' | 'warn' | 'info';
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export interface PreflightWish {
  readonly manifest: Manifest;
  readonly root: string;
  readonly project: string;
  /** The site's own registry, where images come from one. */
  readonly mirror?: string | null;
  /** How many upgrades follow each other, each with a backup of its own. */
  readonly hops?: number;
  /** The product's own command, for hints. */
  readonly cli?: string;
}

/** Compares what a release needs with what the machine has. */
export function preflight(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  if (machine.docker === undefined || machine.engineTrouble !== undefined) return [noEngine(machine)];
  return [
    ...versions(wish, machine),
    ...ownership(wish, machine),
    ...ports(wish, machine),
    ...surroundings(wish, machine),
    ...platforms(wish, machine),
    ...memory(wish, machine),
    ...findRoom(wish.manifest, machine, wish.hops),
  ];
}

function noEngine(machine: MachineFacts): PreflightFinding {
  const message = machine.engineTrouble ?? 'the Docker Engine does not answer';
  return { severity: 'block', code: 'no-engine', message: `Docker: ${message}`, hint: hintForEngine(message) };
}

function hintForEngine(message: string): string {
  if (/permission denied/i.test(message))
    return 'The engine runs, but not for this user: use sudo, or join the docker group and log in again.';
  if (/is not installed/.test(message)) return 'Install Docker Engine: https://docs.docker.com/engine/install/';
  if (/cannot connect|is the docker daemon running/i.test(message))
    return 'Start it (`systemctl start docker`), or name another one with DOCKER_HOST.';
  return 'Install Docker, start it, and see that this user may use it (root, or the docker group).';
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

/** A port that the project's own containers have is where it belongs. */
function ports({ project }: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  return machine.ports
    .filter((port) => port.taken && port.project !== project)
    .map(({ port, protocol, holder }) => ({
      severity: 'block',
      code: 'port-taken',
      message: `port ${port}/${protocol} is in use${holder === undefined ? '' : ` by ${holder}`}`,
      hint:
        holder === undefined
          ? 'Free it (`sudo ss -ltnp` names the program), or choose another port.'
          : 'Stop that, or choose another port.',
    }));
}

function platforms({ manifest }: PreflightWish, { platform }: MachineFacts): PreflightFinding[] {
  if (platform === undefined) return [];
  return manifest.images
    .filter((image) => image.platforms.length > 0 && !image.platforms.some((each) => runsOn(each, platform)))
    .map(({ name, platforms }) => ({
      severity: 'block',
      code: 'no-platform',
      message: `the image ${name} is made for ${platforms.join(', ')}, and this machine is ${platform}`,
      hint: `Ask the maintainer for ${name} on ${platform}, or install on a machine of another platform.`,
    }));
}

/** An image that names a variant beside this machine's architecture runs too, and older ARM code on newer ARM (`linux/arm/v6` on v7). */
function runsOn(image: string, machine: string): boolean {
  if (image === machine || image.startsWith(`${machine}/`)) return true;
  const [ours, theirs] = [machine, image].map((platform) => Number(/^linux\/arm\/v(\d)$/.exec(platform)?.[1] ?? Number.NaN));
  return (theirs ?? Number.NaN) <= (ours ?? Number.NaN) || (image === 'linux/arm' && machine.startsWith('linux/arm/'));
}

function memory({ manifest }: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  const wanted = manifest.requires.memory;
  if (wanted === undefined || machine.memory >= wanted * 0.95) return [];
  const message = `${sizeToText(machine.memory)} of memory, ${sizeToText(wanted)} are asked for`;
  return [{ severity: 'warn', code: 'little-memory', message, hint: 'It may run slowly, or be stopped by the system.' }];
}
