// Installs made by hand or from git, and what is not taken over. Rule: whatever an upgrade could lose later is found now, and every refusal says what to do.
import { execFileSync } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { release } from '../../src/commands/slipway/release.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { FOUND_ENV, type FoundInstall, foundInstall, NEXT_FILES, nextImages, RELEASE_FILES } from '../fakes/found-install.ts';
import { commitFiles, runCommand } from '../fakes/git-workspace.ts';
import { type InstallStage, imageOf, makeInstallStage, PRODUCT } from '../fakes/install-stage.ts';

/** Written by hand: names of its own, images by tag. */
const BY_HAND = `name: notes
services:
  db:
    image: ${imageOf('db').pinned.replace(/@.*/, '')}
    environment: { PASSWORD: "\${DB_PASSWORD}" }
    volumes: ["dbdata:/data"]
  api:
    image: ${imageOf('api').pinned.replace(/@.*/, '')}
    ports: ["\${PORT:-18080}:80"]
    volumes: ["./data/uploads:/uploads"]
volumes:
  dbdata:
`;

let stage: InstallStage;
let found: FoundInstall;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  found = foundInstall(stage);
  await stage.publish('1.0.0', {}, RELEASE_FILES);
  await stage.publish('1.1.0', nextImages(), NEXT_FILES);
});

describe('a compose project made by hand', () => {
  test('is found nearest to the release whose images it runs, and keeps its project and its volume', async () => {
    await found.lay({ 'docker-compose.yml': BY_HAND, '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    const [running, files] = [found.containers(), found.tree()];
    const { fields, text } = await found.take({ plan: true });
    expect(fields).toMatchObject({ version: '1.0.0', from: 'hand', project: 'notes' });
    expect(text).toContain('2 of 2 images');
    expect(text).toMatch(/pgdata: the release calls its volume notes_pgdata;.*name: notes_dbdata, external: true/);
    await found.take();
    expect([found.containers(), found.tree()]).toEqual([running, files]);
    expect(await found.record()).toMatchObject({ project: 'notes', volumes: { pgdata: 'notes_dbdata' } });
  });

  test('never gets an empty volume in the place of its own at an upgrade', async () => {
    await found.lay({ 'docker-compose.yml': BY_HAND, '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    await found.take();
    await found.lay({ 'docker-compose.yml': RELEASE_FILES['docker-compose.yml'] ?? '' });
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('notes_dbdata'),
    });
    await found.lay({ 'docker-compose.override.yml': 'volumes: { pgdata: { name: notes_dbdata, external: true } }\n' });
    expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ outcome: 'upgraded', to: '1.1.0' });
    expect([...stage.engine.state().volumes.keys()]).toEqual(['notes_dbdata']);
    expect(stage.engine.state().volumes.get('notes_dbdata')?.tree.get('rows')?.content).toBe('row 1');
  });

  test('whose data is in a folder instead of the volume is refused before anything is taken over', async () => {
    await found.lay({ 'docker-compose.yml': BY_HAND.replace('"dbdata:/data"', '"./pg:/data"'), '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    const refused = await failure(found.take());
    expect(refused).toMatchObject({ code: 'E_POLICY', message: expect.stringContaining(`pgdata is in the folder ${stage.root}/pg`) });
    expect(refused.hint).toContain('install afresh');
  });

  test('with its data inside of a container is refused, for nobody could keep it', async () => {
    await found.lay({ 'docker-compose.yml': BY_HAND.replace('    volumes: ["dbdata:/data"]\n', ''), '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    expect(await failure(found.take())).toMatchObject({ message: expect.stringContaining('inside the container of db, at /data') });
  });

  test('with stopped containers, or none, is taken over as it is', async () => {
    await found.lay({ ...RELEASE_FILES, '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    for (const container of stage.engine.state().containers.values()) Object.assign(container, { state: 'exited', exitCode: 137 });
    const stopped = found.containers();
    expect((await found.take({ plan: true })).text).toContain('api, db: does not run, and stays so');
    stage.engine.state().containers.clear();
    expect((await found.take({ plan: true })).text).toContain('no container is here');
    expect(stopped).toHaveLength(2);
    await found.take();
    expect(await found.record()).toMatchObject({ version: '1.0.0', volumes: { pgdata: 'acme_pgdata' } });
  });

  test('with a volume that somebody else made keeps it through an upgrade', async () => {
    await stage.engine.client()(['docker', 'volume', 'create', 'shared'], { env: {} });
    await found.lay({
      ...RELEASE_FILES,
      '.env': FOUND_ENV,
      'docker-compose.override.yml': 'volumes: { pgdata: { name: shared, external: true } }\n',
    });
    await found.up(['db', 'api'], {
      words: ['--file', join(stage.root, 'docker-compose.yml'), '--file', join(stage.root, 'docker-compose.override.yml')],
    });
    await found.take();
    expect((await found.record()).volumes).toEqual({ pgdata: 'shared' });
    expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ to: '1.1.0' });
    expect([...stage.engine.state().volumes.keys()]).toEqual(['shared']);
  });

  test('without an .env gets an empty one, and says so', async () => {
    await found.lay({ 'docker-compose.yml': BY_HAND.replace('DB_PASSWORD}', 'DB_PASSWORD:-none}') });
    await found.lay({ '.env': '' });
    await found.up(['db', 'api']);
    await rename(join(stage.root, '.env'), join(stage.place, 'env'));
    const { text } = await found.take({ plan: true });
    expect(text).toMatch(/is written down as 1\.0\.0 \[\.env, /);
    await found.take();
    expect(await found.read('.env')).toBe('');
    expect((await stage.run(status, { offline: true })).text).toContain('all well');
  });
});

describe('an install of a release that was made before Slipway', () => {
  const OLD = BY_HAND.replace('name: notes', 'name: acme').replaceAll('dbdata', 'pgdata');
  beforeEach(async () => {
    const tree = join(stage.place, 'tree/acme');
    await mkdir(tree, { recursive: true });
    for (const [name, text] of Object.entries({ VERSION: '0.9.0\n', 'docker-compose.yml': OLD, 'upgrade.sh': '#!/bin/sh\n' }))
      await writeFile(join(tree, name), text);
    const archive = join(stage.place, 'acme-0.9.0.tar.gz');
    execFileSync('tar', ['-C', join(stage.place, 'tree'), '-czf', archive, 'acme']);
    const root = join(stage.place, 'product');
    const host = `hosts: { local: { type: folder, path: ${stage.host} } }, publishTo: [local]`;
    const data = 'data: { pgdata: {}, uploads: { path: data/uploads } }';
    await mkdir(root);
    await writeFile(join(root, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease: { tag: "v{version}", ${host} }\n${data}\n`);
    await runCommand(release, { version: '0.9.0', tag: 'v0.9.0' }, { root, positionals: ['import', archive] });
    await stage.publish(
      '1.2.0',
      { ...nextImages(), upgrade: { ...PRODUCT.upgrade, from: '>=0.9.0' } as Manifest['upgrade'] },
      { ...NEXT_FILES, VERSION: '1.2.0\n' },
    );
    await found.lay({
      VERSION: '0.9.0\n',
      'docker-compose.yml': OLD,
      'upgrade.sh': '#!/bin/sh\n',
      '.env': FOUND_ENV,
      'data/uploads/a': 'a',
    });
    await found.up(['db', 'api']);
  });

  test('is taken over as that release, and goes on to one of ours with its rows', async () => {
    const running = found.containers();
    const { fields } = await found.take();
    expect(fields).toMatchObject({ version: '0.9.0', from: 'release', outcome: 'adopted' });
    expect(fields.images).toMatchObject([{ state: 'tag' }, { state: 'tag' }]);
    expect(found.containers()).toEqual(running);
    expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ from: '0.9.0', to: '1.2.0', outcome: 'upgraded' });
    expect(stage.engine.state().volumes.get('acme_pgdata')?.tree.get('rows')?.content).toBe('row 1');
    expect(await found.read('.env')).toContain(FOUND_ENV);
    expect(await found.read('docker-compose.yml')).toBe(NEXT_FILES['docker-compose.yml']);
  });

  test('hears what the releases of today ask for, before an upgrade would make a second password', async () => {
    await found.lay({ '.env': 'PORT=19090\n' });
    const { text } = await found.take({ plan: true });
    expect(text).toContain('DB_PASSWORD has no value in .env: write the one that is in use into .env');
    await found.take();
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({
      code: 'E_ANSWER',
      message: expect.stringContaining('DB_PASSWORD'),
      hint: expect.stringContaining('--set NAME=VALUE'),
    });
  });
});

describe('what is not taken over', () => {
  const refusal = async (flags: Parameters<FoundInstall['take']>[0] = {}) => {
    const files = found.tree();
    const error = await failure(found.take(flags));
    expect(found.tree()).toBe(files);
    return error;
  };

  test('a folder without a compose file', async () => {
    await mkdir(stage.root);
    expect(await refusal()).toMatchObject({ code: 'E_NO_INSTALL', hint: expect.stringContaining('--dir') });
  });

  test('a project that is near to no release, unless a person says which one it is', async () => {
    await found.lay({ 'docker-compose.yml': 'services:\n  cart:\n    image: registry.test/shop/cart:3\n', '.env': '' });
    expect(await refusal()).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('is near to no release'),
      hint: expect.stringContaining('adopt --as VERSION'),
    });
    expect((await found.take({ as: '1.1.0', plan: true })).fields).toMatchObject({ version: '1.1.0' });
    expect(await refusal({ as: '7.0.0' })).toMatchObject({ code: 'E_NOT_FOUND', hint: expect.stringContaining('1.1.0, 1.0.0') });
  });

  test('a project whose name runs from another folder', async () => {
    await found.lay({ ...RELEASE_FILES, '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    for (const { labels } of stage.engine.state().containers.values())
      Object.assign(labels, { 'com.docker.compose.project.working_dir': '/srv/other' });
    expect(await refusal()).toMatchObject({ code: 'E_PROJECT_ELSEWHERE', message: expect.stringContaining('/srv/other') });
  });

  test('two projects of one folder, until one is named', async () => {
    await found.lay({ ...RELEASE_FILES, '.env': FOUND_ENV });
    await found.up(['db', 'api']);
    await found.up(['db'], { words: ['--project-name', 'second', '--file', join(stage.root, 'docker-compose.yml')] });
    expect(await refusal()).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('acme and second'),
      hint: expect.stringContaining('--project NAME'),
    });
    expect(await refusal({ project: 'third' })).toMatchObject({ code: 'E_POLICY' });
    expect((await found.take({ project: 'acme', plan: true })).fields).toMatchObject({ project: 'acme' });
  });

  test('compose files under other names, which a release would not replace', async () => {
    await found.lay({ 'compose.yaml': RELEASE_FILES['docker-compose.yml'] ?? '', '.env': FOUND_ENV });
    await found.up(['db', 'api'], { words: ['--file', join(stage.root, 'compose.yaml')] });
    const running = found.containers();
    expect(await refusal()).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('mv compose.yaml docker-compose.yml') });
    await rename(join(stage.root, 'compose.yaml'), join(stage.root, 'docker-compose.yml'));
    await found.take();
    expect(found.containers()).toEqual(running);
  });

  test('containers that were started with files that Compose does not read here by itself, until COMPOSE_FILE names them', async () => {
    await found.lay({ ...RELEASE_FILES, '.env': FOUND_ENV, 'site.yml': 'services:\n  api:\n    labels: { site: mine }\n' });
    const both = [join(stage.root, 'docker-compose.yml'), join(stage.root, 'site.yml')];
    await found.up(['db', 'api'], { words: both.flatMap((file) => ['--file', file]) });
    expect(await refusal()).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining(`COMPOSE_FILE=${both.join(':')}`) });
    await found.lay({ '.env': `${FOUND_ENV}COMPOSE_FILE=docker-compose.yml:site.yml\n` });
    const { text } = await found.take();
    expect(text).toContain('taken over');
  });
});

describe('a git checkout', () => {
  const run = (): Run => {
    const client = stage.engine.client();
    return (argv, options) => (argv[0] === 'git' ? runProgram(argv, options) : client(argv, options));
  };

  test('is taken over as a source install: told by its commit, shown by status, held where git cannot go on; without .git it follows releases', async () => {
    const commit = await commitFiles(stage.root, {
      'docker-compose.yml': RELEASE_FILES['docker-compose.yml'] ?? '',
      'src/main.c': 'main\n',
    });
    await stage.publish('1.0.5', { commit }, { ...RELEASE_FILES, VERSION: '1.0.5\n' });
    await writeFile(join(stage.root, '.env'), FOUND_ENV);
    await commitFiles(stage.root, { 'src/main.c': 'later\n' });
    await found.up(['db', 'api']);
    const running = found.containers();
    const { fields } = await found.take({}, { run: run() });
    expect(fields).toMatchObject({ version: '1.0.5', from: 'source', outcome: 'adopted' });
    expect(found.containers()).toEqual(running);
    const { fields: shown, text } = await stage.run(status, { offline: true });
    expect(shown).toMatchObject({ source: true });
    expect(text).toContain('a git checkout');
    expect(await failure(stage.run(upgrade, { yes: true }, { run: run() }))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('which commit it was made from'),
    });
    await rename(join(stage.root, '.git'), join(stage.place, 'git'));
    expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ outcome: 'upgraded', to: '1.1.0' });
  });
});
