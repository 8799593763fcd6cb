// Images of another release for some services. Rule: what is not named runs on untouched, every other command knows of it, and a whole upgrade ends it.
import { existsSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command } from '../../src/commands/command.ts';
import { backup } from '../../src/commands/operator/backup.ts';
import { configure } from '../../src/commands/operator/configure.ts';
import { start, stop } from '../../src/commands/operator/daily.ts';
import { diff } from '../../src/commands/operator/diff.ts';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { history } from '../../src/commands/operator/history.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { rotate } from '../../src/commands/operator/rotate.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Digest } from '../../src/model/digest.ts';
import { type InstallRecord, parseInstall } from '../../src/model/install.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Step } from '../../src/model/plan.ts';
import { failure } from '../failure.ts';
import { fakeEngine, isEffect } from '../fakes/engine.ts';
import type { Programs } from '../fakes/engine-state.ts';
import { type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES, type Ran } from '../fakes/install-stage.ts';

const NAMES = ['db', 'api', 'worker', 'web', 'docs', 'mail', 'reports'] as const;
const FOUR = ['api', 'worker', 'web', 'docs'];
const UPGRADE = { ...PRODUCT.upgrade, from: '>=1.0.0', health: [{ service: 'reports', command: ['well'] }] } as Manifest['upgrade'];

function composeOf(major: string): string {
  const parts: Partial<Record<(typeof NAMES)[number], string>> = {
    db: `    environment: { PASSWORD: "\${DB_PASSWORD:?set it}" }\n    volumes: ["pgdata:/data"]\n`,
    api: `    environment: { TOKEN: "\${API_TOKEN:-}" }\n    volumes: ["./configs:/etc/api:ro"]\n`,
    web: '    depends_on: [api]\n',
  };
  const services = NAMES.map((name) => `  ${name}:\n    image: ${imageOf(name, major).pinned}\n${parts[name] ?? ''}`);
  return `name: acme\n# what runs here\nservices:\n${services.join('')}volumes:\n  pgdata:\n`;
}

const filesOf = (major: string, config = `of ${major}\n`): Record<string, string> => ({
  ...PRODUCT_FILES,
  'docker-compose.yml': composeOf(major),
  'configs/api.conf': config,
});

function manifestOf(major: string, more: Partial<Manifest> = {}): Partial<Manifest> {
  const images = NAMES.map((name) => {
    const [reference = '', digest = ''] = imageOf(name, major).pinned.split('@');
    return { name, reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
  });
  const env = { ...PRODUCT.env, API_TOKEN: { secret: 'hex' as const } };
  return { images, env, upgrade: UPGRADE, services: { reports: { optional: true } }, ...more };
}

/** `reports` ends once it is broken, and `sick` says which other programs do not get well. */
function programsOf(sick: ReadonlySet<string>): Programs {
  const exec = () => ({ code: 0, stdout: '', stderr: '' });
  const broken = { version: 'reports', exec, work: () => (isBroken ? { parts: [() => undefined], exitCode: 1 } : undefined) };
  const all = NAMES.flatMap((name) =>
    ['1', '2', '3'].map((major) => {
      const key = `${name} ${major}`;
      const program = sick.has(key) ? { version: key, healthyAfter: Number.POSITIVE_INFINITY } : { version: key };
      return [key, name === 'reports' ? broken : program] as const;
    }),
  );
  return Object.fromEntries(all);
}

const IMAGES = NAMES.flatMap((name) => ['1', '2', '3'].map((major) => ({ ...imageOf(name, major), program: `${name} ${major}` })));

let stage: InstallStage;
let isBroken = false;
beforeEach(async (context) => {
  isBroken = false;
  stage = await openStage(context);
  await stage.install();
  await stage.publish('2.0.0', manifestOf('2'), filesOf('2'));
});

async function openStage(context: Parameters<typeof makeInstallStage>[0], sick: ReadonlySet<string> = new Set()): Promise<InstallStage> {
  const opened = await makeInstallStage(context, { images: IMAGES, programs: programsOf(sick) });
  await opened.publish('1.0.0', manifestOf('1'), filesOf('1'));
  return opened;
}

type Flags = Parameters<InstallStage['run']>[1];

function run(command: Command, words: readonly string[] = [], flags: Flags = {}, on = stage): Promise<Ran> {
  return on.run({ ...command, run: (context) => command.run({ ...context, positionals: words }) }, { yes: true, ...flags });
}

const imagesOnly = (words: readonly string[], flags: Flags = {}, on = stage): Promise<Ran> =>
  run(upgrade, words, { 'images-only': true, ...flags }, on);

/** Service → its container, and the image that it was made from. */
function containers(on = stage): Record<string, { id: string; image: string; state: string }> {
  const all = [...on.engine.state().containers.values()];
  return Object.fromEntries(all.map(({ id, image, state, labels }) => [labels['com.docker.compose.service'] ?? '', { id, image, state }]));
}

const majors = (on = stage): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(containers(on)).map(([name, { image }]) => [name, /:(\d)\.0\.0@/.exec(image)?.[1]]));

const recordOf = async (on = stage): Promise<InstallRecord> => parseInstall(await read('.slipway/install.json', on), 'install.json');
const read = (path: string, on = stage): Promise<string> => readFile(join(on.root, path), 'utf8');
const MIXED = { db: '1', api: '2', worker: '2', web: '2', docs: '2', mail: '1', reports: '1' };

describe('upgrade --images-only (C-12)', () => {
  test('touches only the four services that are named, and a broken optional container does not fail it', async () => {
    isBroken = true;
    for (let passed = 0; passed < 9; passed += 1) stage.engine.wait(1000);
    const before = containers();
    expect(before.reports?.state).toBe('exited');
    const done = await imagesOnly(['api,worker', 'web', 'docs']);
    expect(done.fields).toMatchObject({ from: '1.0.0', to: '2.0.0', outcome: 'upgraded', images: [...FOUR].sort() });
    expect(majors()).toEqual(MIXED);
    for (const name of ['db', 'mail', 'reports']) expect(containers()[name]).toEqual(before[name]);
    for (const name of FOUR) expect(containers()[name]?.id).not.toBe(before[name]?.id);
    expect(await read('configs/api.conf')).toBe('of 1\n');
    expect(await recordOf()).toMatchObject({ version: '1.0.0', mixed: { services: { api: { version: '2.0.0' } } } });
  });

  test('takes all images where none is named, and says so when there is nothing left to take', async () => {
    await imagesOnly([]);
    expect(new Set(Object.values(majors()))).toEqual(new Set(['2']));
    const again = await imagesOnly([]);
    expect(again.fields).toMatchObject({ outcome: 'up-to-date', images: [] });
  });

  test('shows the plan first and changes nothing by it', async () => {
    const before = containers();
    const planned = await imagesOnly(['web'], { plan: true });
    const { steps } = planned.fields.plan as { steps: Step[] };
    const pulled = steps.flatMap((step) => (step.kind === 'pull-images' ? step.images.map(({ name }) => name) : []));
    expect(pulled).toEqual(['web']);
    expect(planned.text).toContain('only the images of web become those of 2.0.0; all else stays at 1.0.0');
    expect(containers()).toEqual(before);
    expect((await recordOf()).mixed).toBeUndefined();
  });

  test('goes back by itself when one of the new images does not get well', async (context) => {
    const own = await openStage(context, new Set(['web 2']));
    await own.install();
    await own.publish('2.0.0', manifestOf('2'), filesOf('2'));
    const before = await read('docker-compose.yml', own);
    const error = await failure(imagesOnly(['api', 'web'], {}, own));
    expect(error).toMatchObject({ code: 'E_STEP_FAILED', details: { outcome: 'rolled-back' } });
    expect(new Set(Object.values(majors(own)))).toEqual(new Set(['1']));
    expect(await read('docker-compose.yml', own)).toBe(before);
    expect((await recordOf(own)).mixed).toBeUndefined();
  });

  test('cut off at any call to the engine, it ends with `recover` as if it had never begun', async () => {
    for (let cut = 1; ; cut += 3) {
      let left = cut;
      const engine = stage.engine.client();
      const dying: typeof engine = async (argv, options) => {
        if (isEffect(argv)) left -= 1;
        if (left <= 0) throw new Error('the power is gone');
        return engine(argv, options);
      };
      const ended = await imagesOnly(
        ['api', 'web'],
        {},
        { ...stage, run: (command, flags) => stage.run(command, flags, { run: dying }) },
      ).then(
        () => true,
        () => false,
      );
      if (ended) break;
      await run(recover);
      expect({ cut, majors: new Set(Object.values(majors())) }).toEqual({ cut, majors: new Set(['1']) });
      expect(await read('docker-compose.yml')).toBe(composeOf('1'));
      expect((await recordOf()).mixed).toBeUndefined();
    }
    expect(majors()).toMatchObject({ api: '2', web: '2', worker: '1' });
  });

  test('brings nothing else into an install that was taken over without some files', async () => {
    await rm(join(stage.root, 'configs/more.conf'));
    const adopted = { at: '2026-03-15T10:00:00Z', from: 'hand', missing: ['configs/more.conf'] };
    await writeFile(join(stage.root, '.slipway/install.json'), JSON.stringify({ ...(await recordOf()), adopted }));
    await imagesOnly(['web']);
    expect(existsSync(join(stage.root, 'configs/more.conf'))).toBe(false);
    await run(upgrade);
    expect(await read('configs/more.conf')).toBe('shipped too\n');
  });

  test('--no-start changes the compose file alone', async () => {
    const before = containers();
    await imagesOnly(['web'], { 'no-start': true });
    expect(containers()).toEqual(before);
    expect(await read('docker-compose.yml')).toContain(imageOf('web', '2').pinned);
  });

  test('a second release adds to the first, and the installed version brings services back to their own images', async () => {
    await imagesOnly(['web']);
    await stage.publish('3.0.0', manifestOf('3'), filesOf('3'));
    await imagesOnly(['docs']);
    expect(majors()).toMatchObject({ web: '2', docs: '3', api: '1' });
    await imagesOnly(['docs'], { to: '1.0.0' });
    expect(majors()).toMatchObject({ web: '2', docs: '1' });
    await imagesOnly([], { to: '1.0.0' });
    expect(new Set(Object.values(majors()))).toEqual(new Set(['1']));
    expect((await recordOf()).mixed).toBeUndefined();
    expect(await read('docker-compose.yml')).toBe(composeOf('1'));
  });
});

describe('a mixed install', () => {
  beforeEach(() => imagesOnly(FOUR));

  test('is called that by status, which says what runs which release, and nothing counts as edited or wrong', async () => {
    const shown = await run(status, [], { offline: true });
    expect(shown.text).toMatch(/Mixed +images of 2\.0\.0: api, docs, web, worker\n +all else is 1\.0\.0; `acmectl upgrade` ends it/);
    const { mixed, services, localEdits } = shown.fields as {
      mixed: object;
      services: { name: string; release: string }[];
      localEdits: [];
    };
    expect(mixed).toEqual({ api: '2.0.0', docs: '2.0.0', web: '2.0.0', worker: '2.0.0' });
    expect(services.map(({ name, release }) => `${name} ${release}`)).toContain('api 2.0.0');
    expect(services.map(({ name, release }) => `${name} ${release}`)).toContain('db 1.0.0');
    expect(localEdits).toEqual([]);
    expect((await run(diff)).text).toBe('no local changes\n');
    const findings = (await run(doctor)).fields.findings as { code: string }[];
    expect(findings.map(({ code }) => code)).not.toContain('image-override');
    expect(findings.map(({ code }) => code)).not.toContain('other-image');
    expect((await run(history)).text).toMatch(/upgrade {4}1\.0\.0 → 2\.0\.0 {2}images-only\n$/);
  });

  test('stays mixed through configure, rotate, stop and start', async () => {
    await run(configure, [], { set: ['PORT=18081'] });
    await run(rotate, ['API_TOKEN']);
    await run(stop);
    await run(start);
    expect(majors()).toEqual(MIXED);
    expect((await run(status, [], { offline: true })).fields).toMatchObject({ localEdits: [], mixed: { api: '2.0.0' } });
  });

  test('comes back mixed from its backup', async () => {
    await run(backup);
    await run(upgrade);
    expect(new Set(Object.values(majors()))).toEqual(new Set(['2']));
    await run(restore);
    expect(majors()).toEqual(MIXED);
    expect(await recordOf()).toMatchObject({ version: '1.0.0', mixed: { services: { web: { version: '2.0.0' } } } });
    expect((await run(diff)).text).toBe('no local changes\n');
  });

  test('comes up mixed on another host', async () => {
    const { fields } = await run(backup);
    const root = join(stage.place, 'elsewhere');
    const engine = fakeEngine({ images: IMAGES, programs: programsOf(new Set()) });
    await stage.install(
      { dir: root, restore: join(stage.root, String(fields.backup)) },
      { run: engine.client(), env: { ...stage.env, DOCKER_CONTEXT: 'elsewhere' }, sleep: async (ms: number) => engine.wait(ms) },
    );
    const elsewhere = { ...stage, root, engine };
    expect(majors(elsewhere)).toEqual(MIXED);
    expect(await recordOf(elsewhere)).toMatchObject({ version: '1.0.0', mixed: { services: { web: { version: '2.0.0' } } } });
    expect((await run(diff, [], { dir: root }, elsewhere)).text).toBe('no local changes\n');
  });

  test('goes away with all of its images', async () => {
    await run(uninstall);
    const left = [...stage.engine.state().images.keys()].filter((reference) => reference.includes('/api:'));
    expect(left).toEqual([]);
  });

  test('keeps what a person changed in the compose file, now and in the whole upgrade', async () => {
    const path = join(stage.root, 'docker-compose.yml');
    await writeFile(path, (await readFile(path, 'utf8')).replace('  mail:\n', '  mail:\n    labels: { mine: "yes" }\n'));
    await stage.publish('3.0.0', manifestOf('3'), filesOf('3'));
    await imagesOnly(['docs']);
    expect(majors()).toEqual({ ...MIXED, docs: '3' });
    await run(upgrade);
    expect(new Set(Object.values(majors()))).toEqual(new Set(['3']));
    expect(await read('docker-compose.yml')).toContain('labels: { mine: "yes" }');
    expect((await recordOf()).mixed).toBeUndefined();
  });

  test('takes a person’s compose file never for the shipped one, not even where that is gone', async () => {
    await rm(join(stage.root, '.slipway/releases/1.0.0/docker-compose.yml'));
    expect((await run(diff)).text).toBe('no local changes\n');
    await appendFile(join(stage.root, 'docker-compose.yml'), '# mine\n');
    expect((await run(diff)).text).toBe('docker-compose.yml: edited\n');
    expect(await failure(run(upgrade))).toMatchObject({ code: 'E_CONFLICT' });
    expect(await failure(imagesOnly(['mail']))).toMatchObject({ code: 'E_NOT_FOUND', hint: expect.stringContaining('`upgrade`') });
    expect(majors()).toEqual(MIXED);
  });
});

describe('the whole upgrade after it', () => {
  test.each([{ words: FOUR }, { words: [] }])('gives the same files as without it, to the byte ($words)', async ({ words }) => {
    await appendFile(join(stage.root, '.env'), 'MINE=1\n');
    await imagesOnly(words);
    const done = await run(upgrade);
    expect(done.fields).toMatchObject({ from: '1.0.0', to: '2.0.0', outcome: 'upgraded' });
    for (const [path, text] of Object.entries(filesOf('2'))) if (!path.startsWith('content/')) expect(await read(path)).toBe(text);
    expect((await recordOf()).mixed).toBeUndefined();
    expect(new Set(Object.values(majors()))).toEqual(new Set(['2']));
    expect((await run(diff)).text).not.toContain('docker-compose.yml');
    expect((await run(status, [], { offline: true })).fields).toMatchObject({ mixed: null, localEdits: [] });
  });
});

test('what is refused changes nothing, and says what to do', async () => {
  await stage.publish('3.0.0', manifestOf('3', { upgrade: { ...UPGRADE, stop: true } }), filesOf('3'));
  await stage.publish('4.0.0', manifestOf('3'), filesOf('3'));
  const [before, text] = [containers(), await read('.slipway/install.json')];
  const unknown = await failure(imagesOnly(['wep'], { to: '2.0.0' }));
  expect(unknown).toMatchObject({ code: 'E_USAGE', hint: 'Did you mean web?' });
  const answered = await failure(imagesOnly(['web'], { set: ['PORT=1'] }));
  expect(answered).toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('`configure`') });
  const beyond = await failure(imagesOnly(['web']));
  expect(beyond).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('--to 3.0.0') });
  const named = await failure(run(upgrade, ['web']));
  expect(named).toMatchObject({ code: 'E_USAGE' });
  expect(containers()).toEqual(before);
  expect(await read('.slipway/install.json')).toBe(text);
});
