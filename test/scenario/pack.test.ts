// Packing as maintainers do it: real processes, a real git repository, a registry over HTTP, and the programs that people check releases with.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import { parseManifest } from '../../src/model/manifest.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { makeKeys } from '../fakes/release-builder.ts';
import { makeRuntimeSet } from '../fakes/runtime-set.ts';
import { buildSlipway, OPERATOR_TEXT, runSlipway, type SlipwayEnd, type SlipwayRun, startSlipway } from '../fakes/slipway-program.ts';
import { makeTinyProduct, TINY_FILES, type TinyProduct, tinyProductFile, writeTree } from '../fakes/tiny-product.ts';

const keys = makeKeys();
const signedRelease = `  publicKey: ${keys.publicKey}\n`;
const SIGNED = { SLIPWAY_SECRET_KEY: keys.secretKeyText };
let folder: string;
let program: string;
let registry: FakeRegistry;
let product: TinyProduct;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-pack-'));
  program = await buildSlipway(join(folder, 'program'));
  registry = await startFakeRegistry();
});

beforeEach(async () => {
  product = await makeTinyProduct(await mkdtemp(join(folder, 'product-')), registry, signedRelease);
});

afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

const slipway = (words: readonly string[], run: Partial<SlipwayRun> = {}): Promise<SlipwayEnd> =>
  runSlipway(program, words, { cwd: product.root, env: SIGNED, ...run });
const at = (...names: string[]): string => join(product.root, ...names);
const dist = (): string[] =>
  existsSync(at('dist'))
    ? execFileSync('find', ['.'], { cwd: at('dist') })
        .toString()
        .trim()
        .split('\n')
        .sort()
    : [];

async function packed(
  words: readonly string[] = ['pack', '--tag', 'v1.0.0'],
  run: Partial<SlipwayRun> = {},
): Promise<Record<string, unknown>> {
  const { code, result, stderr } = await slipway(words, run);
  expect(stderr + JSON.stringify(result.message ?? ''), `${words.join(' ')}`).not.toContain('bug');
  expect({ code, message: result.message }).toEqual({ code: 0 });
  return result;
}

describe('a packed release', () => {
  test('is one folder with everything that is published, and checks out with sha256sum and minisign', async () => {
    const result = await packed();
    const release = at('dist/v1.0.0');
    const names = [
      'SHA256SUMS',
      'SHA256SUMS.minisig',
      'bundle.json',
      'bundle.json.minisig',
      'install.sh',
      'operator.js',
      'tiny-1.0.0.tar.gz',
      'tiny-latest.tar.gz',
    ];
    expect((await readdir(release)).sort()).toEqual(names);
    expect(await readdir(at('dist'))).toEqual(['v1.0.0']);
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: release, stdio: 'pipe' });
    for (const [role, name] of [
      ['bundle', 'bundle.json'],
      ['sums', 'SHA256SUMS'],
    ]) {
      const said = execFileSync('minisign', ['-V', '-P', keys.publicKey, '-m', name ?? ''], { cwd: release }).toString();
      const hex = digestOf(await readFile(join(release, name ?? ''))).slice(7);
      expect(said).toContain(`Trusted comment: slipway ${role} tiny 1.0.0 ${hex}`);
    }
    expect(result).toMatchObject({
      ok: true,
      version: '1.0.0',
      tag: 'v1.0.0',
      files: 10,
      images: 2,
      warnings: [expect.objectContaining({ code: 'W_NOT_LOCKED' })],
    });
    expect(result.artifact).toBe(join(release, 'tiny-1.0.0.tar.gz'));
    expect(result.sha256).toBe(digestOf(await readFile(join(release, 'tiny-1.0.0.tar.gz'))));
    expect(result.manifestSha256).toBe(digestOf(await readFile(String(result.manifest))));
    expect(await readFile(join(release, 'operator.js'), 'utf8')).toBe(OPERATOR_TEXT);
    execFileSync('sh', ['-n', join(release, 'install.sh')]);
  });

  test('lists files that are rendered on the host, and ships a template that lies anywhere in the product’s folder', async () => {
    const text = await readFile(at('slipway.yaml'), 'utf8');
    const hostFiles = 'hostFiles: [{ from: nginx/site.tmpl, to: configs/site.conf, mode: "0640" }]\n  folders:';
    await product.commit({ 'nginx/site.tmpl': 'listen {{PORT}};\n', 'slipway.yaml': text.replace('folders:', hostFiles) });
    const result = await packed(['pack', '--tag', 'v1.0.0']);
    const listed = JSON.parse(await readFile(String(result.manifest), 'utf8')).files as { path: string }[];
    expect(listed.find(({ path }) => path === 'configs/site.conf')).toEqual({
      ...{ path: 'configs/site.conf', template: 'nginx/site.tmpl', mode: '0640', owner: 'host' },
    });
    expect(listed.map(({ path }) => path)).toContain('nginx/site.tmpl');
    expect((await slipway(['verify', String(result.artifact)])).result).toMatchObject({ verified: true });
  });

  test('unpacks with GNU tar into one folder that works without us', async () => {
    await packed();
    const listed = execFileSync('tar', ['--numeric-owner', '--full-time', '--utc', '-tvzf', at('dist/v1.0.0/tiny-1.0.0.tar.gz')])
      .toString()
      .trim()
      .split('\n');
    const entries = listed.map((line) => line.split(/\s+/));
    expect(entries.map(([mode, owner, , date, time, ...name]) => [mode, owner, date, time, name.join(' ')])).toEqual(
      [
        ['-rw-r--r--', '.env.example'],
        ['-rw-r--r--', 'VERSION'],
        ['-rwxr-xr-x', 'config.sh'],
        ['-rw-r--r--', 'configs/app.conf'],
        ['-rw-r--r--', 'configs/made.conf'],
        ['-rw-r--r--', 'content/welcome.txt'],
        ['drwxr-xr-x', 'data/'],
        ['-rw-r--r--', 'docker-compose.yml'],
        ['-rwxr-xr-x', 'scripts/tool.sh'],
        ['-rwxr-xr-x', 'scripts/upgrade.sh'],
        ['-rwxr-xr-x', 'tinyctl'],
        ['-rw-r--r--', 'bundle.json'],
        ['-rw-r--r--', 'bundle.json.minisig'],
      ].map(([mode, name]) => [mode, '0/0', '2026-03-15', '10:00:00', `tiny/${name}`]),
    );
    execFileSync('tar', ['-xzf', at('dist/v1.0.0/tiny-1.0.0.tar.gz'), '-C', folder]);
    const unpacked = join(folder, 'tiny');
    const compose = await readFile(join(unpacked, 'docker-compose.yml'), 'utf8');
    const manifest = parseManifest(await readFile(join(unpacked, 'bundle.json'), 'utf8'));
    const digests = Object.fromEntries(manifest.images.map(({ name, digest }) => [name, digest]));
    expect(compose).toContain(`image: ${registry.host}/acme/tiny-api:1.0.0@${digests.api}\n`);
    expect(compose).toContain(`image: ${registry.host}/acme/postgres:16@${digests.postgres}\n`);
    expect(compose).toMatch(/^# Tiny Product 1\.0\.0\nname: tiny\n/);
    expect(await readFile(join(unpacked, '.env.example'), 'utf8')).toMatch(/^PORT=8080$/m);
    expect(await readFile(join(unpacked, '.env.example'), 'utf8')).toMatch(/^DB_PASSWORD=$/m);
    expect(await readFile(join(unpacked, 'VERSION'), 'utf8')).toBe('1.0.0\n');
    expect(await readFile(join(unpacked, 'configs/made.conf'), 'utf8')).toBe('version = 1.0.0\n');
    expect(manifest.files.filter(({ owner }) => owner === 'user').map(({ path }) => path)).toEqual(['content/welcome.txt']);
    await rm(unpacked, { recursive: true });
  });

  test('has shims that run the operator command wherever they are called from', async () => {
    await packed();
    const elsewhere = await mkdtemp(join(folder, 'with space '));
    execFileSync('tar', ['-xzf', at('dist/v1.0.0/tiny-1.0.0.tar.gz'), '-C', elsewhere]);
    await writeFile(join(elsewhere, 'tiny/tinyctl'), '#!/bin/sh\necho "$@"\n');
    expect(execFileSync(join(elsewhere, 'tiny/scripts/upgrade.sh'), ['--to', 'a b'], { cwd: '/' }).toString()).toBe('upgrade --to a b\n');
    expect(execFileSync('./config.sh', [], { cwd: join(elsewhere, 'tiny') }).toString()).toBe('configure\n');
  });

  test('is the same from another folder, time zone, umask and locale', async () => {
    const first = await packed();
    const clone = await mkdtemp(join(folder, 'clone-'));
    execFileSync('git', ['clone', '-q', product.root, join(clone, 'deeper')], { stdio: 'pipe' });
    await utimes(join(clone, 'deeper/files/configs/app.conf'), 1, 1);
    const env = { ...SIGNED, TZ: 'Pacific/Auckland', LANG: 'tr_TR.UTF-8', LC_ALL: 'C' };
    const words = ['pack', '--tag', 'v1.0.0', '--config', 'deeper/slipway.yaml', '--out', 'elsewhere'];
    const second = await packed(words, { cwd: clone, env, before: 'umask 077' });
    expect(second.artifact).toBe(join(clone, 'elsewhere/v1.0.0/tiny-1.0.0.tar.gz'));
    for (const field of ['manifestSha256', 'tarSha256', 'sha256']) expect(second[field], field).toBe(first[field]);
    expect(await readFile(String(second.manifest))).toEqual(await readFile(String(first.manifest)));
  });

  test('is the same from a checkout with other line ends', async () => {
    const first = await packed();
    const clone = join(await mkdtemp(join(folder, 'clone-')), 'crlf');
    execFileSync('git', ['clone', '-q', '-c', 'core.autocrlf=true', product.root, clone], { stdio: 'pipe' });
    expect(await readFile(join(clone, 'files/configs/app.conf'), 'utf8')).toContain('\r\n');
    const second = await packed(['pack', '--tag', 'v1.0.0'], { cwd: clone });
    for (const field of ['manifestSha256', 'tarSha256', 'sha256']) expect(second[field], field).toBe(first[field]);
  });

  test('stays as it is when it is packed again, and is made anew from another commit', async () => {
    const first = await packed();
    const before = await stat(String(first.artifact));
    expect(await packed()).toMatchObject({ outcome: 'already-packed', sha256: first.sha256 });
    expect((await stat(String(first.artifact))).ino).toBe(before.ino);
    await product.commit({ 'files/configs/app.conf': 'plain = false\n' });
    const second = await packed();
    expect(second.tarSha256).not.toBe(first.tarSha256);
    expect(await readdir(at('dist'))).toEqual(['v1.0.0']);
    expect(await readdir(at('dist/v1.0.0'))).toHaveLength(8);
  });

  test('that was damaged is made again', async () => {
    const first = await packed();
    await writeFile(at('dist/v1.0.0/install.sh'), 'echo damaged\n');
    expect(await packed()).toMatchObject({ outcome: 'packed', tarSha256: first.tarSha256 });
    execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: at('dist/v1.0.0'), stdio: 'pipe' });
  });

  test('passes --verify', async () => {
    await packed(['pack', '--tag', 'v1.0.0', '--verify']);
    expect(await readdir(at('dist'))).toEqual(['v1.0.0']);
  });

  test('takes its time from SOURCE_DATE_EPOCH, and its tag from HEAD', async () => {
    product.git('tag', 'v1.0.0');
    product.git('tag', 'unrelated-9.9.9');
    const result = await packed(['pack'], { env: { ...SIGNED, SOURCE_DATE_EPOCH: '86400' } });
    expect(parseManifest(await readFile(String(result.manifest), 'utf8'))).toMatchObject({
      made: '1970-01-02T00:00:00Z',
      commit: product.git('rev-parse', 'HEAD'),
    });
  });

  test('of a folder without git names no commit', async () => {
    await rm(at('.git'), { recursive: true });
    const result = await packed();
    expect(parseManifest(await readFile(String(result.manifest), 'utf8'))).toMatchObject({ made: '1980-01-01T00:00:00Z', commit: null });
  });

  test('that is not signed says so', async () => {
    await product.commit({ 'slipway.yaml': tinyProductFile(registry.host) });
    const { code, result, stdout } = await slipway(['pack', '--tag', 'v1.0.0'], { env: {} });
    expect({ code, codes: (result.warnings as { code: string }[]).map((warning) => warning.code).sort() }).toEqual({
      code: 0,
      codes: ['W_NOT_LOCKED', 'W_UNSIGNED'],
    });
    expect(stdout).toContain('NOT SIGNED');
    expect(await readdir(at('dist/v1.0.0'))).not.toContain('bundle.json.minisig');
  });
});

describe('a plain compose file', () => {
  test('is pinned, loses its build sections, and keeps comments and order', async () => {
    const compose = `# ours
services:
  api:
    build: ./api   # on a developer's machine
    image: ${registry.host}/acme/tiny-api:dev
    command: ["serve"]
  # the database
  db:
    image: postgres:16
    volumes: ["pgdata:/var/lib/postgresql/data"]
volumes:
  pgdata:
`;
    const text = tinyProductFile(registry.host, signedRelease).replace('templates/compose.yml.hbs', 'files/docker-compose.yml');
    await product.commit({ 'slipway.yaml': text, 'files/docker-compose.yml': compose });
    const { artifact } = await packed();
    const shipped = execFileSync('tar', ['-xOzf', String(artifact), 'tiny/docker-compose.yml']).toString();
    expect(shipped).toMatch(
      /^# ours\n+name: tiny\nservices:\n {2}api:\n {4}image: \S+\/acme\/tiny-api:1\.0\.0@sha256:\w{64}\n {4}command:/,
    );
    expect(shipped).toMatch(/# the database\n {2}db:\n {4}image: \S+\/acme\/postgres:16@sha256:\w{64}\n/);
    expect(shipped).not.toContain('build');
  });

  test('has its problems at the lines where they were written', async () => {
    const compose = `services:\n  api:\n    build:\n      context: .\n    image: ${registry.host}/acme/tiny-api\n    volumes: ["/var/lib/x"]\n  db: { image: "mysql:8" }\nvolumes: { pgdata: }\n`;
    const text = tinyProductFile(registry.host, signedRelease).replace('templates/compose.yml.hbs', 'compose.yml');
    await product.commit({ 'slipway.yaml': text, 'compose.yml': compose });
    const { code, result } = await slipway(['pack', '--tag', 'v1.0.0']);
    expect(code).toBe(2);
    const problems = result.problems as { file: string; line: number; code: string; severity: string }[];
    expect(problems.filter(({ severity }) => severity === 'error').map(({ file, line, code: found }) => [file, line, found])).toEqual([
      ['compose.yml', 6, 'E_ANONYMOUS_VOLUME'],
      ['compose.yml', 7, 'E_IMAGE_UNKNOWN'],
    ]);
  });
});

interface Refusal {
  readonly name: string;
  /** What is changed, and committed. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly product?: (text: string) => string;
  readonly change?: () => Promise<void>;
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly code: string;
  /** `file:line code` of the problems. */
  readonly problems?: readonly string[];
  readonly says?: RegExp;
}

const compose = TINY_FILES['templates/compose.yml.hbs'] ?? '';
const template = 'templates/compose.yml.hbs';
const refusals: readonly Refusal[] = [
  {
    name: 'an image that is not in the table',
    files: { [template]: compose.replace('{{image "postgres"}}', 'mysql:8') },
    code: 'E_CONFIG',
    problems: [`${template}:12 E_IMAGE_UNKNOWN`],
  },
  {
    name: 'a template with an unknown value',
    files: { [template]: compose.replace('values.motto', 'values.moto') },
    code: 'E_CONFIG',
    problems: [`${template}:9 E_TEMPLATE`],
  },
  {
    name: 'a template among the files with a syntax error',
    files: { 'files/x.hbs': 'a\n{{#if}\n' },
    code: 'E_CONFIG',
    problems: ['files/x.hbs:2 E_TEMPLATE'],
  },
  {
    name: 'an unset variable',
    files: { [template]: compose.replace('values.motto}}', 'values.motto}} $NOBODY') },
    code: 'E_CONFIG',
    problems: [`${template}:9 E_UNSET_VARIABLE`],
  },
  {
    name: 'a writable mount that nobody declared',
    files: { [template]: compose.replace('./content:/content:ro', './other:/other') },
    code: 'E_CONFIG',
    problems: [`${template}:10 E_MOUNT`],
  },
  {
    name: 'a path of the host that is not named',
    files: { [template]: compose.replace('./content:/content:ro', '/etc:/x:ro') },
    code: 'E_CONFIG',
    problems: [`${template}:10 E_HOST_PATH`],
  },
  {
    name: 'a secret in a shipped file',
    files: { 'files/configs/key.pem': 'x\n-----BEGIN PRIVATE KEY-----\n' },
    code: 'E_CONFIG',
    problems: ['files/configs/key.pem:2 E_SECRET'],
  },
  {
    name: 'files whose names differ in case',
    files: { 'files/configs/APP.conf': 'x' },
    code: 'E_CONFIG',
    problems: ['slipway.yaml:14 E_CASE_COLLISION'],
  },
  {
    name: 'a file in the place of a made one',
    files: { 'files/VERSION': '9\n' },
    code: 'E_CONFIG',
    problems: ['slipway.yaml:14 E_NAME_TAKEN'],
  },
  {
    name: 'a file in the place of a rendered one',
    files: { 'files/configs/made.conf': 'x\n' },
    code: 'E_CONFIG',
    problems: ['slipway.yaml:14 E_NAME_TAKEN'],
  },
  { name: 'an env file of somebody', files: { 'files/.env': 'A=1\n' }, code: 'E_CONFIG', problems: ['slipway.yaml:14 E_NAME_TAKEN'] },
  { name: 'a link', change: () => symlink('/etc/passwd', at('files/passwd')), code: 'E_CONFIG', problems: ['slipway.yaml:14 E_LINK'] },
  {
    name: 'a folder behind a link',
    change: () => symlink('/etc', at('linked')),
    product: (text) => text.replace('from: files', 'from: linked'),
    code: 'E_CONFIG',
    problems: ['slipway.yaml:14 E_LINK'],
  },
  { name: 'a name with a line break', files: { 'files/a\nb': 'x' }, code: 'E_CONFIG', problems: ['slipway.yaml:14 E_FILE_NAME'] },
  {
    name: 'an unknown key',
    product: (text) => text.replace('folders:', 'folder:'),
    code: 'E_CONFIG',
    problems: ['slipway.yaml:15 E_UNKNOWN_KEY'],
  },
  {
    name: 'a template for the host that is missing, is rendered too early, or takes a place that is taken',
    files: { 'files/a.hbs': 'a\n', 'b.tmpl': 'b\n' },
    product: (text) =>
      text.replace(
        'folders: [data]',
        'hostFiles: [{ from: no.tmpl, to: no.conf }, { from: a.hbs, to: a.conf }, { from: b.tmpl, to: configs/app.conf }, { from: b.tmpl, to: .slipway/x }]',
      ),
    code: 'E_CONFIG',
    problems: ['slipway.yaml:15 E_TEMPLATE', 'slipway.yaml:15 E_NAME_TAKEN', 'slipway.yaml:15 E_NAME_TAKEN', 'slipway.yaml:15 E_NO_FILE'],
  },
  {
    name: 'a template for the host with an unknown variable, or a secret for everybody to read',
    files: { 'files/site.tmpl': 'listen {{PORT}};\nname {{PROT}};\n', 'db.tmpl': 'password {{DB_PASSWORD}}\n' },
    product: (text) => text.replace('folders: [data]', 'hostFiles: [{ from: site.tmpl, to: site.conf }, { from: db.tmpl, to: db.conf }]'),
    code: 'E_CONFIG',
    problems: ['files/site.tmpl:2 E_UNKNOWN_VARIABLE', 'slipway.yaml:15 E_SECRET_MODE'],
  },
  {
    name: 'a file that is missing',
    product: (text) => text.replace('from: files', 'from: fils'),
    code: 'E_CONFIG',
    problems: ['slipway.yaml:14 E_NO_FILE'],
  },
  {
    name: 'nothing to pack',
    product: (text) => text.replace(/^bundle:\n(?: .*\n)+/m, ''),
    code: 'E_CONFIG',
    problems: ['slipway.yaml:1 E_NO_BUNDLE'],
  },
  {
    name: 'an image without a declared platform',
    product: (text) => text.replace('[linux/amd64]', '[linux/amd64, linux/arm64]'),
    code: 'E_CONFIG',
    problems: ['slipway.yaml:22 E_IMAGE_PLATFORM', 'slipway.yaml:25 E_IMAGE_PLATFORM'],
  },
  { name: 'a lock that is needed and not there', words: ['--locked'], code: 'E_CONFIG', problems: ['slipway.yaml:25 E_NOT_LOCKED'] },
  {
    name: 'a lock that cannot be read',
    files: { 'slipway.lock.json': '{"type":"slipway/lock@1","images":{"a":1}}' },
    code: 'E_CONFIG',
    says: /slipway\.lock\.json: images\.a/,
  },
  { name: 'no secret key', env: {}, code: 'E_CONFIG', says: /no secret key/ },
  {
    name: 'another secret key',
    env: { SLIPWAY_SECRET_KEY: makeKeys().secretKeyText },
    code: 'E_CONFIG',
    problems: ['slipway.yaml:10 E_KEY_MISMATCH'],
  },
  { name: 'an image that nobody pushed', words: ['--tag', 'v7.0.0'], code: 'E_NOT_FOUND', says: /tiny-api:7\.0\.0 does not exist/ },
  { name: 'a tag of another form', words: ['--tag', '1.0.0'], code: 'E_USAGE', says: /not a tag of the form v\{version\}/ },
  { name: 'a version that no channel takes', words: ['--tag', 'v1.0.0-beta.1'], code: 'E_USAGE', says: /no channel takes/ },
  {
    name: 'a tag that is on another commit',
    change: async () => void product.git('tag', 'v1.0.0', 'HEAD'),
    files: { 'files/new': 'x' },
    code: 'E_USAGE',
    says: /HEAD is/,
  },
  {
    name: 'changes that are not committed',
    change: () => writeFile(at('files/configs/app.conf'), 'x'),
    words: ['--uncommitted'],
    code: 'E_DIRTY',
    says: /files\/configs\/app\.conf/,
  },
];

describe('is refused, with nothing left behind:', () => {
  test.each(refusals)('$name', async ({ files = {}, product: edit, change, words = [], env = SIGNED, code, problems, says }) => {
    await change?.();
    const text = tinyProductFile(registry.host, signedRelease);
    await writeTree(product.root, edit === undefined ? files : { ...files, 'slipway.yaml': edit(text) });
    if (!words.includes('--uncommitted')) await product.commit({});
    const given = words.filter((word) => word !== '--uncommitted');
    const { code: exit, result } = await slipway(['pack', ...(given.includes('--tag') ? [] : ['--tag', 'v1.0.0']), ...given], { env });
    expect(result).toMatchObject({ ok: false, code, hint: expect.stringMatching(/\w/) });
    expect(exit).toBe(code === 'E_NOT_FOUND' ? 5 : 2);
    const found = (result.problems ?? []) as { file: string; line: number; code: string; severity: string }[];
    const errors = found.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ file, line, code: each }) => `${file}:${line} ${each}`)).toEqual(problems ?? []);
    if (says !== undefined) expect(result.message).toMatch(says);
    if (errors[0] !== undefined) expect(result.message).toContain(`${errors[0].file}:${errors[0].line}: `);
    expect(dist()).toEqual([]);
    expect(existsSync(at('.slipway'))).toBe(false);
  });

  test('all problems of all files at once', async () => {
    await product.commit({
      [template]: compose.replace('{{image "postgres"}}', 'mysql:8'),
      'files/key.pem': '-----BEGIN RSA PRIVATE KEY-----\n',
      'slipway.yaml': tinyProductFile(registry.host, signedRelease)
        .replace('PORT: { type', 'PORT: { typ')
        .replace('folders: [data]', 'folders: [VERSION]'),
    });
    const { result, stderr } = await slipway(['pack', '--tag', 'v1.0.0']);
    const errors = (result.problems as { code: string; severity: string }[]).filter(({ severity }) => severity === 'error');
    expect(errors.map(({ code }) => code).sort()).toEqual(['E_IMAGE_UNKNOWN', 'E_NAME_TAKEN', 'E_SECRET', 'E_UNKNOWN_KEY']);
    for (const place of [`${template}:12: error: `, 'files/key.pem:1: error: ', 'slipway.yaml:15: error: ', 'slipway.yaml:27: error: '])
      expect(stderr).toContain(place);
  });

  test('no tag and no version', async () => {
    expect((await slipway(['pack'])).result).toMatchObject({ code: 'E_USAGE', message: 'there is no tag of the form v{version} on HEAD' });
    product.git('tag', 'v1.0.0');
    product.git('tag', 'v1.0.1');
    expect((await slipway(['pack'])).result).toMatchObject({ code: 'E_USAGE', message: 'there are several tags on HEAD: v1.0.0, v1.0.1' });
  });
});

describe('against the release before', () => {
  test('a volume that is gone and another major of the database are refused', async () => {
    await packed();
    expect((await slipway(['publish', '--tag', 'v1.0.0', '--yes'])).result).toMatchObject({ ok: true });
    await pushImage(registry, 'acme/tiny-api', { architecture: 'amd64', layers: ['api'], tag: '1.1.0' });
    const text = tinyProductFile(registry.host, signedRelease);
    await product.commit({ 'slipway.yaml': text.replace('major: 16', 'major: 17') });
    expect((await slipway(['pack', '--tag', 'v1.1.0'])).result.problems).toMatchObject([
      { code: 'W_NOT_LOCKED' },
      { code: 'E_ENGINE_MAJOR', line: 31 },
    ]);
    await product.commit({ 'slipway.yaml': text.replaceAll('pgdata:', 'newdata:'), [template]: compose.replaceAll('pgdata:', 'newdata:') });
    expect((await slipway(['pack', '--tag', 'v1.1.0'])).result.problems).toMatchObject([
      { code: 'W_NOT_LOCKED' },
      { code: 'E_VOLUME_CHANGED', line: 30 },
    ]);
    expect((await slipway(['check'])).result.problems).toMatchObject([{ code: 'E_VOLUME_CHANGED' }]);
    await product.commit({ 'slipway.yaml': text, [template]: compose });
    expect((await slipway(['pack', '--tag', 'v1.1.0'])).code).toBe(0);
  });
});

describe('a snapshot', () => {
  test('packs uncommitted changes under a version of its own, again and again', async () => {
    await pushImage(registry, 'acme/tiny-api', { architecture: 'amd64', layers: ['api'], tag: '0.0.0-snapshot.20260315100000' });
    await writeFile(at('files/configs/app.conf'), 'first\n');
    const first = await packed(['pack', '--snapshot']);
    expect(first).toMatchObject({ version: '0.0.0-snapshot.20260315100000', channel: 'snapshot' });
    await writeFile(at('files/configs/app.conf'), 'second\n');
    const second = await packed(['pack', '--snapshot']);
    expect(second.tarSha256).not.toBe(first.tarSha256);
    expect(await readdir(at('dist'))).toEqual(['v0.0.0-snapshot.20260315100000']);
  });
});

describe('the working tree', () => {
  test('is clean in spite of what we write and of what git ignores', async () => {
    await product.commit({ '.gitignore': '*.log\n' });
    await writeTree(product.root, { 'noise.log': 'x', 'releases/old/file': 'x', '.slipway/identity': 'x' });
    await packed();
    await packed(['pack', '--version', '1.0.0']);
    await writeFile(at('new file'), 'x');
    expect((await slipway(['pack', '--tag', 'v1.0.0'])).result).toMatchObject({
      code: 'E_DIRTY',
      message: 'there are changes that are not committed: new file',
    });
  });

  test('decides by git which files are executable, and warns of files that only it has', async () => {
    product.git('config', 'core.fileMode', 'false');
    await chmod(at('files/scripts/tool.sh'), 0o644);
    await chmod(at('files/configs/app.conf'), 0o755);
    await product.commit({ '.gitignore': '*.local\n' });
    await writeFile(at('files/x.local'), 'x');
    const { manifest, warnings } = await packed();
    const modes = Object.fromEntries(parseManifest(await readFile(String(manifest), 'utf8')).files.map(({ path, mode }) => [path, mode]));
    expect(modes).toMatchObject({ 'scripts/tool.sh': '0755', 'configs/app.conf': '0644', 'x.local': '0644' });
    expect(warnings).toMatchObject([
      { code: 'W_IGNORED_BY_GIT', message: expect.stringContaining('files/x.local') },
      { code: 'W_NOT_LOCKED' },
    ]);
  });
});

describe('--out', () => {
  test('that is a file, lies below one, or cannot be written is refused, and the next pack works', async () => {
    const refused = async (out: string): Promise<unknown> => (await slipway(['pack', '--tag', 'v1.0.0', '--out', out])).result;
    expect(await refused('slipway.yaml')).toMatchObject({ code: 'E_CONFLICT', exit: 3 });
    expect(await refused('slipway.yaml/x')).toMatchObject({ code: 'E_STEP_FAILED', message: expect.stringContaining('ENOTDIR') });
    expect(await refused('/sys/x')).toMatchObject({ code: 'E_STEP_FAILED', message: expect.stringContaining('/sys/x') });
    expect(product.git('status', '--porcelain', '--', '.', ':!.slipway')).toBe('');
    await packed(['pack', '--tag', 'v1.0.0', '--out', 'a/b']);
    expect(await readdir(at('a/b/v1.0.0'))).toHaveLength(8);
  });
});

describe('--plan', () => {
  test('shows the one step and writes nothing', async () => {
    const { code, result } = await slipway(['pack', '--tag', 'v1.0.0', '--plan', '--exit-code']);
    expect(code).toBe(4);
    expect(result.plan).toMatchObject({ command: 'pack', steps: [{ kind: 'write-bundle', tag: 'v1.0.0' }] });
    expect(JSON.stringify(result)).not.toContain(keys.secretKeyText.split('\n')[1]);
    expect(dist()).toEqual([]);
  });
});

describe('a pack that was killed', () => {
  test('leaves no release, and the next one starts clean', async () => {
    const bytes = Buffer.alloc(24 * 1024 * 1024, 0);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE((i * 2_654_435_761) % 2 ** 32, i);
    await product.commit({ 'files/large.bin': bytes });
    const { pid, ended } = startSlipway(program, ['pack', '--tag', 'v1.0.0'], { cwd: product.root, env: SIGNED });
    while (!dist().some((name) => name.includes('.slipway-tmp-'))) await new Promise((resolve) => setTimeout(resolve, 2));
    process.kill(pid, 'SIGKILL');
    await ended;
    expect(existsSync(at('dist/v1.0.0'))).toBe(false);
    await packed();
    expect(await readdir(at('dist'))).toEqual(['v1.0.0']);
    expect(await readdir(at('.slipway/staged'))).toEqual([]);
  });
});

describe('images lock', () => {
  test('writes the digests of third-party images once, and pack uses them', async () => {
    const first = await slipway(['images', 'lock']);
    expect(first.result).toMatchObject({
      ok: true,
      images: [{ name: 'postgres', reference: `${registry.host}/acme/postgres:16`, platforms: ['linux/amd64'] }],
    });
    const text = await readFile(at('slipway.lock.json'), 'utf8');
    await slipway(['images', 'lock']);
    expect(await readFile(at('slipway.lock.json'), 'utf8')).toBe(text);
    await product.commit({});
    await pushImage(registry, 'acme/postgres', { architecture: 'amd64', layers: ['moved'], tag: '16' });
    const { warnings, manifest } = await packed(['pack', '--tag', 'v1.0.0', '--locked']);
    expect(warnings).toEqual([]);
    const [locked] = first.result.images as { digest: string }[];
    expect(parseManifest(await readFile(String(manifest), 'utf8')).images.find(({ name }) => name === 'postgres')?.digest).toBe(
      locked?.digest,
    );
    const again = await slipway(['images', 'lock', '--plan', '--exit-code']);
    expect(again.code).toBe(4);
    expect(await readFile(at('slipway.lock.json'), 'utf8')).toBe(text);
  });

  test('leaves the lock alone when an image cannot be found', async () => {
    const text = tinyProductFile(registry.host).replace('postgres:16', 'postgres:99');
    await writeTree(product.root, { 'slipway.yaml': text });
    const { code, result } = await slipway(['images', 'lock']);
    expect({ code, error: result.code }).toEqual({ code: 5, error: 'E_NOT_FOUND' });
    expect(existsSync(at('slipway.lock.json'))).toBe(false);
  });

  test('images list shows the table', async () => {
    const { result } = await slipway(['images', 'list']);
    expect(result.images).toMatchObject([
      { name: 'api', kind: 'own', reference: `${registry.host}/acme/tiny-api:{version}`, digest: null },
      { name: 'postgres', kind: 'third-party', source: 'docker.io/library/postgres:16', digest: null },
    ]);
  });
});

describe('check', () => {
  test('finds nothing wrong with the tiny product, and touches nothing', async () => {
    const { code, result } = await slipway(['check']);
    expect({ code, problems: result.problems }).toEqual({ code: 0, problems: [] });
    expect(product.git('status', '--porcelain')).toBe('');
  });

  test('works from another folder, and names files as they are found from there', async () => {
    await cp(product.root, join(folder, 'copy'), { recursive: true });
    await writeFile(join(folder, 'copy', template), compose.replace('{{image "api"}}', 'web:1'));
    const { code, result } = await slipway(['check', '--config', 'copy/slipway.yaml'], { cwd: folder });
    expect(code).toBe(2);
    expect(result.problems).toMatchObject([
      { severity: 'error', code: 'E_IMAGE_UNKNOWN', file: `copy/${template}`, line: 5, hint: expect.any(String) },
    ]);
  });

  test('says where the product file is missed', async () => {
    const { code, result } = await slipway(['check'], { cwd: folder });
    expect({ code, result }).toMatchObject({ code: 2, result: { code: 'E_CONFIG', message: 'there is no slipway.yaml here' } });
  });

  test('schema prints the JSON Schema', async () => {
    const { result } = await slipway(['schema']);
    expect(result.schema).toMatchObject({ title: 'slipway.yaml', properties: { product: { type: 'string' } } });
  });
});

describe('Node.js for hosts without one', () => {
  const programs = { 'linux-x64': 'an x64 program', 'linux-arm64': 'an arm64 program' };

  test('is named in the signed manifest and in install.sh where it was built, and the release holds no copy', async () => {
    const built = await makeRuntimeSet(join(product.root, '../runtimes'), '24.21.0', programs);
    await packed(undefined, { env: { ...SIGNED, SLIPWAY_RUNTIMES: join(product.root, '../runtimes') } });
    const manifest = parseManifest(await readFile(at('dist/v1.0.0/bundle.json'), 'utf8'));
    expect(manifest.runtime).toEqual({ needs: '>=20.19', files: built.files });
    const installer = await readFile(at('dist/v1.0.0/install.sh'), 'utf8');
    for (const { sha256, program: unpacked } of built.files) {
      for (const digest of [sha256, unpacked.sha256]) expect(installer).toContain(hexOf(digest));
    }
    expect((await readdir(at('dist/v1.0.0'))).filter((name) => name.startsWith('runtime'))).toEqual([]);
  });

  test('is nowhere where it was not built, and missed where it was named', async () => {
    const env = { ...SIGNED, SLIPWAY_RUNTIMES: join(product.root, '../nothing') };
    const { code, result } = await slipway(['pack', '--tag', 'v1.0.0'], { env });
    expect([code, result.code]).toEqual([2, 'E_CONFIG']);
    expect(result.hint).toContain('build:runtime');
    await packed();
    expect(parseManifest(await readFile(at('dist/v1.0.0/bundle.json'), 'utf8')).runtime).toBeUndefined();
  });
});
