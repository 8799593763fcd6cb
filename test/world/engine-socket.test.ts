// What is read from the engine's own socket. Rule: a real socket; whatever it does not answer well leaves the question to docker.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { AskEngine, RunResult } from '../../src/model/seams.ts';
import { openEngineSocket } from '../../src/world/engine-socket.ts';

const ENV = { PATH: '/usr/bin' };
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

describe('the socket that docker itself talks to', () => {
  test('is asked for what docker would be asked, and found once', async () => {
    const engine = await serve((request, response) => response.end(JSON.stringify({ asked: request.url })));
    const { ask, calls } = opened(`unix://${engine.path}\n`);
    expect(await ask('/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D', ENV)).toEqual({
      asked: '/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D',
    });
    const image = `/images/127.0.0.1:5000/acme/api:1.2.0@sha256:${'a'.repeat(64)}/json`;
    expect(await ask(image, ENV)).toEqual({ asked: image });
    expect(calls).toEqual([['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']]);
  });

  test('says null for what is not there', async () => {
    const engine = await serve((_, response) => response.writeHead(404).end('{"message":"No such container"}'));
    expect(await opened(`unix://${engine.path}`).ask('/containers/x/json', ENV)).toBeNull();
  });

  test('is found again for another environment, which may lead to another engine', async () => {
    const engine = await serve((_, response) => response.end('[]'));
    const { ask, calls } = opened(`unix://${engine.path}`);
    await ask('/volumes', ENV);
    await ask('/volumes', { ...ENV, DOCKER_HOST: 'unix:///elsewhere.sock' });
    expect(calls).toHaveLength(2);
  });

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ['fails', (_, response) => response.writeHead(500).end('{"message":"broken"}')],
    ['says what is no JSON', (_, response) => response.end('<html>')],
    ['hangs up', (request) => request.socket.destroy()],
    ['hangs up in the middle', (request, response) => void response.write('[{', () => request.socket.destroy())],
  ])('leaves the question to docker when it %s', async (_, answer) => {
    const engine = await serve(answer);
    expect(await opened(`unix://${engine.path}`).ask('/containers/json', ENV)).toBeUndefined();
  });

  test('leaves the question to docker when nobody listens', async () => {
    expect(await opened('unix:///nowhere/docker.sock').ask('/info', ENV)).toBeUndefined();
  });

  test.each([
    ['is on another machine', { code: 0, stdout: 'ssh://root@far\n', stderr: '' }],
    ['is reached over TCP', { code: 0, stdout: 'tcp://127.0.0.1:2375\n', stderr: '' }],
    ['is not docker, and knows no contexts', { code: 125, stdout: '', stderr: 'unrecognized command' }],
    ['says nothing', { code: 0, stdout: '', stderr: '' }],
  ])('is none where the engine %s', async (_, answer) => {
    expect(await opened(answer).ask('/info', ENV)).toBeUndefined();
  });

  test('is none where docker cannot be started', async () => {
    const ask = openEngineSocket(() => Promise.reject(new Error('docker is not installed')));
    expect(await ask('/info', ENV)).toBeUndefined();
  });

  test.each(['/containers/../info', '/containers/a b/json', '/containers/x?y/json#z', 'http://elsewhere/', '/images//json'])(
    'is not asked for %s, which no name leads to',
    async (path) => {
      const engine = await serve((_, response) => response.end('[]'));
      expect(await opened(`unix://${engine.path}`).ask(path, ENV)).toBeUndefined();
    },
  );
});

/** Whoever asks, and what docker was called with. */
function opened(context: string | RunResult): { readonly ask: AskEngine; readonly calls: (readonly string[])[] } {
  const calls: (readonly string[])[] = [];
  const ask = openEngineSocket(async (argv) => {
    calls.push(argv);
    return typeof context === 'string' ? { code: 0, stdout: context, stderr: '' } : context;
  });
  return { ask, calls };
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-engine-'));
  const path = join(folder, 'docker.sock');
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { path };
}
