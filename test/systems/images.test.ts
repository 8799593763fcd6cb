// The images of the five systems: which tags each event gives, what a bundle names, what a mirror copies, what is promoted. Rule: what their maintainers
// wrote down is what the plans say.
import { beforeAll, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { images } from '../../src/commands/slipway/images.ts';
import { promote } from '../../src/commands/slipway/promote.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { fakeBuilder } from '../fakes/builder.ts';
import { git, gitEnvironment } from '../fakes/git-workspace.ts';
import { startGithub } from '../fakes/github.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { openSystem, pushReference, type System } from './stage.ts';

const NOW = new Date('2026-07-22T08:23:45Z');
let registry: FakeRegistry;
let shared: { readonly changemaker: System; readonly devops: System; readonly pipeline: System };

beforeAll(async () => {
  registry = await startFakeRegistry();
  const [changemaker, devops, pipeline] = await Promise.all([
    openSystem('changemaker', { registry }),
    openSystem('ctms/devops', { registry }),
    openSystem('ctms/data-pipeline', { registry }),
  ]);
  shared = { changemaker, devops, pipeline };
  return () => registry.close();
});

/** What a push of this git reference would build and push: the tags of each image, without registry and namespace. */
async function planned(
  system: System,
  ref: string,
  { run = '42', flags = {} }: { run?: string; flags?: object } = {},
): Promise<Record<string, string[]>> {
  const { fields } = await build(system, { GITHUB_EVENT_NAME: 'push', GITHUB_REF: ref, GITHUB_RUN_NUMBER: run }, flags);
  const rows = fields.images as readonly { readonly name: string; readonly tags: readonly string[] }[];
  return Object.fromEntries(rows.map(({ name, tags }) => [name, tags.map((tag) => tag.split('/').slice(2).join('/'))]));
}

function build(system: System, env: Readonly<Record<string, string>>, flags: object = {}): Promise<CommandResult> {
  const world = { env: { ...gitEnvironment, ...env }, run: fakeBuilder({ driver: 'docker-container' }).run, now: () => NOW };
  return system.run(images, { push: true, plan: true, ...flags }, ['build'], world);
}

const sha = ({ root }: System): string => git(root, 'rev-parse', '--short=7', 'HEAD');
type Row = {
  readonly name: string;
  readonly kind?: string;
  readonly reference: string;
  readonly source: string;
  readonly destinations: readonly string[];
};
const listed = async (system: System): Promise<readonly Row[]> => (await system.run(images, {}, ['list'])).fields.images as readonly Row[];
/** `registry:port/` goes. */
const plain = (name: string): string => name.replace(/^[^/]+\//, '');
const mirrored = async (system: System, flags: object = {}): Promise<Record<string, string[]>> => {
  const { fields } = await system.run(images, { 'dry-run': true, ...flags }, ['mirror']);
  return Object.fromEntries((fields.images as readonly Row[]).map(({ source, destinations }) => [plain(source), destinations.map(plain)]));
};
const writes = (): number => registry.requests.filter(({ method }) => /^(?:PUT|POST|PATCH|DELETE)$/.test(method)).length;

describe('CTMS', () => {
  test('a tag of one service releases that service alone, as X.Y.Z, X.Y and X; a tag of the bundle builds nothing', async () => {
    const { devops } = shared;
    expect(await planned(devops, 'refs/tags/api-gateway-v1.2.0')).toEqual({
      gateway: ['ctms-api-gateway:1.2.0', 'ctms-api-gateway:1.2', 'ctms-api-gateway:1'].map((name) => `zynomi/${name}`),
    });
    expect(await planned(devops, 'refs/tags/bundle-v2.35.20260315')).toEqual({});
  });

  test('a push to main builds the service whose folder changed, as latest, 1.{run} and the commit; a pull request pushes nothing', async () => {
    const { devops } = shared;
    await devops.commit({ 'scripts/frappe-seed/seed.py': 'print(1)\n' });
    const changed = { flags: { 'changed-since': 'HEAD~1' } };
    expect(await planned(devops, 'refs/heads/main', changed)).toEqual({
      init: ['latest', '1.42', sha(devops)].map((tag) => `zynomi/ctms-init:${tag}`),
    });
    const { fields } = await build(devops, { GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/7/merge', GITHUB_HEAD_REF: 'fix' });
    expect(fields).toMatchObject({ event: 'pull-request', pushed: false });
  });

  test('four images of the data pipeline share one tag, and Cube has its own', async () => {
    const { pipeline } = shared;
    expect(Object.keys(await planned(pipeline, 'refs/tags/v1.1.0'))).toEqual(['mcp-server', 'odm-api', 'ingester', 'dbt']);
    expect(Object.keys(await planned(pipeline, 'refs/tags/cube-v1.0.2'))).toEqual(['cube']);
  });

  test('the bundle names each image in its own version, and the others where they come from', async () => {
    const references = (await listed(shared.devops)).map(({ reference }) => reference.split('docker.io/').at(-1));
    expect(references).toEqual([
      ...[
        'zynomi/ctms-api-gateway:1.2.0',
        'zynomi/ctms-init:1.0.3',
        'zynomi/ctms-supabase-seed:1.1.0',
        'zynomi/frappe-marley-health:1.0.0',
      ],
      ...['zynomi/zynexa:1.5.0', 'zynomi/ctms-cube:1.0.2', 'zynomi/ctms-mcp-server:1.1.0', 'zynomi/ctms-odm-api:1.1.0'],
      ...['zynomi/ctms-ingester:1.1.0', 'zynomi/ctms-dbt:1.1.0', 'zynomi/product-docs:1.2.0'],
      ...['library/caddy:2.8-alpine', 'library/mariadb:10.6', 'library/redis:7-alpine'],
      ...['supabase/postgres:15.8.1.060', 'supabase/gotrue:v2.170.0'],
    ]);
  });
});

describe('Essensys', () => {
  test('a tag V.1.3.0 builds for the Pi and for amd64, under that tag and latest', async () => {
    const system = await openSystem('essensys/backend', { registry });
    const { fields } = await build(system, { GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/tags/V.1.3.0' });
    const name = `${registry.host}/ghcr.io/essensys-hub/essensys-server-backend`;
    expect(fields.images).toMatchObject([{ platforms: ['linux/arm64', 'linux/amd64'], tags: [`${name}:V.1.3.0`, `${name}:latest`] }]);
  });

  test('E-5: the gateway’s bundle pins each component by itself', async () => {
    const system = await openSystem('essensys/gateway', { registry });
    const own = (await listed(system)).filter(({ kind }) => kind === 'own').map(({ reference }) => reference.split('/').at(-1));
    expect(own).toEqual([
      ...['essensys-server-backend:9525a01', 'essensys-mcp:V.1.3.0', 'essensys-server-frontend:V.1.3.0'],
      ...['essensys-control-plane:V.1.3.7', 'essensys-monitor:V.1.3.0'],
    ]);
  });
});

describe('Metaboost', () => {
  test('staging reserves X.Y.Z-staging.N, builds six images under it and staging, and main promotes what all six have', async (context) => {
    const github = await startGithub();
    context.onTestFinished(() => github.close());
    const system = await openSystem('metaboost', { registry, forge: github.url });
    github.state.commits.add(git(system.root, 'rev-parse', 'HEAD'));
    const world = { env: { ...gitEnvironment, GITHUB_TOKEN: 'good-token' } };
    const reserved = await system.run(reserve, { channel: 'staging' }, [], world);
    expect(reserved.fields).toMatchObject({ version: '0.1.15-staging.0', tag: '0.1.15-staging.0' });
    const built = await planned(system, 'refs/tags/0.1.15-staging.0');
    const names = ['api', 'management-api', 'web', 'web-sidecar', 'management-web', 'management-web-sidecar'];
    expect(built).toEqual(
      Object.fromEntries(names.map((name) => [name, ['0.1.15-staging.0', 'staging'].map((tag) => `podverse/metaboost/${name}:${tag}`)])),
    );
    const home = `${registry.host}/ghcr.io/podverse/metaboost`;
    for (const name of names) {
      for (const n of name === 'web' ? [0] : [0, 1]) await pushReference(registry, `${home}/${name}:0.1.15-staging.${n}`);
    }
    const before = writes();
    const { fields, text } = await system.run(promote, { plan: true }, [], world);
    const { steps } = fields.plan as { readonly steps: readonly { readonly kind: string }[] };
    expect(text).toContain(`0.1.15-staging.0 is 0.1.15 on 6 images, byte for byte [${names.join(', ')}]`);
    expect(text).toContain('the tags that float follow 0.1.15');
    expect([steps.length, JSON.stringify(steps).includes('staging.1')]).toEqual([3, false]); // the git tag, the images, latest
    expect(writes()).toBe(before);
  });
});

describe('Changemaker', () => {
  test('mirrors 36 images of four groups under short names, two nginx and two servers apart; the core alone on demand', async () => {
    const { changemaker } = shared;
    const third = (await listed(changemaker)).filter(({ kind }) => kind === 'third-party');
    const names = third.map(({ reference }) => reference.split('/').at(-1));
    expect([third.length, new Set(names).size]).toEqual([36, 36]);
    expect(names).toEqual(
      expect.arrayContaining([
        ...['postgres:16-alpine', 'nocodb:0.301.3', 'vaultwarden:1.34.3', 'gotify:2.7.0', 'nginx:1.28-alpine', 'ls-nginx:1.28.2'],
        ...['jitsi-web:stable-9823', 'jitsi-prosody:stable-9823', 'jitsi-jicofo:stable-9823', 'jitsi-jvb:stable-9823'],
      ]),
    );
    const core = changemaker.product.images.thirdParty.filter(({ group }) => group === 'core');
    for (const { source } of core) await pushReference(registry, source);
    const before = writes();
    const copies = await mirrored(changemaker, { only: ['core'] });
    expect(Object.keys(copies)).toHaveLength(5);
    expect(copies['docker.io/library/alpine:3']).toEqual(['gitea.bnkops.com/admin/alpine:3']);
    expect(writes()).toBe(before);
  });

  test('builds four images on main, and the large editor when it is named', async () => {
    const { changemaker } = shared;
    expect(Object.keys(await planned(changemaker, 'refs/heads/main'))).toEqual(['api', 'admin', 'media-api', 'gateway']);
    const named = await planned(changemaker, 'refs/heads/main', { flags: { include: ['editor'] } });
    expect(named.editor).toEqual(['latest', sha(changemaker)].map((tag) => `admin/changemaker-code-server:${tag}`));
  });
});

describe('LabNow', () => {
  test('L-1, L-2: main builds into labnow, feat/add-login into labnow0feat, each with a dated tag in UTC', async () => {
    const system = await openSystem('labnow/images', { registry });
    const dated = `2026.0722.0823-${sha(system)}`;
    expect((await planned(system, 'refs/heads/main')).base).toEqual([`labnow/base:latest`, `labnow/base:${dated}`]);
    const branch = await planned(system, 'refs/heads/feat/add-login');
    expect(branch['full-stack']).toEqual([`labnow0feat/full-stack:latest`, `labnow0feat/full-stack:${dated}`]);
    expect(Object.keys(branch)).toHaveLength(13);
    const own = (await listed(system)).find(({ name, kind }) => name === 'base' && kind === 'third-party');
    expect(own?.destinations.map((name) => name.split(/\/(?=quay|registry)/).at(-1))).toEqual([
      ...[
        'quay.io/labnow/base:latest',
        'registry.cn-hangzhou.aliyuncs.com/labnow/base:latest',
        'registry.cn-beijing.aliyuncs.com/labnow/base:latest',
      ],
    ]);
  });

  test('L-3: a tag list, a pattern, a whole repository, a digest and new names go to three registries, and a dry run writes nothing', async () => {
    const system = await openSystem('labnow/mirror', { registry });
    const upstream = {
      'docker.io/rancher/k3s': ['v1.32.3-k3s1', 'v1.32.4-k3s1', 'v1.33.0-k3s1'],
      'ghcr.io/k3d-io/k3d-proxy': ['5'],
      'ghcr.io/k3d-io/k3d-tools': ['5'],
      'docker.io/nvidia/cuda': ['12.6.3-cudnn-devel-ubuntu24.04', '12.8.1-cudnn-devel-ubuntu24.04', '12.8.1-base'],
      'quay.io/minio/minio': ['RELEASE.2025-04-08T15-41-24Z'],
      'docker.io/library/busybox': ['1.36', '1.37'],
      'docker.io/library/debian': ['bookworm-slim', 'trixie-slim', 'sid'],
    };
    for (const [name, tags] of Object.entries(upstream))
      for (const tag of tags) await pushReference(registry, `${registry.host}/${name}:${tag}`);
    const digest = await pushReference(registry, `${registry.host}/docker.io/library/alpine:3.22`);
    const text = git(system.root, 'show', 'HEAD:slipway.yaml');
    await system.commit({ 'slipway.yaml': `${text.replace(/sha256:[0-9a-f]{64}/, digest)}\n` });
    const before = writes();
    const copies = await mirrored(system);
    const places = (name: string): string[] =>
      ['quay.io/labnow', 'registry.cn-hangzhou.aliyuncs.com/labnow-oss', 'registry.cn-beijing.aliyuncs.com/labnow-oss'].map(
        (home) => `${home}/${name}`,
      );
    expect(copies).toEqual({
      'docker.io/rancher/k3s:v1.32.3-k3s1': places('k3s:v1.32.3-k3s1'),
      'docker.io/rancher/k3s:v1.32.4-k3s1': places('k3s:v1.32.4-k3s1'),
      'ghcr.io/k3d-io/k3d-proxy:5': places('k3d-proxy:5'),
      'ghcr.io/k3d-io/k3d-tools:5': places('k3d-tools:5'),
      'docker.io/nvidia/cuda:12.6.3-cudnn-devel-ubuntu24.04': places('cuda:12.6.3-cudnn-devel-ubuntu24.04'),
      'docker.io/nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04': places('cuda:12.8.1-cudnn-devel-ubuntu24.04'),
      'quay.io/minio/minio:RELEASE.2025-04-08T15-41-24Z': places('minio:RELEASE.2025-04-08T15-41-24Z'),
      'docker.io/library/busybox:1.36': places('busybox:1.36'),
      'docker.io/library/busybox:1.37': places('busybox:1.37'),
      'docker.io/library/debian:bookworm-slim': places('debian:12'),
      'docker.io/library/debian:trixie-slim': places('debian:13'),
      [`docker.io/library/alpine@${digest}`]: places(`alpine@${digest}`),
    });
    expect(writes()).toBe(before);
  });
});
