// A service that the site replaces by a server of its own: never started, never backed up, and always said so.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { rotate } from '../../src/commands/operator/rotate.ts';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { envValues, parseEnvFile } from '../../src/model/env-file.ts';
import { externalFeatures, externalVariables } from '../../src/model/external.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';
import { COMPOSE, type InstallStage, openInstallStage } from './install-stage.ts';

const SERVICES: Manifest['services'] = { db: { external: { ask: 'Use your own PostgreSQL?', variables: ['DATABASE_URL'] } } };
const ENV = externalVariables(SERVICES, {
  LEVEL: { default: 'info' },
  DATABASE_URL: { ask: 'Address of the database', type: 'url', sensitive: true },
  DB_PASSWORD: { secret: 'password', immutable: true, rotate: { service: 'db', command: ['rotate-password'] } },
});
const RELEASE: Partial<Manifest> = {
  services: SERVICES,
  features: externalFeatures(SERVICES),
  data: { pgdata: { backup: { service: 'db', dump: 'dump', restore: 'restore' } } },
  upgrade: {
    ...{ from: '>=0.0.0', stop: false, entry: [], timeout: 5, probation: 0 },
    migrate: [],
    health: [{ service: 'db', command: ['ready'], when: 'features.db=container' }],
  },
};
// biome-ignore-start lint/suspicious/noTemplateCurlyInString: Compose’s own grammar
const OWN_COMPOSE = COMPOSE.replace('  db:\n', '  db:\n    profiles: [db]\n')
  .replace('    env_file:\n      - ./env/api.env\n', '')
  .replace('${LEVEL:-info}"', '${LEVEL:-info}", URL: "${DATABASE_URL:-postgres://db/acme}"');
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: Compose’s own grammar
const OURS = 'postgres://acme:s3cret@db.site.example/acme';
let stage: InstallStage;

beforeEach(async () => {
  stage = await openInstallStage();
  await stage.release('1.0.0', ENV, RELEASE, OWN_COMPOSE);
});
afterEach(() => stage.close());

const profiles = async (): Promise<string | undefined> => envValues(parseEnvFile(await stage.read('.env'))).get('COMPOSE_PROFILES');
const runningServices = async (): Promise<string[]> =>
  ((await stage.operate(status, { offline: true })).fields.services as { name: string }[]).map(({ name }) => name);
const kinds = (result: { readonly fields: Readonly<Record<string, unknown>> }): string[] =>
  (result.fields.plan as { steps: { kind: string }[] }).steps.map(({ kind }) => kind);

describe('a service with `external`', () => {
  test('is a container like the others when nobody says otherwise, and its variables are not asked for', async () => {
    const terminal = scriptedTerminal(['', '']);
    await stage.install({}, { terminal });
    expect(terminal.shown()).toContain('Use your own PostgreSQL? (container, own) [container]');
    expect(terminal.shown()).not.toContain('Address of the database');
    expect([await runningServices(), await profiles()]).toEqual([['api', 'db', 'web'], 'db']);
    expect(stage.container('web').environment.URL).toBe('postgres://db/acme');
  });

  test('is left out when a person says that they have their own, and is asked for its address', async () => {
    const terminal = scriptedTerminal(['own', OURS, '']);
    await stage.install({}, { terminal });
    expect(await runningServices()).toEqual(['api', 'web']);
    expect(await profiles()).toBe('');
    expect(stage.container('web').environment.URL).toBe(OURS);
    expect(terminal.shown()).not.toContain('s3cret');
  });

  test('is left out for whoever names the server among the answers', async () => {
    const { fields } = await stage.install({ plan: true }, { env: { SLIPWAY_SET_DATABASE_URL: OURS } });
    expect((fields.plan as { notes: string[] }).notes).toContain(
      'db is your own server: no container of it runs here, and pgdata is not backed up by us',
    );
    await stage.install({}, { env: { SLIPWAY_SET_DATABASE_URL: OURS } });
    expect(await runningServices()).toEqual(['api', 'web']);
    expect((await stage.record()).volumes).toEqual({});
  });

  test('is refused without its address, before anything is there', async () => {
    await expect(stage.install({ set: ['FEATURES=db=own'] })).rejects.toMatchObject({
      code: 'E_ANSWER',
      message: expect.stringContaining('DATABASE_URL has no answer'),
    });
    await expect(stage.read('.env')).rejects.toThrow();
  });
});

describe('an install with its own server', () => {
  beforeEach(() => stage.install({}, { env: { SLIPWAY_SET_DATABASE_URL: OURS } }));

  test('is upgraded without a backup of what is not here, and keeps its choice', async () => {
    await stage.release('2.0.0', ENV, RELEASE, OWN_COMPOSE);
    const planned = await stage.operate(upgrade, { plan: true });
    expect(kinds(planned)).not.toContain('dump-data');
    expect(kinds(planned)).not.toContain('copy-data');
    expect(JSON.stringify(planned.fields.plan)).toContain('pgdata is not backed up by us');
    await stage.operate(upgrade);
    expect([await runningServices(), await profiles()]).toEqual([['api', 'web'], '']);
    expect(stage.container('web').environment.URL).toBe(OURS);
  });

  test('says so in status and doctor', async () => {
    const shown = await stage.operate(status, { offline: true });
    expect(shown.fields.ownServers).toEqual(['db']);
    expect(shown.text).toContain('db: your own server, not backed up by us');
    const findings = (await stage.operate(doctor)).fields.findings as { code: string; message: string }[];
    expect(findings.find(({ code }) => code === 'own-server')?.message).toContain('db is your own server');
    expect(findings.map(({ code }) => code)).not.toContain('service-missing');
  });

  test('does not rotate what only that server can change', async () => {
    await expect(stage.operate(rotate, {}, ['DB_PASSWORD'])).rejects.toMatchObject({
      code: 'E_POLICY',
      message: 'db is your own server, which takes no new DB_PASSWORD from here',
      hint: expect.stringContaining('DATABASE_URL'),
    });
  });

  test('goes back to the container on demand, and forgets the address', async () => {
    const planned = await stage.operate(configure, { set: ['FEATURES=db=container'], plan: true });
    expect(JSON.stringify(planned.fields.plan)).toContain('db is a container again: nothing is carried over from your server');
    await stage.operate(configure, { set: ['FEATURES=db=container'] });
    expect([await runningServices(), await profiles()]).toEqual([['api', 'db', 'web'], 'db']);
    expect(stage.container('web').environment.URL).toBe('postgres://db/acme');
    expect((await stage.operate(configure, { set: ['LEVEL=info'] })).fields.outcome).toBe('unchanged');
  });
});

test('a container that is replaced later stops, its volume stays, and the plan says that nothing is carried over', async () => {
  await stage.install();
  const planned = await stage.operate(configure, { plan: true }, [], { env: { SLIPWAY_SET_DATABASE_URL: OURS } });
  const { steps, notes } = planned.fields.plan as { steps: { kind: string; services?: string[] }[]; notes: string[] };
  expect(steps.find(({ kind, services: names }) => kind === 'stop-services' && names?.includes('db'))).toBeDefined();
  expect(notes).toContain('what the container of db holds stays on this machine, and is not carried over to your server');
  await stage.operate(configure, {}, [], { env: { SLIPWAY_SET_DATABASE_URL: OURS } });
  expect(await runningServices()).toEqual(['api', 'web']);
  expect(stage.password()).not.toBe('');
  expect(Object.keys((await stage.record()).volumes)).toEqual(['pgdata']);
});

describe('a probe of the own server', () => {
  const services: Manifest['services'] = { db: { external: { variables: ['DB_ADDRESS'] } } };
  const probed: Partial<Manifest> = {
    ...RELEASE,
    ...{ services, features: externalFeatures(services) },
    upgrade: {
      ...{ from: '>=0.0.0', stop: false, entry: [], timeout: 1, probation: 0, migrate: [] },
      health: [{ tcp: '{{DB_ADDRESS}}', when: 'features.db=own' }],
    },
  };

  test('judges the install: a server that does not answer undoes it, one that does is enough', async () => {
    await stage.close();
    stage = await openInstallStage();
    await stage.release('1.0.0', externalVariables(services, { DB_ADDRESS: {} }), probed, OWN_COMPOSE);
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await stage.install({ set: [`DB_ADDRESS=${address}`] });
    expect(await runningServices()).toEqual(['api', 'web']);
    server.close();
    await once(server, 'close');
    await stage.close();
    stage = await openInstallStage();
    await stage.release('1.0.0', externalVariables(services, { DB_ADDRESS: {} }), probed, OWN_COMPOSE);
    await expect(stage.install({ set: [`DB_ADDRESS=${address}`] })).rejects.toMatchObject({ code: 'E_STEP_FAILED' });
    await expect(stage.read('.env')).rejects.toThrow();
  });
});
