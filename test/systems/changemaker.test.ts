// The largest of the systems from end to end: packed, published to its Gitea, installed on a machine without a terminal, and upgraded to a release that asks
// for more. Rule: the real commands on the real product file; forge, registry and engine are of this process.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { install } from '../../src/commands/operator/install.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import { freePort } from '../fakes/docker-registry.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { ends, type Machine, newMachine, RUNS } from './machine.ts';
import { openSystem, releaseOf, type System } from './stage.ts';

const FEATURES = 'newsletter,media,automation,events,chat,meetings,vault,tools,analytics,monitoring,tunnel=pangolin';
let registry: FakeRegistry;
let gitea: FakeGitea;
let api: Server;
let system: System;
let machine: Machine;
let answers: string[];

beforeAll(async () => {
  [registry, gitea] = [await startFakeRegistry(), await startGitea()];
  api = createServer((_, response) => response.end('{"status":"ok"}')).listen(0, '127.0.0.1');
  answers = [
    ...[`FEATURES=${FEATURES}`, 'DOMAIN=campaign.example', 'INITIAL_ADMIN_EMAIL=admin@campaign.example', 'JVB_ADVERTISE_IP=192.0.2.7'],
    ...['PANGOLIN_ENDPOINT=https://tunnel.example', 'PANGOLIN_NEWT_ID=site-7', 'PANGOLIN_NEWT_SECRET=newt-secret'],
    ...[`HTTP_PORT=${await freePort()}`, `API_PORT=${(api.address() as AddressInfo).port}`],
  ];
  system = await openSystem('changemaker', { registry, forge: gitea.url });
  const programs = { alpine: ends(), api: ends(0, ['npx']), gateway: ends(0, ['nginx']), postgres: RUNS, redis: RUNS };
  machine = await newMachine({ name: 'changemaker-lite', operator: system.operator, programs });
});
afterAll(async () => {
  api.close();
  await Promise.all([registry.close(), gitea.close()]);
});

const at = (path: string): string => join(machine.root, path);

async function release(version: string): Promise<Manifest> {
  const manifest = await releaseOf(system, registry, `v${version}`, (commit) => gitea.state.commits.add(commit));
  machine.learn(manifest);
  return manifest;
}

describe('Changemaker Lite, from its own Gitea', () => {
  test('installs with all features on and nobody at a terminal: 40 images by digest, 145 variables, every secret made on the machine', async () => {
    const manifest = await release('2.9.10');
    expect([manifest.images.length, Object.keys(manifest.env).length]).toEqual([40, 145]);
    const flags = { product: 'changemaker-lite', releases: [`${gitea.url}/acme/acme`], set: answers };
    const { fields } = await machine.operate(install, flags);
    expect(fields).toMatchObject({ outcome: 'installed', version: '2.9.10' });
    const services = machine.running();
    expect(services).toHaveLength(39); // the job that sets owners has ended
    expect(services).toEqual(expect.arrayContaining(['v2-postgres', 'api', 'nginx', 'rocketchat', 'jvb', 'newt', 'grafana']));
    const values = await machine.settings();
    const secrets = Object.entries(manifest.env).filter(([, { secret }]) => secret !== undefined);
    expect(secrets.length).toBeGreaterThan(25);
    expect(secrets.filter(([name]) => (values.get(name) ?? '').length < 20)).toEqual([]);
    expect(Object.keys(manifest.env).filter((name) => !values.has(name))).toEqual([]);
    expect(await readFile(at('configs/homepage/services.yaml'), 'utf8')).toContain('https://app.campaign.example');
    expect(await readFile(at('configs/pangolin/newt.env'), 'utf8')).toContain('NEWT_SECRET=newt-secret');
    expect([(await stat(at('.env'))).mode & 0o777, (await stat(at('configs/pangolin/newt.env'))).mode & 0o777]).toEqual([0o600, 0o600]);
    expect([...new Set([...machine.engine.state().containers.values()].map(({ image }) => /@sha256:/.test(image)))]).toEqual([true]);
  });

  test('C-3, C-5, C-6: 2.9.10 becomes 2.10.2, which needs new secrets and one new answer: refused without it before anything changes, then whole', async () => {
    await writeFile(at('mkdocs/docs/index.md'), '# Our campaign\n');
    const before = await machine.settings();
    const containers = [...machine.engine.state().containers.keys()];
    await nextRelease();
    const refused = await failure(machine.operate(upgrade));
    expect(refused).toMatchObject({ code: 'E_ANSWER', message: expect.stringContaining('SSO_ISSUER') });
    expect(refused.message).not.toContain('GITEA_SSO_SECRET'); // nobody is asked for what can be made
    expect([...machine.engine.state().containers.keys()]).toEqual(containers);
    expect(await machine.settings()).toEqual(before);
    const { fields } = await machine.operate(upgrade, { set: ['SSO_ISSUER=https://id.campaign.example'] });
    expect(fields).toMatchObject({ outcome: 'upgraded', from: '2.9.10', to: '2.10.2' });
    const after = await machine.settings();
    const made = ['GITEA_SSO_SECRET', 'SERVICE_PASSWORD_SALT'];
    expect(made.filter((name) => (after.get(name) ?? '').length < 32)).toEqual([]);
    expect(after.get('SSO_ISSUER')).toBe('https://id.campaign.example');
    for (const [name, value] of before) expect(after.get(name), name).toBe(value);
    expect(await readFile(at('mkdocs/docs/index.md'), 'utf8')).toBe('# Our campaign\n');
    expect(machine.running()).toHaveLength(39);
    expect(machine.imagesOf('api')).toEqual([expect.stringContaining('changemaker-api:2.10.2@sha256:')]);
    expect(machine.imagesOf('grafana')).toEqual([expect.stringContaining('grafana:12.1.1@sha256:')]);
  });
});

/** Single sign-on and salted service passwords, as a real release of it brought them. */
async function nextRelease(): Promise<void> {
  const [product, compose] = ['slipway.yaml', 'templates/docker-compose.yml.hbs'];
  const described = await readFile(join(system.root, product), 'utf8');
  const written = await readFile(join(system.root, compose), 'utf8');
  const variables = `  GITEA_SSO_SECRET: { secret: hex, length: 64 }
  SERVICE_PASSWORD_SALT: { secret: base64url, length: 40, immutable: true }
  SSO_ISSUER: { group: Site, ask: Address of your identity provider, type: url, required: true }
`;
  const uses = ['GITEA_SSO_SECRET', 'SERVICE_PASSWORD_SALT', 'SSO_ISSUER'].map(
    (name) => `  ${name}: \${${name}:?${name} is not set in .env}\n`,
  );
  await system.commit({
    [product]: described.replace('env:\n', `env:\n${variables}`),
    [compose]: written.replace('  NODE_ENV: $', `${uses.join('')}  NODE_ENV: $`),
  });
  await release('2.10.2');
}
