// A product through ten releases, with a person's edits everywhere, by the real commands. Rule: nothing of the person's is lost, whether every release is taken or only what must be.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { diff } from '../../src/commands/operator/diff.ts';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { canonicalJson } from '../../src/model/json.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import { fileNode, readFolderTree } from '../fakes/file-tree.ts';
import { COMPOSE, type InstallStage, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';

const CONF = 'level = info\n\n[http]\nport = 80\nworkers = 4\n\n[log]\nformat = json\n\n[end]\nlast = 1\n';
const RULES = PRODUCT.upgrade as Manifest['upgrade'];
const FIRST = PRODUCT.env as Manifest['env'];
const RENAMED = { ...FIRST, REPLICAS: { type: 'integer' as const, default: '1', renamedFrom: 'WORKERS' } };
const WITH_SECRET = { ...RENAMED, SSO_SECRET: { secret: 'hex' as const, length: 32 }, PASSWORD_SALT: { secret: 'password' as const } };
const LABELLED = COMPOSE.replace('  api:\n', '  api:\n    labels: { tier: front }\n');

interface Sketch {
  readonly version: string;
  readonly stop?: boolean;
  readonly from?: string;
  readonly env?: Manifest['env'];
  readonly files?: Readonly<Record<string, string>>;
}

const { 'content/welcome.txt': _, ...SHIPPED } = PRODUCT_FILES; // the person's own folder: nothing is shipped into it
const BASE = { ...SHIPPED, 'configs/api.conf': CONF };
const QUICK = { ...BASE, 'configs/api.conf': CONF.replace('workers = 4', 'workers = 8') };
const LABELS = { ...QUICK, 'docker-compose.yml': LABELLED };
const MORE = { ...LABELS, 'configs/extra.conf': 'new in 2.9.15\n' };
const LAST = { ...MORE, 'configs/api.conf': QUICK['configs/api.conf'].replace('last = 1', 'last = 2') };

const RELEASES: readonly Sketch[] = [
  { version: '2.9.7', env: { ...FIRST, WORKERS: { type: 'integer', default: '1' } } },
  { version: '2.9.8', env: { ...FIRST, WORKERS: { type: 'integer', default: '1' } }, files: QUICK },
  { version: '2.9.9', stop: true, env: RENAMED, files: QUICK },
  { version: '2.9.10', from: '>=2.9.9', env: RENAMED, files: QUICK },
  { version: '2.9.11', env: RENAMED, files: LABELS },
  { version: '2.9.15', stop: true, env: WITH_SECRET, files: MORE },
  { version: '2.10.0', env: WITH_SECRET, files: MORE },
  { version: '2.10.1', env: WITH_SECRET, files: LAST },
  { version: '2.10.2', env: WITH_SECRET, files: LAST },
];

let stage: InstallStage;
const at = (path: string): string => join(stage.root, path);
const read = (path: string): Promise<string> => readFile(at(path), 'utf8');
const take = (to?: string) => stage.run(upgrade, { yes: true, ...(to === undefined ? {} : { to }) });

const publish = ({ version, stop = false, from = '*', env = FIRST, files = BASE }: Sketch): Promise<unknown> =>
  stage.publish(version, { env, upgrade: { ...RULES, stop, from } }, files);

/** The release stays where it is; the channel says that nobody should take it. */
async function takeBack(version: string): Promise<void> {
  const path = join(stage.host, 'channels/stable.signed.json');
  const signed = JSON.parse(await readFile(path, 'utf8'));
  const channel = JSON.parse(signed.payload);
  const releases = channel.releases.map((each: { version: string }) =>
    each.version === version ? { ...each, status: 'yanked', reason: 'broken' } : each,
  );
  await writeFile(path, JSON.stringify({ ...signed, payload: canonicalJson({ ...channel, sequence: channel.sequence + 1, releases }) }));
}

/** Edits of every kind, in files that later releases change elsewhere. */
async function edit(): Promise<void> {
  await writeFile(
    at('docker-compose.yml'),
    (await read('docker-compose.yml')).replace('restart: unless-stopped\n    ports', 'restart: always # mine\n    ports'),
  );
  await writeFile(at('docker-compose.override.yml'), 'services:\n  api:\n    labels: { site: north }\n');
  await writeFile(at('configs/api.conf'), (await read('configs/api.conf')).replace('level = info', 'level = debug # mine'));
  await mkdir(at('content'), { recursive: true });
  await writeFile(at('content/own.txt'), 'ours alone\n');
  await writeFile(at('.env'), `# our notes\n${(await read('.env')).replace('WORKERS=1', 'WORKERS=3 # three')}OUR_OWN=kept\n`);
  await mkdir(at('data/uploads'), { recursive: true });
  await writeFile(at('data/uploads/picture'), 'bytes');
  stage.engine.state().volumes.get('acme_pgdata')?.tree.set('rows', fileNode('1,2,3\n'));
}

async function expectNothingLost(files: Readonly<Record<string, string>>): Promise<void> {
  expect(await read('docker-compose.yml')).toBe(
    (files['docker-compose.yml'] ?? '').replace('restart: unless-stopped\n    ports', 'restart: always # mine\n    ports'),
  );
  expect(await read('docker-compose.override.yml')).toContain('site: north');
  expect(await read('configs/api.conf')).toBe((files['configs/api.conf'] ?? '').replace('level = info', 'level = debug # mine'));
  expect(await read('content/own.txt')).toBe('ours alone\n');
  expect(await read('.env')).toMatch(/^# our notes\n[\s\S]*OUR_OWN=kept\n/);
  expect(await read('data/uploads/picture')).toBe('bytes');
  expect(stage.engine.state().volumes.get('acme_pgdata')?.tree.get('rows')).toEqual(fileNode('1,2,3\n'));
  const { files: edits } = (await stage.run(diff)).fields;
  expect((edits as { path: string }[]).map(({ path }) => path).sort()).toEqual(['configs/api.conf', 'docker-compose.yml']);
}

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await publish(RELEASES[0] as Sketch);
  await stage.install();
  await edit();
});

describe('ten releases, one of them taken back', () => {
  beforeEach(async () => {
    for (const release of RELEASES.slice(1)) await publish(release);
    await publish({ version: '2.10.3', env: WITH_SECRET, files: LAST });
    await takeBack('2.10.0');
  });

  test('taken one by one keep every edit, every variable and all data', async () => {
    for (const { version, files = BASE } of [...RELEASES.slice(1), { version: '2.10.3', files: LAST }]) {
      if (version === '2.10.0') {
        expect(await failure(take(version))).toMatchObject({
          code: 'E_POLICY',
          message: '2.10.0 was taken back by its maintainer: broken',
        });
        continue;
      }
      expect((await take(version)).fields).toMatchObject({ path: [version], outcome: 'upgraded' });
      if (version === '2.9.9' || version === '2.10.3') await expectNothingLost(files);
    }
    expect(await read('.env')).toMatch(/REPLICAS=3 # three/);
  });

  test('taken at once go by way of the stops, and end with the same', async () => {
    const ran = await take();
    expect(ran.fields).toMatchObject({ from: '2.9.7', path: ['2.9.9', '2.9.15', '2.10.3'], outcome: 'upgraded' });
    await expectNothingLost(LAST);
    expect(await read('.env')).toMatch(/REPLICAS=3 # three[\s\S]*SSO_SECRET=[0-9a-f]{32}\n/);
    expect((await stage.run(status)).fields).toMatchObject({ version: '2.10.3', available: [], held: [] });
  });
});

test('C-3: 2.9.10 is newer than 2.9.7, and goes to 2.10.2 directly where nothing lies between', async () => {
  await publish({ version: '2.9.10' });
  await publish({ version: '2.9.15' });
  expect((await take('2.9.10')).fields).toMatchObject({ outcome: 'upgraded', from: '2.9.7' });
  await publish({ version: '2.10.2' });
  expect((await stage.run(status)).fields).toMatchObject({ available: ['2.10.2', '2.9.15'] });
  expect((await take()).fields).toMatchObject({ from: '2.9.10', to: '2.10.2', path: ['2.10.2'], outcome: 'upgraded' });
});

test('C-5: the person’s folders, .env and data are byte for byte what they were, and what the release stops shipping goes unless it was edited', async () => {
  const own = (): unknown => [...readFolderTree(stage.root)].filter(([path]) => /^(content|data|docker-compose\.override)/.test(path));
  const before = own();
  const env = (await read('.env')).replace('WORKERS', 'REPLICAS');
  const { 'configs/more.conf': gone, 'configs/api.conf': edited = '', ...less }: Readonly<Record<string, string>> = LABELS;
  await publish({ version: '2.9.9', env: RENAMED, files: { ...less, 'configs/api.conf': edited } });
  expect((await take()).fields).toMatchObject({ outcome: 'upgraded' });
  expect(own()).toEqual(before);
  expect(await read('.env')).toBe(env);
  expect([gone, readFolderTree(stage.root).has('configs/more.conf')]).toEqual(['shipped too\n', false]);
  await publish({ version: '2.9.10', env: RENAMED, files: less });
  expect(await failure(take())).toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining('configs/api.conf') });
});

test('C-6: new secrets are generated, and a new required value is asked for before anything changes', async () => {
  await publish({ version: '2.9.9', env: { ...WITH_SECRET, REGION: { required: true } } });
  const tree = readFolderTree(stage.root).get('.env');
  expect(await failure(take())).toMatchObject({ code: 'E_ANSWER', message: expect.stringContaining('REGION') });
  expect(readFolderTree(stage.root).get('.env')).toEqual(tree);
  await stage.run(upgrade, { yes: true, set: ['REGION=north'] });
  const env = await read('.env');
  expect(/^SSO_SECRET=([0-9a-f]+)$/m.exec(env)?.[1]?.length).toBeGreaterThanOrEqual(32);
  expect(/^PASSWORD_SALT=(\S+)$/m.exec(env)?.[1]?.length).toBeGreaterThanOrEqual(16);
  expect(env).toContain('REGION=north');
});
