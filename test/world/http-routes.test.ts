import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpRequest, openHttp } from '../../src/world/http.ts';
import { failure } from '../failure.ts';
import { listen, serve } from '../fakes/http-server.ts';
import { testHttpWorld } from '../fakes/http-world.ts';

const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({ url, maxBytes: 10_000, ...more });

describe('TLS and proxies', () => {
  let folder: string;
  const inFolder = (name: string): string => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-tls-'));
    const subject = ['-subj', '/CN=registry.test', '-addext', 'subjectAltName=DNS:registry.test,IP:127.0.0.1'];
    const files = ['-keyout', inFolder('key.pem'), '-out', inFolder('cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], { stdio: 'ignore' });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const serveTls = (): Promise<string> => {
    const options = { key: readFileSync(inFolder('key.pem')), cert: readFileSync(inFolder('cert.pem')) };
    return listen(createTlsServer(options, (_, response) => response.end('encrypted')) as unknown as Server);
  };

  /** A CONNECT proxy that takes every name for `target`. */
  const serveProxy = async (target: string, connects: string[], login?: string): Promise<string> => {
    const server = createServer();
    server.on('connect', (request, client) => {
      connects.push(request.url ?? '');
      client.on('error', () => undefined);
      if (login !== undefined && request.headers['proxy-authorization'] !== login) {
        client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        return;
      }
      const upstream = connect(Number(target.split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
    });
    return listen(server);
  };

  it('a certificate of an unknown authority is refused, with the way out', async () => {
    const host = await serveTls();
    const error = await failure(openHttp(testHttpWorld()).request(get(`https://${host}/`)));
    expect(error.message).toContain('its certificate is not trusted');
    expect(error.hint).toContain('SSL_CERT_FILE');
  });

  it('SSL_CERT_FILE makes a private authority trusted', async () => {
    const host = await serveTls();
    const http = openHttp(testHttpWorld({ env: { SSL_CERT_FILE: inFolder('cert.pem') } }));
    expect((await http.request(get(`https://${host}/`))).body.toString()).toBe('encrypted');
    await http.close();
  });

  it('SSL_CERT_FILE that cannot be read is named', async () => {
    const http = openHttp(testHttpWorld({ env: { SSL_CERT_FILE: inFolder('absent.pem') } }));
    expect(await failure(http.request(get('https://registry.test/')))).toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('absent.pem'),
    });
  });

  it('HTTPS_PROXY is used with its login, and this machine is reached directly', async () => {
    const target = await serveTls();
    const connects: string[] = [];
    const proxy = await serveProxy(target, connects, `Basic ${Buffer.from('me:pass').toString('base64')}`);
    const env = { SSL_CERT_FILE: inFolder('cert.pem'), HTTPS_PROXY: `http://me:pass@${proxy}` };
    const http = openHttp(testHttpWorld({ env }));
    expect((await http.request(get('https://registry.test/'))).body.toString()).toBe('encrypted');
    expect((await http.request(get(`https://${target}/`))).body.toString()).toBe('encrypted');
    expect(connects).toEqual(['registry.test:443']);
    await http.close();
  });

  it('a proxy that refuses is named in the hint, its password is not', async () => {
    const proxy = await serveProxy('127.0.0.1:1', [], 'Basic other');
    const http = openHttp(testHttpWorld({ env: { https_proxy: `http://me:hidden@${proxy}` } }));
    const error = await failure(http.request(get('https://registry.test/')));
    expect(error.hint).toContain('HTTPS_PROXY');
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('hidden');
    await http.close();
  });

  it('NO_PROXY goes around the proxy', async () => {
    const connects: string[] = [];
    const proxy = await serveProxy('127.0.0.1:1', connects);
    const http = openHttp(testHttpWorld({ env: { HTTPS_PROXY: proxy, NO_PROXY: 'invalid' } }));
    const error = await failure(http.request(get('https://registry.invalid/')));
    expect(error.message).toBe('registry.invalid: no such host');
    expect(connects).toEqual([]);
    await http.close();
  });

  it('a port that does not speak TLS is named as that', async () => {
    const host = await serve((_, response) => response.end());
    const error = await failure(openHttp(testHttpWorld()).request(get(`https://${host}/`)));
    expect(error.message).toBe(`${host}: it does not speak TLS there`);
  });
});
