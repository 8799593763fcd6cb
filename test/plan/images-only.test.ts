// Images of another release for some services, decided and planned. Rule: an image goes alone only where nothing has to go with it.
import { describe, expect, test } from 'vitest';
import type { Channel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { ToolError } from '../../src/model/error.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Mixed } from '../../src/model/mixed.ts';
import { chooseImages, findImagesPath, type ImagesChoice, type ReleaseImages } from '../../src/plan/choose-images.ts';
import { decideFiles } from '../../src/plan/files.ts';
import { planImages } from '../../src/plan/images-only.ts';
import { imagesToPull } from '../../src/plan/release-steps.ts';
import { planToText } from '../../src/show/plan.ts';
import { ONE, TWO, without } from './acme.ts';
import { composeOf, containersOf, hopOf, type InstallSketch, installOf, manifestOf, type ReleaseSketch } from './sketch.ts';
import { expectSound, stepsOf } from './walk.ts';

const NEXT: ReleaseSketch = { ...without(TWO, 'migration'), services: { ...ONE.services, db: { made: '16', holds: ['pgdata'] } } };

const asSigned = (sketch: ReleaseSketch): ReleaseImages => {
  const manifest = manifestOf(sketch);
  return { manifest, images: new Map(manifest.images.map(({ name, reference, digest }) => [name, `${reference}@${digest}`])) };
};

interface Choosing {
  readonly to?: ReleaseSketch;
  readonly from?: ReleaseSketch;
  readonly mixed?: Mixed['services'];
  readonly isSaid?: boolean;
}

function choose(named: readonly string[], { from = ONE, to = NEXT, mixed, isSaid = false }: Choosing = {}): ImagesChoice {
  const { record } = installOf({ release: from });
  return chooseImages({
    ...{ named, isSaid, installed: asSigned(from), target: asSigned(to), config: composeOf(from), majors: new Map() },
    record: mixed === undefined ? record : { ...record, mixed: { compose: digestOf('mixed'), services: mixed } },
  });
}

function refusal(act: () => unknown): ToolError {
  try {
    act();
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('which services take another image', () => {
  test('those that are named, as a release names them', () => {
    const { mixed, changed, rows } = choose(['worker', 'api']);
    expect(changed).toEqual(['api', 'worker']);
    expect(mixed?.api).toMatchObject({ version: '2.0.0', image: asSigned(NEXT).images.get('api') });
    expect(rows.map(({ name, version }) => `${name} ${version}`)).toEqual(['api 2.0.0', 'worker 2.0.0']);
  });

  test('without a name all that both releases have; what is the same already stays the installed release’s', () => {
    const same: ReleaseSketch = { ...NEXT, rest: { ...NEXT.rest, images: [manifestOf(ONE).images[0]].flatMap((image) => image ?? []) } };
    const both = { ...asSigned(NEXT), images: new Map([...asSigned(NEXT).images, ['db', asSigned(ONE).images.get('db') ?? '']]) };
    const { record } = installOf({ release: ONE });
    const { changed, mixed } = chooseImages({
      ...{ named: [], isSaid: false, record, installed: asSigned(ONE), config: composeOf(ONE), majors: new Map() },
      target: { manifest: { ...both.manifest, images: [...both.manifest.images, ...manifestOf(same).images] }, images: both.images },
    });
    expect(changed).toEqual(['api', 'proxy', 'reports', 'worker']);
    expect(Object.keys(mixed ?? {})).toEqual(changed);
  });

  test('going to the installed version takes the named ones back to their own images', () => {
    const { mixed } = choose(['api', 'worker']);
    const back = choose(['api'], { to: ONE, mixed: mixed ?? {}, isSaid: true });
    expect(Object.keys(back.mixed ?? {})).toEqual(['worker']);
    expect(back.rows.map(({ version }) => version)).toEqual([undefined]);
    expect(choose([], { to: ONE, mixed: mixed ?? {}, isSaid: true }).mixed).toBeUndefined();
  });

  test('where both releases name the registry by a variable, so does the image; where only one does, all go together', () => {
    const named = (sketch: ReleaseSketch, isNamed: boolean): ReleaseImages => {
      const { manifest, images } = asSigned(sketch);
      const place = (image: string): string => image.replace('registry.test/acme', `\${ACME_REGISTRY:-registry.test/acme}`);
      const written = new Map([...images].map(([name, image]) => [name, place(image)]));
      return isNamed ? { manifest: { ...manifest, registryVariable: 'ACME_REGISTRY' }, images: written } : { manifest, images };
    };
    const { record } = installOf({ release: ONE });
    const wish = { named: ['worker'], isSaid: false, record, config: composeOf(ONE), majors: new Map() };
    const { mixed } = chooseImages({ ...wish, installed: named(ONE, true), target: named(NEXT, true) });
    expect(mixed?.worker?.image).toContain(`\${ACME_REGISTRY:-registry.test/acme}/worker:2.0.0@sha256:`);
    expect(mixed?.worker?.row.reference).toBe('registry.test/acme/worker:2.0.0');
    const apart = refusal(() => chooseImages({ ...wish, installed: named(ONE, false), target: named(NEXT, true) }));
    expect(apart).toMatchObject({ code: 'E_POLICY', message: '2.0.0 names its registry in another way' });
  });

  test('a name that is no service is refused with what was probably meant', () => {
    expect(refusal(() => choose(['wroker']))).toMatchObject({ code: 'E_USAGE', hint: 'Did you mean worker?' });
  });

  test('so is a service that only one of the releases has', () => {
    expect(refusal(() => choose(['seed'], { to: TWO }))).toMatchObject({ code: 'E_POLICY', message: 'seed is new in 2.0.0' });
    expect(refusal(() => choose(['worker'], { to: TWO }))).toMatchObject({ message: 'worker is of 1.0.0, and gone in 2.0.0' });
  });

  test('a service whose release migrates the data goes with the whole upgrade; the others are named', () => {
    const to = { ...NEXT, upgrade: TWO.upgrade ?? {} };
    expect(refusal(() => choose([], { to }))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('api of 2.0.0 needs the data migrated'),
      hint: expect.stringContaining('--images-only db,proxy,reports,worker'),
    });
    expect(choose(['worker'], { to }).changed).toEqual(['worker']);
  });

  test('and so does one that has the image of the service that migrates', () => {
    const to = { ...NEXT, upgrade: TWO.upgrade ?? {} };
    const signed = asSigned(to);
    const { record } = installOf({ release: ONE });
    const images = new Map([...signed.images, ['worker', signed.images.get('api') ?? '']]);
    const wish = { named: ['worker'], isSaid: false, record, installed: asSigned(ONE), config: composeOf(ONE), majors: new Map() };
    expect(refusal(() => chooseImages({ ...wish, target: { ...signed, images } })).message).toContain('worker of 2.0.0 needs');
  });

  const data = (name: string, item: Manifest['data'][string]): Partial<ReleaseSketch> => ({
    rest: { ...ONE.rest, data: { [name]: item } },
  });

  test.each([
    ['in the same volume', data('pgdata', { engine: 'postgres', major: 17 })],
    [
      'in a volume of its own',
      data('pgdata17', { engine: 'postgres', major: 17, migrate: { from: 'pgdata', majors: [16], how: 'dump-restore', keepOld: true } }),
    ],
  ])('a data service of another major goes with the whole upgrade (%s)', (_, change) => {
    const from = { ...ONE, ...data('pgdata', { engine: 'postgres', major: 16 }) };
    const error = refusal(() => choose(['db'], { from, to: { ...NEXT, ...change } }));
    expect(error).toMatchObject({ code: 'E_POLICY', message: 'db of 2.0.0 has the engine in 17, and its data, pgdata, is of 16' });
    expect(choose(['worker'], { from, to: { ...NEXT, ...change } }).changed).toEqual(['worker']);
  });

  test('an image older than the one that runs is taken only when its version is said', () => {
    const mixed = choose(['worker'], { to: { ...NEXT, version: '3.0.0' } }).mixed ?? {};
    expect(refusal(() => choose(['worker'], { mixed }))).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('--to 2.0.0') });
    expect(choose(['worker'], { mixed, isSaid: true }).mixed?.worker?.version).toBe('2.0.0');
  });
});

describe('the release that images are taken of', () => {
  const releases = ['1.0.0', '2.0.0', '3.0.0'].map((version) => ({
    ...{ version, from: '>=1.0.0', stop: version === '2.0.0', status: 'published', reason: null },
  }));
  const channel = { channel: 'stable', latest: '3.0.0', releases } as unknown as Channel;
  const here = { version: '1.0.0', held: [] };
  const found = (to?: string) => findImagesPath(channel, here, to).map(({ version }) => version);

  test('is the latest one, or the one that is said', () => {
    expect(findImagesPath(channel, { version: '2.0.0', held: [] }, undefined).map(({ version }) => version)).toEqual(['3.0.0']);
    expect(found('2.0.0')).toEqual(['2.0.0']);
    expect(found('1.0.0')).toEqual(['1.0.0']);
    expect(findImagesPath(channel, { version: '3.0.0', held: [] }, undefined)).toEqual([]);
  });

  test('never one beyond a required stop', () => {
    expect(refusal(() => found())).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('goes by 2.0.0'),
      hint: expect.stringContaining('--to 2.0.0'),
    });
  });

  test('never an older one than the installed, and none that failed here unless it is said', () => {
    expect(refusal(() => findImagesPath(channel, { version: '2.0.0', held: [] }, '1.0.0')).message).toContain('older');
    expect(refusal(() => findImagesPath(channel, { version: '2.0.0', held: ['3.0.0'] }, undefined)).message).toContain('held');
  });
});

describe('the plan of it', () => {
  function planOf(named: readonly string[], { start = true, states = {} }: { start?: boolean; states?: InstallSketch['states'] } = {}) {
    const { changed, rows } = choose(named);
    const services = { ...ONE.services, ...Object.fromEntries(changed.map((name) => [name, { ...ONE.services[name], made: '2.0.0' }])) };
    const to: ReleaseSketch = { ...ONE, services, rest: { ...ONE.rest, files: manifestOf({ ...ONE, version: '1.0.0+2.0.0' }).files } };
    const from = { release: ONE, states: states ?? {} };
    const { wish, facts } = hopOf({ from, to });
    const files = decideFiles({ old: facts.install.manifest, target: wish.target, found: facts.install.files });
    const images = imagesToPull({ ...wish.target, images: rows });
    return planImages(
      {
        ...{ id: 'upgrade-1', basedOn: wish.basedOn, version: '2.0.0', services: changed, target: wish.target, images, login: undefined },
        ...{ settings: wish.settings, record: digestOf('install.json as it will be'), start },
      },
      { install: facts.install, engine: { ...facts.engine, containers: start ? containersOf(from) : [] }, next: facts.next, files },
    );
  }

  test('stops, changes and starts what is named, and nothing else', () => {
    expect(planToText(planOf(['api', 'worker']))).toMatchInlineSnapshot(`
      "Plan: upgrade, 8 steps
        1. all images are here before anything stops [api, worker]
        2. new files are prepared beside the running ones
        3. going back ends as well as it is now
        4. they get another image [api, worker]
        5. the compose file names the images of 2.0.0 [docker-compose.yml]
        6. the services, with images of 2.0.0 [api, worker]
        7. the product must be well with them
        8. it is written down which service has which image [.slipway/install.json]
        way back: free: no data is changed or copied; the images of before are put back
        note: only the images of api, worker become those of 2.0.0; all else stays at 1.0.0
      "
    `);
  });

  test('checks the files with the new image, where the release has such a check', () => {
    expect(planToText(planOf(['proxy']))).toMatchInlineSnapshot(`
      "Plan: upgrade, 9 steps
        1. all images are here before anything stops [proxy]
        2. new files are prepared beside the running ones
        3. proxy must accept the new files before anything stops [proxy: nginx -t]
        4. going back ends as well as it is now
        5. they get another image [proxy]
        6. the compose file names the images of 2.0.0 [docker-compose.yml]
        7. the services, with images of 2.0.0 [proxy]
        8. the product must be well with them
        9. it is written down which service has which image [.slipway/install.json]
        way back: free: no data is changed or copied; the images of before are put back
        note: only the images of proxy become those of 2.0.0; all else stays at 1.0.0
      "
    `);
  });

  test('leaves alone what does not run, and asks nothing of it', () => {
    const plan = planOf(['api', 'worker'], { states: { proxy: 'failed', db: 'absent' } });
    expect(stepsOf(plan, 'stop-services').flatMap(({ services }) => services)).toEqual(['api', 'worker']);
    expect(stepsOf(plan, 'start-services').flatMap(({ services }) => services)).toEqual(['api', 'worker']);
    expect(stepsOf(plan, 'check-health').flatMap(({ services }) => services)).toEqual(['api', 'worker']);
  });

  test('starts nothing of a product that is stopped, and says so', () => {
    const states = Object.fromEntries(Object.keys(ONE.services).map((name) => [name, 'absent' as const]));
    const plan = planOf(['api', 'worker'], { states });
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['pull-images', 'stage-files', 'swap-files', 'swap-files']);
    expect(plan.notes).toContain('nothing runs, so nothing is started');
  });

  test('keeps the images under tags of the release that they are of', () => {
    const pulled = stepsOf(planOf(['worker']), 'pull-images').flatMap(({ images }) => images);
    expect(pulled.map(({ local }) => local)).toEqual(['slipway.local/acme/worker:2.0.0']);
  });

  test('--no-start: files alone', () => {
    const plan = planOf(['worker'], { start: false });
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['stage-files', 'swap-files', 'swap-files']);
    expect(plan.notes).toContain('--no-start: only files change; pull and start is up to you');
  });

  test('no data is touched, and everything goes back until the end', () => {
    const plan = planOf([]);
    expectSound(plan);
    expect(plan.commitAfter).toBe(plan.steps.length - 1);
    expect(plan.wayBack?.kind).toBe('free');
    const kinds = new Set(plan.steps.map(({ kind }) => kind));
    for (const kind of ['run-job', 'copy-data', 'restore-data', 'remove-images', 'remove-paths'] as const)
      expect(kinds.has(kind)).toBe(false);
  });
});
