// E-6 and C-8: the operator command in a container of the very product that it changes. Rule: that container is never stopped under its own command, and gets its new image last, when
// the result is written down.
import { existsSync, readFileSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command } from '../../src/commands/command.ts';
import { backup } from '../../src/commands/operator/backup.ts';
import { configure } from '../../src/commands/operator/configure.ts';
import { stop } from '../../src/commands/operator/daily.ts';
import { keepProgress } from '../../src/commands/operator/keep-progress.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { restart } from '../../src/commands/operator/restart.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Digest } from '../../src/model/digest.ts';
import { lockPath } from '../../src/model/layout.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Step } from '../../src/model/plan.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { isEffect } from '../fakes/engine.ts';
import type { Programs } from '../fakes/engine-state.ts';
import { type Inside, insideOf } from '../fakes/inside.ts';
import { type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES, type Ran } from '../fakes/install-stage.ts';

const NAMES = ['db', 'api', 'updater'] as const;
type Majors = Readonly<Record<(typeof NAMES)[number], string>>;

const IMAGES = NAMES.flatMap((name) => ['1', '2', '3'].map((major) => ({ ...imageOf(name, major), program: `${name} ${major}` })));
const PROGRAMS: Programs = {
  ...Object.fromEntries(IMAGES.map(({ program }) => [program, { version: program }])),
  'api 3': { version: 'api 3', healthyAfter: Number.POSITIVE_INFINITY },
};
const RULES = PRODUCT.upgrade as Manifest['upgrade'];

const MIGRATION = { service: 'api', command: ['migrate'], needs: ['updater'], on: ['upgrade'] as const, timeout: null, reversible: false };

let stage: InstallStage;
let inside: Inside;
let isBroken = false;
/** What a reader found on disk when the own container was about to be replaced. */
let seen: { result: Record<string, unknown>; version: string; open: boolean } | undefined;

beforeEach(async (context) => {
  [isBroken, seen] = [false, undefined];
  stage = await makeInstallStage(context, { images: IMAGES, programs: PROGRAMS });
  inside = insideOf(stage, { isBroken: () => isBroken, watch: look });
  await publish('1.0.0', { db: '1', api: '1', updater: '1' });
  await stage.install();
});

function look(argv: readonly string[]): void {
  if (!argv.includes('up') || !argv.includes('updater')) return;
  const read = (path: string): Record<string, unknown> => JSON.parse(readFileSync(join(stage.root, path), 'utf8'));
  const open = existsSync(join(stage.root, '.slipway/journal.ndjson')) && readFileSync(join(stage.root, '.slipway/journal.ndjson'), 'utf8');
  seen = {
    result: existsSync(join(stage.root, '.slipway/result.json')) ? read('.slipway/result.json') : {},
    version: String(read('.slipway/install.json').version),
    open: typeof open === 'string' && !open.includes('"command":"restart"'),
  };
}

interface ReleaseOptions {
  readonly manifest?: Partial<Manifest>;
  readonly more?: string;
  readonly without?: string;
  readonly files?: Readonly<Record<string, string>>;
}

async function publish(
  version: string,
  majors: Majors,
  { manifest = {}, more = '', without, files = {} }: ReleaseOptions = {},
): Promise<void> {
  const parts: Majors = {
    db: `    environment: { PASSWORD: "\${DB_PASSWORD:?set it}" }\n    volumes: ["pgdata:/data"]\n`,
    api: `    environment: { TOKEN: "\${API_TOKEN:-}" }\n    volumes: ["./data/uploads:/uploads"]\n`,
    updater: `    volumes: ["${stage.root}:${stage.root}", "./configs/more.conf:/etc/updater.conf:ro"${more}]\n`,
  };
  const services = NAMES.filter((name) => name !== without).map(
    (name) => `  ${name}:\n    image: ${imageOf(name, majors[name]).pinned}\n    restart: unless-stopped\n${parts[name]}`,
  );
  const images = NAMES.map((name) => {
    const [reference = '', digest = ''] = imageOf(name, majors[name]).pinned.split('@');
    return { name, reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
  });
  const compose = `name: acme\nservices:\n${services.join('')}volumes:\n  pgdata:\n`;
  await stage.publish(version, { images, ...manifest }, { ...PRODUCT_FILES, 'docker-compose.yml': compose, ...files });
}

/** Service → its container's id and the major of its image. */
function containers(): Record<string, { id: string; major: string | undefined; state: string }> {
  const all = [...stage.engine.state().containers.values()].filter(({ labels }) => labels['com.docker.compose.oneoff'] !== 'True');
  return Object.fromEntries(
    all.map(({ id, image, state, labels }) => [
      labels['com.docker.compose.service'] ?? '',
      { id, state, major: /:(\d)\.0\.0@/.exec(image)?.[1] },
    ]),
  );
}

const ownId = (): string => containers().updater?.id ?? '';
const recordOf = async (): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(stage.root, '.slipway/install.json'), 'utf8')) as Record<string, unknown>;
const oneOffs = (): number =>
  [...stage.engine.state().containers.values()].filter(({ labels }) => labels['com.docker.compose.oneoff'] === 'True').length;

type Flags = Parameters<InstallStage['run']>[1];

/** As the product runs its commands, in its updater's container; `parts` puts it elsewhere. */
function run(command: Command, words: readonly string[] = [], flags: Flags = {}, parts: Partial<World> = inside.in(ownId())): Promise<Ran> {
  const kept = keepProgress({ ...command, run: (context) => command.run({ ...context, positionals: words }) });
  return stage.run(kept, { yes: true, ...flags }, parts);
}

const stepsOf = ({ fields }: Ran): readonly Step[] => (fields.plan as { steps: Step[] }).steps;

describe('E-6, C-8: an upgrade from a container of the product', () => {
  test('leaves its own container alone when the release does not change it', async () => {
    const before = containers();
    await publish('2.0.0', { db: '1', api: '2', updater: '1' });
    const planned = await run(upgrade, [], { plan: true });
    expect(planned.text).toContain('note: updater runs on, for this command runs in it');
    expect(stepsOf(planned).map(({ kind }) => kind)).not.toContain('renew-self');
    expect((await run(upgrade)).fields).toMatchObject({ to: '2.0.0', outcome: 'upgraded' });
    expect(containers()).toMatchObject({ api: { major: '2' }, updater: before.updater });
    expect(inside.killed).toEqual([]);
    expect(oneOffs()).toBe(0);
  });

  test('has it replaced last, when install.json and result.json tell of the new release', async () => {
    const before = containers();
    await publish('2.0.0', { db: '2', api: '2', updater: '2' });
    const planned = await run(upgrade, [], { plan: true });
    expect(stepsOf(planned).at(-1)?.kind).toBe('renew-self');
    expect(planned.text).toMatch(
      /\d+\. updater, in which this command runs, is replaced last, when this has ended and its result is written down\n/,
    );
    const done = await run(upgrade);
    expect(done.fields).toMatchObject({ to: '2.0.0', outcome: 'upgraded' });
    expect(seen).toBeUndefined();
    expect(containers()).toMatchObject({ db: { major: '2' }, api: { major: '2' }, updater: before.updater });
    expect(await inside.helpers()).toMatchObject([{ status: 'fulfilled', value: { fields: { services: ['updater'] } } }]);
    expect(seen).toEqual({ result: expect.objectContaining({ command: 'upgrade', ok: true, to: '2.0.0' }), version: '2.0.0', open: false });
    expect(containers().updater).toMatchObject({ major: '2', state: 'running' });
    expect(inside.killed).toEqual([]);
    expect(oneOffs()).toBe(0);
    const result = JSON.parse(await readFile(join(stage.root, '.slipway/result.json'), 'utf8'));
    expect(result).toMatchObject({ command: 'upgrade', outcome: 'upgraded' });
  });

  test('leaves it alone on the way back of a release that fails', async () => {
    const before = containers();
    await publish('3.0.0', { db: '1', api: '3', updater: '2' });
    expect(await failure(run(upgrade))).toMatchObject({ code: 'E_STEP_FAILED', details: { outcome: 'rolled-back' } });
    expect(containers()).toMatchObject({ api: { major: '1', state: 'running' }, updater: before.updater });
    expect([await inside.helpers(), inside.killed, oneOffs()]).toEqual([[], [], 0]);
    expect(await recordOf()).toMatchObject({ version: '1.0.0', held: ['3.0.0'] });
  });

  test('replaces it once, after the last of several hops', async () => {
    const before = containers();
    await publish('2.0.0', { db: '1', api: '2', updater: '2' }, { manifest: { upgrade: { ...RULES, stop: true } } });
    await publish('2.1.0', { db: '2', api: '2', updater: '2' });
    const planned = await run(upgrade, [], { plan: true });
    expect(stepsOf(planned).filter(({ kind }) => kind === 'renew-self')).toHaveLength(1);
    expect((await run(upgrade)).fields).toMatchObject({ path: ['2.0.0', '2.1.0'], outcome: 'upgraded' });
    expect(containers().updater).toEqual(before.updater);
    expect(await inside.helpers()).toHaveLength(1);
    expect(containers()).toMatchObject({ db: { major: '2' }, updater: { major: '2', state: 'running' } });
  });

  test('leaves the command on the machine’s PATH, which it does not see, as it is', async () => {
    const { launcher } = await recordOf();
    await rm(String(launcher));
    await publish('2.0.0', { db: '1', api: '2', updater: '1' });
    await run(upgrade);
    expect([(await recordOf()).launcher, existsSync(String(launcher))]).toEqual([launcher, false]);
  });

  test('says so, and leaves the old one running, when the new image cannot run the command', async () => {
    isBroken = true;
    const before = containers();
    await publish('2.0.0', { db: '1', api: '2', updater: '2' });
    const error = await failure(run(upgrade));
    expect(error).toMatchObject({
      code: 'E_UNHEALTHY',
      details: { outcome: 'upgraded', reason: expect.stringContaining('updater still runs as before') },
    });
    expect(containers()).toMatchObject({ api: { major: '2' }, updater: before.updater });
    expect([await recordOf(), oneOffs()]).toMatchObject([{ version: '2.0.0' }, 0]);
    isBroken = false;
    await run(restart, ['updater'], {}, inside.outside());
    expect(containers().updater?.major).toBe('2');
  });

  test('killed before or after any change to the engine, ends with `recover` from inside or outside as it was or as it should be', async () => {
    await publish('2.0.0', { db: '1', api: '2', updater: '2' });
    const versions = new Set<unknown>();
    const own = ownId();
    const goBack = await keepStill();
    for (let cut = 1; ; cut += process.env.SLIPWAY_CAMPAIGN === '1' ? 1 : 5) {
      await goBack();
      const { run: dying, death } = dyingAfter(Math.ceil(cut / 2), cut % 2 === 0);
      if (await Promise.race([stage.run(upgrade, { yes: true }, inside.in(own, dying)), death])) break;
      await loseHolder();
      await run(recover, [], {}, cut % 4 === 0 ? inside.outside() : inside.in(own));
      await inside.helpers();
      const { version } = await recordOf();
      versions.add(version);
      const major = version === '2.0.0' ? '2' : '1';
      expect({ cut, all: containers() }).toMatchObject({ cut, all: { api: { major }, updater: { major, state: 'running' } } });
      expect({ cut, left: oneOffs(), killed: inside.killed }).toEqual({ cut, left: 0, killed: [] });
      expect({ cut, isOwn: ownId() === own }).toEqual({ cut, isOwn: version === '1.0.0' });
    }
    await inside.helpers();
    expect([...versions]).toEqual(['1.0.0', '2.0.0']);
  });
});

/** As a kill leaves a program: from that change to the engine on nothing of it goes on. `after`: the change itself was still made. */
function dyingAfter(changes: number, after: boolean): { run: Run; death: Promise<undefined> } {
  const engine = stage.engine.client();
  let die: (value: undefined) => void = () => undefined;
  const death = new Promise<undefined>((resolve) => {
    die = resolve;
  });
  let left = changes;
  const run: Run = async (argv, options) => {
    if (isEffect(argv)) left -= 1;
    if (left > 0) return engine(argv, options);
    if (left === 0 && after && isEffect(argv)) await engine(argv, options);
    left = 0;
    die(undefined);
    return new Promise(() => undefined);
  };
  return { run, death };
}

/** The machine as it is now; what is returned makes it so again. */
async function keepStill(): Promise<() => Promise<void>> {
  const [engine, copy] = [stage.engine.snapshot(), join(stage.place, 'still')];
  await cp(stage.root, copy, { recursive: true });
  return async () => {
    await rm(stage.root, { recursive: true, maxRetries: 5 });
    await cp(copy, stage.root, { recursive: true });
    stage.engine.restore(engine);
  };
}

/** The lock of a program that was killed. */
async function loseHolder(): Promise<void> {
  const path = lockPath(stage.root);
  const lock = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...lock, started: 'long ago' }));
}

describe('other commands from a container of the product', () => {
  test('`configure` restarts what must, and its own container only when a file that it mounts changes', async () => {
    const before = containers();
    await run(configure, [], { set: ['API_TOKEN=other'] });
    expect(containers().updater).toEqual(before.updater);
    expect(containers().api?.id).not.toBe(before.api?.id);
    await publish('1.1.0', { db: '1', api: '1', updater: '1' }, { files: { 'configs/more.conf': 'of 1.1.0\n' } });
    await run(upgrade);
    await inside.helpers();
    expect(containers().updater).toMatchObject({ major: '1', state: 'running' });
    expect(containers().updater?.id).not.toBe(before.updater?.id);
  });

  test('`backup` leaves it running, and says what may be missing', async () => {
    const before = containers();
    const planned = await run(backup, [], { plan: true });
    expect(planned.text).toContain('note: updater runs on, for this command runs in it: what it writes itself meanwhile may be missing');
    await run(backup);
    expect(containers().updater).toEqual(before.updater);
  });

  test('`restore` brings the former release back, its own container last', async () => {
    await publish('2.0.0', { db: '2', api: '2', updater: '2' });
    await run(upgrade);
    await inside.helpers();
    expect(containers().updater?.major).toBe('2');
    await run(restore);
    expect(containers()).toMatchObject({ db: { major: '1' }, api: { major: '1' }, updater: { major: '2' } });
    expect(await inside.helpers()).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
    expect(containers().updater).toMatchObject({ major: '1', state: 'running' });
    expect(inside.killed).toEqual([]);
  });

  test('`upgrade --images-only` takes its own image last', async () => {
    await publish('2.0.0', { db: '1', api: '2', updater: '2' });
    await run(upgrade, ['updater'], { 'images-only': true });
    expect(containers()).toMatchObject({ api: { major: '1' }, updater: { major: '1' } });
    await inside.helpers();
    expect(containers()).toMatchObject({ api: { major: '1' }, updater: { major: '2', state: 'running' } });
  });

  test('`restart` gives all a new container, its own last; on the machine it gives one to whom it names', async () => {
    const before = containers();
    const done = await run(restart);
    expect(done.text).toBe('restarted: api, db, updater\n');
    expect([containers().api?.id === before.api?.id, containers().updater]).toEqual([false, before.updater]);
    await inside.helpers();
    expect(containers().updater?.id).not.toBe(before.updater?.id);
    const then = containers();
    await run(restart, ['api'], {}, inside.outside());
    expect(containers()).toEqual({ ...then, api: { ...then.api, id: expect.not.stringMatching(`^${then.api?.id}$`) } });
    expect(await failure(run(restart, ['apo']))).toMatchObject({ code: 'E_USAGE', hint: 'Did you mean api?' });
    expect(await failure(run(restart, [], { wait: 'long' }))).toMatchObject({ code: 'E_USAGE' });
  });

  test.each([
    ['stop', stop, {}],
    ['uninstall', uninstall, {}],
  ])('`%s` is refused before anything changes, and is done on the machine', async (_, command, flags) => {
    const before = containers();
    expect(await failure(run(command, [], flags))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('stops updater, and this command runs in its container'),
      hint: expect.stringContaining('on the machine itself'),
    });
    expect(containers()).toEqual(before);
    await run(command, [], flags, inside.outside());
    expect(containers()).toEqual({});
  });

  test.each([
    ['is gone from the release', { without: 'updater' }, 'is no service of the product any more'],
    ['has data open that is copied', {}, 'has data open'],
    ['keeps the data and changes', { manifest: { upgrade: { ...RULES, migrate: [MIGRATION] } } }, 'must stop first'],
  ] as const)('an upgrade is refused before anything changes when the own service %s', async (what, options, message) => {
    if (what.startsWith('has data')) await useData();
    const before = containers();
    await publish('2.0.0', { db: '2', api: '2', updater: '2' }, options);
    expect(await failure(run(upgrade))).toMatchObject({ code: 'E_POLICY', message: expect.stringContaining(message) });
    expect(containers()).toEqual(before);
    expect(await recordOf()).toMatchObject({ version: expect.stringMatching(/^1\./) });
  });

  test('`recover` of what was begun on the machine, and stops its container, is left to the machine', async () => {
    await publish('2.0.0', { db: '1', api: '2', updater: '2' });
    const before = containers();
    const { run: dying, death } = dyingAfter(5, false); // pulled and tagged, and about to stop
    await Promise.race([stage.run(upgrade, { yes: true }, inside.outside(dying)), death]);
    await loseHolder();
    expect(await failure(run(recover))).toMatchObject({ code: 'E_POLICY', message: expect.stringContaining('this upgrade stops updater') });
    expect(containers()).toEqual(before);
    await run(recover, [], {}, inside.outside());
    expect(containers()).toMatchObject({ api: { major: '1' }, updater: { major: '1', state: 'running' } });
  });
});

/** The updater as a program that keeps files of its own among the data. */
async function useData(): Promise<void> {
  await publish('1.1.0', { db: '1', api: '1', updater: '1' }, { more: ', "pgdata:/data"' });
  await run(upgrade, [], {}, inside.outside());
}
