// Registry logins as `docker login` stored them. Rule: secrets leave this file only as values, never in an error or an argument list.
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isToolError, systemCode, ToolError } from '../model/error.ts';
import type { ImageRef } from '../model/image.ts';
import { type Fields, parseFields, parseOptional, parseText } from '../model/parse.ts';
import type { World } from '../model/seams.ts';

/** What is stored for a registry; `from` says where, for people. `none` says why there is nothing. */
export type Credential =
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'password'; readonly username: string; readonly password: string; readonly from: string }
  /** A refresh token, to be traded for an access token (OAuth2); user and password are for token services that do not trade. */
  | { readonly kind: 'identity'; readonly token: string; readonly username: string; readonly password: string; readonly from: string }
  /** Sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string; readonly from: string };

export interface CredentialSource {
  readonly find: (ref: ImageRef) => Promise<Credential>;
}

type DockerWorld = Pick<World, 'env' | 'run'>;

interface Config {
  readonly from: string;
  readonly auths: Fields;
  readonly credHelpers: Fields;
  readonly credsStore: string | undefined;
}

const HUB_KEY = 'https://index.docker.io/v1/';
const HUB_HOSTS = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const LARGEST_CONFIG = 1024 * 1024;
const HELPER_TIMEOUT = 30;
/** The user name that credential helpers give with a refresh token. */
const TOKEN_USER = '<token>';

/** The logins in `$DOCKER_AUTH_CONFIG`, then in `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`; read once, each helper asked once. */
export function openDockerConfig(world: DockerWorld): CredentialSource {
  let configs: Promise<readonly Config[]> | undefined;
  const found = new Map<string, Promise<Credential>>();
  return {
    find: async (ref) => {
      configs ??= readConfigs(world.env);
      const name = `${ref.registry}/${ref.repository}`;
      const credential = found.get(name) ?? findIn(await configs, ref, world);
      found.set(name, credential);
      return credential;
    },
  };
}

async function findIn(configs: readonly Config[], ref: ImageRef, world: DockerWorld): Promise<Credential> {
  const reasons: string[] = [];
  for (const config of configs) {
    const helped = await askHelper(config, ref, world);
    if (helped !== undefined && helped.kind !== 'none') return helped;
    const stored = storedLogin(config, ref, world.env);
    if (stored !== undefined) return stored;
    reasons.push(helped?.kind === 'none' ? helped.reason : `${config.from} has no login for ${ref.registry}`);
  }
  return { kind: 'none', reason: reasons.join('; ') || 'docker has no config.json here' };
}

async function readConfigs(env: World['env']): Promise<readonly Config[]> {
  const inline = env.DOCKER_AUTH_CONFIG ? [parseConfig(env.DOCKER_AUTH_CONFIG, 'DOCKER_AUTH_CONFIG')] : [];
  const file = join(env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker'), 'config.json');
  const text = await readConfigFile(file);
  return text === undefined ? inline : [...inline, parseConfig(text, file)];
}

async function readConfigFile(file: string): Promise<string | undefined> {
  try {
    if ((await stat(file)).size > LARGEST_CONFIG) throw new ToolError('E_TOO_LARGE', `${file} is larger than ${LARGEST_CONFIG} bytes`);
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === undefined) throw error;
    throw new ToolError('E_CONFIG', `cannot read ${file} (${code})`, {
      cause: error,
      hint: 'Correct its owner and mode, or set DOCKER_CONFIG.',
    });
  }
}

function parseConfig(text: string, from: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // the parser's own text would quote the file, and with it a password
    throw new ToolError('E_CONFIG', `${from}: not valid JSON`, { hint: 'Correct it, or run docker logout and docker login again.' });
  }
  const f = parseFields(value, from);
  const map = (key: string): Fields => parseOptional(f[key], `${from}: ${key}`, parseFields) ?? {};
  const credsStore = parseOptional(f.credsStore, `${from}: credsStore`, parseText) || undefined;
  return { from, auths: map('auths'), credHelpers: map('credHelpers'), credsStore };
}

/** The login of the longest key that this repository lies under; podman writes keys with a path. */
function storedLogin({ auths, from }: Config, ref: ImageRef, env: World['env']): Credential | undefined {
  const name = `${canonicalHost(ref.registry)}/${ref.repository}/`;
  const keys = Object.keys(auths).filter((key) => name.startsWith(`${plainKey(key)}/`));
  keys.sort((a, b) => plainKey(b).length - plainKey(a).length);
  for (const key of keys) {
    const login = parseLogin(parseFields(auths[key], `${from}: auths`), from, env);
    if (login !== undefined) return login;
  }
  return undefined;
}

/** An empty entry is what remains of a login that a credential store holds: no login. */
function parseLogin(f: Fields, from: string, env: World['env']): Credential | undefined {
  const text = (key: string): string => fromEnvironment(parseOptional(f[key], `${from}: auths: ${key}`, parseText) ?? '', from, env);
  if (text('registrytoken') !== '') return { kind: 'bearer', token: text('registrytoken'), from };
  const pair = Buffer.from(text('auth'), 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = pair.indexOf(':');
  const [username, password] = colon > 0 ? [pair.slice(0, colon), pair.slice(colon + 1)] : [text('username'), text('password')];
  if (text('identitytoken') !== '') return identity(text('identitytoken'), from, { username, password });
  return username === '' ? undefined : { kind: 'password', username, password, from };
}

/** `${NAME}` alone stands for a variable, so that a file of logins may lie beside the product without holding any. */
function fromEnvironment(text: string, from: string, env: World['env']): string {
  const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1];
  if (name === undefined) return text;
  const value = env[name] ?? '';
  if (value !== '') return value;
  throw new ToolError('E_CONFIG', `${from} names the variable ${name}, which is not set`, { hint: `Set ${name}, or run docker login.` });
}

/** What has no user, or no password, has the token in its place. */
function identity(token: string, from: string, pair: { readonly username: string; readonly password: string }): Credential {
  return { kind: 'identity', token, username: pair.username || TOKEN_USER, password: pair.password || token, from };
}

/** Asks the credential helper that the configuration names for this registry; undefined when it names none. */
async function askHelper(config: Config, ref: ImageRef, world: DockerWorld): Promise<Credential | undefined> {
  const host = canonicalHost(ref.registry);
  const key = Object.keys(config.credHelpers).find((candidate) => plainKey(candidate) === host);
  const name = key === undefined ? config.credsStore : parseText(config.credHelpers[key], `${config.from}: credHelpers`);
  if (name === undefined) return undefined;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new ToolError('E_CONFIG', `${config.from}: a credential helper has an invalid name`);
  const program = `docker-credential-${name}`;
  const server = HUB_HOSTS.includes(ref.registry) ? HUB_KEY : ref.registry;
  try {
    const { code, stdout } = await world.run([program, 'get'], { input: server, timeout: HELPER_TIMEOUT });
    return code === 0 ? parseHelperAnswer(stdout, program) : { kind: 'none', reason: `${program} has no login for ${ref.registry}` };
  } catch (error) {
    if (isToolError(error, 'E_COMMAND')) return { kind: 'none', reason: `${program}, which ${config.from} names, cannot be used` };
    throw error;
  }
}

function parseHelperAnswer(stdout: string, from: string): Credential {
  const { Username: username, Secret: secret } = parseHelperJson(stdout);
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '')
    return { kind: 'none', reason: `${from} gave no usable answer` };
  if (username === TOKEN_USER) return identity(secret, from, { username, password: '' });
  return { kind: 'password', username, password: secret, from };
}

function parseHelperJson(stdout: string): Fields {
  try {
    return parseFields(JSON.parse(stdout), 'docker-credential');
  } catch {
    return {}; // shown as "no usable answer", without the answer
  }
}

/** `https://ghcr.io/v2/` → `ghcr.io`; every name of Docker Hub → `index.docker.io`. */
function plainKey(key: string): string {
  const plain = key
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '');
  const slash = plain.indexOf('/');
  return slash === -1 ? canonicalHost(plain) : canonicalHost(plain.slice(0, slash)) + plain.slice(slash);
}

function canonicalHost(host: string): string {
  return HUB_HOSTS.includes(host) ? 'index.docker.io' : host;
}
