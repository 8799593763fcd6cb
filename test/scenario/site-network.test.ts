// A site behind a proxy with certificates of its own: said once, used by every later command, and its password never shown.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { inKeptNetwork } from '../../src/commands/operator/site-network.ts';
import { status } from '../../src/commands/operator/status.ts';
import { supportBundle } from '../../src/commands/operator/support-bundle.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { type FolderServer, serveFolder } from '../fakes/folder-server.ts';
import { type ForwardProxy, PROXIED_HOST, startForwardProxy } from '../fakes/forward-proxy.ts';
import { type InstallStage, openInstallStage } from './install-stage.ts';

const ENV: Manifest['env'] = { LEVEL: { default: 'info' }, NAME: { file: 'env/api.env', default: 'x' } };
const PLACE = `https://${PROXIED_HOST}`;
const env = { PATH: process.env.PATH };
let stage: InstallStage;
let server: FolderServer;
let proxy: ForwardProxy;
let answers: string;

beforeEach(async () => {
  stage = await openInstallStage();
  await stage.release('1.0.0', ENV);
  server = await serveFolder(stage.host);
  proxy = await startForwardProxy(Number(new URL(server.url).port));
  answers = join(stage.host, '..', 'answers');
  await writeFile(
    answers,
    `HTTPS_PROXY=${proxy.env.HTTPS_PROXY}\nNO_PROXY=registry.test\nCA_FILE=${proxy.env.SSL_CERT_FILE}\nLEVEL=warn\n`,
  );
});
afterEach(async () => {
  await server.close();
  await stage.close();
});

const install = (): ReturnType<InstallStage['install']> => stage.install({ answers, releases: [PLACE] }, { env });

describe('proxy and certificates among the answers', () => {
  test('are used for this install and kept for upgrades whose environment has none, such as a timer’s', async () => {
    await install();
    expect(proxy.asked).toContain(`${PROXIED_HOST}:443`);
    expect(await stage.read('.env')).not.toMatch(/PROXY|CA_FILE/);
    await stage.release('2.0.0', ENV);
    await expect(stage.operate(upgrade, {}, [], { env })).rejects.toMatchObject({ code: 'E_NETWORK' });
    await stage.operate(inKeptNetwork(upgrade), {}, [], { env });
    expect((await stage.record()).version).toBe('2.0.0');
    expect((await stage.record()).network).toMatchObject({ HTTPS_PROXY: proxy.env.HTTPS_PROXY });
  });

  test('are shown without the proxy’s login, and stand where only the owner reads', async () => {
    const planned = await stage.install({ answers, releases: [PLACE], plan: true }, { env });
    const done = await install();
    const shown = await stage.operate(inKeptNetwork(status), {}, [], { env });
    const found = await stage.operate(inKeptNetwork(doctor), {}, [], { env });
    const out = join(stage.host, '..', 'support.tar.gz');
    await stage.operate(inKeptNetwork(supportBundle), { out }, [], { env });
    expect(shown.text).toContain(`Fetched  through ${proxy.address} (not registry.test), with certificates of your own`);
    expect(found.text).toContain(`releases are fetched through ${proxy.address}`);
    for (const text of [JSON.stringify([planned, done, shown, found]), gunzipSync(await readFile(out)).toString('latin1'), stage.words()])
      expect(text).not.toContain('proxy-password');
    expect(await stage.mode('.slipway/install.json')).toBe(0o600);
  });

  test('give way to what the environment says', async () => {
    await install();
    const other = await startForwardProxy(Number(new URL(server.url).port), 407);
    const { fields, text } = await stage.operate(inKeptNetwork(status), {}, [], { env: { ...env, https_proxy: other.env.HTTPS_PROXY } });
    expect(other.asked).toContain(`${PROXIED_HOST}:443`);
    expect([fields.available, text.includes('not known')]).toEqual([[], true]);
  });
});

describe('configure', () => {
  test('changes them without touching a container, and tells old and new without the login', async () => {
    await install();
    const before = stage.container('web').id;
    const { fields } = await stage.operate(inKeptNetwork(configure), { proxy: '', 'no-proxy': '' }, [], { env });
    expect(fields.changes).toEqual([
      {
        name: 'network',
        from: `through ${proxy.address} (not registry.test), with certificates of your own`,
        to: 'with certificates of your own',
      },
    ]);
    await stage.operate(inKeptNetwork(configure), { ca: '' }, [], { env });
    expect((await stage.record()).network).toEqual({});
    expect((await stage.operate(inKeptNetwork(configure), { ca: '' }, [], { env })).fields.outcome).toBe('unchanged');
    expect(stage.container('web').id).toBe(before);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a login among the arguments', { proxy: 'http://me:word@proxy.example:3128' }, 'no argument'],
    ['what is no address', { proxy: 'proxy example' }, 'is not the address of a proxy'],
    ['another kind of proxy', { proxy: 'socks5://proxy.example:1080' }, 'is not the address of a proxy'],
    ['a file that is not there', { ca: '/nowhere/ca.pem' }, 'cannot read the certificates'],
    ['a file without certificates', { ca: '/etc/hostname' }, 'holds none'],
  ])('refuses %s', async (_, flags, message) => {
    await install();
    const refused = stage.operate(configure, flags as Record<string, string>, [], { env });
    await expect(refused).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining(message) });
  });
});
