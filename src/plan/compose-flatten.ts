// A compose project in several files made one: overrides, `include` and `extends` are written out. Rule: what needs none of that keeps its comments and anchors.
import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Document, parseDocument } from 'yaml';
import type { Problem } from '../model/problem.ts';
import { readYaml } from '../model/yaml-file.ts';
import { mergeProjects, mergeServices, rebaseProject } from './compose-merge.ts';
import { fieldsOf } from './compose-parts.ts';

type Fields = Record<string, unknown>;

export interface FlatCompose {
  /** The whole project. All paths start at the product's folder. */
  readonly document: Document;
  readonly problems: readonly Problem[];
  /** Files that are needed and were not among the texts: the caller reads them and tries again. */
  readonly missing: readonly string[];
}

interface Reading {
  /** By path from the product's folder; null = it is not there. */
  readonly texts: ReadonlyMap<string, string | null>;
  readonly missing: Set<string>;
  readonly problems: Problem[];
  /** The files that are being read, outermost first. */
  readonly open: readonly string[];
}

/** One document of all files: the first is the project, the others override it, as `docker compose -f A -f B` does. */
export function flattenCompose(names: readonly string[], texts: Reading['texts']): FlatCompose {
  const [first = '', ...overrides] = names;
  const reading: Reading = { texts, missing: new Set(), problems: [], open: [] };
  const flat = overrides.reduce(
    (so, name) => mergeProjects(so, readProject(name, posix.dirname(first), reading)),
    readProject(first, posix.dirname(first), reading),
  );
  const document = parseDocument(texts.get(first) ?? '', { merge: true, logLevel: 'silent' });
  if (document.errors.length === 0) writeInto(document, flat);
  return { document, problems: reading.problems, missing: [...reading.missing] };
}

/** A file with everything that it includes and extends; its relative paths start at `folder`. */
function readProject(name: string, folder: string, reading: Reading): Fields {
  if (reading.open.includes(name)) return refuse(reading, name, `${name} includes itself`);
  const value = readValue(name, reading);
  if (value === undefined) return {};
  const inner = { ...reading, open: [...reading.open, name] };
  const { include, ...own } = value;
  const services = Object.fromEntries(
    Object.keys(fieldsOf(own.services)).map((service) => [service, extended(service, own, { name, reading: inner, seen: [] })]),
  );
  const rebased = rebaseProject(own.services === undefined ? own : { ...own, services }, folder);
  return [include ?? []].flat().reduce((so: Fields, item) => mergeProjects(so, included(item, folder, inner)), rebased);
}

/** What one item of `include` brings in. */
function included(item: unknown, folder: string, reading: Reading): Fields {
  const { path = item, project_directory: home } = fieldsOf(item);
  const names = (Array.isArray(path) ? path : [path]).map((each) => posix.join(folder, String(each)));
  const base = typeof home === 'string' ? posix.join(folder, home) : posix.dirname(names[0] ?? '');
  return names.reduce((so: Fields, name) => mergeProjects(so, readProject(name, base, reading)), {});
}

interface Extending {
  readonly name: string;
  readonly reading: Reading;
  readonly seen: readonly string[];
}

/** A service with what it extends, from the same file or another one; paths of another file are made those of this one. */
function extended(service: string, project: Fields, { name, reading, seen }: Extending): unknown {
  const { extends: from, ...own } = fieldsOf(fieldsOf(project.services)[service]);
  if (from === undefined) return fieldsOf(project.services)[service];
  const wanted = typeof from === 'string' ? { service: from } : fieldsOf(from);
  const file = typeof wanted.file === 'string' ? posix.join(posix.dirname(name), wanted.file) : name;
  const key = `${file}#${String(wanted.service)}`;
  if (seen.includes(key)) return refuse(reading, name, `${service} extends itself`);
  const other = file === name ? project : readValue(file, reading);
  if (other === undefined) return own;
  if (fieldsOf(other.services)[String(wanted.service)] === undefined) {
    return refuse(reading, name, `${service} extends ${String(wanted.service)}, which ${file} does not have`);
  }
  const base = extended(String(wanted.service), other, { name: file, reading, seen: [...seen, key] });
  const folder = posix.relative(posix.dirname(name), posix.dirname(file)) || '.';
  const rebased = fieldsOf(fieldsOf(rebaseProject({ services: { base } }, folder).services).base);
  return mergeServices(rebased, own);
}

function readValue(name: string, reading: Reading): Fields | undefined {
  const text = reading.texts.get(name);
  if (text === undefined) reading.missing.add(name);
  if (text === null) refuse(reading, reading.open.at(-1) ?? name, `${name} does not exist, or lies outside of the product's folder`);
  if (typeof text !== 'string') return undefined;
  if (/(?:^|\s)!(?:reset|override)\b/m.test(text))
    refuse(reading, name, '!reset and !override are not understood here: write out what they give');
  const yaml = readYaml(text, name);
  reading.problems.push(...yaml.problems);
  return fieldsOf(yaml.value);
}

/** Only what differs is written anew. */
function writeInto(document: Document, flat: Fields): void {
  const before = fieldsOf(document.toJS({ maxAliasCount: 1000 }));
  document.delete('include');
  for (const [section, value] of Object.entries(flat)) {
    if (isDeepStrictEqual(before[section], value)) continue;
    const old = fieldsOf(before[section]);
    if (before[section] === undefined || !['services', 'volumes', 'networks', 'configs', 'secrets'].includes(section)) {
      document.set(section, document.createNode(value));
      continue;
    }
    for (const [key, entry] of Object.entries(fieldsOf(value))) {
      if (!isDeepStrictEqual(old[key], entry)) document.setIn([section, key], document.createNode(entry));
    }
  }
}

function refuse({ problems }: Reading, file: string, message: string): Fields {
  const hint = 'Correct the compose file, then run the command again.';
  problems.push({ severity: 'error', code: 'E_COMPOSE', message, hint, file, line: 1 });
  return {};
}
