// What the real `docker compose config` reads from env files: as a project's `.env`, and as a service's `env_file`. Rule: no engine is asked; the
// environment of the call is two names, so that nothing of this machine gets in.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Name → value; undefined when Compose refuses the file. */
export type ComposeReading = Readonly<Record<string, string>> | undefined;

/** A docker program that has the compose plugin, or undefined: `docker`, or what $SLIPWAY_COMPOSE names. */
export function findCompose(): string | undefined {
  const program = process.env.SLIPWAY_COMPOSE ?? 'docker';
  try {
    execFileSync(program, ['compose', 'version'], { stdio: 'pipe' });
    return program;
  } catch {
    console.warn('skipped: no `docker compose`; set SLIPWAY_COMPOSE to a docker program that has the compose plugin');
    return undefined;
  }
}

/** The environment that Compose is called with. */
export const OUTSIDE = { PATH: process.env.PATH ?? '', DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? '' };

/** What a project with this `.env` gives a service for these names; a name that is not set is absent. */
export async function readAsProject(program: string, text: string, names: readonly string[]): Promise<ComposeReading> {
  return inFolder(async (folder) => {
    writeFileSync(join(folder, '.env'), text);
    const found = await config(program, folder, { services: { a: { image: 'i', environment: names } } });
    return found?.[0];
  });
}

/** What services with these env files get, beside a project `.env`. Few calls: only where one is refused each is asked alone. */
export async function readAsEnvFiles(program: string, texts: readonly string[], project = ''): Promise<ComposeReading[]> {
  const all = await inFolder((folder) => {
    writeFileSync(join(folder, '.env'), project);
    texts.forEach((text, index) => {
      writeFileSync(join(folder, `${index}.env`), text);
    });
    const services = texts.map((_, index) => [serviceName(index), { image: 'i', env_file: [`${index}.env`] }]);
    return config(program, folder, { services: Object.fromEntries(services) });
  });
  return all ?? apart(texts, (from, to) => readAsEnvFiles(program, texts.slice(from, to), project));
}

/** What included projects with these env files give a service each: the reading of `.env`, many in one call. */
export async function readAsIncluded(
  program: string,
  texts: readonly string[],
  names: readonly (readonly string[])[],
): Promise<ComposeReading[]> {
  const all = await inFolder((folder) => {
    const include = texts.map((text, index) => {
      writeFileSync(join(folder, `${index}.env`), text);
      const services = { [serviceName(index)]: { image: 'i', environment: names[index] ?? [] } };
      writeFileSync(join(folder, `${index}.yaml`), JSON.stringify({ services }));
      return { path: `${index}.yaml`, env_file: `${index}.env` };
    });
    return config(program, folder, { include });
  });
  return all ?? apart(texts, (from, to) => readAsIncluded(program, texts.slice(from, to), names.slice(from, to)));
}

/** Does a few of these at a time, and keeps their order. */
export async function severalAtOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>, atOnce = 3): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

function serviceName(index: number): string {
  return `s${String(index).padStart(5, '0')}`;
}

/** Compose refused one of several: each half is asked by itself. */
async function apart(texts: readonly string[], read: (from: number, to: number) => Promise<ComposeReading[]>): Promise<ComposeReading[]> {
  if (texts.length <= 1) return [undefined];
  const half = Math.ceil(texts.length / 2);
  return [...(await read(0, half)), ...(await read(half, texts.length))];
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-env-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The environment of each service, in the order of their names. */
function config(program: string, folder: string, project: object): Promise<Record<string, string>[] | undefined> {
  writeFileSync(join(folder, 'compose.yaml'), JSON.stringify({ name: 'x', ...project }));
  const options = { cwd: folder, env: OUTSIDE, maxBuffer: 64 * 1024 * 1024, timeout: 60_000 };
  return new Promise((resolve) => {
    execFile(program, ['compose', 'config', '--format', 'json'], options, (error, stdout) => {
      resolve(error === null ? environmentsIn(stdout.replaceAll('$$', '$')) : undefined);
    });
  });
}

function environmentsIn(json: string): Record<string, string>[] {
  const { services } = JSON.parse(json) as { services: Record<string, { environment?: Record<string, string | null> }> };
  const names = Object.keys(services).sort();
  return names.map((name) => {
    const set = Object.entries(services[name]?.environment ?? {}).filter((entry): entry is [string, string] => entry[1] !== null);
    return Object.fromEntries(set);
  });
}
