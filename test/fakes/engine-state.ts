// What a fake Docker Engine holds, and what happens in it by itself. Rule: plain data, so that a copy of it is a snapshot; programs are found by an image's name for them.
import { emptyTree, type FileTree, readFolderTree } from './file-tree.ts';

export interface FakeImage {
  readonly id: string;
  /** `registry/repository:tag@sha256:…`, as releases name it. */
  readonly pinned: string;
  readonly program: string;
}

export interface MountedAt {
  readonly type: 'volume' | 'bind';
  /** The engine's volume, or an absolute path. */
  readonly source: string;
  readonly target: string;
}

export interface FakeContainer {
  readonly id: string;
  name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string;
  readonly imageId: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly MountedAt[];
  readonly publishes: boolean;
  readonly network: string;
  readonly restart: boolean;
  readonly removeAtEnd: boolean;
  state: 'created' | 'running' | 'exited';
  exitCode: number;
  startedAt: number;
  /** Ticks since it was started. */
  age: number;
  /** How many parts of its work are done, for programs that end. */
  worked: number;
  /** What it wrote, where a test has something in it write. */
  log: string;
}

export interface FakeVolume {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  tree: FileTree;
}

/** A row that the product said it has kept. */
export interface Row {
  readonly id: string;
  /** The release of the program that wrote it. */
  readonly version: string;
  /** True when the product could be reached from outside: somebody may rely on it. */
  readonly door: boolean;
}

export interface EngineState {
  readonly containers: Map<string, FakeContainer>;
  readonly volumes: Map<string, FakeVolume>;
  readonly networks: Map<string, Readonly<Record<string, string>>>;
  /** Reference → image id. */
  readonly images: Map<string, string>;
  readonly ledger: Row[];
  /** What must never happen, such as a writer on half-migrated data. */
  readonly violations: string[];
  counter: number;
  /** Milliseconds; moves with every call and every wait. */
  clock: number;
}

/** What a program sees of the container that it runs in. */
export interface Inside {
  readonly me: FakeContainer;
  readonly state: EngineState;
  /** The containers of the same compose project. */
  readonly siblings: readonly FakeContainer[];
  readonly programOf: (container: FakeContainer) => Program;
}

export interface Program {
  readonly version: string;
  /** Ticks until its health check says healthy; Infinity = never; absent = it has no health check. */
  readonly healthyAfter?: number;
  /** What a running container does by itself. */
  readonly tick?: (inside: Inside) => void;
  /** The work of a container with this command, part by part; undefined = it runs until it is stopped. */
  readonly work?: (command: readonly string[], inside: Inside) => Work | undefined;
  /** `input` is what the caller sends to its stdin. */
  readonly exec?: (command: readonly string[], inside: Inside, input: string) => Answer;
  /** The same for a file that is sent to it: the work goes on as long as somebody sends. */
  readonly load?: (inside: Inside, input: string) => Work;
}

export interface Work {
  readonly parts: readonly (() => void)[];
  readonly exitCode: number;
}

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Programs = Readonly<Record<string, Program>>;

const SICK_AFTER = 3;

export function emptyEngine(): EngineState {
  return {
    ...{ containers: new Map(), volumes: new Map(), networks: new Map(), images: new Map() },
    ...{ ledger: [], violations: [], counter: 0, clock: Date.parse('2026-03-15T10:00:00Z') },
  };
}

/** Time passes: containers work, write and become healthy. */
export function tick(state: EngineState, programs: Programs, world: readonly FakeImage[], milliseconds: number): void {
  state.clock += milliseconds;
  for (const container of [...state.containers.values()]) {
    if (container.state !== 'running') continue;
    container.age += 1;
    const inside = insideOf(container, state, programs, world);
    inside.programOf(container).tick?.(inside);
    if (container.age % 3 === 0) workOn(inside); // a job whose starter was killed goes on by itself
  }
}

/** Does the next part of a container's work; false when there is none left, or it never ends. */
export function workOn(inside: Inside): boolean {
  const { me, state } = inside;
  const work = inside.programOf(me).work?.(me.command, inside);
  if (work === undefined || me.state !== 'running') return false;
  work.parts[me.worked]?.();
  me.worked += 1;
  if (me.worked < work.parts.length) return true;
  me.state = 'exited';
  me.exitCode = work.exitCode;
  if (me.removeAtEnd) state.containers.delete(me.id);
  return false;
}

/** The machine starts anew: what ran with a restart policy runs again, in any order; what had none has ended. */
export function reboot(state: EngineState): void {
  for (const container of [...state.containers.values()].reverse()) {
    if (container.state !== 'running') continue;
    if (container.restart) startContainer(state, container);
    else if (container.removeAtEnd) state.containers.delete(container.id);
    else Object.assign(container, { state: 'exited', exitCode: 137 });
  }
}

export function startContainer(state: EngineState, container: FakeContainer): void {
  state.clock += 1;
  Object.assign(container, { state: 'running', startedAt: state.clock, age: 0, worked: 0, exitCode: 0 });
}

export function insideOf(me: FakeContainer, state: EngineState, programs: Programs, world: readonly FakeImage[]): Inside {
  const project = me.labels['com.docker.compose.project'];
  const siblings = [...state.containers.values()].filter((each) => each !== me && each.labels['com.docker.compose.project'] === project);
  return { me, state, siblings, programOf: (container) => programOf(container, programs, world) };
}

export function programOf(container: FakeContainer, programs: Programs, world: readonly FakeImage[]): Program {
  const image = world.find((each) => each.id === container.imageId);
  return programs[image?.program ?? ''] ?? { version: 'none' };
}

/** starting, healthy, unhealthy; undefined without a health check. */
export function healthOf(container: FakeContainer, program: Program): string | undefined {
  const after = program.healthyAfter;
  if (after === undefined || container.state === 'created') return undefined;
  if (container.state === 'exited') return 'unhealthy';
  if (container.age >= after) return 'healthy';
  return after === Infinity && container.age > SICK_AFTER ? 'unhealthy' : 'starting';
}

/** The files behind a mount. */
export function treeAt(state: EngineState, mount: MountedAt): FileTree {
  if (mount.type === 'bind') return readFolderTree(mount.source);
  return state.volumes.get(mount.source)?.tree ?? emptyTree();
}

export function usersOf(state: EngineState, volume: string): FakeContainer[] {
  return [...state.containers.values()].filter((each) => each.mounts.some((mount) => mount.type === 'volume' && mount.source === volume));
}

export function runningUsersOf(state: EngineState, mount: MountedAt): FakeContainer[] {
  return [...state.containers.values()].filter(
    (each) => each.state === 'running' && each.mounts.some((other) => other.type === mount.type && other.source === mount.source),
  );
}
