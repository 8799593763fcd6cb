// Upgrades of an install that is a git checkout. Rule: git goes forward only, nothing of the person's is lost, and what fails ends at exactly the old commit, edits and images.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { restore } from '../../src/commands/operator/restore.ts';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import type { Work } from '../fakes/engine-state.ts';
import { FOUND_ENV, foundInstall, NEXT_FILES, nextImages, RELEASE_FILES } from '../fakes/found-install.ts';
import { commitFiles } from '../fakes/git-workspace.ts';
import { type InstallStage, imageOf, makeInstallStage, PRODUCT } from '../fakes/install-stage.ts';
import { BUILT, buildByHand, makeSourceStage, type SourceStage, sourceRun } from '../fakes/source-stage.ts';
import { makeCutter } from './source-cutter.ts';

let source: SourceStage;
let stage: InstallStage;

const up = (flags: Parameters<InstallStage['run']>[1] = {}) => stage.run(upgrade, { yes: true, ...flags }, { run: source.run });
const read = (path: string): Promise<string> => readFile(join(stage.root, path), 'utf8');
const lay = (files: Readonly<Record<string, string>>): Promise<void> => source.found.lay(files);
const apiRuns = (): string | undefined =>
  [...stage.engine.state().containers.values()].find(
    ({ labels, state }) => labels['com.docker.compose.service'] === 'api' && state === 'running',
  )?.imageId;

/** All that an upgrade must leave as it was: commit, branch, index, files, containers' images and image names. */
function standing(): unknown {
  const { images, containers, volumes } = stage.engine.state();
  return {
    head: source.git('rev-parse', 'HEAD'),
    branch: source.git('symbolic-ref', 'HEAD'),
    status: source.git('status', '--porcelain'),
    diff: source.git('diff'),
    index: source.git('ls-files', '--stage'),
    images: [...images].sort(),
    containers: [...containers.values()]
      .map(({ name, imageId, state }) => ({ name, imageId, state }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    rows: volumes.get('acme_pgdata')?.tree.get('rows')?.content,
  };
}

describe('a git checkout', () => {
  beforeEach(async (context) => {
    stage = await makeInstallStage(context);
    source = await makeSourceStage(stage);
  });

  test('goes forward to the release’s commit with images built from it, and keeps edits, own files and rows', async () => {
    await lay({ 'configs/api.conf': 'mine\n', 'notes.txt': 'mine\n', 'trace.log': 'mine\n' });
    await rm(join(stage.root, 'docs.txt'));
    const { fields } = await up();
    expect(fields).toMatchObject({ from: '1.0.0', to: '1.1.0', outcome: 'upgraded' });
    expect(source.git('rev-parse', 'main')).toBe(source.second);
    expect(source.git('diff', '--name-only').split('\n')).toEqual(['configs/api.conf', 'docs.txt']);
    expect(source.git('diff', '--cached', '--name-only')).toBe('');
    expect(await Promise.all(['configs/api.conf', 'notes.txt', 'trace.log', 'configs/more.conf', 'api/new/part.c'].map(read))).toEqual([
      ...['mine\n', 'mine\n', 'mine\n'],
      ...['shipped anew\n', 'new\n'],
    ]);
    expect(existsSync(join(stage.root, 'api/old'))).toBe(false);
    expect(apiRuns()).toBe(imageOf('api', '2').id);
    expect(stage.engine.state().images.has(imageOf('api', '2').pinned)).toBe(false);
    expect(stage.engine.state().volumes.get('acme_pgdata')?.tree.get('rows')?.content).toBe('row 1');
    expect((await stage.run(status, { offline: true })).fields).toMatchObject({ version: '1.1.0', source: true });
  });

  test('is shown what will be done, and nothing is touched but git’s objects', async () => {
    await lay({ 'configs/api.conf': 'mine\n' });
    const [before, tree] = [standing(), await read('.git/index')];
    const { text } = await up({ plan: true });
    expect(text).toMatch(/images are built before anything stops \[api\][\s\S]*backup[\s\S]*the checkout goes forward to 1\.1\.0 \[/);
    expect(text).toContain(`main goes from ${source.first.slice(0, 10)} to ${source.second.slice(0, 10)}, 4 files change`);
    expect(text).toContain('your edits stay: configs/api.conf');
    expect([standing(), await read('.git/index')]).toEqual([before, tree]);
    expect(existsSync(join(stage.root, '.git/FETCH_HEAD'))).toBe(false);
  });

  test('takes no images of another release by themselves, for its images are those of its commit', async () => {
    const before = standing();
    const error = await failure(up({ 'images-only': true }));
    expect(error).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('--use-registry') });
    expect(standing()).toEqual(before);
  });

  test('takes the registry’s images with --use-registry, under the names of its compose files', async () => {
    await up({ 'use-registry': true });
    const { images } = stage.engine.state();
    expect(images.get(BUILT)).toBe(imageOf('api', '2').id);
    expect(images.has(imageOf('api', '2').pinned)).toBe(true);
    expect(images.has('slipway.local/acme/api-built:1.1.0')).toBe(false);
    expect([apiRuns(), source.git('rev-parse', 'HEAD')]).toEqual([imageOf('api', '2').id, source.second]);
  });

  test('that a person has pulled already is built and started all the same', async () => {
    source.git('pull', '-q', '--ff-only');
    await up();
    expect([apiRuns(), source.git('rev-parse', 'HEAD')]).toEqual([imageOf('api', '2').id, source.second]);
  });

  test('with edits where the commit changes something is refused, and nothing is touched', async () => {
    await lay({ 'configs/more.conf': 'mine\n' });
    const before = standing();
    expect(await failure(up())).toMatchObject({
      code: 'E_CONFLICT',
      message: 'you and 1.1.0 both changed: configs/more.conf',
      hint: expect.stringContaining('stash'),
    });
    expect(standing()).toEqual(before);
    expect(await read('configs/more.conf')).toBe('mine\n');
  });

  test('whose .git is broken is told so, and follows releases once it is moved away', async () => {
    await rename(join(stage.root, '.git/HEAD'), join(stage.place, 'HEAD'));
    expect(await failure(up())).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('no repository that git can read'),
      hint: expect.stringContaining('.git away to follow releases'),
    });
  });

  test('stops nothing when its images cannot be built', async () => {
    const commit = await commitFiles(source.origin, { 'api/Dockerfile': 'FROM nowhere\n' });
    await stage.publish('1.2.0', { commit });
    const before = standing();
    const refused = await failure(up());
    expect(refused).toMatchObject({ code: 'E_STEP_FAILED', hint: expect.stringContaining('--use-registry') });
    expect(String(refused.cause)).toContain('could not be built');
    expect(standing()).toEqual(before);
  });

  test('gets the data of the former release back once git and images are', async () => {
    await up();
    const back = () => stage.run(restore, { yes: true }, { run: source.run });
    expect(await failure(back())).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining(`git reset --keep ${source.first}`) });
    source.git('reset', '-q', '--keep', source.first);
    await buildByHand(stage.engine, stage.root);
    expect((await back()).fields).toMatchObject({ outcome: 'restored', version: '1.0.0' });
    expect([apiRuns(), source.git('status', '--porcelain', '-uno')]).toEqual([imageOf('api').id, '']);
    expect((await up({ to: '1.1.0' })).fields).toMatchObject({ outcome: 'upgraded', to: '1.1.0' });
  });

  test('is not led over a stop by itself', async () => {
    const stop = { ...nextImages(), upgrade: { ...PRODUCT.upgrade, stop: true } as Manifest['upgrade'] };
    await stage.publish('1.2.0', { ...stop, commit: source.second });
    await stage.publish('1.3.0', { commit: source.second });
    const refused = await failure(up());
    expect(refused).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('--to 1.2.0') });
  });

  test('that is cut off anywhere is recovered to exactly the old or exactly the new commit, edits and images', async () => {
    await lay({ 'configs/api.conf': 'mine\n' });
    const old = standing();
    const cut = await makeCutter(source);
    const passed = await cut.points();
    const renewed = standing();
    const last = (name: string): number => passed.lastIndexOf(name) + 1;
    const chosen = [
      last('amid git checkout-index'),
      last('after git read-tree'),
      last('after git update-ref'),
      last('after docker tag slipway.local/acme/api-built:1.1.0'),
    ];
    const [begin, end] = [last('amid git checkout-index') - 30, last('after docker tag slipway.local/acme/api-built:1.1.0') + 20];
    const isNear = (at: number): boolean => at > begin && at < end;
    const all = passed.flatMap((name, index) => (/ (?:git|docker) /.test(name) || isNear(index + 1) ? [index + 1] : []));
    for (const at of process.env.SLIPWAY_SOURCE_POINTS === 'all' ? all : chosen) {
      expect(at).toBeGreaterThan(0);
      const outcome = await cut.at(at);
      expect({ at: passed[at - 1], outcome, ...(standing() as object) }).toEqual({
        ...{ at: passed[at - 1], outcome },
        ...((outcome === 'finished' ? renewed : old) as object),
      });
      expect(await read('configs/api.conf')).toBe('mine\n');
    }
    expect(await cut.twice(last('after git update-ref'), 'amid git checkout-index')).toBe('undone');
    expect(standing()).toEqual(old);
  }, 300_000);
});

/** Its check of the new files ends well; its health check never does. */
function ends([verb]: readonly string[]): Work | undefined {
  return verb === 'migrate' ? { parts: [() => undefined], exitCode: 0 } : undefined;
}

test('a checkout whose new release is not well goes back to its commit, with edits and images as they were', async (context) => {
  const sick = { ...imageOf('api', '2'), program: 'sick' };
  stage = await makeInstallStage(context, {
    images: [imageOf('db'), imageOf('api'), sick],
    programs: {
      db: { version: 'db' },
      api: { version: 'api' },
      sick: { version: 'sick', healthyAfter: Number.POSITIVE_INFINITY, work: ends },
    },
  });
  source = await makeSourceStage(stage);
  await lay({ 'configs/api.conf': 'mine\n', 'notes.txt': 'mine\n' });
  const before = standing();
  expect(await failure(up())).toMatchObject({ code: 'E_STEP_FAILED', details: expect.objectContaining({ outcome: 'rolled-back' }) });
  expect(standing()).toEqual(before);
  expect(await Promise.all(['configs/api.conf', 'notes.txt', 'api/old/part.c'].map(read))).toEqual(['mine\n', 'mine\n', 'old\n']);
  expect((await source.found.record()).held).toEqual(['1.1.0']);
});

test('an install of a release takes --use-registry for what it does anyway', async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install();
  await stage.publish('1.1.0', nextImages(), NEXT_FILES);
  expect((await stage.run(upgrade, { yes: true, 'use-registry': true })).fields).toMatchObject({ to: '1.1.0', outcome: 'upgraded' });
});

test('C-4: which kind of install a folder is: VERSION without .git a release, .git a checkout with or without VERSION, neither unknown', async (context) => {
  stage = await makeInstallStage(context);
  const found = foundInstall(stage);
  await stage.publish('1.0.0', {}, RELEASE_FILES);
  const { VERSION = '', ...files } = RELEASE_FILES;
  await found.lay({ ...files, '.env': FOUND_ENV });
  await found.up(['db', 'api']);
  const kind = async (): Promise<unknown> => (await found.take({ plan: true }, { run: sourceRun(stage.engine.client()) })).fields.from;
  expect(await kind()).toBe('hand');
  await found.lay({ VERSION });
  expect(await kind()).toBe('release');
  await mkdir(join(stage.root, '.git')); // broken: git calls it no repository
  expect(await kind()).toBe('source');
  await commitFiles(stage.root, {});
  expect(await kind()).toBe('source');
  await rm(join(stage.root, 'VERSION'));
  expect(await kind()).toBe('source');
});
