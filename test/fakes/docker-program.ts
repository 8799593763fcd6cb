// docker as a real process, for shell steps that log in, choose a builder and build. Rule: what a login gave is in the file where docker keeps it, and a registry
// that wants one gets nothing else; the builder is the one that was chosen in this HOME.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeBuilder } from './builder.ts';

const home = process.env.HOME ?? '';
const configFile = join(home, '.docker/config.json');
const builderFile = join(home, '.docker/builders');

interface Config {
  auths: Record<string, { auth: string }>;
}

const words = process.argv.slice(2);
const lines = (): string[] => (existsSync(builderFile) ? readFileSync(builderFile, 'utf8').trim().split('\n') : []);

process.exitCode = await run();

async function run(): Promise<number> {
  if (words[0] === 'login') return login();
  if (words[0] === 'logout') return logout(words[1] ?? '');
  if (words[0] === 'buildx' && words[1] === 'create') return createBuilder();
  if (words[0] === 'buildx' && words[1] === 'use') return useBuilder(words[2] ?? '');
  if (words[0] === 'buildx' && words[1] === 'inspect' && words[2] !== undefined) return lines().includes(words[2]) ? 0 : 1;
  const chosen = lines().some((line) => line.startsWith('use '));
  const authorization = (host: string): string | undefined => {
    const { auth } = readConfig().auths[host] ?? {};
    return auth === undefined ? undefined : `Basic ${auth}`;
  };
  const docker = fakeBuilder({ driver: chosen ? 'docker-container' : 'docker', authorization });
  const { code, stdout, stderr } = await docker.run(['docker', ...words], { env: process.env });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  return code;
}

/** `docker login HOST --username U --password-stdin`; a password among the words is refused, for everybody on the machine reads it there. */
async function login(): Promise<number> {
  const [, host = '', flag, username = '', stdin] = words;
  if (flag !== '--username' || stdin !== '--password-stdin') return complain('unknown flag, or no --password-stdin');
  const password = readFileSync(0, 'utf8');
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const answer = await fetch(`http://${host}/v2/`, { headers: { authorization: `Basic ${auth}` } });
  if (!answer.ok) return complain(`Error response from daemon: login attempt to http://${host}/v2/ failed with status: ${answer.status}`);
  const config = readConfig();
  config.auths[host] = { auth };
  writeConfig(config);
  process.stdout.write('Login Succeeded\n');
  return 0;
}

function logout(host: string): number {
  const config = readConfig();
  delete config.auths[host];
  writeConfig(config);
  return 0;
}

function createBuilder(): number {
  const [, , flag, name = '', driverFlag, driver] = words;
  if (flag !== '--name' || driverFlag !== '--driver' || driver !== 'docker-container') return complain('unknown flag');
  if (lines().includes(name)) return complain(`ERROR: existing instance for "${name}"`);
  mkdirSync(join(home, '.docker'), { recursive: true });
  writeFileSync(builderFile, `${[...lines(), name].join('\n')}\n`);
  return 0;
}

function useBuilder(name: string): number {
  if (!lines().includes(name)) return complain(`ERROR: failed to find instance "${name}"`);
  writeFileSync(builderFile, `${[...lines(), `use ${name}`].join('\n')}\n`);
  return 0;
}

function readConfig(): Config {
  return existsSync(configFile) ? (JSON.parse(readFileSync(configFile, 'utf8')) as Config) : { auths: {} };
}

function writeConfig(config: Config): void {
  mkdirSync(join(home, '.docker'), { recursive: true });
  writeFileSync(configFile, JSON.stringify(config));
}

function complain(message: string): number {
  process.stderr.write(`${message}\n`);
  return 1;
}
