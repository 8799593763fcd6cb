// `docker login`, `logout`, and a pull that needs one, before an engine that has none of them. Rule: as the real ones: the registry is asked before anything is
// stored, the password is read from the input alone, and an engine gets nothing that the registry would not give.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run, RunOptions, RunResult } from '../../src/model/seams.ts';

interface DockerConfig {
  readonly auths: Readonly<Record<string, { readonly auth: string }>>;
}

/** The engine behind docker's command line; `home` is where docker keeps config.json. */
export function withDockerLogin(run: Run, home: string): Run {
  return async (argv, options = {}) => {
    const [program, verb, ...words] = argv;
    if (program !== 'docker') return run(argv, options);
    if (verb === 'login') return logIn(words, options, home);
    if (verb === 'logout') return logOut(words.at(-1) ?? '', home);
    if (verb === 'pull' && !(await mayPull(words.at(-1) ?? '', home)))
      return failed(
        `Error response from daemon: pull access denied for ${words.at(-1)}, repository does not exist or may require 'docker login'`,
      );
    return run(argv, options);
  };
}

/** What docker keeps, by registry, as `user:password`. */
export function keptLogins(home: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(readConfig(home).auths).map(([host, { auth }]) => [host, Buffer.from(auth, 'base64').toString('utf8')]),
  );
}

/** Puts a login there as an earlier `docker login` left it. */
export function keepLogin(home: string, host: string, login: string): void {
  const { auths } = readConfig(home);
  mkdirSync(home, { recursive: true });
  writeFileSync(
    join(home, 'config.json'),
    JSON.stringify({ auths: { ...auths, [host]: { auth: Buffer.from(login).toString('base64') } } }),
    {
      mode: 0o600,
    },
  );
}

async function logIn(words: readonly string[], { input }: RunOptions, home: string): Promise<RunResult> {
  const [flag, username = '', stdin, host = ''] = words;
  if (flag !== '--username' || stdin !== '--password-stdin' || typeof input !== 'string')
    throw new Error(`docker login ${words.join(' ')}?`);
  const { status } = await fetch(`http://${host}/v2/`, { headers: { authorization: basic(`${username}:${input}`) } });
  if (status !== 200)
    return failed(`Error response from daemon: login attempt to http://${host}/v2/ failed with status: ${status} Unauthorized`);
  keepLogin(home, host, `${username}:${input}`);
  return { code: 0, stdout: 'Login Succeeded\n', stderr: 'WARNING! Your credentials are stored unencrypted\n' };
}

function logOut(host: string, home: string): RunResult {
  const { [host]: _, ...auths } = readConfig(home).auths;
  writeFileSync(join(home, 'config.json'), JSON.stringify({ auths }), { mode: 0o600 });
  return { code: 0, stdout: `Removing login credentials for ${host}\n`, stderr: '' };
}

async function mayPull(image: string, home: string): Promise<boolean> {
  const [, host = '', repository, digest] = /^([^/]+)\/(.+?)(?::[^:@/]+)?@(sha256:[0-9a-f]+)$/.exec(image) ?? [];
  const login = keptLogins(home)[host];
  const headers: Record<string, string> = { accept: 'application/vnd.oci.image.manifest.v1+json' };
  if (login !== undefined) headers.authorization = basic(login);
  return (await fetch(`http://${host}/v2/${repository}/manifests/${digest}`, { headers })).status === 200;
}

function readConfig(home: string): DockerConfig {
  try {
    return JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) as DockerConfig;
  } catch {
    return { auths: {} };
  }
}

function basic(login: string): string {
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

function failed(stderr: string): RunResult {
  return { code: 1, stdout: '', stderr: `${stderr}\n` };
}
