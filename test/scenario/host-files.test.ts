// Files that are rendered on the host. Rule: they follow the answers and the templates, and what a person wrote into one stays theirs.
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { diff } from '../../src/commands/operator/diff.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { parseManifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import { COMPOSE, type InstallStage, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';

const SITE = 'site/api.conf';
const TEMPLATE = 'listen {{PORT}};\nlabel "{{ $labels.instance }}";\n';
const HOST: Partial<Manifest> = {
  env: { ...PRODUCT.env, WORKERS: { type: 'integer', default: '2' } },
  features: { mail: { ask: 'Mail?', profiles: [], default: false } },
  hostFiles: [
    { path: SITE, template: 'templates/api.conf.tmpl', mode: '0644' },
    { path: 'site/db.conf', template: 'templates/db.conf.tmpl', mode: '0600' },
    { path: 'site/mail.conf', template: 'templates/api.conf.tmpl', mode: '0644', when: 'features.mail' },
  ],
};
let stage: InstallStage;

const files = (template = TEMPLATE): Record<string, string> => ({
  ...PRODUCT_FILES,
  'docker-compose.yml': COMPOSE.replace('./configs:/etc/api:ro', './site:/etc/site:ro'),
  'templates/api.conf.tmpl': template,
  'templates/db.conf.tmpl': 'password {{DB_PASSWORD}}\n',
});
const read = (path: string): Promise<string> => readFile(join(stage.root, path), 'utf8');
const container = (service: string): string =>
  [...stage.engine.state().containers.values()].find(({ labels }) => labels['com.docker.compose.service'] === service)?.id ?? '';

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', HOST, files());
});

describe('a file rendered on the host', () => {
  test('is made of the answers at install, in its place and with its mode, and counts as untouched', async () => {
    const planned = await stage.install({ plan: true });
    expect(planned.text).toContain(SITE);
    await stage.install();
    expect(await read(SITE)).toBe('listen 18080;\nlabel "{{ $labels.instance }}";\n');
    const secret = /^DB_PASSWORD=(.*)$/m.exec(await read('.env'))?.[1] ?? 'none';
    expect(await read('site/db.conf')).toBe(`password ${secret}\n`);
    expect((await stat(join(stage.root, 'site/db.conf'))).mode & 0o777).toBe(0o600);
    expect(existsSync(join(stage.root, 'site/mail.conf'))).toBe(false);
    expect((await stage.run(diff)).fields).toMatchObject({ files: [] });
    expect(JSON.stringify(planned)).not.toContain(secret);
  });

  test('follows other answers and features at configure, and only the services that see it are made anew', async () => {
    await stage.install();
    const [api, db] = [container('api'), container('db')];
    await stage.run(configure, { yes: true, set: ['WORKERS=3'] });
    expect([container('api'), container('db')]).toEqual([api, db]);
    await stage.run(configure, { yes: true, set: ['PORT=18081', 'FEATURES=mail'] });
    expect(await read(SITE)).toContain('listen 18081;');
    expect(await read('site/mail.conf')).toContain('listen 18081;');
    expect(container('api')).not.toBe(api);
    expect(container('db')).toBe(db);
    await stage.run(configure, { yes: true, set: ['FEATURES='] });
    expect(existsSync(join(stage.root, 'site/mail.conf'))).toBe(false);
    expect((await stage.run(status, { offline: true })).fields).toMatchObject({ localEdits: [] });
  });

  test('follows a value that a person wrote into .env when configure is called', async () => {
    await stage.install();
    await writeFile(join(stage.root, '.env'), (await read('.env')).replace('PORT=18080', 'PORT=18099'));
    expect((await stage.run(configure, { yes: true, set: ['WORKERS=2'] })).fields).toMatchObject({ outcome: 'configured' });
    expect(await read(SITE)).toContain('listen 18099;');
    expect((await stage.run(configure, { yes: true, set: ['WORKERS=2'] })).fields).toMatchObject({ outcome: 'unchanged' });
  });

  test('follows the next release’s template, and a failed upgrade puts its bytes back', async () => {
    await stage.install();
    await stage.publish('2.0.0', { ...HOST, upgrade: { ...UPGRADE, health: [{ tcp: '127.0.0.1:1' }] } }, files('port {{PORT}};\n'));
    await failure(stage.run(upgrade, { yes: true }));
    expect(await read(SITE)).toBe('listen 18080;\nlabel "{{ $labels.instance }}";\n');
    await stage.publish('3.0.0', HOST, files('port {{PORT}};\n'));
    await stage.run(upgrade, { yes: true });
    expect(await read(SITE)).toBe('port 18080;\n');
    expect((await stage.run(status, { offline: true })).fields).toMatchObject({ version: '3.0.0', localEdits: [] });
    await stage.run(restore, { yes: true });
    expect(await read(SITE)).toBe('listen 18080;\nlabel "{{ $labels.instance }}";\n');
    expect((await stage.run(diff)).fields).toMatchObject({ files: [] });
  });

  test('that a person changed is told by diff, kept by an upgrade that leaves it alone, and never overwritten', async () => {
    await stage.install();
    await writeFile(join(stage.root, SITE), 'mine\n');
    expect((await stage.run(diff)).fields).toMatchObject({ files: [{ path: SITE, change: 'edited' }] });
    await stage.publish('2.0.0', HOST, files());
    await stage.run(upgrade, { yes: true });
    expect(await read(SITE)).toBe('mine\n');
    expect(await failure(stage.run(configure, { yes: true, set: ['PORT=18081'] }))).toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringContaining(SITE),
    });
    await stage.publish('3.0.0', HOST, files('port {{PORT}};\n'));
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({ code: 'E_CONFLICT' });
    expect(await read(SITE)).toBe('mine\n');
    expect(await read('.env')).toContain('PORT=18080');
  });

  test('goes with the release when it is dropped or uninstalled, unless a person changed it', async () => {
    await stage.install();
    await stage.publish('2.0.0', { ...HOST, hostFiles: HOST.hostFiles?.slice(0, 1) ?? [] }, files());
    await stage.run(upgrade, { yes: true });
    expect(existsSync(join(stage.root, 'site/db.conf'))).toBe(false);
    await stage.run(uninstall, { yes: true });
    expect(existsSync(join(stage.root, SITE))).toBe(false);
    await stage.install();
    await writeFile(join(stage.root, SITE), 'mine\n');
    const gone = await stage.run(uninstall, { yes: true });
    expect(gone.text).toContain(`${SITE}: it is yours`);
    expect(await read(SITE)).toBe('mine\n');
  });

  test('is made from the signed template: a changed pristine copy is refused', async () => {
    await stage.install();
    await writeFile(join(stage.root, '.slipway/releases/1.0.0/templates/api.conf.tmpl'), 'evil {{PORT}}\n');
    expect(await failure(stage.run(configure, { yes: true, set: ['PORT=18081'] }))).toMatchObject({ code: 'E_DIGEST' });
    expect(await read(SITE)).toContain('listen 18080;');
  });
});

const UPGRADE = { from: '>=1.0.0', stop: false, entry: [], timeout: 1, probation: 0, migrate: [], health: [] };

describe('a manifest', () => {
  const manifest = async (file: object): Promise<unknown> => {
    const { listed } = await import('../../src/model/seal.ts');
    const built = await stage.publish('9.0.0', HOST, files());
    const text = JSON.stringify(
      listed({ ...built, hostFiles: [{ path: SITE, template: 'templates/api.conf.tmpl', mode: '0644', ...file }] }),
    );
    return failure((async () => parseManifest(text))());
  };

  test.each([
    ['out of the folder', { path: '../../etc/cron.d/x' }],
    ['to an absolute place', { path: '/etc/cron.d/x' }],
    ['over the install’s own files', { path: '.slipway/install.json' }],
    ['over the settings', { path: '.env' }],
    ['over a file of the bundle', { path: 'configs/api.conf' }],
    ['from what is not in the bundle', { template: 'nowhere' }],
    ['for everybody to write', { mode: '0666' }],
    ['with the rights of its owner', { mode: '4755' }],
  ])('that renders a file %s is refused', async (_, file) => {
    expect(await manifest(file)).toMatchObject({ code: 'E_FORMAT' });
  });
});
