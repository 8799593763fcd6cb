// Debian's docker-registry on 127.0.0.1, started for one test file. Rule: no fake; it ends with the test.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface DockerRegistry {
  readonly host: string;
  /** Where it keeps the bytes of a blob. */
  readonly blobFile: (digest: string) => string;
  readonly close: () => Promise<void>;
}

/** Storage in memory, where there is such a folder: its fsyncs are not what is tested. */
const MEMORY = '/dev/shm';

/** bcrypt of `right horse`. */
export const REGISTRY_LOGIN = { username: 'reader', password: 'right horse' };
const HTPASSWD = 'reader:$2y$05$abcdefghijklmnopqrstuuB05BVy0V7KomGh8K56xgiHLq3Wkqh46\n';

/** True when the program is installed; a machine that tests for others (CI=true) must have it. */
export function hasDockerRegistry(): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'docker-registry')));
}

/** Starts the registry and waits until it answers. */
export async function startDockerRegistry({ login = false } = {}): Promise<DockerRegistry> {
  const folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'slipway-registry-'));
  const port = await freePort();
  await writeFile(join(folder, 'htpasswd'), HTPASSWD);
  await writeFile(join(folder, 'registry.yml'), configuration(folder, port, login));
  const child = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], { stdio: 'ignore', env: { PATH: process.env.PATH } });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const host = `127.0.0.1:${port}`;
  await untilItAnswers(host);
  return {
    host,
    blobFile: (digest) => {
      const hex = digest.slice('sha256:'.length);
      return join(folder, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    },
    close: async () => {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, port: number, login: boolean): string {
  const auth = login ? `auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}\n` : '';
  const storage = `storage: {filesystem: {rootdirectory: ${folder}/data}}\n`;
  return `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n${storage}${auth}http: {addr: "127.0.0.1:${port}"}\n`;
}

/** Waits until something answers there. */
export async function untilItAnswers(host: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer !== undefined) return;
    await wait(100);
  }
  throw new Error(`nothing answers on ${host}`);
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
