// A compose project turned into one to try data in. Rule: volumes, network and names of its own; nothing of it can be reached from outside, or reaches outside.
import { type Fields, parseFields, parseJson, parseList, parseMap } from './parse.ts';

export interface Scratch {
  /** The project's name; its volumes are called `<name>_<key>`. */
  readonly name: string;
  /** Absolute: bind mounts of other places are left out. */
  readonly folder: string;
  readonly services: readonly string[];
}

const LEFT_OUT = [
  'ports',
  'container_name',
  'network_mode',
  'networks',
  'depends_on',
  'profiles',
  'restart',
  'extra_hosts',
  'links',
  'devices',
  'privileged',
  'pid',
  'ipc',
];

/** What `docker compose config --format json` said, cut down to these services and shut off. */
export function scratchProject(config: string, { name, folder, services }: Scratch): string {
  const f = parseFields(parseJson(config, 'docker compose config'), 'docker compose config');
  const all = parseMap(f.services ?? {}, 'services', parseFields);
  const kept = Object.entries(all).filter(([service]) => services.includes(service));
  const volumes = Object.keys(parseMap(f.volumes ?? {}, 'volumes', (value) => value));
  return JSON.stringify({
    ...f,
    name,
    services: Object.fromEntries(kept.map(([service, fields]) => [service, shutOff(fields, folder)])),
    volumes: Object.fromEntries(volumes.map((key) => [key, { name: volumeIn(name, key) }])),
    networks: { default: { internal: true } },
  });
}

/** What the volume of a key is called in a scratch project. */
export function volumeIn(project: string, key: string): string {
  return `${project}_${key}`;
}

function shutOff(service: Fields, folder: string): Fields {
  const mounts = parseList(service.volumes ?? [], 'volumes', parseFields);
  const inside = mounts.filter(({ type, source }) => type !== 'bind' || String(source).startsWith(`${folder}/`));
  const kept = Object.entries(service).filter(([key]) => !LEFT_OUT.includes(key));
  return { ports: [], depends_on: {}, ...Object.fromEntries(kept), volumes: inside };
}
