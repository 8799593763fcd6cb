// The variables of a compose project: from its text, its env file and the env files of its services. Rule: every one is named once, and no secret keeps the value that stood here.
import { type Document, isMap, isScalar, isSeq, type Scalar, type YAMLMap } from 'yaml';
import type { Variable } from '../model/description.ts';
import type { EnvFile } from '../model/env-file.ts';
import { envValues } from '../model/env-file.ts';
import { allReferences, fillReferences, type Reference, referencesIn } from '../model/interpolation.ts';
import type { Problem } from '../model/problem.ts';
import { readYaml } from '../model/yaml-file.ts';
import { composeHolders } from './compose-holders.ts';
import { fieldsOf } from './compose-parts.ts';
import { decision, type Proposed, type Remarks } from './proposal.ts';
import { guessVariable, isSecretName } from './proposal-guess.ts';

export interface ProposedEnv extends Remarks {
  readonly env: Readonly<Record<string, Proposed<Variable>>>;
}

export interface EnvInput {
  readonly document: Document;
  readonly file: string;
  /** The example of `.env`. */
  readonly main: EnvFile | undefined;
  /** By the path that services name: what the file here, or its example, holds; undefined = there is neither. */
  readonly files: ReadonlyMap<string, EnvFile | undefined>;
}

/** Names that Compose or the machine sets. */
const NOT_OURS = /^(?:COMPOSE_\w+|PWD|HOME|USER|PATH|HOSTNAME)$/;
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Finds the variables; in the document, passwords that stood there become references, and files with secrets become variables. */
export function proposeEnv(input: EnvInput): ProposedEnv {
  const literal = takeLiterals(input.document);
  const secrets = takeSecretFiles(input);
  const text = String(input.document);
  const homes = envHomes(input);
  const references = readYaml(text, input.file).texts.flatMap((each) => allReferences(each.text));
  const passed = composeHolders(input.document).flatMap(({ node }) => passedNames(node.get('environment', true)));
  const given = input.main === undefined ? new Map<string, string>() : declaredValues(input.main);
  const helps = input.main === undefined ? new Map<string, string>() : helpTexts(input.main);
  const names = new Set([...given.keys(), ...references.flatMap(({ name }) => name ?? []), ...passed, ...literal.names, ...secrets.names]);
  const env: Record<string, Proposed<Variable>> = {};
  for (const name of [...names].filter((each) => PLAIN_NAME.test(each) && !NOT_OURS.test(each))) {
    const own = references.filter((reference) => reference.name === name);
    const demanded = own.some(({ operator }) => operator.endsWith('?'));
    const value = given.get(name) || presetOf(own);
    env[name] = guessVariable({ name, value: value === undefined ? undefined : asTemplate(value, names), demanded, help: helps.get(name) });
  }
  shareNames(input.document, env, homes.found);
  for (const [home, file] of homes.found) addHome(env, home, file);
  return { env, reviews: [...literal.reviews, ...secrets.reviews], problems: [...secrets.problems, ...homes.problems] };
}

/** The text of the compose file, in which a secret has no value but that of the install. */
export function withoutSecretDefaults(text: string, env: ProposedEnv['env']): string {
  const isSecret = ({ name = '' }: Reference): boolean => env[name]?.value.secret !== undefined && env[name]?.value.file === undefined;
  let result = '';
  let at = 0;
  for (const reference of referencesIn(text).filter(isSecret)) {
    result += `${text.slice(at, reference.start)}${demand(reference.name ?? '')}`;
    at = reference.end;
  }
  return result + text.slice(at);
}

function demand(name: string): string {
  return `\${${name}:?${name} is not set in .env}`;
}

interface Taken {
  readonly names: readonly string[];
  readonly reviews: readonly string[];
}

/** Passwords that stand in the file would be the same on every machine. */
function takeLiterals(document: Document): Taken {
  const names = new Map<string, string>();
  const places = composeHolders(document).map(({ node }) => node.get('environment', true));
  for (const { name, value } of places.flatMap(entriesOf)) {
    const text = literalOf(value, name);
    if (isLiteral(name, text) && !names.has(text)) names.set(text, name);
  }
  for (const { name, value, isPair } of places.flatMap(entriesOf)) replaceLiteral(value, { name, isPair, names });
  const reviews = [...names.values()].map((name) => `${name} had a value in the compose file; it is made on each machine now`);
  return { names: [...names.values()], reviews };
}

interface Entry {
  readonly name: string;
  readonly value: Scalar;
  /** False for `NAME=value` of a list. */
  readonly isPair: boolean;
}

function entriesOf(environment: unknown): Entry[] {
  if (isMap(environment)) {
    return environment.items.flatMap(({ key, value }) =>
      isScalar(key) && isScalar(value) && value.value !== null ? [{ name: String(key.value), value, isPair: true }] : [],
    );
  }
  if (!isSeq(environment)) return [];
  return environment.items.flatMap((item) =>
    isScalar(item) && String(item.value).includes('=')
      ? [{ name: String(item.value).split('=')[0] ?? '', value: item, isPair: false }]
      : [],
  );
}

function isLiteral(name: string, text: string): boolean {
  return (
    isSecretName(name) &&
    text !== '' &&
    !text.includes('$') &&
    !/^(?:true|false|yes|no|\d{1,3})$/i.test(text) &&
    !text.startsWith('/run/secrets')
  );
}

function literalOf(value: Scalar, name: string): string {
  const text = String(value.value);
  return text.startsWith(`${name}=`) ? text.slice(name.length + 1) : text;
}

/** The value itself, or the same value as the password of a URL. */
function replaceLiteral(
  value: Scalar,
  { name, isPair, names }: { name: string; isPair: boolean; names: ReadonlyMap<string, string> },
): void {
  const text = literalOf(value, name);
  const prefix = isPair ? '' : `${name}=`;
  const own = isSecretName(name) ? names.get(text) : undefined;
  const inside = [...names].find(([secret]) => text.includes(`:${secret}@`));
  if (own !== undefined) value.value = `${prefix}${demand(own)}`;
  else if (inside !== undefined) value.value = `${prefix}${text.replaceAll(`:${inside[0]}@`, () => `:${demand(inside[1])}@`)}`;
}

/** A secret's file cannot be shipped; Compose can make the same file of a variable. */
function takeSecretFiles({ document }: EnvInput): Taken & { readonly problems: readonly Problem[] } {
  const names: string[] = [];
  const problems: Problem[] = [];
  for (const [secret, value] of Object.entries(fieldsOf(fieldsOf(document.toJS({ maxAliasCount: 1000 })).secrets))) {
    const { file, external, environment } = fieldsOf(value);
    if (typeof environment === 'string') names.push(environment);
    const hint = 'Give it as a variable: `environment: NAME`.';
    if (external !== undefined)
      problems.push(decision(`secrets.${secret}`, `the secret ${secret} is external, which only a swarm has`, hint));
    if (typeof file !== 'string') continue;
    if (/\.(?:pem|crt|cer|p12|pfx|json|jks)$/.test(file)) {
      problems.push(decision(`secrets.${secret}`, `the secret ${secret} is the file ${file}, which must not be shipped`, hint));
      continue;
    }
    const name = secret.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
    document.setIn(['secrets', secret], document.createNode({ environment: name }));
    names.push(name);
  }
  const reviews = names.map(
    (name) => `a secret of the compose file comes from the variable ${name}; services read the same file as before`,
  );
  return { names, reviews, problems };
}

/** The env files of services besides `.env`. */
function envHomes({ document, files }: EnvInput): {
  readonly found: readonly [string, EnvFile][];
  readonly problems: readonly Problem[];
} {
  const wanted = envFilesOf(document);
  const lost = wanted.filter(({ path, required }) => files.get(path) === undefined && required);
  return {
    found: [...new Set(wanted.map(({ path }) => path))].flatMap((path): [string, EnvFile][] => {
      const file = files.get(path);
      return file === undefined ? [] : [[path, file]];
    }),
    problems: lost.map(({ path, service }) =>
      decision(
        `services.${service}`,
        `${service} reads ${path}, and neither it nor ${path}.example is here`,
        `Name its variables under env, each with file: ${path}.`,
      ),
    ),
  };
}

/** What services name as `env_file`, without the product's own `.env`. */
export function envFilesOf(document: Document): { readonly service: string; readonly path: string; readonly required: boolean }[] {
  return composeHolders(document).flatMap(({ node, services }) => {
    const value: unknown = node.toJS(document).env_file;
    const all: unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
    return all
      .map((item) =>
        typeof item === 'string'
          ? { path: item, required: true }
          : { path: String(fieldsOf(item).path), required: fieldsOf(item).required !== false },
      )
      .map(({ path, required }) => ({ path: path.replace(/^(?:\.\/)+/, ''), required, service: services[0] ?? '' }))
      .filter(({ path }) => path !== '.env');
  });
}

/** A variable lives in one file: what several files have is in `.env`, and their services get it from there. */
function shareNames(document: Document, env: Record<string, Proposed<Variable>>, homes: readonly [string, EnvFile][]): void {
  const all = homes.flatMap(([home, file]) => [...declaredValues(file)].map(([name, value]) => ({ home, name, value })));
  const isShared = (name: string): boolean => env[name] !== undefined || all.filter((each) => each.name === name).length > 1;
  for (const { home, name, value } of all.filter((each) => PLAIN_NAME.test(each.name) && isShared(each.name))) {
    env[name] ??= guessVariable({ name, value, demanded: false, help: undefined });
    const own = env[name]?.value;
    const isOther = own?.secret === undefined && own?.required !== true && String(own?.default ?? '') !== value;
    const written = isOther ? value.replaceAll('$', '$$$$') : own?.secret === undefined ? `\${${name}}` : demand(name);
    for (const { node } of composeHolders(document)) if (readsFile(node, document, home)) addEnvironment(node, name, written, document);
  }
}

function readsFile(node: YAMLMap, document: Document, home: string): boolean {
  const value: unknown = node.toJS(document).env_file;
  const all: unknown[] = node.has('env_file') ? [value].flat() : [];
  return all.some((item) => String(typeof item === 'string' ? item : fieldsOf(item).path).replace(/^(?:\.\/)+/, '') === home);
}

function addEnvironment(node: YAMLMap, name: string, value: string, document: Document): void {
  const environment = node.get('environment');
  if (entriesOf(environment).some((entry) => entry.name === name)) return; // what stands in the service wins over its files
  if (isSeq(environment)) environment.add(document.createNode(`${name}=${value}`));
  else if (isMap(environment)) environment.set(name, value);
  else node.set('environment', document.createNode({ [name]: value }));
}

/** The variables of one file that live there alone. */
function addHome(env: Record<string, Proposed<Variable>>, home: string, file: EnvFile): void {
  const helps = helpTexts(file);
  for (const [name, value] of declaredValues(file)) {
    if (!PLAIN_NAME.test(name) || env[name] !== undefined) continue;
    const { value: variable, review } = guessVariable({ name, value, demanded: false, help: helps.get(name) });
    env[name] = { value: { ...variable, file: home }, ...(review === undefined ? {} : { review }) };
  }
}

/** Every name with its value, empty where it is named alone. */
function declaredValues(file: EnvFile): Map<string, string> {
  const values = envValues(file);
  const names = file.parts.flatMap((part) => (part.kind === 'text' ? [] : [part.name.trimEnd()]));
  const raw = new Map(
    file.parts.flatMap((part): [string, string][] => (part.kind === 'entry' && part.quote !== "'" ? [[part.name, part.raw]] : [])),
  );
  return new Map(
    names.map((name): [string, string] => [name, raw.get(name)?.includes('$') ? (raw.get(name) ?? '') : (values.get(name) ?? '')]),
  );
}

/** The comment right above each name. */
function helpTexts(file: EnvFile): Map<string, string> {
  const helps = new Map<string, string>();
  let above = '';
  for (const part of file.parts) {
    if (part.kind === 'text') above = part.text;
    else {
      const last =
        above
          .split('\n')
          .filter((line) => line.trim() !== '')
          .at(-1)
          ?.trim() ?? '';
      const help = /^#+\s*(.{4,200})$/.exec(/\n\s*\n\s*$/.test(above) ? '' : last)?.[1]?.trim();
      if (help !== undefined && !/^[-=#*]{3,}|^\w+=/.test(help)) helps.set(part.name.trimEnd(), help);
      above = '';
    }
  }
  return helps;
}

/** What the compose file says where the name has no value. */
function presetOf(references: readonly Reference[]): string | undefined {
  return references.find(({ operator }) => operator.endsWith('-'))?.operand;
}

/** `http://${DOMAIN}` as `http://{{DOMAIN}}`; what is no plain reference is filled with its default. */
function asTemplate(text: string, names: ReadonlySet<string>): string {
  const whole = referencesIn(text).reduceRight((so, { name, start, end }) => {
    const value = name !== undefined && names.has(name) ? `{{${name}}}` : fillReferences(so.slice(start, end), () => undefined);
    return so.slice(0, start) + value + so.slice(end);
  }, text);
  return whole.replaceAll('$$', '$');
}

function passedNames(environment: unknown): string[] {
  if (isMap(environment))
    return (environment as YAMLMap).items.flatMap(({ key, value }) =>
      isScalar(key) && isScalar(value) && value.value === null ? [String(key.value)] : [],
    );
  if (!isSeq(environment)) return [];
  return environment.items.flatMap((item) => (isScalar(item) && /^\w+$/.test(String(item.value)) ? [String(item.value)] : []));
}
