// A static web server for a folder host, as it is on disk at each request. Rule: it serves what lies there, unless a test replaces one path.
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

export interface FolderServer {
  readonly url: string;
  readonly requests: readonly string[];
  /** Answers this path by hand, for example without an end. */
  readonly replace: (path: string, answer: (response: ServerResponse) => void) => void;
  readonly close: () => Promise<void>;
}

/** Serves `folder` on a free port of 127.0.0.1. */
export async function serveFolder(folder: string): Promise<FolderServer> {
  const requests: string[] = [];
  const replaced = new Map<string, (response: ServerResponse) => void>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').replace(/^\//, ''));
    requests.push(`${request.method} ${path}`);
    const by = replaced.get(path);
    if (by !== undefined) by(response);
    else void answer(join(folder, normalize(`/${path}`)), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    replace: (path, by) => replaced.set(path, by),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Bytes without end. */
export function endlessly(response: ServerResponse): void {
  const send = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 'x')));
  };
  response.on('drain', send);
  send();
}

async function answer(path: string, response: ServerResponse): Promise<void> {
  try {
    const bytes = await readFile(path);
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  } catch {
    response.writeHead(404).end('not here');
  }
}
