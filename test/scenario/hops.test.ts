// Upgrades by way of several releases, by the real commands. Rule: everything is there and shown before the first hop, and whatever fails, a release that was landed on is what runs.
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { diff } from '../../src/commands/operator/diff.ts';
import { history } from '../../src/commands/operator/history.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Digest } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import { readFolderTree } from '../fakes/file-tree.ts';
import { COMPOSE, type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';

const CONF = 'level = info\n\n[http]\nport = 80\nworkers = 4\n\n[log]\nformat = json\n';
const FILES = { ...PRODUCT_FILES, 'configs/api.conf': CONF };
const RULES = PRODUCT.upgrade as Manifest['upgrade'];
const WITH_API_2 = {
  files: { ...FILES, 'docker-compose.yml': COMPOSE.replace(imageOf('api').pinned, imageOf('api', '2').pinned) },
  images: ['db', 'api'].map((name) => {
    const [reference = '', digest = ''] = imageOf(name, name === 'api' ? '2' : '1').pinned.split('@');
    return { name, reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
  }),
};

let stage: InstallStage;
const at = (path: string): string => join(stage.root, path);
const read = (path: string): Promise<string> => readFile(at(path), 'utf8');
const record = async (): Promise<Record<string, unknown>> => JSON.parse(await read('.slipway/install.json'));
const stop = (upgradeRules: Partial<Manifest['upgrade']> = {}): Pick<Manifest, 'upgrade'> => ({
  upgrade: { ...RULES, stop: true, ...upgradeRules },
});
const images = (): string[] => [...stage.engine.state().images.keys()].sort();
const backups = (): Promise<string[]> => readdir(at('.slipway/backups'));

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', {}, FILES);
  await stage.install();
});

describe('an upgrade by way of a stop', () => {
  beforeEach(async () => {
    await stage.publish('1.1.0', stop(), { ...FILES, 'configs/more.conf': 'of 1.1.0\n' });
    await stage.publish('1.2.0', { images: WITH_API_2.images }, WITH_API_2.files);
  });

  test('shows all hops, asks once, and takes them one after the other, each with a journal and a backup', async () => {
    const planned = await stage.run(upgrade, { plan: true });
    expect(planned.text).toContain('Upgrade from 1.0.0 to 1.2.0 in 2 hops: 1.1.0, 1.2.0\n');
    expect(planned.text.match(/^Hop \d of 2: .*$/gm)).toEqual(['Hop 1 of 2: 1.0.0 → 1.1.0', 'Hop 2 of 2: 1.1.0 → 1.2.0']);
    const terminal = scriptedTerminal(['y']);
    const ran = await stage.run(upgrade, {}, { terminal });
    expect(terminal.shown().match(/Go on\?/g)).toHaveLength(1);
    expect(ran.fields).toMatchObject({
      from: '1.0.0',
      to: '1.2.0',
      path: ['1.1.0', '1.2.0'],
      done: ['1.1.0', '1.2.0'],
      outcome: 'upgraded',
    });
    expect((await stage.run(status)).fields).toMatchObject({ version: '1.2.0', localEdits: [], openOperation: null });
    expect((await backups()).map((name) => name.replace(/^.*Z-/, ''))).toEqual(['1.0.0', '1.1.0']);
    const journals = (await readdir(at('.slipway/history'))).filter((name) => name.startsWith('upgrade-'));
    const heads = await Promise.all(
      journals.map(async (name) => JSON.parse((await read(`.slipway/history/${name}`)).split('\n')[0] ?? '')),
    );
    expect(new Set(heads.map(({ operation }) => operation)).size).toBe(1);
    expect(heads.map(({ id, operation }) => id.replace(operation, '')).sort()).toEqual(['-1', '-2']);
    expect((await stage.run(history)).text.match(/upgrade .*/g)).toEqual([
      'upgrade    1.0.0 → 1.1.0  upgraded',
      'upgrade    1.1.0 → 1.2.0  upgraded',
    ]);
  });

  test('does what the plan says, step by step', async () => {
    const planned = (await stage.run(upgrade, { plan: true })).fields.plan as {
      steps: object[];
      hops: { from: string; to: string; steps: { kind: string }[] }[];
    };
    expect(planned.hops.map(({ from, to }) => [from, to])).toEqual([
      ['1.0.0', '1.1.0'],
      ['1.1.0', '1.2.0'],
    ]);
    expect(planned.steps).toEqual(planned.hops.flatMap(({ steps }) => steps));
    const { events } = await stage.run(upgrade, { yes: true });
    const kinds = events.flatMap((event) => ('kind' in event && 'type' in event && event.type === 'step' ? [event.kind] : []));
    expect(kinds).toEqual(planned.steps.map((step) => ('kind' in step ? step.kind : '')));
  });

  test('has all bundles and images before anything stops, and needs the host no more', async () => {
    const run = stage.engine.client();
    let pulls = 0;
    const ran = await stage.run(
      upgrade,
      { yes: true },
      {
        run: async (argv, options) => {
          if (argv[1] === 'pull') pulls += 1;
          if (argv[1] === 'rm' && pulls > 0) await rename(stage.host, `${stage.host}-away`).catch(() => undefined);
          return run(argv, options);
        },
      },
    );
    expect(ran.fields).toMatchObject({ outcome: 'upgraded', done: ['1.1.0', '1.2.0'] });
    expect(pulls).toBe(1);
  });

  test('keeps nothing that only a hop in between needed', async () => {
    await stage.run(upgrade, { yes: true });
    expect(await readdir(at('.slipway/releases'))).toEqual(['1.1.0', '1.2.0']);
    expect(await readdir(at('.slipway/staged'))).toEqual([]);
    expect(await readdir(at('.slipway'))).not.toContain('cache');
    expect(images().filter((name) => name.startsWith('slipway.local/') && name.endsWith(':1.0.0'))).toEqual([]);
  });

  test('ends at the stop when the next hop fails, says so, holds the version, and goes on from there', async () => {
    await stage.publish(
      '1.3.0',
      { images: WITH_API_2.images, upgrade: { ...RULES, from: '>=1.1.0', health: [{ tcp: '127.0.0.1:1' }] } },
      WITH_API_2.files,
    );
    const error = await failure(stage.run(upgrade, { yes: true, to: '1.3.0' }));
    expect(error).toMatchObject({
      code: 'E_STEP_FAILED',
      message: 'the hop to 1.3.0 failed and was undone; 1.1.0 is installed',
      details: { from: '1.0.0', to: '1.3.0', path: ['1.1.0', '1.3.0'], done: ['1.1.0'], version: '1.1.0', outcome: 'rolled-back' },
    });
    expect(error.hint).toContain('`upgrade` goes on from 1.1.0.');
    expect((await stage.run(status)).fields).toMatchObject({ version: '1.1.0', held: ['1.3.0'], openOperation: null });
    expect((await stage.run(upgrade, { yes: true, to: '1.2.0' })).fields).toMatchObject({
      from: '1.1.0',
      path: ['1.2.0'],
      outcome: 'upgraded',
    });
  });

  test('keeps personal edits through all hops, and finds a conflict of a later hop before the first one', async () => {
    await stage.publish(
      '1.3.0',
      { images: WITH_API_2.images },
      { ...WITH_API_2.files, 'configs/api.conf': CONF.replace('workers = 4', 'workers = 8') },
    );
    await writeFile(at('configs/api.conf'), CONF.replace('workers = 4', 'workers = 2').replace('info', 'debug'));
    await writeFile(at('configs/more.conf'), 'mine\n');
    const tree = withoutOurs(readFolderTree(stage.root));
    const error = await failure(stage.run(upgrade, { yes: true, 'on-conflict': ['configs/more.conf=mine'] }));
    expect(error).toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringContaining('configs/api.conf: yours line 5, the release’s line 5'),
    });
    expect(withoutOurs(readFolderTree(stage.root))).toEqual(tree);
    expect((await record()).version).toBe('1.0.0');
    const choices = ['configs/more.conf=mine', 'configs/api.conf=vendor'];
    expect(await failure(stage.run(upgrade, { yes: true, 'on-conflict': [...choices, 'VERSION=mine'] }))).toMatchObject({
      code: 'E_USAGE',
    });
    await stage.run(upgrade, { yes: true, 'on-conflict': choices });
    expect(await read('configs/api.conf')).toBe(CONF.replace('workers = 4', 'workers = 8').replace('info', 'debug'));
    expect(await read('configs/more.conf')).toBe('mine\n');
    expect((await stage.run(diff)).fields.files).toMatchObject([{ path: 'configs/api.conf' }, { path: 'configs/more.conf' }]);
  });

  test('asks before the first hop what any hop asks, takes answers for each, and generates secrets once', async () => {
    const env = {
      ...PRODUCT.env,
      MAIL_FROM: { ask: 'Sender', required: true },
      NEW_SECRET: { secret: 'hex', length: 32 },
    } as Manifest['env'];
    await stage.publish('1.3.0', { images: WITH_API_2.images, env, upgrade: { ...RULES, from: '>=1.2.0', stop: true } }, WITH_API_2.files);
    await stage.publish('1.4.0', { images: WITH_API_2.images, env: { ...env, REGION: { required: true } } }, WITH_API_2.files);
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({
      code: 'E_ANSWER',
      message: expect.stringContaining('MAIL_FROM'),
    });
    expect((await record()).version).toBe('1.0.0');
    expect(await failure(stage.run(upgrade, { yes: true, set: ['MAIL_FROM=a', 'REGIO=x'] }))).toMatchObject({
      code: 'E_ANSWER',
      message: expect.stringContaining('REGIO '),
    });
    const terminal = scriptedTerminal(['me@example.org', '', 'y']);
    const ran = await stage.run(upgrade, { set: ['REGION=north'] }, { terminal });
    expect(ran.fields).toMatchObject({ path: ['1.1.0', '1.2.0', '1.3.0', '1.4.0'], outcome: 'upgraded' });
    expect(terminal.shown().match(/Enter goes on/g)).toHaveLength(1);
    expect(terminal.shown().indexOf('Sender')).toBeLessThan(terminal.shown().indexOf('Hop 1 of 4'));
    expect(await read('.env')).toMatch(/MAIL_FROM=me@example.org[\s\S]*NEW_SECRET=[0-9a-f]{32}\n[\s\S]*REGION=north/);
  });
});

describe('a hop that was cut off', () => {
  test('is recovered, and says what was to follow', async () => {
    await stage.publish('1.1.0', stop(), FILES);
    await stage.publish('1.2.0', stop(), FILES);
    await stage.publish('1.3.0', {}, FILES);
    const run = stage.engine.client();
    const killed = new Error('killed');
    let stops = 0;
    const dying = stage.run(
      upgrade,
      { yes: true },
      {
        run: async (argv, options) => {
          if (argv[1] === 'rm' && (await record()).version === '1.1.0') stops += 1;
          if (stops > 0) throw killed;
          return run(argv, options);
        },
      },
    );
    await expect(dying).rejects.toMatchObject({ code: 'E_WAY_BACK_FAILED' });
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({ code: 'E_OPEN_OPERATION' });
    const recovered = await stage.run(recover);
    expect(recovered.fields).toMatchObject({ outcome: 'undone', version: '1.1.0', onward: ['1.3.0'] });
    expect(recovered.text).toContain('`upgrade` goes on from 1.1.0 to 1.3.0');
    expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ path: ['1.2.0', '1.3.0'], outcome: 'upgraded' });
  });
});

describe('a release that works on in the background', () => {
  const unfinished = stop({ health: [{ tcp: '127.0.0.1:1', after: 'finished' }], finishTimeout: 60 });

  test('is left only when its vendor’s probe says that it has ended', async () => {
    await stage.publish('1.1.0', unfinished, FILES);
    await stage.publish('1.2.0', {}, FILES);
    const error = await failure(stage.run(upgrade, { yes: true }));
    expect(error).toMatchObject({
      ...{ code: 'E_STEP_FAILED', message: 'the hop to 1.2.0 was not begun; 1.1.0 is installed' },
      details: {
        done: ['1.1.0'],
        outcome: 'stopped',
        reason: expect.stringContaining('1.1.0 has not ended what it does in the background'),
      },
    });
    expect((await stage.run(status)).fields).toMatchObject({ version: '1.1.0', held: [] });
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({
      code: 'E_POLICY',
      hint: expect.stringContaining('`upgrade` asks again'),
    });
  });

  test('is waited for between two hops', async () => {
    await stage.publish('1.1.0', stop({ health: [{ service: 'api', command: ['finished'], after: 'finished' }] }), FILES);
    await stage.publish('1.2.0', {}, FILES);
    const run = stage.engine.client();
    let asked = 0;
    const ran = await stage.run(
      upgrade,
      { yes: true },
      {
        run: async (argv, options) => {
          if (argv.includes('exec') && argv.at(-1) === 'finished') {
            asked += 1;
            return { code: asked > 3 ? 0 : 1, stdout: '', stderr: '' };
          }
          return run(argv, options);
        },
      },
    );
    expect(asked).toBe(4);
    expect(ran.events).toContainEqual(
      expect.objectContaining({ type: 'progress', text: expect.stringContaining('1.1.0 is still at work') }),
    );
    expect(ran.fields).toMatchObject({ outcome: 'upgraded', done: ['1.1.0', '1.2.0'] });
  });
});

test('the machine must suit every release on the way, and have room for all of them, before the first hop', async () => {
  await stage.publish('1.1.0', { ...stop(), requires: { ports: [], platforms: [], docker: '>=99' } }, FILES);
  const huge = { images: WITH_API_2.images.map((image) => ({ ...image, size: 2 ** 50 })) };
  await stage.publish('1.2.0', huge, WITH_API_2.files);
  const error = await failure(stage.run(upgrade, { yes: true }));
  expect(error.code).toBe('E_PREFLIGHT');
  expect(error.message).toMatch(/Docker 28\.0\.0 is not >=99/);
  expect(error.message).toMatch(/are needed: .* for the image to pull \(api\)/);
  expect((await record()).version).toBe('1.0.0');
});

/** What was fetched may stay. */
function withoutOurs(tree: ReturnType<typeof readFolderTree>): unknown {
  return [...tree].filter(([path]) => !path.startsWith('.slipway/'));
}
