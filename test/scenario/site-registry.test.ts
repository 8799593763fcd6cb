// Images from the site's own registry: the same digests from another place, at install, at every upgrade, and back.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { diff } from '../../src/commands/operator/diff.ts';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { envValues, parseEnvFile } from '../../src/model/env-file.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { COMPOSE, IMAGES, type InstallStage, openInstallStage } from './install-stage.ts';

const NAMES = ['db', 'api', 'web'] as const;
const ENV: Manifest['env'] = { LEVEL: { default: 'info' } };
let [origin, mirror]: FakeRegistry[] = [];
let stage: InstallStage;
let digests: Readonly<Record<string, string>>;

const originOf = (name: string): string => `${origin?.host}/acme/${name}:1@${digests[name]}`;
const mirrorOf = (name: string): string => `${mirrorPlace()}/${name}:1@${digests[name]}`;
const mirrorPlace = (): string => `${mirror?.host}/site/acme`;

async function push(registry: FakeRegistry, repository: string, name: string): Promise<string> {
  return (await pushImage(registry, repository, { architecture: 'amd64', layers: [`layer of ${name}`], tag: '1' })).digest;
}

/** The next image of web, in both registries; gives its digest. */
async function pushNext(): Promise<string> {
  const image = { architecture: 'amd64', layers: ['layer of web 2'], tag: '2' } as const;
  const [{ digest }] = await Promise.all([
    pushImage(origin as FakeRegistry, 'acme/web', image),
    pushImage(mirror as FakeRegistry, 'site/acme/web', image),
  ]);
  return digest;
}

beforeEach(async () => {
  [origin, mirror] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  const pushed = NAMES.map(async (name) => {
    await push(mirror as FakeRegistry, `site/acme/${name}`, name);
    return [name, await push(origin as FakeRegistry, `acme/${name}`, name)] as const;
  });
  digests = Object.fromEntries(await Promise.all(pushed));
  const images = NAMES.flatMap((name) =>
    [originOf(name), mirrorOf(name)].map((pinned) => ({ id: digestOf(`config of ${name}`), pinned, program: name })),
  );
  images.push({ id: digestOf('config of web 2'), pinned: `${mirrorPlace()}/web:2@${await pushNext()}`, program: 'web' });
  stage = await openInstallStage({ images });
  await release('1.0.0');
});
afterEach(async () => {
  await Promise.all([stage.close(), origin?.close(), mirror?.close()]);
});

/** With a variable compose files name the registry by it. */
async function release(version: string, variable?: string, webs = `1@${digests.web}`): Promise<void> {
  const own = `${origin?.host}/acme`;
  const place = variable === undefined ? own : `\${${variable}:-${own}}`;
  const namesOf = (name: string): string => (name === 'web' ? webs : `1@${digests[name]}`);
  const compose = IMAGES.reduce(
    (text, { program, pinned }) => text.replace(pinned, `${place}/${program}:${namesOf(program)}`),
    COMPOSE.replace('    env_file:\n      - ./env/api.env\n', ''),
  );
  const images = NAMES.map((name) => {
    const [tag = '', digest = ''] = namesOf(name).split('@');
    return { name, reference: `${origin?.host}/acme/${name}:${tag}`, digest: digest as Digest, platforms: [], size: 1000 };
  });
  const registry = { registry: `${origin?.host}/acme`, ...(variable === undefined ? {} : { registryVariable: variable }) };
  const upgradeRules = { from: '>=0.0.0', stop: false, migrate: [], entry: [], timeout: 5, probation: 0, health: [] };
  const env = variable === undefined ? ENV : { ...ENV, [variable]: { group: 'Images' } };
  await stage.release(version, env, { images, ...registry, upgrade: upgradeRules }, compose);
}

const running = (): string[] => NAMES.map((name) => stage.container(name).image);
const fromMirror = (): string[] => NAMES.map(mirrorOf);
const fromOrigin = (): string[] => NAMES.map(originOf);

describe('install --registry', () => {
  test('runs the same digests from the site’s registry, which status names, and nothing counts as edited', async () => {
    await stage.install({ registry: mirrorPlace() });
    expect(running()).toEqual(fromMirror());
    expect(await stage.read('docker-compose.yml')).not.toContain(`${origin?.host}`);
    expect(origin?.requests.filter(({ method }) => method === 'HEAD')).toEqual([]);
    expect((await stage.record()).registry).toBe(mirrorPlace());
    const shown = await stage.operate(status, { offline: true });
    expect(shown.fields).toMatchObject({ registry: mirrorPlace(), localEdits: [] });
    expect(shown.text).toContain(`Images  from ${mirrorPlace()}`);
    expect((await stage.operate(diff)).text).toBe('no local changes\n');
    const findings = (await stage.operate(doctor)).fields.findings as { code: string }[];
    expect(findings.map(({ code }) => code)).not.toContain('image-override');
  });

  test('keeps what was signed beside it: the manifest and the shipped compose file', async () => {
    await stage.install({ registry: `${mirrorPlace()}/` });
    const manifest = JSON.parse(await stage.read('bundle.json')) as Manifest;
    expect(manifest.images.map(({ reference }) => reference)).toEqual(NAMES.map((name) => `${origin?.host}/acme/${name}:1`));
    const shipped = await stage.read('.slipway/releases/1.0.0/docker-compose.yml');
    expect(digestOf(shipped)).toBe(manifest.files.find(({ path }) => path === 'docker-compose.yml')?.sha256);
  });

  test('is refused before anything changes when images are missing there, all of them named with what brings them', async () => {
    mirror?.repositories.delete('site/acme/api');
    mirror?.repositories.delete('site/acme/web');
    await expect(stage.install({ registry: mirrorPlace() })).rejects.toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining(`${mirrorPlace()} lacks api:1, web:1`),
      hint: expect.stringContaining(`slipway images mirror --to ${mirrorPlace()}`),
    });
    await expect(stage.read('.slipway/install.json')).rejects.toThrow();
  });

  test.each(['https://mirror.example/acme', 'mirror.example/acme:1', 'acme', 'mirror.example/Acme'])(
    'refuses %s, which is no place',
    async (place) => {
      await expect(stage.install({ registry: place })).rejects.toMatchObject({
        code: 'E_USAGE',
        message: expect.stringContaining('--registry'),
      });
    },
  );
});

describe('an install with a registry of its own', () => {
  beforeEach(() => stage.install({ registry: mirrorPlace() }));

  test('keeps it through an upgrade', async () => {
    await release('2.0.0');
    await stage.operate(upgrade);
    expect(running()).toEqual(fromMirror());
    expect(await stage.record()).toMatchObject({ version: '2.0.0', registry: mirrorPlace() });
    expect((await stage.operate(diff)).text).toBe('no local changes\n');
  });

  test('keeps it when a release begins to name the registry by a variable', async () => {
    await release('2.0.0', 'ACME_REGISTRY');
    await stage.operate(upgrade);
    expect(running()).toEqual(fromMirror());
    expect(envValues(parseEnvFile(await stage.read('.env'))).get('ACME_REGISTRY')).toBe(mirrorPlace());
    expect(digestOf(await stage.read('docker-compose.yml'))).toBe(
      (JSON.parse(await stage.read('bundle.json')) as Manifest).files.find(({ path }) => path === 'docker-compose.yml')?.sha256,
    );
  });

  test.each([undefined, 'ACME_REGISTRY'])('takes single images of another release from it, too, with its variable %s', async (variable) => {
    if (variable !== undefined) {
      await release('1.1.0', variable);
      await stage.operate(upgrade);
    }
    await release('2.0.0', variable, `2@${await pushNext()}`);
    await stage.operate(upgrade, { 'images-only': true }, ['web']);
    expect(running()).toEqual([mirrorOf('db'), mirrorOf('api'), `${mirrorPlace()}/web:2@${await pushNext()}`]);
    expect((await stage.operate(diff)).text).not.toContain('docker-compose.yml');
    expect((await stage.operate(status, { offline: true })).fields).toMatchObject({ registry: mirrorPlace(), mixed: { web: '2.0.0' } });
    await stage.operate(configure, { set: ['LEVEL=debug'] });
    expect(running()[2]).toContain(`${mirrorPlace()}/web:2@`);
    await stage.operate(upgrade);
    expect(running()[2]).toContain(`${mirrorPlace()}/web:2@`);
    expect(await stage.record()).toMatchObject({ version: '2.0.0', registry: variable === undefined ? mirrorPlace() : expect.anything() });
    expect((await stage.record()).mixed).toBeUndefined();
  });

  test('does not begin an upgrade whose images are not there', async () => {
    await release('2.0.0');
    mirror?.repositories.delete('site/acme/api');
    stage.forget(mirrorOf('api'));
    await expect(stage.operate(upgrade)).rejects.toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringContaining('lacks api:1') });
    expect((await stage.record()).version).toBe('1.0.0');
  });

  test('goes back to the product’s own, and the plan says what changes', async () => {
    const planned = await stage.operate(configure, { registry: '', plan: true });
    expect(planned.fields.changes).toEqual([{ name: 'registry', from: mirrorPlace(), to: `${origin?.host}/acme` }]);
    await stage.operate(configure, { registry: '' });
    expect(running()).toEqual(fromOrigin());
    expect((await stage.record()).registry).toBeNull();
    expect((await stage.operate(configure, { registry: '' })).fields.outcome).toBe('unchanged');
    expect((await stage.operate(diff)).text).toBe('no local changes\n');
  });

  test('leaves a person’s change of the compose file alone, and says so before anything changes', async () => {
    const path = join(stage.root, 'docker-compose.yml');
    await writeFile(path, `${await readFile(path, 'utf8')}# mine\n`);
    await expect(stage.operate(configure, { registry: '' })).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(running()).toEqual(fromMirror());
  });

  test('is taken away with its images and its compose file', async () => {
    await stage.operate(uninstall);
    await expect(stage.read('docker-compose.yml')).rejects.toThrow();
    expect(stage.words()).toContain(mirrorOf('api'));
  });
});

describe('configure --registry', () => {
  test('moves a running install to the site’s registry, unless images are missing there', async () => {
    await stage.install();
    expect(running()).toEqual(fromOrigin());
    mirror?.repositories.delete('site/acme/db');
    await expect(stage.operate(configure, { registry: mirrorPlace() })).rejects.toMatchObject({ code: 'E_PREFLIGHT' });
    expect((await stage.record()).registry).toBeNull();
    await push(mirror as FakeRegistry, 'site/acme/db', 'db');
    expect((await stage.operate(configure, { registry: mirrorPlace() })).fields.outcome).toBe('configured');
    expect(running()).toEqual(fromMirror());
    await stage.operate(configure, { registry: '' });
    expect(running()).toEqual(fromOrigin());
    expect((await stage.operate(diff)).text).toBe('no local changes\n');
  });
});

describe('a product that names its registry by a variable', () => {
  beforeEach(() => release('1.1.0', 'ACME_REGISTRY'));

  test('takes the place as an answer like any other, and its compose file stays as it was shipped', async () => {
    await stage.install({ set: [`ACME_REGISTRY=${mirrorPlace()}`] });
    expect(running()).toEqual(fromMirror());
    expect(await stage.read('docker-compose.yml')).toContain(`\${ACME_REGISTRY:-${origin?.host}/acme}/api:1`);
    expect((await stage.operate(status, { offline: true })).fields.registry).toBe(mirrorPlace());
    await stage.operate(configure, { set: ['ACME_REGISTRY='] });
    expect(running()).toEqual(fromOrigin());
    expect((await stage.record()).registry).toBeNull();
  });

  test('takes --registry too, and a value that a person wrote into .env', async () => {
    await stage.install({ registry: mirrorPlace() });
    expect(running()).toEqual(fromMirror());
    const path = join(stage.root, '.env');
    await writeFile(path, (await readFile(path, 'utf8')).replace(/^ACME_REGISTRY=.*$/m, 'ACME_REGISTRY='));
    await release('2.0.0', 'ACME_REGISTRY');
    await stage.operate(upgrade);
    expect(running()).toEqual(fromOrigin());
  });
});
