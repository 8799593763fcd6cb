// plan release as a maintainer calls it, before and after there is a release to compare with: it says what would come, and changes nothing.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { makeKeys } from '../fakes/release-builder.ts';
import { buildSlipway, runSlipway, type SlipwayEnd } from '../fakes/slipway-program.ts';
import { makeTinyProduct, type TinyProduct } from '../fakes/tiny-product.ts';

const keys = makeKeys();
let folder: string;
let program: string;
let registry: FakeRegistry;
let product: TinyProduct;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-plan-'));
  program = await buildSlipway(join(folder, 'program'));
  registry = await startFakeRegistry();
  const release = `  publicKey: ${keys.publicKey}\n  notes: docs/{base}.md\n  base: VERSION\n`;
  product = await makeTinyProduct(join(folder, 'tiny'), registry, release);
  await product.commit({ VERSION: '1.0.0\n', 'docs/1.0.0.md': 'The first.\n' });
});
afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

async function slipway(words: readonly string[]): Promise<SlipwayEnd> {
  const end = await runSlipway(program, words, { cwd: product.root, env: { SLIPWAY_SECRET_KEY: keys.secretKeyText } });
  expect({ words, code: end.code, message: end.result.message }).toEqual({ words, code: 0 });
  return end;
}

/** Everything below the product's folder, with its content. */
function tree(): string {
  return execFileSync('sh', ['-c', 'find . -type f -exec sha256sum {} + | sort -k2'], { cwd: product.root }).toString();
}

/** What a person reads. The registry answers from this very process, so it must not be kept waiting. */
async function asText(words: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: folder };
  return (await promisify(execFile)(process.execPath, [program, ...words], { cwd: product.root, env })).stdout;
}

test('the first release: its version, images, hosts, channels and notes, with nothing to compare', async () => {
  const before = tree();
  const { result } = await slipway(['plan', 'release']);
  expect(result).toMatchObject({
    ...{ version: '1.0.0', tag: 'v1.0.0', channel: 'stable', since: null, changes: null, problems: [] },
    images: [
      { name: 'api', change: 'new', digest: expect.stringMatching(/^sha256:/) },
      { name: 'postgres', change: 'new' },
    ],
    hosts: [{ name: 'local', authority: true, outcome: 'publish', problems: [] }],
    channels: [{ name: 'stable', before: null, after: '1.0.0' }],
    notes: 'The first.\n',
  });
  const { size } = result as { size: { images: number; toFetch: number } };
  expect(size.images).toBeGreaterThan(0);
  expect(size.toFetch).toBe(size.images);
  expect(tree()).toBe(before);
});

test('the next one: what differs from the last, what is not built yet, and which notes are missing', async () => {
  await product.commit({});
  product.git('tag', 'v1.0.0');
  await slipway(['publish', '--yes']);
  const yaml = await readFile(join(product.root, 'slipway.yaml'), 'utf8');
  await product.commit({
    VERSION: '1.1.0\n',
    'slipway.yaml': yaml
      .replace('env:\n', 'env:\n  DOMAIN: { type: hostname, required: true, ask: Domain }\n')
      .replace('default: 8080', 'default: 9090')
      .replace(/$/, 'upgrade: { from: ">=1.0.0", stop: true, migrate: [{ service: api, command: [migrate] }] }\n'),
    'files/configs/app.conf': 'plain = false\n',
    'files/configs/more.conf': 'x\n',
  });
  const before = tree();
  const { result } = await slipway(['plan', 'release']);
  expect(result).toMatchObject({
    ...{ version: '1.1.0', since: '1.0.0' },
    images: [
      { name: 'api', digest: null, change: 'unknown' },
      { name: 'postgres', change: 'same' },
    ],
    files: { added: ['configs/more.conf'], changed: expect.arrayContaining(['configs/app.conf', '.env.example']), removed: [] },
    env: { added: ['DOMAIN'], changed: ['PORT'], removed: [] },
    changes: { required: ['DOMAIN'], migrations: ['api: migrate'] },
    channels: [{ name: 'stable', before: '1.0.0', after: '1.1.0' }],
    upgrade: { from: '>=1.0.0', stop: true },
    problems: [{ code: 'E_NOTES_MISSING' }],
  });
  expect(tree()).toBe(before);
});

test('as text and as markdown for a pull request', async () => {
  await pushImage(registry, 'acme/tiny-api', { architecture: 'amd64', layers: ['api 1.1'], tag: '1.1.0' });
  await writeFile(join(product.root, 'docs/1.1.0.md'), 'Faster.\n');
  const text = await asText(['plan', 'release']);
  for (const line of [
    'The next release: v1.1.0',
    '  local gets the release, and decides',
    '  stable: latest goes from 1.0.0 to 1.1.0',
    '  new: DOMAIN, and people must answer it',
    '  no upgrade may skip this release',
  ])
    expect(text.split('\n')).toContain(line);
  const markdown = await asText(['plan', 'release', '--format', 'markdown']);
  expect(markdown).toMatch(/^## Next release: `v1\.1\.0`\n/);
  expect(markdown).toContain('### Images\n\n- `api`: changed, ');
  expect(markdown).toContain('### Files\n\n- new: `configs/more.conf`\n');
  expect(markdown).toMatch(/<details><summary>Notes of the release<\/summary>\n\nFaster\.\n/);
});

test('a yanked release is told, another channel is chosen with --channel, and what is published already is said', async () => {
  await slipway(['release', 'yank', '1.0.0', '--reason', 'loses data', '--yes']);
  expect((await slipway(['plan', 'release'])).result).toMatchObject({
    since: null,
    withdrawn: [{ version: '1.0.0', status: 'yanked', reason: 'loses data' }],
  });
  const staging = await slipway(['plan', 'release', '--channel', 'staging']);
  expect(staging.result).toMatchObject({ version: '1.1.0-staging.0', channel: 'staging', channels: [{ name: 'staging', before: null }] });
});

test('anything else than a release is refused', async () => {
  const end = await runSlipway(program, ['plan', 'upgrade'], { cwd: product.root });
  expect({ code: end.code, error: end.result.code }).toEqual({ code: 2, error: 'E_USAGE' });
  const other = await runSlipway(program, ['plan', 'release', '--format', 'pdf'], { cwd: product.root });
  expect(other.result).toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('markdown') });
});
