// Servers on 127.0.0.1 that end with the test that started them.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Starts an HTTP server; returns `host:port`. */
export async function serve(handle: RequestListener): Promise<string> {
  return listen(createServer(handle));
}

/** Lets a server listen on a free port until the test ends; returns `host:port`. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
