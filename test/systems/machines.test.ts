// Two more of the systems on a machine: a gateway on arm64 whose health is also what must not answer, and a stack with seeds, and a database of the site's own.
// Rule: from the product file as it is, by the real commands.
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { install } from '../../src/commands/operator/install.ts';
import { failure } from '../failure.ts';
import { freePort } from '../fakes/docker-registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { ends, type Machine, newMachine, RUNS, serves } from './machine.ts';
import { openSystem, releaseOf, type System, type SystemName } from './stage.ts';

let registry: FakeRegistry;

beforeAll(async () => {
  registry = await startFakeRegistry();
  return () => registry.close();
});

/** A product with one release in a folder. */
async function published(name: SystemName, tag: string): Promise<{ system: System; host: string; learn: (machine: Machine) => void }> {
  const host = join(await mkdtemp(join(tmpdir(), 'slipway-host-')), 'releases');
  const system = await openSystem(name, { registry, forge: host });
  const manifest = await releaseOf(system, registry, tag);
  return { system, host, learn: (machine) => machine.learn(manifest) };
}

/** Why an install was undone. */
async function reasonOf(installed: Promise<unknown>): Promise<string> {
  const { code, cause, details } = await failure(installed);
  expect(code).toBe('E_STEP_FAILED');
  return `${cause instanceof Error ? cause.message : ''} ${JSON.stringify(details)}`;
}

describe('Essensys, on the arm64 of a Pi', () => {
  let gateway: Awaited<ReturnType<typeof published>>;
  let ports: Readonly<Record<'HTTP_PORT' | 'HTTPS_PORT' | 'BACKEND_PORT' | 'CP_PORT' | 'DASHBOARD_PORT', number>>;

  beforeAll(async () => {
    gateway = await published('essensys/gateway', 'V.1.7.0');
  });

  /** Installs it where the control plane answers with this status whoever has no token. */
  async function installWith(status: number, context: TestContext): Promise<{ machine: Machine; installed: Promise<unknown> }> {
    const [HTTP_PORT, HTTPS_PORT, BACKEND_PORT, CP_PORT, DASHBOARD_PORT] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    ports = { HTTP_PORT, HTTPS_PORT, BACKEND_PORT, CP_PORT, DASHBOARD_PORT };
    const programs = { redis: RUNS, backend: serves(BACKEND_PORT, 200, context), 'control-plane': serves(CP_PORT, status, context) };
    const { system, host, learn } = gateway;
    const machine = await newMachine({ name: 'essensys', operator: system.operator, programs, architecture: 'aarch64' });
    learn(machine);
    const set = [
      'WAN_DOMAIN=house.example',
      'ACME_EMAIL=me@house.example',
      ...Object.entries(ports).map(([name, port]) => `${name}=${port}`),
    ];
    return { machine, installed: machine.operate(install, { product: 'essensys', releases: [host], set }) };
  }

  test('E-8: installs when the control plane turns strangers away, with a token of its own and nothing at the dashboard’s port', async (context) => {
    const { machine, installed } = await installWith(401, context);
    expect(await installed).toMatchObject({ fields: { outcome: 'installed', version: '1.7.0' } });
    expect(machine.running()).toEqual(['adguard', 'backend', 'control-plane', 'frontend', 'monitor', 'prometheus', 'redis', 'traefik']);
    expect(machine.imagesOf('control-plane')).toEqual([expect.stringContaining('essensys-control-plane:V.1.3.7@sha256:')]);
    expect((await machine.settings()).get('CP_TOKEN')).toMatch(/^[0-9a-f]{64}$/);
  });

  test('E-8: does not stay installed when the control plane lets strangers in', async (context) => {
    const { machine, installed } = await installWith(200, context);
    expect(await reasonOf(installed)).toContain('/api/services');
    expect([machine.running(), existsSync(join(machine.root, '.env'))]).toEqual([[], false]);
  });

  test('E-8: does not stay installed when something answers where nothing must', async (context) => {
    const server = createServer();
    const { machine, installed } = await installWith(401, context);
    await new Promise<void>((resolve) => server.listen(ports.DASHBOARD_PORT, '127.0.0.1', resolve));
    context.onTestFinished(() => void server.close());
    expect(await reasonOf(installed)).toContain(String(ports.DASHBOARD_PORT));
    expect(machine.running()).toEqual([]);
  });
});

describe('CTMS', () => {
  let bundle: Awaited<ReturnType<typeof published>>;

  beforeAll(async () => {
    bundle = await published('ctms/devops', 'bundle-v2.35.20260315');
  });

  async function installWith(
    seed: number,
    context: TestContext,
    more: readonly string[] = [],
  ): Promise<{ machine: Machine; installed: Promise<unknown> }> {
    const [http, https] = [await freePort(), await freePort()];
    const programs = { init: ends(seed), 'supabase-seed': ends(), zynexa: RUNS, caddy: serves(http, 200, context) };
    const machine = await newMachine({ name: 'ctms', operator: bundle.system.operator, programs });
    bundle.learn(machine);
    const set = ['DOMAIN=ctms.example', 'ACME_EMAIL=me@ctms.example', `HTTP_PORT=${http}`, `HTTPS_PORT=${https}`, ...more];
    return { machine, installed: machine.operate(install, { product: 'ctms', releases: [bundle.host], set }) };
  }

  test('Z-6: seeds end with 0, and the rest runs; with a Supabase of the site’s own its container is left out', async (context) => {
    const { machine, installed } = await installWith(0, context, ['SUPABASE_URL=postgres://u:p@db.site.example/postgres']);
    expect(await installed).toMatchObject({ fields: { outcome: 'installed', version: '2.35.20260315' } });
    expect(machine.running()).toEqual([
      'caddy',
      'frappe',
      'frappe-db',
      'gateway',
      'odm-api',
      'product-docs',
      'redis',
      'supabase-auth',
      'zynexa',
    ]);
  });

  test('Z-6: a seed that ends with 1 undoes the install', async (context) => {
    const { machine, installed } = await installWith(1, context);
    expect(await reasonOf(installed)).toContain('ctms-init');
    expect([machine.running(), existsSync(join(machine.root, '.env'))]).toEqual([[], false]);
  });
});
