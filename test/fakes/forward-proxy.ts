// A company's proxy on 127.0.0.1, and behind it a server with a name and a certificate of its own. Rule: it connects as asked or says no; it reads nothing.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import { listen } from './http-server.ts';

/** The name of the server behind the proxy. */
export const PROXIED_HOST = 'forge.test';

export interface ForwardProxy {
  /** `host:port` of the proxy. */
  readonly address: string;
  /** What it was asked to connect to. */
  readonly asked: readonly string[];
  /** A client's environment: the proxy with a login, and the authority that signed the server's certificate. */
  readonly env: { readonly HTTPS_PROXY: string; readonly SSL_CERT_FILE: string };
}

/** Starts a proxy in front of the plain server on this port of 127.0.0.1, until the test ends; `refuse` = the status it answers instead. */
export async function startForwardProxy(port: number, refuse?: number): Promise<ForwardProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-proxy-'));
  const inner = await serveEncrypted(folder, port);
  const asked: string[] = [];
  const server = createServer((_, response) => response.writeHead(400).end());
  server.on('connect', (request, client) => {
    asked.push(request.url ?? '');
    client.on('error', () => undefined);
    if (refuse !== undefined) return void client.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
    const far = connect(inner, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.pipe(client).pipe(far);
    });
    far.on('error', () => client.destroy());
  });
  const address = await listen(server);
  return { address, asked, env: { HTTPS_PROXY: `http://me:proxy-password@${address}`, SSL_CERT_FILE: join(folder, 'cert.pem') } };
}

/** TLS in front of a plain server. */
async function serveEncrypted(folder: string, port: number): Promise<number> {
  const subject = ['-subj', `/CN=${PROXIED_HOST}`, '-addext', `subjectAltName=DNS:${PROXIED_HOST}`];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, ...files], { stdio: 'ignore' });
  const options = { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) };
  const server = createTlsServer(options, (client) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [client, far]) socket.on('error', () => far.destroy());
    far.pipe(client).pipe(far);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
