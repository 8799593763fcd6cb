import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { type Fault, type FaultServer, listen, serveFiles, stop } from '../fakes/fault-server.ts';
import { isThere, OPERATOR_PATH, RELEASE_FILES, Stage } from './stage.ts';

const BASE = ['uname', 'mktemp', 'rm', 'cat', 'wc', 'cp', 'sleep', 'sha256sum', 'node'];

/** An https server with an authority of its own; `authority` is the file that a client has to trust. */
async function secureServer(
  context: TestContext,
  stage: Stage,
  fault: Fault = 'none',
): Promise<FaultServer & { readonly authority: string }> {
  const [key, authority] = [join(stage.root, 'key.pem'), join(stage.root, 'cert.pem')];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=test'];
  spawnSync('openssl', [...args, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', authority]);
  const tls = { key: await readFile(key, 'utf8'), cert: await readFile(authority, 'utf8') };
  const server = await serveFiles(RELEASE_FILES, fault, { tls });
  context.onTestFinished(() => server.close());
  return { ...server, authority };
}

/** A proxy that connects as asked and writes down where to. */
async function proxyServer(context: TestContext): Promise<{ readonly url: string; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer((_, response) => response.writeHead(500).end());
  server.on('connect', (request, client, head) => {
    asked.push(request.url ?? '');
    const [host, port] = (request.url ?? '').split(':');
    const far = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      far.write(head);
      far.pipe(client).pipe(far);
    });
    for (const socket of [far, client]) socket.on('error', () => far.destroy());
  });
  const port = await listen(server);
  context.onTestFinished(() => stop(server));
  return { url: `http://127.0.0.1:${port}`, asked };
}

describe.skipIf(!isThere('openssl')).each(['curl', 'wget'])('https by %s', (program) => {
  const there = isThere(program);

  it.skipIf(!there)('is used with the authorities of SSL_CERT_FILE, and refused without them', async (context) => {
    const stage = await Stage.for(context);
    const server = await secureServer(context, stage);
    const env = { PATH: await stage.path(...BASE, program), SLIPWAY_RELEASES: server.url };
    expect(await stage.run({ env })).toMatchObject({ code: 5, operator: undefined, left: [] });
    expect(await stage.run({ env: { ...env, SSL_CERT_FILE: server.authority } })).toMatchObject({ code: 0, left: [] });
  });

  it.skipIf(!there)('goes through HTTPS_PROXY, except for the hosts of NO_PROXY', async (context) => {
    const stage = await Stage.for(context);
    const server = await secureServer(context, stage);
    const proxy = await proxyServer(context);
    const own = { PATH: await stage.path(...BASE, program), SSL_CERT_FILE: server.authority };
    const env = { ...own, SLIPWAY_RELEASES: server.url, HTTPS_PROXY: proxy.url };
    expect(await stage.run({ env })).toMatchObject({ code: 0, left: [] });
    expect(proxy.asked).toEqual([server.url.replace('https://', '')]);
    expect(await stage.run({ env: { ...env, NO_PROXY: '127.0.0.1' } })).toMatchObject({ code: 0, left: [] });
    expect(proxy.asked).toHaveLength(1);
  });

  it.skipIf(!there)('is not asked for plain http on this very host', async (context) => {
    const stage = await Stage.for(context);
    const server = await serveFiles(RELEASE_FILES);
    context.onTestFinished(() => server.close());
    const proxies = { http_proxy: 'http://127.0.0.1:1', HTTPS_PROXY: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1' };
    const env = { PATH: await stage.path(...BASE, program), SLIPWAY_RELEASES: server.url, ...proxies };
    expect(await stage.run({ env })).toMatchObject({ code: 0, left: [] });
  });
});

describe.skipIf(!isThere('openssl') || !isThere('curl'))('a redirect', () => {
  it('from https to plain http is refused by curl', async (context) => {
    const stage = await Stage.for(context);
    const plain = await serveFiles(RELEASE_FILES);
    context.onTestFinished(() => plain.close());
    const server = await secureServer(context, stage, { redirect: `${plain.url}${OPERATOR_PATH}` });
    const outcome = await stage.run({ env: { SLIPWAY_RELEASES: server.url, SSL_CERT_FILE: server.authority } });
    expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [] });
    expect(plain.requests).toEqual([]);
  });
});
