// What observing finds and planning decides from. Rule: plain data; nothing here knows how it was found.
import type { Digest } from './digest.ts';
import type { EnvFile } from './env-file.ts';
import type { InstallRecord } from './install.ts';
import type { JournalHead } from './journal.ts';
import type { LockRecord } from './lock.ts';
import type { Manifest } from './manifest.ts';
import type { OwnService } from './own-service.ts';
import type { ComposeProject } from './plan.ts';
import type { Settings } from './settings.ts';

/** A file on disk as it can be compared with a manifest. A link is its target's text, mode 0. */
export interface FileFact {
  readonly digest: Digest;
  readonly mode: number;
  readonly size: number;
}

/** One mount of a service: a volume's key, or the absolute path of a bind mount. */
export interface MountFact {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ServiceFact {
  /** True when the compose file says how its image is built. */
  readonly builds?: true;
  readonly image: string;
  readonly profiles: readonly string[];
  /** `8080/tcp` for each published port. */
  readonly publishes: readonly string[];
  readonly mounts: readonly MountFact[];
}

/** A compose project as Compose reads it: only the services that are switched on. */
export interface ComposeFact {
  readonly name: string;
  readonly services: Readonly<Record<string, ServiceFact>>;
  /** Volume key → the engine's volume name. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Variables that came out blank because nothing sets them. */
  readonly unset: readonly string[];
  /** Config hash by service, as the containers' label has it. */
  readonly hashes: Readonly<Record<string, string>>;
}

export interface ContainerFact {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly service: string;
  readonly oneOff: boolean;
  /** created, running, restarting, exited, dead, paused. */
  readonly state: string;
  /** starting, healthy, unhealthy; undefined when the container has no health check. */
  readonly health: string | undefined;
  readonly exitCode: number;
  readonly restarts: number;
  readonly startedAt: string;
  /** The image as the compose file names it. */
  readonly image: string;
  /** The id of the image that runs. */
  readonly imageId: string;
  readonly configHash: string;
  readonly workingFolder: string;
  readonly volumes: readonly string[];
  /** The compose files it was started with; absolute. */
  readonly configFiles?: readonly string[];
  /** `8080/tcp` for each port of this machine that it has. */
  readonly published?: readonly string[];
  /** Where something is mounted in it. */
  readonly targets?: readonly string[];
  /** The id of the container whose network it shares. */
  readonly networkOf?: string;
}

/** An install as it was found. */
export interface InstallFacts {
  readonly root: string;
  readonly record: InstallRecord;
  readonly manifest: Manifest;
  readonly manifestText: string;
  /** The manifest as it was signed, where this site has images from a registry of its own, or of other releases. */
  readonly shipped?: Manifest;
  readonly project: ComposeProject;
  readonly env: EnvFile;
  /** `.env` and the other env files of its release that are there. */
  readonly settings: Settings;
  /** By path, for every path asked for; absent files are not in it. */
  readonly files: ReadonlyMap<string, FileFact>;
  readonly openOperation: JournalHead | undefined;
  readonly lock: LockRecord | undefined;
}

/** The engine's side of an install. */
export interface EngineFacts {
  readonly containers: readonly ContainerFact[];
  /** Volumes that exist, by the engine's name. */
  readonly volumes: readonly string[];
  /** The project as its present files describe it. */
  readonly config: ComposeFact;
  /** Where this program runs in a container of the project. */
  readonly own?: OwnService;
}

export interface PortFact {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly taken: boolean;
  /** In words; absent = nobody knows. */
  readonly holder?: string;
  /** The compose project of the container that has it. */
  readonly project?: string;
}

/** An image that its registry did not give when it was asked. */
export interface RegistryFact {
  readonly registry: string;
  readonly image: string;
  readonly trouble: 'login' | 'missing' | 'unreachable' | 'strange';
}

/** The engine beyond its version. */
export interface EngineTraits {
  /** The machine it runs on. */
  readonly name: string;
  /** $DOCKER_HOST, when that names another machine. */
  readonly remote?: string;
  readonly rootless: boolean;
  readonly selinux: boolean;
  readonly snap: boolean;
  readonly driver: string;
  readonly hasProxy: boolean;
}

/** A file system. */
export interface DiskFact {
  /** A folder on it, for people. */
  readonly path: string;
  /** The same for all folders on it. */
  readonly device: string;
  /** Bytes. */
  readonly free: number;
}

/** The machine as preflight sees it; undefined = could not be known. Sizes in bytes. */
export interface MachineFacts {
  readonly docker: string | undefined;
  readonly engineTrouble: string | undefined;
  /** Version of Docker's Compose plugin; empty where it did not matter, undefined where there is none. */
  readonly compose: string | undefined;
  /** Such as `linux/amd64`. */
  readonly platform: string | undefined;
  readonly memory: number;
  /** The disks that hold the install, its backups, and the engine's images. */
  readonly disks: { readonly install: DiskFact | undefined; readonly backups: DiskFact | undefined; readonly images: DiskFact | undefined };
  /** The release's images that are not on the engine. */
  readonly missingImages: readonly Digest[];
  /** Bytes of the data that a backup copies. */
  readonly dataBytes: number | undefined;
  /** The same by volume or path, as far as it could be measured. */
  readonly dataSizes?: ReadonlyMap<string, number>;
  readonly ports: readonly PortFact[];
  readonly projectContainers: readonly ContainerFact[];
  readonly engine?: EngineTraits;
  /** The variables of this shell that name a proxy. */
  readonly proxies?: readonly string[];
  /** The lowest port that a program without special rights may have. */
  readonly lowestPort?: number;
  /** Seconds that this clock is ahead of the release host's. */
  readonly clockAhead?: number;
  readonly registries?: readonly RegistryFact[];
}
