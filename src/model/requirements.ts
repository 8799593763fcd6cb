// What a release needs of its host. Rule: sizes are bytes, and a port may wait for an answer.
import { keep, parseOneOf, parseTexts } from './description.ts';
import { parseCount, parseFields, parseList, parseOptional, parseText } from './parse.ts';

export interface PortNeed {
  /** A number or `{{VARIABLE}}`. */
  readonly port: string;
  readonly protocol: 'tcp' | 'udp';
  readonly when?: string;
}

export interface Requirements {
  readonly docker?: string;
  readonly compose?: string;
  /** Bytes. */
  readonly memory?: number;
  /** Bytes. */
  readonly disk?: number;
  readonly ports: readonly PortNeed[];
  readonly platforms: readonly string[];
}

export function parseRequirements(value: unknown, where: string): Requirements {
  const f = parseFields(value, where);
  return keep({
    docker: parseOptional(f.docker, `${where}.docker`, parseText),
    compose: parseOptional(f.compose, `${where}.compose`, parseText),
    memory: parseOptional(f.memory, `${where}.memory`, parseCount),
    disk: parseOptional(f.disk, `${where}.disk`, parseCount),
    ports: parseList(f.ports, `${where}.ports`, parsePortNeed),
    platforms: parseTexts(f.platforms, `${where}.platforms`),
  });
}

function parsePortNeed(value: unknown, where: string): PortNeed {
  const f = parseFields(value, where);
  return keep({
    port: parseText(f.port, `${where}.port`),
    protocol: parseOneOf(f.protocol, ['tcp', 'udp'] as const, `${where}.protocol`),
    when: parseOptional(f.when, `${where}.when`, parseText),
  });
}
