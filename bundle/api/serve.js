// Serves a table of routes over HTTP. Rule: the port is open from the start; what is not ready yet answers 503.
import { createServer } from 'node:http';
import { pool } from './database.js';
import { log } from './log.js';

const BODY_LIMIT = 1024 * 1024;

/** A refusal with its HTTP status. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Answers `METHOD /path` by `routes`; a trailing `*` takes one more path segment, which the route is given. */
export function serve(routes, port) {
  const server = createServer(async (request, response) => {
    const { status = 200, body } = await answer(routes, request).catch(failure);
    const type = Buffer.isBuffer(body)
      ? 'application/octet-stream'
      : typeof body === 'string'
        ? 'text/html; charset=utf-8'
        : 'application/json';
    response.writeHead(status, { 'content-type': type });
    response.end(type === 'application/json' ? `${JSON.stringify(body)}\n` : body);
  });
  server.listen(port, () => log('info', 'listening', { port }));
  process.once('SIGTERM', () => {
    server.close(() => pool.end().finally(() => process.exit(0)));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 2000).unref();
  });
}

async function answer(routes, request) {
  const path = new URL(request.url, 'http://localhost').pathname;
  const exact = routes[`${request.method} ${path}`];
  if (exact) return exact(await readBody(request));
  const cut = path.lastIndexOf('/') + 1;
  const open = routes[`${request.method} ${path.slice(0, cut)}*`];
  if (open) return open(await readBody(request), decodeURIComponent(path.slice(cut)));
  throw new Refusal(404, `nothing at ${request.method} ${path}`);
}

async function readBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_LIMIT) throw new Refusal(413, `at most ${BODY_LIMIT} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function failure(error) {
  if (error instanceof Refusal) return { status: error.status, body: { error: error.message } };
  log('warn', 'request failed', { reason: error.message });
  return { status: 503, body: { error: error.message } };
}
