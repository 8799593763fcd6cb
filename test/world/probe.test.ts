// What a door may do to whoever asks whether it is well. Rule: every door gets an answer in words or none at all, in five seconds, also one that breaks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { probeHttp } from '../../src/world/probe.ts';

/** A door that does this with each connection; its address. */
async function open(meet: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    meet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/health`;
}

/** Answers each question with these bytes, and leaves the connection as it is. */
const saying = (text: string) => (socket: Socket) => void socket.on('data', () => socket.write(text));
const ask = (url: string, json = {}): Promise<string | undefined> => probeHttp({ url, status: 200, json });
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"ready": true}';

test('a door that answers as it should is well, and each question comes over a connection of its own', async () => {
  let connections = 0;
  const url = await open((socket) => {
    connections += 1;
    saying(OK)(socket);
  });
  expect([await ask(url), await ask(url, { ready: true })]).toEqual([undefined, undefined]);
  expect(connections).toBe(2);
});

test('another status, another field, and what is no JSON are told', async () => {
  const url = await open(saying(OK));
  expect(await probeHttp({ url, status: 204, json: {} })).toBe(`${url} answers 200, not 204`);
  expect(await ask(url, { 'ready.at': 3 })).toBe(`${url}: ready.at is undefined, not 3`);
  const plain = await open(saying('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  expect(await ask(plain, { ready: true })).toBe(`${plain} does not answer JSON`);
});

test('a redirection is an answer, and is not followed', async () => {
  const url = await open(saying('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'));
  expect(await ask(url)).toBe(`${url} answers 302, not 200`);
});

test.each<[string, (socket: Socket) => void]>([
  ['closes at once', (socket) => void socket.destroy()],
  ['resets at once', (socket) => void socket.resetAndDestroy()],
  ['ends without a word', (socket) => void socket.end()],
  ['closes when it is asked', (socket) => void socket.on('data', () => socket.destroy())],
  [
    'closes in the middle of its answer',
    (socket) => void socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')),
  ],
  ['says something else than HTTP', saying('SSH-2.0-door\r\n')],
])('a door that %s does not answer', async (_, meet) => {
  const url = await open(meet);
  expect(await ask(url)).toMatch(/^http:\S+ does not answer: /);
});

test.each<[string, (socket: Socket) => void]>([
  ['says nothing', () => undefined],
  ['never comes to the end of its answer', saying('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')],
])('a door that %s does not answer within five seconds', async (_, meet) => {
  const url = await open(meet);
  const begun = Date.now();
  expect(await ask(url)).toBe(`${url} does not answer: nothing came within 5 seconds`);
  expect(Date.now() - begun).toBeLessThan(8000);
});

// Node.js 20's own fetch waits for ever then, and lets its process end meanwhile.
test.each(['destroy', 'resetAndDestroy', 'end'])(
  'a door that is gone (%s) before anybody looks at its connection does not answer',
  async (how) => {
    const program = `require('node:net').createServer((socket) => socket.on('error', () => {}).${how}())
    .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
    const door = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void door.kill());
    const [port] = (await once(door.stdout, 'data')) as [Buffer];
    const asked = ask(`http://127.0.0.1:${String(port).trim()}/health`);
    for (let turn = 0; turn < 8; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const until = Date.now() + 20; Date.now() < until; ); // a machine that is busy
    }
    expect(await asked).toMatch(/does not answer: /);
  },
);

test('an answer without an end is cut off, and judged by its status', async () => {
  const url = await open((socket) => {
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const pour = (): void => void socket.write('x'.repeat(65536), (error) => error ?? setImmediate(pour));
      pour();
    });
  });
  expect(await ask(url)).toBeUndefined();
});

test('a door that nobody keeps does not answer', async () => {
  expect(await ask('http://127.0.0.1:1/')).toMatch(/does not answer: .*ECONNREFUSED/);
});
