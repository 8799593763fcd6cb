// A release whose application goes wrong, by the real upgrade on a fake engine. Rule: every row ends at exactly the old release with its data, or at the new one, and says why.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { recover } from '../../src/commands/operator/recover.ts';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Digest } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import type { Inside, Program, Work } from '../fakes/engine-state.ts';
import { fileNode, treeText } from '../fakes/file-tree.ts';
import { COMPOSE, type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';

type Upgrade = Manifest['upgrade'];

const NEXT = { ...imageOf('api', '2'), program: 'api-2' };
const ROWS = 'first\nsecond\n';
const MIGRATE: Upgrade['migrate'][number] = { service: 'api', command: ['migrate'], needs: ['db'], on: ['upgrade'], timeout: null };

let stage: InstallStage;
let before: unknown;
let context: TestContext;
beforeEach((each) => {
  context = each;
});

/** 1.0.0 is installed and holds rows; 1.1.0 runs this program. */
async function prepare(program: Partial<Program>, fields: Partial<Upgrade> = {}): Promise<void> {
  const programs = { db: { version: 'db', healthyAfter: 1 }, api: { version: 'api', healthyAfter: 2 } };
  const images = [imageOf('db'), imageOf('api'), NEXT];
  stage = await makeInstallStage(context, { images, programs: { ...programs, 'api-2': { version: 'api 2', ...program } } });
  await stage.publish('1.0.0');
  await stage.install();
  data()?.set('rows', fileNode(ROWS, 0o600, 999));
  before = await look();
  const compose = COMPOSE.replace(imageOf('api').pinned, NEXT.pinned);
  const listed = [imageOf('db'), NEXT].map(({ pinned }, index) => {
    const [reference = '', digest = ''] = pinned.split('@');
    return { name: ['db', 'api'][index] ?? '', reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
  });
  const rules = { ...(PRODUCT.upgrade as Upgrade), ...fields };
  await stage.publish('1.1.0', { images: listed, upgrade: rules }, { ...PRODUCT_FILES, 'docker-compose.yml': compose });
}

const data = () => stage.engine.state().volumes.get('acme_pgdata')?.tree;
const hop = (parts: Partial<World> = {}) => stage.run(upgrade, { yes: true }, parts);
const text = (path: string): Promise<string> => readFile(join(stage.root, path), 'utf8');
const running = () => [...stage.engine.state().containers.values()].map(({ name, image, state }) => `${name} ${image} ${state}`).sort();

/** What must be the same after a way back. */
async function look(): Promise<unknown> {
  const { volumes, networks } = stage.engine.state();
  const rows = treeText(data() ?? new Map());
  const files = [await text('docker-compose.yml'), await text('.env'), await text('configs/api.conf')];
  return { files, rows, running: running(), volumes: [...volumes.keys()], networks: [...networks.keys()] };
}

/** The upgrade failed with this reason, everything is as before, and the tool says so too. */
async function expectBack(attempt: Promise<unknown>, reason: RegExp): Promise<void> {
  const error = await failure(attempt);
  expect(error).toMatchObject({ code: 'E_STEP_FAILED', message: 'upgrade failed; everything is as before' });
  expect(error.details).toMatchObject({ outcome: 'rolled-back', reason: expect.stringMatching(reason) });
  expect(await look()).toEqual(before);
  const { fields } = await stage.run(status);
  expect(fields).toMatchObject({ version: '1.0.0' });
  expect(JSON.parse(await text('.slipway/install.json'))).toMatchObject({ version: '1.0.0', held: ['1.1.0'] });
  expect((await stage.run(recover)).fields).toMatchObject({ outcome: 'nothing-open' });
}

function job(parts: (inside: Inside) => Work | undefined): Partial<Program> {
  return { work: (command, inside) => (command[0] === 'migrate' ? parts(inside) : undefined) };
}

const change = (line: string) => (): void => void data()?.set('rows', fileNode(`${ROWS}${line}\n`, 0o600, 999));

describe('a new release', () => {
  test('that is unhealthy for ever is taken back within its timeout', async () => {
    await prepare({ healthyAfter: Number.POSITIVE_INFINITY }, { timeout: 30 });
    const begun = stage.engine.state().clock;
    await expectBack(hop(), /api is (starting|unhealthy)/);
    expect((stage.engine.state().clock - begun) / 1000).toBeLessThan(30 + 30);
  });

  test('that is unhealthy for ever is taken back, too, by an engine whose list of containers tells no health', async () => {
    await prepare({ healthyAfter: Number.POSITIVE_INFINITY }, { timeout: 30 });
    const client = stage.engine.client();
    const run: Run = async (argv, options) => {
      const result = await client(argv, options);
      return argv[1] === 'ps' ? { ...result, stdout: result.stdout.replace(/ \((health: \w+|healthy|unhealthy)\)/g, '') } : result;
    };
    await expectBack(hop({ run }), /api is (starting|unhealthy)/);
  });

  test('that is healthy, and crashes during its probation, is taken back', async () => {
    await prepare({ healthyAfter: 2, tick: crashAt(30) }, { timeout: 30, probation: 60 });
    await expectBack(hop(), /api is exited/);
  });

  test('whose probe fails once or twice in a row during probation stays, and one whose probe fails three times is taken back', async () => {
    const probe = { service: 'api', command: ['ask'] };
    const failing = (times: number): Partial<Program> => {
      const answers = [0, 0, 0, ...Array<number>(times).fill(1)];
      return { exec: () => ({ code: answers.shift() ?? 0, stdout: '', stderr: '' }) };
    };
    const rules = { timeout: 30, probation: 10, health: [probe] };
    await prepare(failing(2), rules);
    expect((await hop()).fields).toMatchObject({ outcome: 'upgraded' });
    await prepare(failing(3), rules);
    await expectBack(hop(), /api: ask ended with code 1/);
  });

  test('that crashes after its probation stays, and status says that it is down', async () => {
    await prepare({ healthyAfter: 2, tick: crashAt(100) }, { timeout: 30, probation: 3 });
    expect((await hop()).fields).toMatchObject({ outcome: 'upgraded' });
    for (let wait = 0; wait < 200; wait += 1) stage.engine.wait(100);
    const { fields, text: said } = await stage.run(status);
    expect(fields).toMatchObject({ version: '1.1.0' });
    expect(said).toMatch(/api.*(exited|not running|unhealthy)/);
  });

  test('whose data was put back has it on the disk before that is written down', async () => {
    await prepare(
      job(() => ({ parts: [change('half')], exitCode: 1 })),
      { migrate: [MIGRATE] },
    );
    const client = stage.engine.client();
    const calls: string[] = [];
    const run: Run = async (argv, options) => {
      calls.push(argv.join(' '));
      return client(argv, options);
    };
    await expectBack(hop({ run }), /migrate ended with exit code 1/);
    const copied = calls.findLastIndex((call) => /^docker cp - /.test(call));
    expect(copied).toBeGreaterThan(0);
    expect(calls.slice(copied)).toContain('sync');
  });

  test('whose data was put back on a disk that does not take it is not called undone before it does', async () => {
    await prepare(
      job(() => ({ parts: [change('half')], exitCode: 1 })),
      { migrate: [MIGRATE] },
    );
    const client = stage.engine.client();
    const run: Run = async (argv, options) =>
      argv[0] === 'sync' ? { code: 1, stdout: '', stderr: 'sync: error syncing: Input/output error\n' } : client(argv, options);
    expect(await failure(hop({ run }))).toMatchObject({
      code: 'E_WAY_BACK_FAILED',
      details: { reason: expect.stringContaining('Input/output') },
    });
    expect((await stage.run(recover)).fields).toMatchObject({ outcome: 'undone', version: '1.0.0' });
    expect(await look()).toEqual(before);
  });

  test('that starts slowly, within its timeout, is waited for, and the wait is shown', async () => {
    await prepare({ healthyAfter: 200 }, { timeout: 300 });
    const { fields, events } = await hop();
    expect(fields).toMatchObject({ outcome: 'upgraded' });
    expect(events).toContainEqual(expect.objectContaining({ type: 'progress', text: 'waiting: api is starting', total: 300 }));
  });

  test('that starts more slowly than its timeout is taken back', async () => {
    await prepare({ healthyAfter: 100_000 }, { timeout: 20 });
    await expectBack(hop(), /api is starting/);
  });

  test('whose background migration still runs is waited for by the vendor’s probe, and taken back when it does not come to an end', async () => {
    const probe = { service: 'api', command: ['migrations-finished'] };
    const until = (age: number): Partial<Program> => ({ exec: (_, { me }) => ({ code: me.age >= age ? 0 : 1, stdout: '', stderr: '' }) });
    await prepare(until(100), { timeout: 300, health: [probe] });
    const { fields, events } = await hop();
    expect(fields).toMatchObject({ outcome: 'upgraded' });
    expect(events).toContainEqual(expect.objectContaining({ text: 'waiting: api: migrations-finished ended with code 1' }));
    await prepare(until(100_000), { timeout: 20, health: [probe] });
    await expectBack(hop(), /migrations-finished ended with code 1/);
  });

  test('whose port another process has taken is taken back, with what to do', async () => {
    await prepare({});
    const client = stage.engine.client();
    const run: Run = async (argv, options) => {
      const starts = argv[1] === 'compose' && argv.includes('up') && argv.includes('api');
      if (!starts || !(await text('docker-compose.yml')).includes(NEXT.pinned)) return client(argv, options);
      return { code: 1, stdout: '', stderr: 'Error response from daemon: Bind for 0.0.0.0:18080 failed: port is already allocated\n' };
    };
    const attempt = hop({ run });
    await expectBack(attempt, /port is already allocated/);
    expect((await failure(attempt)).hint).toMatch(/Another program holds this port.*configure/);
  });
});

describe('a migration', () => {
  test('that fails at 50 % is taken back with the data as it was', async () => {
    await prepare(
      job(() => ({ parts: [change('half')], exitCode: 1 })),
      { migrate: [MIGRATE] },
    );
    await expectBack(hop(), /migrate ended with exit code 1/);
  });

  test('that hangs is ended at the limit that the release sets', async () => {
    const hangs = {
      work: () => undefined,
      tick: ({ me }: Inside) => (me.labels['com.docker.compose.oneoff'] === 'True' ? change('half')() : undefined),
    };
    await prepare(hangs, { migrate: [{ ...MIGRATE, timeout: 600 }] });
    await expectBack(hop(), /took longer than 600 s/);
  });

  test('that hangs without a limit is ended by Ctrl-C, and held against nobody', async () => {
    await prepare({ work: () => undefined }, { migrate: [MIGRATE] });
    const stop = new AbortController();
    const client = stage.engine.client();
    const run: Run = (argv, options) => {
      if (argv.includes('migrate')) setTimeout(() => stop.abort(), 20);
      return client(argv, options);
    };
    expect(await failure(hop({ run, stop: stop.signal }))).toMatchObject({ code: 'E_INTERRUPTED' });
    expect(await look()).toEqual(before);
    expect(JSON.parse(await text('.slipway/install.json'))).toMatchObject({ version: '1.0.0', held: [] });
  });

  test('that succeeds, with an application that is broken then, is taken back with the data as it was', async () => {
    const broken = { ...job(() => ({ parts: [change('migrated')], exitCode: 0 })), exec: () => ({ code: 1, stdout: '', stderr: '' }) };
    await prepare(broken, { migrate: [MIGRATE], health: [{ service: 'api', command: ['works'] }], timeout: 5 });
    await expectBack(hop(), /api: works ended with code 1/);
  });

  test('that says it is done, and never ran, is not believed', async () => {
    await prepare(
      job(() => ({ parts: [change('migrated')], exitCode: 0 })),
      { migrate: [MIGRATE] },
    );
    const client = stage.engine.client();
    const run: Run = async (argv, options) => (argv.includes('migrate') ? { code: 0, stdout: '', stderr: '' } : client(argv, options));
    await expectBack(hop({ run }), /migrate did not come to its end/);
  });
});

describe('a registry that, at the pull of a new image,', () => {
  test.each([
    ['lets no more through', 'toomanyrequests: You have reached your pull rate limit', /docker login.*try again/],
    ['fails', 'received unexpected HTTP status: 500 Internal Server Error', /try again later/],
    ['wants a login', 'unauthorized: authentication required', /--registry-user|docker login/],
    ['does not answer', 'net/http: request canceled while waiting for connection (Client.Timeout exceeded)', /try again later/],
    [
      'has other bytes',
      'failed to register layer: filesystem layer verification failed: unexpected digest',
      /other bytes than were signed/,
    ],
    ['has no image for this machine', 'no matching manifest for linux/arm64/v8 in the manifest list entries', /processor of this machine/],
  ])('%s, leaves everything as it was, and the hint says what to do', async (_, said, hint) => {
    await prepare({});
    const client = stage.engine.client();
    const run: Run = async (argv, options) =>
      argv[1] === 'pull' ? { code: 1, stdout: '', stderr: `Error response from daemon: ${said}\n` } : client(argv, options);
    const attempt = hop({ run });
    await expectBack(attempt, /docker pull .* failed/);
    expect((await failure(attempt)).hint).toMatch(hint);
  });
});

/** It ends by itself when it has run for so long. */
function crashAt(age: number): NonNullable<Program['tick']> {
  return ({ me }) => {
    if (me.age >= age) Object.assign(me, { state: 'exited', exitCode: 1 });
  };
}
