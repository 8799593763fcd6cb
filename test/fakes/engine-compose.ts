// `docker compose` of the fake engine: config, up, run, exec. Rule: it reads the compose files on disk at every call, so that a file swap really matters.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ToolError } from '../../src/model/error.ts';
import type { RunResult } from '../../src/model/seams.ts';
import {
  type ComposeCall,
  type ComposeModel,
  type FakeService,
  hashOfService,
  readCompose,
  readResolved,
  selected,
} from './compose-file.ts';
import { addContainer, type Call, imageOf, makeVolume, Refusal, said, splitArguments, stopContainer } from './engine-call.ts';
import { writeOutput } from './engine-output.ts';
import { type FakeContainer, healthOf, insideOf, type MountedAt, startContainer, type Work, workOn } from './engine-state.ts';

const LABEL = 'com.docker.compose';

interface Project {
  readonly call: ComposeCall;
  readonly model: ComposeModel;
}

export async function runCompose(words: readonly string[], call: Call): Promise<RunResult> {
  if (words.join(' ') === 'version --short') return said('2.40.3');
  const at = words.findIndex((word) => ['config', 'build', 'up', 'run', 'exec'].includes(word));
  if (at < 0) throw new Error(`fake engine: unknown command docker compose ${words.join(' ')}`);
  const project = openProject(words.slice(0, at), call.options.input);
  const rest = words.slice(at + 1);
  switch (words[at]) {
    case 'config':
      return config(rest, project);
    case 'build':
      return build(rest, project, call);
    case 'up':
      return up(rest, project, call);
    case 'run':
      return runOnce(rest, project, call);
    default:
      return exec(rest, project, call);
  }
}

function openProject(words: readonly string[], input: Call['options']['input']): Project {
  const { flags } = splitArguments(words, ['--project-name', '--project-directory', '--env-file', '--file'], []);
  const one = (name: string): string => flags.get(name)?.[0] ?? '';
  const call = {
    ...{ name: one('--project-name'), folder: one('--project-directory'), environment: one('--env-file') },
    files: flags.get('--file') ?? [],
  };
  try {
    if (call.files.includes('-') && typeof input !== 'string') throw new Error('the compose file is to be read from nowhere');
    return { call, model: call.files[0] === '-' && typeof input === 'string' ? readResolved(call, input) : readCompose(call) };
  } catch (error) {
    throw new Refusal(error instanceof Error ? error.message : String(error));
  }
}

function config(words: readonly string[], { model }: Project): RunResult {
  const { flags } = splitArguments(words, ['--format', '--hash'], []);
  const stderr = model.warnings.map((line) => `${line}\n`).join('');
  if (flags.has('--hash')) return said(model.active.map((name) => `${name} ${hashOfService(serviceOf(model, name))}`).join('\n'));
  const services = Object.fromEntries(model.active.map((name) => [name, serviceOf(model, name)]));
  const volumes = Object.fromEntries(Object.entries(model.volumes).map(([key, name]) => [key, { name }]));
  return { code: 0, stdout: JSON.stringify({ name: model.name, services, volumes }), stderr };
}

/** The first line of a Dockerfile names the image that comes of it: `FROM registry/repository:tag@sha256:…`. */
async function build(names: readonly string[], project: Project, call: Call): Promise<RunResult> {
  for (const name of names) {
    const { build: how } = serviceOf(project.model, name);
    if (how === undefined) throw new Refusal(`service "${name}" has no build section`);
    const file = join(how.context, 'Dockerfile');
    const from = existsSync(file) ? /^FROM (\S+)/.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
    const image = call.images.find(({ pinned }) => pinned === from);
    if (image === undefined) throw new Refusal(`target ${name}: failed to solve: failed to read or pull what ${file} begins with`);
    await call.between('build');
    call.state.images.set(nameOfImage(name, project), image.id);
  }
  return said();
}

/** Compose names an image that it builds after project and service, unless the file does. */
function nameOfImage(service: string, { model }: Project): string {
  return serviceOf(model, service).image || `${model.name}-${service}`;
}

async function up(words: readonly string[], project: Project, call: Call): Promise<RunResult> {
  const { flags, rest } = splitArguments(words, ['--pull'], ['--detach', '--no-deps', '--no-build', '--no-start', '--force-recreate']);
  if (!flags.has('--no-deps') || flags.get('--pull')?.[0] !== 'never') throw new Error('fake engine: up starts more than it was asked for');
  for (const name of rest) serviceOf(project.model, name);
  makeNetwork(project, call);
  for (const [index, name] of rest.entries()) {
    if (index > 0) await call.between('up');
    const service = selected(serviceOf(project.model, name), rest);
    await upOne(name, { ...project, model: { ...project.model, services: { ...project.model.services, [name]: service } } }, call, flags);
  }
  return said();
}

/** A changed container is replaced: the new one is there before the old one goes. */
async function upOne(name: string, project: Project, call: Call, flags: ReadonlyMap<string, readonly string[]>): Promise<void> {
  const service = serviceOf(project.model, name);
  const own = containersOf(project, call, name);
  const hash = hashOfService(service);
  const same = own.find((each) => each.labels[`${LABEL}.config-hash`] === hash);
  let container = flags.has('--force-recreate') ? undefined : same;
  const old = own.filter((each) => each !== container);
  if (container === undefined) {
    for (const each of old) each.name = `${each.id.slice(-12)}_${each.name}`;
    container = makeContainer(name, service, project, call);
    await call.between('up');
  }
  for (const each of old) {
    stopContainer(each);
    call.state.containers.delete(each.id);
  }
  await call.between('up');
  if (!flags.has('--no-start') && container.state !== 'running') startContainer(call.state, container);
}

function makeContainer(
  name: string,
  service: FakeService,
  project: Project,
  call: Call,
  extra: Partial<FakeContainer> = {},
): FakeContainer {
  const { model, call: composed } = project;
  return addContainer(call, {
    name: `${model.name}-${name}-1`,
    image: nameOfImage(name, project),
    imageId: imageOf(call, nameOfImage(name, project)).id,
    command: service.command,
    environment: service.environment,
    mounts: service.volumes.map((mount) => mountOf(mount, project, call)),
    publishes: service.ports.length > 0,
    network: `${model.name}_default`,
    restart: service.restart === 'unless-stopped',
    labels: {
      ...service.labels,
      [`${LABEL}.project`]: model.name,
      [`${LABEL}.service`]: name,
      [`${LABEL}.oneoff`]: 'False',
      [`${LABEL}.config-hash`]: hashOfService(service),
      [`${LABEL}.project.working_dir`]: composed.folder,
      [`${LABEL}.project.config_files`]: composed.files.join(','),
    },
    ...extra,
  });
}

/** A named volume comes into being; a missing path becomes a folder, whatever was meant. */
function mountOf(mount: FakeService['volumes'][number], { model }: Project, call: Call): MountedAt {
  if (mount.type === 'bind') {
    if (!existsSync(mount.source)) mkdirSync(mount.source, { recursive: true });
    return { type: 'bind', source: mount.source, target: mount.target };
  }
  const name = model.volumes[mount.source];
  if (name === undefined) throw new Refusal(`service refers to undefined volume ${mount.source}`);
  makeVolume(call.state, { name, labels: { [`${LABEL}.project`]: model.name, [`${LABEL}.volume`]: mount.source } });
  return { type: 'volume', source: name, target: mount.target };
}

function makeNetwork({ model }: Project, call: Call): void {
  const name = `${model.name}_default`;
  if (!call.state.networks.has(name)) call.state.networks.set(name, { [`${LABEL}.project`]: model.name, [`${LABEL}.network`]: 'default' });
}

/** A one-off container. Whoever is killed while it runs leaves it running, and whoever detaches from it does not wait. */
async function runOnce(words: readonly string[], project: Project, call: Call): Promise<RunResult> {
  const valued = ['--name', '--user', '--entrypoint'];
  const end = words.findIndex((word, index) => !word.startsWith('-') && !valued.includes(words[index - 1] ?? ''));
  const { flags } = splitArguments(
    words.slice(0, end).map((word) => (word === '-T' ? '--no-tty' : word)),
    valued,
    ['--detach', '--rm', '--no-deps', '--no-tty'],
  );
  const [name = '', ...rest] = words.slice(end);
  const command = [...(flags.get('--entrypoint') ?? []), ...rest];
  const service = serviceOf(project.model, name);
  makeNetwork(project, call);
  call.state.counter += 1;
  const labels = { [`${LABEL}.project`]: project.model.name, [`${LABEL}.service`]: name, [`${LABEL}.oneoff`]: 'True' };
  const container = makeContainer(name, service, project, call, {
    name: flags.get('--name')?.[0] ?? `${project.model.name}-${name}-run-${call.state.counter}`,
    ...{ labels, command, publishes: false, restart: false, removeAtEnd: flags.has('--rm') },
  });
  await call.between('run');
  startContainer(call.state, container);
  if (flags.has('--detach')) return said(container.id);
  const inside = insideOf(container, call.state, call.programs, call.images);
  if (inside.programOf(container).work?.(command, inside) === undefined) return endlessly(command, call);
  while (workOn(inside)) await call.between('run');
  const { exitCode } = container;
  return { code: exitCode, stdout: '', stderr: exitCode === 0 ? '' : `${name}: ${command.join(' ')} failed\n` };
}

/** Whoever watches it gives up, or is told to stop; the container goes on. */
async function endlessly(command: readonly string[], { state, options }: Call): Promise<RunResult> {
  const { timeout, stop } = options;
  if (timeout !== undefined) {
    state.clock += timeout * 1000;
    throw new ToolError('E_COMMAND', `docker compose took longer than ${timeout} s and was ended`);
  }
  if (stop === undefined) throw new Error(`fake engine: ${command.join(' ')} never ends`);
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  return { code: 130, stdout: '', stderr: '' };
}

async function exec(words: readonly string[], project: Project, call: Call): Promise<RunResult> {
  const [option, name = '', ...command] = words;
  if (option !== '-T') throw new Error('fake engine: exec without -T waits for a terminal');
  const container = containersOf(project, call, name).find((each) => each.state === 'running');
  if (container === undefined) throw new Refusal(`service "${name}" is not running`);
  const inside = insideOf(container, call.state, call.programs, call.images);
  const program = inside.programOf(container);
  const { input } = call.options;
  if (typeof input === 'object') return load(program.load?.(inside, readFileSync(input.file, 'utf8')), call);
  const answer = program.exec?.(command, inside, typeof input === 'string' ? input : '') ?? {
    ...{ code: healthOf(container, program) === 'healthy' ? 0 : 1, stdout: '', stderr: '' },
  };
  const { output } = call.options;
  if (output === undefined) return answer;
  await writeOutput(output, Buffer.from(answer.stdout), () => call.between('exec'));
  return { ...answer, stdout: '' };
}

async function load(work: Work | undefined, call: Call): Promise<RunResult> {
  if (work === undefined) throw new Error('fake engine: nobody reads this input');
  for (const part of work.parts) {
    part();
    await call.between('exec');
  }
  return { code: work.exitCode, stdout: '', stderr: work.exitCode === 0 ? '' : 'the dump cannot be restored\n' };
}

function containersOf({ model }: Project, { state }: Call, service: string): FakeContainer[] {
  return [...state.containers.values()].filter(
    ({ labels }) =>
      labels[`${LABEL}.project`] === model.name && labels[`${LABEL}.service`] === service && labels[`${LABEL}.oneoff`] === 'False',
  );
}

function serviceOf(model: ComposeModel, name: string): FakeService {
  const service = model.services[name];
  if (service === undefined) throw new Refusal(`no such service: ${name}`);
  return service;
}
