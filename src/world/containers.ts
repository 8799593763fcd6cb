// What the engine says about containers, volumes and images. Rule: everything it prints is parsed here, once.
import { ToolError } from '../model/error.ts';
import type { ContainerFact as Container } from '../model/facts.ts';
import { readRef } from '../model/image.ts';
import { parseFields, parseJson, parseList, parseMap, parseNumber, parseOptional, parseText } from '../model/parse.ts';
import { docker, dockerForSome, dockerIfThere, type Engine } from './docker.ts';

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** What a list of containers says of one without looking at each: enough to stop and start. */
export type ListedContainer = Pick<Container, 'id' | 'service' | 'oneOff' | 'state' | 'configHash'>;

/** What Compose puts before the names of its labels. */
export const LABEL = 'com.docker.compose';

/** All containers of a compose project, one-off ones included, whichever folder they belong to. */
export async function listContainers(engine: Engine, project: string): Promise<Container[]> {
  return inspectThose(engine, ['--filter', `label=${LABEL}.project=${project}`]);
}

/** The same with what a list says of each: one call where the whole takes two. */
export async function listBriefly(engine: Engine, project: string): Promise<ListedContainer[]> {
  const labels = ['service', 'oneoff', 'config-hash'].map((name) => `{{.Label "${LABEL}.${name}"}}`);
  const format = ['{{.ID}}', '{{.State}}', ...labels].join('\t');
  const filter = `label=${LABEL}.project=${project}`;
  const text = await docker(engine, ['ps', '--all', '--no-trunc', '--filter', filter, '--format', format]);
  return text.split('\n').filter(Boolean).map(parseListed);
}

function parseListed(line: string): ListedContainer {
  const [id = '', state = '', service = '', oneOff = '', configHash = ''] = line.split('\t');
  return { id: parseText(id, 'docker ps'), state: parseText(state, 'docker ps'), service, oneOff: oneOff === 'True', configHash };
}

/** All containers whose label of Compose's, without its prefix, has this value. */
export async function listContainersOf(engine: Engine, label: string, value: string): Promise<Container[]> {
  return inspectThose(engine, ['--filter', `label=${LABEL}.${label}=${value}`]);
}

/** All containers of the engine, whosever they are. */
export async function listAllContainers(engine: Engine): Promise<Container[]> {
  return inspectThose(engine, []);
}

async function inspectThose(engine: Engine, filter: readonly string[]): Promise<Container[]> {
  const ids = (await docker(engine, ['ps', '--all', '--quiet', '--no-trunc', ...filter])).split('\n').filter(Boolean);
  if (ids.length === 0) return [];
  const text = await dockerIfThere(engine, ['inspect', '--type', 'container', ...ids]);
  // A container may go between the two calls: then they are asked again.
  return text === undefined ? inspectThose(engine, filter) : parseList(parseJson(text, 'docker inspect'), 'docker inspect', parseContainer);
}

/** One container, or undefined when there is none of that id or name. */
export async function inspectContainer(engine: Engine, name: string): Promise<Container | undefined> {
  const text = await dockerIfThere(engine, ['inspect', '--type', 'container', name]);
  return text === undefined ? undefined : parseList(parseJson(text, 'docker inspect'), 'docker inspect', parseContainer)[0];
}

/** The volumes that carry a compose project's label, by name. */
export async function listVolumes(engine: Engine, project: string): Promise<string[]> {
  const text = await docker(engine, ['volume', 'ls', '--quiet', '--filter', `label=${LABEL}.project=${project}`]);
  return text.split('\n').filter(Boolean).sort();
}

/** The networks that carry a compose project's label, by name. */
export async function listNetworks(engine: Engine, project: string): Promise<string[]> {
  const text = await docker(engine, ['network', 'ls', '--format', '{{.Name}}', '--filter', `label=${LABEL}.project=${project}`]);
  return text.split('\n').filter(Boolean).sort();
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
  const format = '{{.Id}}\t{{json .RepoTags}}\t{{json .RepoDigests}}';
  const text = await dockerForSome(engine, ['image', 'inspect', '--format', format, ...wanted]);
  const found = new Map(text.split('\n').filter(Boolean).flatMap(namesOf));
  return new Map(wanted.flatMap((reference) => (found.has(nameOf(reference)) ? [[reference, found.get(nameOf(reference)) ?? '']] : [])));
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
