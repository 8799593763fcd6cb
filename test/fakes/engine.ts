// A Docker Engine in memory, behind the `Run` seam: it understands the command lines that our code issues and no others. Rule: never friendlier than the real one;
// it is another machine, so it outlives every process that talks to it.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Run, RunOptions, RunResult } from '../../src/model/seams.ts';
import {
  addContainer,
  type Between,
  type Call,
  findContainer,
  imageOf,
  makeVolume,
  type ReadyOptions,
  Refusal,
  type Registry,
  readyOptions,
  said,
  splitArguments,
  stopContainer,
} from './engine-call.ts';
import { runCompose } from './engine-compose.ts';
import { writeOutput } from './engine-output.ts';
import {
  type EngineState,
  emptyEngine,
  type FakeContainer,
  healthOf,
  insideOf,
  type MountedAt,
  programOf,
  reboot,
  runningUsersOf,
  tick,
  treeAt,
  usersOf,
} from './engine-state.ts';
import { packTree, unpackTree, writeNode } from './file-tree.ts';

export interface FakeEngine {
  readonly state: () => EngineState;
  /** A program that talks to this engine; `between` is awaited in the middle of every effect that has one. */
  readonly client: (between?: Between) => Run;
  /** Time passes without a call. Milliseconds. */
  readonly wait: (milliseconds: number) => void;
  readonly reboot: () => void;
  readonly snapshot: () => EngineState;
  readonly restore: (snapshot: EngineState) => void;
}

const TICK = 20;

export function fakeEngine(registry: Registry): FakeEngine {
  let state = emptyEngine();
  const run = async (argv: readonly string[], given: RunOptions, between: Between): Promise<RunResult> => {
    const options = given.input instanceof Promise ? await readyOptions(given) : (given as ReadyOptions);
    refuseForeignVariables(options);
    tick(state, registry.programs, registry.images, TICK);
    try {
      const result = await runDocker(argv, { ...registry, state, options, between });
      for (const line of `${result.stdout}${result.stderr}`.split('\n').filter(Boolean)) options.onLine?.(line);
      return result;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { code: 1, stdout: '', stderr: `${error.message}\n` };
    }
  };
  return {
    state: () => state,
    client:
      (between = async () => undefined) =>
      (argv, options = {}) =>
        run(argv, options, between),
    wait: (milliseconds) => tick(state, registry.programs, registry.images, milliseconds),
    reboot: () => reboot(state),
    snapshot: () => structuredClone(state),
    restore: (snapshot) => {
      state = structuredClone(snapshot);
    },
  };
}

/** True when a call changes the engine, so that being killed around it can matter. */
export function isEffect(argv: readonly string[]): boolean {
  const words = argv[1] === 'compose' ? argv.filter((word) => ['build', 'up', 'run', 'exec'].includes(word)) : argv.slice(1, 3);
  if (argv[1] === 'compose') return words.length > 0;
  const [verb = '', object = ''] = words;
  if (['stop', 'rm', 'create', 'cp', 'pull', 'tag', 'exec'].includes(verb)) return true;
  return ['volume', 'network', 'image'].includes(verb) && ['rm', 'create'].includes(object);
}

async function runDocker(argv: readonly string[], call: Call): Promise<RunResult> {
  const [program, verb = '', ...rest] = argv;
  if (program === 'sync' && argv.length === 1) return { code: 0, stdout: '', stderr: '' };
  if (program !== 'docker') throw new Error(`fake engine: unknown command ${argv.join(' ')}`);
  switch (verb) {
    case 'compose':
      return runCompose(rest, call);
    case 'info':
      return said(JSON.stringify({ ServerVersion: '28.0.0', OSType: 'linux', Architecture: 'x86_64', DockerRootDir: '/' }));
    case 'system':
      return showDiskUse(rest, call);
    case 'ps':
      return listContainers(rest, call);
    case 'inspect':
      return inspectContainers(rest, call);
    case 'stop':
      return stopAll(rest, call);
    case 'rm':
      return removeAll(rest, call);
    case 'create':
      return createContainer(rest, call);
    case 'exec':
      return execIn(rest, call);
    case 'cp':
      return copy(rest, call);
    case 'logs':
      return said(logOf(containerOf(call, rest.at(-1) ?? '')));
    case 'pull':
      return pull(rest, call);
    case 'tag':
      return tag(rest, call);
    case 'volume':
      return runVolume(rest, call);
    case 'network':
      return runNetwork(rest, call);
    case 'image':
      return runImage(rest, call);
    default:
      throw new Error(`fake engine: unknown command ${argv.join(' ')}`);
  }
}

/** `docker system df`: sizes as people read them. */
function showDiskUse(words: readonly string[], { state }: Call): RunResult {
  const { flags, rest } = splitArguments(words, ['--format'], ['--verbose']);
  if (rest[0] !== 'df' || !flags.has('--verbose') || flags.get('--format')?.[0] !== '{{json .Volumes}}')
    throw new Error(`fake engine: unknown command docker system ${words.join(' ')}`);
  const rows = [...state.volumes.values()].map(({ name, tree }) => ({
    Name: name,
    Size: humanSize(packTree(tree, name).length),
    Links: '0',
  }));
  return said(JSON.stringify(rows));
}

/** Four digits that count, as the engine's command line writes sizes. */
function humanSize(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3);
  return `${Number((bytes / 1000 ** power).toPrecision(4))}${['B', 'kB', 'MB', 'GB'][power]}`;
}

function listContainers(words: readonly string[], call: Call): RunResult {
  const { state } = call;
  const { flags } = splitArguments(words, ['--filter', '--format'], ['--all', '--quiet', '--no-trunc']);
  const all = [...state.containers.values()].filter((each) => flags.has('--all') || each.state === 'running');
  const found = all.filter((each) => (flags.get('--filter') ?? []).every((filter) => matches(each, filter)));
  const [format] = flags.get('--format') ?? [];
  if (format !== undefined) return said(found.map((each) => inFormat(each, format, call)).join('\n'));
  return said(found.map((each) => (flags.has('--no-trunc') ? each.id : each.id.slice(-12))).join('\n'));
}

/** The templates that `docker ps --format` is given. */
function inFormat(container: FakeContainer, format: string, call: Call): string {
  return format.replace(/\{\{(.*?)\}\}/g, (_, word: string) => {
    const label = /^\.Label "(.*)"$/.exec(word)?.[1];
    if (label !== undefined) return container.labels[label] ?? '';
    if (word === '.ID') return container.id;
    if (word === '.State') return container.state;
    if (word === '.Status') return statusOf(container, call);
    throw new Error(`fake engine: unknown template ${word}`);
  });
}

/** As a person reads it. */
function statusOf(container: FakeContainer, { programs, images }: Call): string {
  if (container.state === 'exited') return `Exited (${container.exitCode}) 3 seconds ago`;
  if (container.state !== 'running') return 'Created';
  const health = healthOf(container, programOf(container, programs, images));
  return `Up 3 seconds${health === undefined ? '' : ` (${health === 'starting' ? 'health: starting' : health})`}`;
}

function matches(container: FakeContainer, filter: string): boolean {
  const [, kind, key, value] = /^(label|volume)=([^=]*)(?:=(.*))?$/.exec(filter) ?? [];
  if (kind === 'label') return container.labels[key ?? ''] === value;
  if (kind === 'volume') return container.mounts.some((mount) => mount.type === 'volume' && mount.source === key);
  throw new Error(`fake engine: unknown filter ${filter}`);
}

function inspectContainers(words: readonly string[], call: Call): RunResult {
  const { rest } = splitArguments(words, ['--type'], []);
  return said(JSON.stringify(rest.map((id) => describeContainer(containerOf(call, id), call))));
}

function logOf({ log, name }: FakeContainer): string {
  return log === '' ? `log of ${name}` : log;
}

function describeContainer(container: FakeContainer, call: Call): object {
  const health = healthOf(container, programOf(container, call.programs, call.images));
  return {
    Id: container.id,
    Name: `/${container.name}`,
    Image: container.imageId,
    RestartCount: 0,
    Config: { Image: container.image, Labels: container.labels },
    State: {
      Status: container.state,
      ExitCode: container.exitCode,
      StartedAt: new Date(container.startedAt).toISOString(),
      ...(health === undefined ? {} : { Health: { Status: health } }),
    },
    Mounts: container.mounts.map((mount) => ({
      Type: mount.type,
      Source: mount.source,
      Destination: mount.target,
      ...(mount.type === 'volume' ? { Name: mount.source } : {}),
    })),
  };
}

/** Every container named is stopped; one that is missing makes the whole call fail all the same. */
async function stopAll(ids: readonly string[], call: Call): Promise<RunResult> {
  const missing: string[] = [];
  for (const [index, id] of ids.entries()) {
    if (index > 0) await call.between('stop');
    const container = findContainer(call.state, id);
    if (container === undefined) missing.push(id);
    else stopContainer(container);
  }
  return missing.length === 0
    ? said(ids.join('\n'))
    : { code: 1, stdout: '', stderr: missing.map((id) => `Error response from daemon: No such container: ${id}\n`).join('') };
}

async function removeAll(words: readonly string[], call: Call): Promise<RunResult> {
  const { flags, rest } = splitArguments(words, [], ['--force', '--volumes']);
  const missing: string[] = [];
  for (const [index, id] of rest.entries()) {
    if (index > 0) await call.between('rm');
    const container = findContainer(call.state, id);
    if (container === undefined) {
      missing.push(id);
      continue;
    }
    if (container.state === 'running' && !flags.has('--force'))
      throw new Refusal(`Error response from daemon: cannot remove container "/${container.name}": container is running`);
    call.state.containers.delete(container.id);
  }
  return missing.length === 0
    ? said(rest.join('\n'))
    : { code: 1, stdout: '', stderr: missing.map((id) => `Error response from daemon: No such container: ${id}\n`).join('') };
}

function createContainer(words: readonly string[], call: Call): RunResult {
  const { flags, rest } = splitArguments(words, ['--name', '--network', '--volume', '--entrypoint'], []);
  const [reference = ''] = rest;
  const image = imageOf(call, reference);
  const mounts = (flags.get('--volume') ?? []).map((text): MountedAt => {
    const [source = '', target = ''] = text.split(':');
    return { type: source.startsWith('/') ? 'bind' : 'volume', source, target };
  });
  for (const mount of mounts) if (mount.type === 'volume') makeVolume(call.state, { name: mount.source });
  const name = flags.get('--name')?.[0] ?? '';
  return said(addContainer(call, { name, image: reference, imageId: image.id, mounts }).id);
}

/** A command in a running container, with a file as its input. */
async function execIn(words: readonly string[], call: Call): Promise<RunResult> {
  const [option, id = '', ...command] = words;
  if (option !== '--interactive') throw new Error('fake engine: exec reads no input');
  const container = containerOf(call, id);
  if (container.state !== 'running') throw new Refusal(`Error response from daemon: container ${id} is not running`);
  const inside = insideOf(container, call.state, call.programs, call.images);
  const { input, output } = call.options;
  const given = typeof input === 'object' ? readFileSync(input.file, 'utf8') : (input ?? '');
  await call.between('exec');
  const answer = inside.programOf(container).exec?.(command, inside, given) ?? { code: 127, stdout: '', stderr: 'not found' };
  if (output === undefined) return answer;
  await writeOutput(output, Buffer.from(answer.stdout), () => call.between('exec'));
  return { ...answer, stdout: '' };
}

const MOUNT = 'slipway-data';

async function copy(words: readonly string[], call: Call): Promise<RunResult> {
  const [from = '', to = ''] = splitArguments(words, [], ['--archive']).rest;
  const container = containerOf(call, (from === '-' ? to : from).split(':')[0] ?? '');
  const mount = container.mounts.find((each) => each.target === `/${MOUNT}`);
  if (mount === undefined)
    throw new Refusal(`Error response from daemon: Could not find the file /${MOUNT} in container ${container.name}`);
  const open = runningUsersOf(call.state, mount).map((each) => each.name);
  if (open.length > 0) call.state.violations.push(`${mount.source} is copied while ${open.join(', ')} holds it`);
  return from === '-' ? copyIn(mount, call) : copyOut(mount, call);
}

async function copyOut(mount: MountedAt, { state, options, between }: Call): Promise<RunResult> {
  const { output } = options;
  if (output?.gzip !== true) throw new Error('fake engine: cp writes to a file');
  await writeOutput(output, packTree(treeAt(state, mount), MOUNT), () => between('cp'));
  return said();
}

async function copyIn(mount: MountedAt, { state, options, between }: Call): Promise<RunResult> {
  const { input } = options;
  if (typeof input !== 'object' || input.gunzip !== true) throw new Error('fake engine: cp reads from a file');
  if (treeAt(state, mount).size > 1) state.violations.push(`${mount.source} was not empty when data came back`);
  const entries = unpackTree(gunzipSync(readFileSync(input.file)), MOUNT);
  for (const [index, [path, node]] of entries.entries()) {
    if (index === Math.ceil(entries.length / 2)) await between('cp');
    if (mount.type === 'bind') writeNode(mount.source, path, node);
    else state.volumes.get(mount.source)?.tree.set(path, node);
  }
  return said();
}

function pull(words: readonly string[], call: Call): RunResult {
  const [reference = ''] = splitArguments(words, [], ['--quiet']).rest;
  const image = call.images.find((each) => each.pinned === reference);
  if (image === undefined) throw new Refusal(`Error response from daemon: manifest for ${reference} not found: manifest unknown`);
  call.state.images.set(reference, image.id);
  return said(reference);
}

function tag([from = '', to = '']: readonly string[], call: Call): RunResult {
  call.state.images.set(to, imageOf(call, from).id);
  return said();
}

function runVolume([verb = '', ...words]: readonly string[], { state }: Call): RunResult {
  if (verb === 'ls')
    return said(
      labelled(
        words,
        [...state.volumes.values()].map(({ name, labels }) => [name, labels]),
      ),
    );
  if (verb === 'inspect') {
    const volume = volumeOf(state, words[0] ?? '');
    return said(JSON.stringify([{ Name: volume.name, Driver: volume.driver, Labels: volume.labels, Options: volume.options }]));
  }
  if (verb === 'rm') {
    const volume = volumeOf(state, words[0] ?? '');
    const [user] = usersOf(state, volume.name);
    if (user !== undefined) throw new Refusal(`Error response from daemon: remove ${volume.name}: volume is in use - [${user.id}]`);
    state.volumes.delete(volume.name);
    return said(volume.name);
  }
  if (verb !== 'create') throw new Error(`fake engine: unknown command docker volume ${verb}`);
  const { flags, rest } = splitArguments(words, ['--driver', '--label', '--opt'], []);
  const [name = ''] = rest;
  makeVolume(state, { name, labels: pairsOf(flags.get('--label')), options: pairsOf(flags.get('--opt')) });
  return said(name);
}

function runNetwork([verb = '', ...words]: readonly string[], { state }: Call): RunResult {
  if (verb === 'ls') return said(labelled(words, [...state.networks]));
  if (verb !== 'rm') throw new Error(`fake engine: unknown command docker network ${verb}`);
  const [name = ''] = words;
  if (!state.networks.has(name)) throw new Refusal(`Error response from daemon: network ${name} not found`);
  if ([...state.containers.values()].some((each) => each.network === name && each.state === 'running'))
    throw new Refusal(`Error response from daemon: error while removing network: network ${name} has active endpoints`);
  state.networks.delete(name);
  return said(name);
}

/** Says what there is of each, and names those that are not there, as the real one does. */
function inspectImages(references: readonly string[], call: Call): RunResult {
  const found = references.filter((each) => call.state.images.has(each));
  const lines = found.map((each) => {
    const id = call.state.images.get(each) ?? '';
    const names = [...call.state.images].filter(([, image]) => image === id).map(([name]) => name);
    const digests = names.filter((name) => name.includes('@')).map((name) => name.replace(/:[^:/@]*@/, '@'));
    return [id, JSON.stringify(names.filter((name) => !name.includes('@'))), JSON.stringify(digests)].join('\t');
  });
  const missing = references.filter((each) => !found.includes(each)).map((each) => `Error response from daemon: No such image: ${each}`);
  return { code: missing.length === 0 ? 0 : 1, stdout: lines.map((line) => `${line}\n`).join(''), stderr: missing.join('\n') };
}

function runImage([verb = '', ...words]: readonly string[], call: Call): RunResult {
  const { flags, rest } = splitArguments(words, ['--format', '--filter'], []);
  const [reference = ''] = rest;
  if (verb === 'inspect' && flags.get('--format')?.[0]?.includes('\t')) return inspectImages(rest, call);
  if (verb === 'inspect') {
    const { id, pinned } = imageOf(call, reference);
    if (flags.get('--format')?.[0] !== '{{json .RepoDigests}}') return said(id);
    const pulled = [...call.state.images].some(([name, image]) => image === id && !name.startsWith('slipway.local/'));
    return said(JSON.stringify(pulled ? [pinned.replace(/:[^:/@]*@/, '@')] : []));
  }
  if (verb === 'ls') {
    const prefix = (flags.get('--filter')?.[0] ?? '').replace(/^reference=/, '').replace(/\*$/, '');
    return said([...call.state.images.keys()].filter((each) => each.startsWith(prefix) && !each.includes('@')).join('\n'));
  }
  if (verb !== 'rm') throw new Error(`fake engine: unknown command docker image ${verb}`);
  const { id } = imageOf(call, reference);
  const isLast = [...call.state.images.values()].filter((each) => each === id).length === 1;
  const user = [...call.state.containers.values()].find((each) => each.imageId === id);
  if (isLast && user !== undefined)
    throw new Refusal(
      `Error response from daemon: conflict: unable to remove repository reference "${reference}" (must force) - container ${user.id.slice(-12)} is using its referenced image`,
    );
  call.state.images.delete(reference);
  return said(`Untagged: ${reference}`);
}

function containerOf(call: Call, id: string): FakeContainer {
  const found = findContainer(call.state, id);
  if (found === undefined) throw new Refusal(`Error response from daemon: No such container: ${id}`);
  return found;
}

function volumeOf(state: EngineState, name: string): { name: string; driver: string; labels: object; options: object } {
  const found = state.volumes.get(name);
  if (found === undefined) throw new Refusal(`Error response from daemon: get ${name}: no such volume`);
  return found;
}

function labelled(words: readonly string[], all: readonly (readonly [string, Readonly<Record<string, string>>])[]): string {
  const { flags } = splitArguments(words, ['--filter', '--format'], ['--quiet']);
  const [, key = '', value] = /^label=([^=]*)=(.*)$/.exec(flags.get('--filter')?.[0] ?? '') ?? [];
  return all
    .filter(([, labels]) => labels[key] === value)
    .map(([name]) => name)
    .join('\n');
}

function pairsOf(texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(texts.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
}

/** Measured: a shell's LOG_LEVEL beats the person's `.env`. Whoever passes it on is wrong. */
function refuseForeignVariables({ env }: RunOptions): void {
  const foreign = Object.keys(env ?? { 'no environment': '' }).filter(
    (name) => !/^(PATH|HOME|USER|TMPDIR|XDG_\w+|DOCKER_\w+|SLIPWAY_RUN|.*_proxy|.*_PROXY|SSL_\w+|SSH_AUTH_SOCK)$/.test(name),
  );
  if (foreign.length > 0) throw new Error(`fake engine: the environment passes on ${foreign.join(', ')}`);
}
