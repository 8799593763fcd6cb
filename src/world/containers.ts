// What the engine says about containers, volumes and images. Rule: everything it prints is parsed here, once.
import { ToolError } from '../model/error.ts';
import type { ContainerFact as Container } from '../model/facts.ts';
import { readRef } from '../model/image.ts';
import { parseFields, parseJson, parseList, parseMap, parseNumber, parseOptional, parseText } from '../model/parse.ts';
import { askEngine, docker, dockerForSome, dockerIfThere, type Engine } from './docker.ts';

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** What a list of containers says of one without looking at each: enough to stop and start, and to see whether it is well. */
export type ListedContainer = Pick<Container, 'id' | 'service' | 'oneOff' | 'state' | 'configHash' | 'health' | 'exitCode'>;

/** What Compose puts before the names of its labels. */
export const LABEL = 'com.docker.compose';

/** All containers of a compose project, one-off ones included, whichever folder they belong to. */
export async function listContainers(engine: Engine, project: string): Promise<Container[]> {
  return inspectThose(engine, ofProject(project));
}

/** The same with what a list says of each: one call where the whole takes two. `Up 2 minutes (healthy)`, `Exited (1) 3 seconds ago`. */
export async function listBriefly(engine: Engine, project: string): Promise<ListedContainer[]> {
  const listed = await askList(engine, ofProject(project));
  if (listed !== undefined) return listed.map((each) => describeListed(each));
  const labels = ['service', 'oneoff', 'config-hash'].map((name) => `{{.Label "${LABEL}.${name}"}}`);
  const format = ['{{.ID}}', '{{.State}}', '{{.Status}}', ...labels].join('\t');
  const text = await docker(engine, ['ps', '--all', '--no-trunc', '--filter', `label=${ofProject(project)}`, '--format', format]);
  return text.split('\n').filter(Boolean).map(parseListed);
}

function parseListed(line: string): ListedContainer {
  const [id = '', state = '', status = '', service = '', oneOff = '', configHash = ''] = line.split('\t');
  const labels = { [`${LABEL}.service`]: service, [`${LABEL}.oneoff`]: oneOff, [`${LABEL}.config-hash`]: configHash };
  return describeListed({ id: parseText(id, 'docker ps'), state: parseText(state, 'docker ps'), status, labels });
}

interface Listed {
  readonly id: string;
  readonly state: string;
  /** As a person reads it. */
  readonly status: string;
  readonly labels: Readonly<Record<string, string>>;
}

function describeListed({ id, state, status, labels }: Listed): ListedContainer {
  return {
    id,
    state,
    health: /\((?:health: )?(starting|healthy|unhealthy)\)/.exec(status)?.[1],
    exitCode: Number(/^\w+ \((\d+)\)/.exec(status)?.[1] ?? 0),
    service: labels[`${LABEL}.service`] ?? '',
    oneOff: labels[`${LABEL}.oneoff`] === 'True',
    configHash: labels[`${LABEL}.config-hash`] ?? '',
  };
}

/** The label that all containers, volumes and networks of a compose project have. */
function ofProject(project: string): string {
  return `${LABEL}.project=${project}`;
}

/** The engine's own list of containers (Engine API: ContainerList); undefined = docker must be asked. */
async function askList(engine: Engine, label: string | undefined): Promise<Listed[] | undefined> {
  const where = 'the engine\u2019s list of containers';
  const found = await askEngine(engine, `/containers/json?all=1${filterBy(label)}`);
  if (!Array.isArray(found)) return undefined;
  return found.map((value) => {
    const f = parseFields(value, where);
    const [id, state, status] = [f.Id, f.State, f.Status].map((text) => parseText(text, where));
    return { id: id ?? '', state: state ?? '', status: status ?? '', labels: parseMap(f.Labels ?? {}, where, parseText) };
  });
}

function filterBy(label: string | undefined): string {
  return label === undefined ? '' : `&filters=${encodeURIComponent(JSON.stringify({ label: [label] }))}`;
}

/** All containers whose label of Compose's, without its prefix, has this value. */
export async function listContainersOf(engine: Engine, label: string, value: string): Promise<Container[]> {
  return inspectThose(engine, `${LABEL}.${label}=${value}`);
}

/** All containers of the engine, whosever they are. */
export async function listAllContainers(engine: Engine): Promise<Container[]> {
  return inspectThose(engine, undefined);
}

/** The ids of all containers of the engine, or of those with a label. */
export async function listContainerIds(engine: Engine, label?: string): Promise<string[]> {
  const listed = await askList(engine, label);
  if (listed !== undefined) return listed.map(({ id }) => id);
  const filter = label === undefined ? [] : ['--filter', `label=${label}`];
  return (await docker(engine, ['ps', '--all', '--quiet', '--no-trunc', ...filter])).split('\n').filter(Boolean);
}

async function inspectThose(engine: Engine, label: string | undefined): Promise<Container[]> {
  const ids = await listContainerIds(engine, label);
  if (ids.length === 0) return [];
  const found = await inspectAll(engine, ids);
  return found ?? inspectThose(engine, label); // a container may go between the two calls: then they are asked again
}

/** Undefined when one of them is gone. */
async function inspectAll(engine: Engine, ids: readonly string[]): Promise<Container[] | undefined> {
  const asked = await Promise.all(ids.map((id) => askEngine(engine, `/containers/${id}/json`)));
  if (asked.every((each) => each !== undefined))
    return asked.includes(null) ? undefined : asked.map((each) => parseContainer(each, 'the engine\u2019s word on a container'));
  const text = await dockerIfThere(engine, ['inspect', '--type', 'container', ...ids]);
  return text === undefined ? undefined : parseList(parseJson(text, 'docker inspect'), 'docker inspect', parseContainer);
}

/** One container, or undefined when there is none of that id or name. */
export async function inspectContainer(engine: Engine, name: string): Promise<Container | undefined> {
  return (await inspectAll(engine, [name]))?.[0];
}

/** The volumes that carry a compose project's label, by name. */
export async function listVolumes(engine: Engine, project: string): Promise<string[]> {
  const asked = await askEngine(engine, `/volumes?${filterBy(ofProject(project)).slice(1)}`);
  if (asked !== undefined && asked !== null)
    return namesIn(parseFields(asked, 'the engine\u2019s list of volumes').Volumes ?? [], 'the engine\u2019s list of volumes');
  const text = await docker(engine, ['volume', 'ls', '--quiet', '--filter', `label=${ofProject(project)}`]);
  return text.split('\n').filter(Boolean).sort();
}

/** The networks that carry a compose project's label, by name. */
export async function listNetworks(engine: Engine, project: string): Promise<string[]> {
  const asked = await askEngine(engine, `/networks?${filterBy(ofProject(project)).slice(1)}`);
  if (Array.isArray(asked)) return namesIn(asked, 'the engine\u2019s list of networks');
  const text = await docker(engine, ['network', 'ls', '--format', '{{.Name}}', '--filter', `label=${ofProject(project)}`]);
  return text.split('\n').filter(Boolean).sort();
}

function namesIn(list: unknown, where: string): string[] {
  return parseList(list, where, (value) => parseText(parseFields(value, where).Name, where)).sort();
}

/** A volume with all that is needed to make it again, or undefined when there is none of that name. */
export async function inspectVolume(engine: Engine, name: string): Promise<Volume | undefined> {
  const text = await dockerIfThere(engine, ['volume', 'inspect', name]);
  if (text === undefined) return undefined;
  return parseList(parseJson(text, 'docker volume inspect'), 'docker volume inspect', parseVolume)[0];
}

/** Removes a container and what only it holds, whether it is there or not; throws E_COMMAND when the engine only says that it did. */
export async function removeContainer(engine: Engine, name: string): Promise<void> {
  await dockerIfThere(engine, ['rm', '--force', '--volumes', name]);
  if ((await dockerIfThere(engine, ['inspect', '--type', 'container', name])) !== undefined) throw notSo(`the container ${name} is gone`);
}

/** An engine that says it has done what it has not: nothing may be built on that. */
export function notSo(claim: string): ToolError {
  return new ToolError('E_COMMAND', `the Docker Engine said that ${claim}, but it is not so`, {
    hint: 'Look at the logs of the Docker Engine (`journalctl -u docker`), and restart it.',
  });
}

/** The id of a local image, or undefined when it is not there. */
export async function imageId(engine: Engine, reference: string): Promise<string | undefined> {
  return (await dockerIfThere(engine, ['image', 'inspect', '--format', '{{.Id}}', reference]))?.trim();
}

/** The ids of those of these local images that are there, by the reference that was asked for; one call for all. */
export async function imageIds(engine: Engine, references: readonly string[]): Promise<Map<string, string>> {
  const wanted = [...new Set(references)];
  if (wanted.length === 0) return new Map();
  const asked = await Promise.all(wanted.map((reference) => askEngine(engine, `/images/${reference}/json`)));
  if (asked.every((each) => each !== undefined))
    return new Map(asked.flatMap((each, at) => (each === null ? [] : [[wanted[at] ?? '', idIn(each)]])));
  const format = '{{.Id}}\t{{json .RepoTags}}\t{{json .RepoDigests}}';
  const text = await dockerForSome(engine, ['image', 'inspect', '--format', format, ...wanted]);
  const found = new Map(text.split('\n').filter(Boolean).flatMap(namesOf));
  return new Map(wanted.flatMap((reference) => (found.has(nameOf(reference)) ? [[reference, found.get(nameOf(reference)) ?? '']] : [])));
}

function idIn(image: unknown): string {
  return parseText(parseFields(image, 'the engine\u2019s word on an image').Id, 'the engine\u2019s word on an image');
}

function namesOf(line: string): [string, string][] {
  const [id = '', tags = '', digests = ''] = line.split('\t');
  const names = [tags, digests].flatMap((list) =>
    parseList(parseJson(list, 'docker image inspect') ?? [], 'docker image inspect', parseText),
  );
  return names.map((name) => [nameOf(name), id]);
}

/** `registry/repository@digest`, or with the tag where there is no digest: docker shortens names, and leaves the tag out of those with a digest. */
function nameOf(reference: string): string {
  const ref = readRef(reference);
  if (ref === undefined) return reference;
  const name = `${ref.registry}/${ref.repository}`;
  return ref.digest === undefined ? `${name}:${ref.tag ?? 'latest'}` : `${name}@${ref.digest}`;
}

/** The names with digests under which registries gave a local image; none when it is not here, or was built here. */
export async function repositoryDigests(engine: Engine, reference: string): Promise<string[]> {
  if (reference === '') return [];
  const text = await dockerIfThere(engine, ['image', 'inspect', '--format', '{{json .RepoDigests}}', reference]);
  return text === undefined ? [] : parseList(parseJson(text, 'docker image inspect') ?? [], 'docker image inspect', parseText);
}

function parseContainer(value: unknown, where: string): Container {
  const f = parseFields(value, where);
  const state = parseFields(f.State, `${where}.State`);
  const config = parseFields(f.Config, `${where}.Config`);
  const labels = parseMap(config.Labels ?? {}, `${where}.Config.Labels`, parseText);
  const health = parseOptional(state.Health, `${where}.State.Health`, parseFields);
  const mounts = parseList(f.Mounts ?? [], `${where}.Mounts`, parseFields);
  return {
    id: parseText(f.Id, `${where}.Id`),
    name: parseText(f.Name, `${where}.Name`).replace(/^\//, ''),
    project: labels[`${LABEL}.project`] ?? '',
    service: labels[`${LABEL}.service`] ?? '',
    oneOff: labels[`${LABEL}.oneoff`] === 'True',
    state: parseText(state.Status, `${where}.State.Status`),
    health: parseOptional(health?.Status, `${where}.State.Health.Status`, parseText),
    exitCode: parseNumber(state.ExitCode, `${where}.State.ExitCode`),
    restarts: parseNumber(f.RestartCount ?? 0, `${where}.RestartCount`),
    startedAt: parseText(state.StartedAt, `${where}.State.StartedAt`),
    image: parseText(config.Image, `${where}.Config.Image`),
    imageId: parseText(f.Image, `${where}.Image`),
    configHash: labels[`${LABEL}.config-hash`] ?? '',
    workingFolder: labels[`${LABEL}.project.working_dir`] ?? '',
    configFiles: (labels[`${LABEL}.project.config_files`] ?? '').split(',').filter((file) => file !== ''),
    published: publishedPorts(parseFields(f.NetworkSettings ?? {}, `${where}.NetworkSettings`).Ports, where),
    targets: mounts.flatMap(
      ({ Destination: target }, index) => parseOptional(target, `${where}.Mounts[${index}].Destination`, parseText) ?? [],
    ),
    ...sharedNetwork(f.HostConfig, where),
    volumes: mounts
      .filter((mount) => mount.Type === 'volume')
      .map((mount, index) => parseText(mount.Name, `${where}.Mounts[${index}].Name`)),
  };
}

/** `container:<id>` says whose network it is. */
function sharedNetwork(hostConfig: unknown, where: string): Pick<Container, 'networkOf'> {
  const mode = parseOptional(
    parseFields(hostConfig ?? {}, `${where}.HostConfig`).NetworkMode,
    `${where}.HostConfig.NetworkMode`,
    parseText,
  );
  const id = /^container:(.+)$/.exec(mode ?? '')?.[1];
  return id === undefined ? {} : { networkOf: id };
}

/** `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}` → `8080/tcp`. */
function publishedPorts(value: unknown, where: string): string[] {
  const ports = Object.entries(parseFields(value ?? {}, `${where}.Ports`)).flatMap(([inside, bindings]) =>
    parseList(bindings ?? [], `${where}.Ports`, parseFields).map(({ HostPort: port }) => `${port}/${inside.split('/')[1] ?? 'tcp'}`),
  );
  return [...new Set(ports)];
}

function parseVolume(value: unknown, where: string): Volume {
  const f = parseFields(value, where);
  return {
    name: parseText(f.Name, `${where}.Name`),
    driver: parseText(f.Driver, `${where}.Driver`),
    labels: parseMap(f.Labels ?? {}, `${where}.Labels`, parseText),
    options: parseMap(f.Options ?? {}, `${where}.Options`, parseText),
  };
}
