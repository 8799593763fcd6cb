// The image table as maintainers see it, and what upstream has that is newer: real processes against registries over HTTP.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { tooMany } from '../fakes/registry-faults.ts';
import { type Pushed, pushImage } from '../fakes/registry-push.ts';
import { buildSlipway, runSlipway, type SlipwayEnd } from '../fakes/slipway-program.ts';

let folder: string;
let program: string;
let upstream: FakeRegistry;
let other: FakeRegistry;
let root: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-images-'));
  program = await buildSlipway(join(folder, 'program'));
});
beforeEach(async () => {
  [upstream, other] = [await startFakeRegistry({ pageSize: 100 }), await startFakeRegistry()];
  root = await mkdtemp(join(folder, 'product-'));
});
afterEach(() => Promise.all([upstream.close(), other.close()]));
afterAll(() => rm(folder, { recursive: true, force: true }));

const slipway = (...words: string[]): Promise<SlipwayEnd> => runSlipway(program, words, { cwd: root });

async function push(repository: string, tags: readonly string[], registry = upstream): Promise<Pushed> {
  let pushed: Pushed | undefined;
  for (const tag of tags) pushed = await pushImage(registry, repository, { architecture: 'amd64', layers: [repository, tag], tag });
  return pushed as Pushed;
}

async function writeProduct(thirdParty: string, registry = ''): Promise<void> {
  const text = `schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\nimages:\n${registry === '' ? '' : `  registry: ${registry}\n`}  thirdParty:\n${thirdParty}`;
  await writeFile(join(root, 'slipway.yaml'), text);
}

describe('images list', () => {
  test('shows where images come from and go to, and what the lock knows of them', async () => {
    const pushed = await push('acme/postgres', ['16-alpine'], other);
    await push('acme/gotify', ['2.5.0'], other);
    await writeProduct(
      `    core:
      - docker.io/library/postgres:16-alpine
    monitoring:
      - { source: "docker.io/gotify/server:2.5.0", as: gotify }
`,
      `${other.host}/acme`,
    );
    expect((await slipway('images', 'lock')).code).toBe(0);
    await writeProduct(
      `    core:
      - docker.io/library/postgres:16-alpine
    monitoring:
      - { source: "docker.io/gotify/server:2.6.0", as: gotify }
      - { source: quay.io/k3s/k3s, tags: ["/^v1\\\\.32\\\\..*-k3s1$/", "v1"], to: [quay.io/acme] }
`,
      `${other.host}/acme`,
    );
    const { code, result } = await slipway('images', 'list');
    expect(code).toBe(0);
    expect(result.images).toEqual([
      {
        ...{ name: 'postgres', kind: 'third-party', group: 'core', source: 'docker.io/library/postgres:16-alpine', tags: null },
        reference: `${other.host}/acme/postgres:16-alpine`,
        destinations: [`${other.host}/acme/postgres:16-alpine`],
        ...{ platforms: ['linux/amd64'], digest: pushed.digest, size: pushed.compressed },
      },
      {
        ...{ name: 'gotify', kind: 'third-party', group: 'monitoring', source: 'docker.io/gotify/server:2.6.0', tags: null },
        reference: `${other.host}/acme/gotify:2.6.0`,
        destinations: [`${other.host}/acme/gotify:2.6.0`],
        ...{ platforms: [], digest: null, size: null }, // the lock is of another tag
      },
      {
        ...{ name: 'k3s', kind: 'third-party', group: 'monitoring', source: 'quay.io/k3s/k3s' },
        ...{ tags: ['/^v1\\.32\\..*-k3s1$/', 'v1'], reference: null },
        destinations: [`${other.host}/acme/k3s`, 'quay.io/acme/k3s'],
        ...{ platforms: [], digest: null, size: null },
      },
    ]);
  });

  test('L-4: two sources of one destination are refused by every verb, with both lines', async () => {
    await writeProduct(
      '    a:\n      - { source: quay.io/k3s/k3s, tags: ["1"] }\n      - { source: quay.io/k3d/k3d, as: k3s, tags: ["1"] }\n',
      'r.example/acme',
    );
    for (const verb of ['list', 'outdated', 'lock']) {
      const { code, result } = await slipway('images', verb);
      expect({ code, error: result.code }).toEqual({ code: 2, error: 'E_CONFIG' });
      expect(result.message).toMatch(/slipway\.yaml:9: .*k3s:1 \(line 8\) and .*k3d:1 \(line 9\)/);
    }
  });

  test('an image that is only mirrored cannot be named in a bundle', async () => {
    await writeProduct('    a:\n      - { source: quay.io/k3s/k3s, tags: ["1"] }\nbundle: { compose: c.yml.hbs }\n');
    await writeFile(join(root, 'c.yml.hbs'), 'services:\n  k:\n    image: {{image "k3s"}}\n');
    const { code, result } = await slipway('check');
    expect(code).toBe(2);
    expect(result.problems).toContainEqual(
      expect.objectContaining({ code: 'E_TEMPLATE', line: 3, message: expect.stringContaining('k3s') }),
    );
  });
});

describe('images outdated', () => {
  test('offers what is newer in the same line of tags, over all pages, and never a downgrade', async () => {
    await push('library/postgres', ['15-alpine', '16-alpine', '17-alpine', '17', 'latest', '17-bookworm']);
    await push('nocodb/nocodb', [...Array.from({ length: 130 }, (_, index) => `0.301.${index}`), '0.99.0']); // E-4: more than a page
    await push('minio/minio', ['RELEASE.2025-04-08T15-41-24Z', 'RELEASE.2024-04-22T22-12-26Z']);
    await push('x/app', ['latest', '9']);
    await writeProduct(`    core:
      - ${upstream.host}/library/postgres:16-alpine
      - ${upstream.host}/nocodb/nocodb:0.301.3
    more:
      - ${upstream.host}/minio/minio:RELEASE.2025-04-08T15-41-24Z
      - ${upstream.host}/x/app:latest
      - { source: ${upstream.host}/library/postgres, as: old, tags: ["15-alpine", "16-alpine", "/^14/"] }
`);
    const { code, result } = await slipway('images', 'outdated');
    expect(code).toBe(0);
    expect(result.images).toMatchObject([
      { name: 'postgres', group: 'core', current: '16-alpine', newest: '17-alpine', change: 'major', error: null },
      { name: 'nocodb', current: '0.301.3', newest: '0.301.129', change: 'patch' },
      { name: 'minio', newest: 'RELEASE.2025-04-08T15-41-24Z', change: null },
      { name: 'app', current: 'latest', newest: null, change: null },
      { name: 'old', current: '16-alpine', newest: '17-alpine' },
    ]);
    expect((await slipway('images', 'outdated', '--exit-code')).code).toBe(4);
    expect(upstream.requests.filter(({ line }) => /^GET .*manifests/.test(line))).toEqual([]); // pulls are counted, these questions are not
    expect(upstream.requests.filter(({ line }) => line.includes('library/postgres/tags/list'))).toHaveLength(2);
  });

  test('tells that a locked tag became another image, or is gone', async () => {
    const locked = await push('x/one', ['1']);
    await push('x/two', ['1']);
    await writeProduct(`    a: ["${upstream.host}/x/one:1", "${upstream.host}/x/two:1"]\n`);
    expect((await slipway('images', 'lock')).code).toBe(0);
    expect((await slipway('images', 'outdated', '--exit-code')).code).toBe(0);
    const moved = await pushImage(upstream, 'x/one', { architecture: 'arm64', layers: ['moved'], tag: '1' });
    upstream.repositories.get('x/two')?.tags.clear();
    const { result, code } = await slipway('images', 'outdated', '--exit-code');
    expect(code).toBe(4);
    expect(result.images).toMatchObject([
      { name: 'one', newest: '1', drifted: true, locked: locked.digest, digest: moved.digest },
      { name: 'two', drifted: false, digest: null },
    ]);
  });

  test('L-5: one registry that refuses stops no other, and the exit code tells', async () => {
    await push('x/one', ['1', '2']);
    await push('x/busy', ['1', '2']);
    await push('x/two', ['1', '2'], other);
    other.faults.add({ on: /x\/two/, answer: { status: 403, body: '{"errors":[{"code":"DENIED"}]}' }, times: 100 });
    upstream.faults.add({ on: /x\/busy\/tags/, answer: tooMany('0') });
    upstream.faults.add({ on: /x\/busy\/tags/, answer: { cutAtByte: 5 } });
    await writeProduct(
      `    a: ["${upstream.host}/x/one:1", "${other.host}/x/two:1", "${upstream.host}/x/busy:1", "${upstream.host}/x/absent:1"]\n`,
    );
    const { code, result, stderr } = await slipway('images', 'outdated');
    expect({ code, ok: result.ok, error: result.code }).toEqual({ code: 5, ok: false, error: 'E_AUTH' });
    expect(result.images).toMatchObject([
      { name: 'one', newest: '2', error: null },
      { name: 'two', newest: null, error: { code: 'E_AUTH' } },
      { name: 'busy', newest: '2', error: null },
      { name: 'absent', newest: null, error: { code: 'E_NOT_FOUND' } },
    ]);
    expect(stderr).toMatch(/one +1 +-> 2 +major/);
    expect(stderr).toContain('2 images could not be looked at');
  });
});
