// A backup tried by restoring it. Rule: beside the product, which runs on; and nothing of the try is left, however it ends.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { failure } from '../failure.ts';
import { fakeEngine, isEffect } from '../fakes/engine.ts';
import { type Inside, treeAt } from '../fakes/engine-state.ts';
import { fileNode } from '../fakes/file-tree.ts';
import { type InstallStage, imageOf, makeInstallStage } from '../fakes/install-stage.ts';

/** A database that keeps rows in one file, and starts anew in an empty volume. */
const rowsOf = ({ me, state }: Inside) => treeAt(state, me.mounts[0] ?? { type: 'volume', source: '', target: '' });
let refusesDumps: boolean;
let stage: InstallStage;
let engine: ReturnType<typeof fakeEngine>;
beforeEach(async (context) => {
  refusesDumps = false;
  stage = await makeInstallStage(context);
  engine = fakeEngine({
    images: [imageOf('db'), imageOf('api')],
    programs: {
      api: { version: 'api' },
      db: {
        version: 'db',
        healthyAfter: 2,
        exec: ([, , verb = ''], inside, input) => {
          if (verb === 'restore' && (refusesDumps || rowsOf(inside).has('rows')))
            return { code: 1, stdout: '', stderr: 'relation "rows" already exists\n' };
          if (verb === 'restore') rowsOf(inside).set('rows', fileNode(input));
          return { code: 0, stdout: verb === 'dump' ? (rowsOf(inside).get('rows')?.content ?? '') : '', stderr: '' };
        },
      },
    },
  });
  await stage.publish('1.0.0', {
    data: { pgdata: { backup: { service: 'db', dump: 'dump', restore: 'restore' } }, uploads: { path: 'data/uploads' } },
  });
  await stage.install({}, parts());
  await writeFile(join(stage.root, 'data/uploads/picture'), 'a picture\n');
  engine.state().volumes.get('acme_pgdata')?.tree.set('rows', fileNode('row 1\n'));
});

const parts = (more = {}) => ({
  run: engine.client(),
  sleep: async (ms: number) => engine.wait(ms),
  now: () => new Date(engine.state().clock),
  ...more,
});
const say = (...positionals: string[]) => ({
  ...backup,
  run: (context: Parameters<typeof backup.run>[0]) => backup.run({ ...context, positionals }),
});
const make = (flags = {}) => stage.run(backup, { yes: true, ...flags }, parts());
const attempt = (flags = {}, more = {}) => stage.run(say('verify'), { restore: true, yes: true, ...flags }, parts(more));
const present = () => ({
  containers: [...engine.state().containers.values()].map(({ id, state }) => `${id} ${state}`).sort(),
  volumes: [...engine.state().volumes.keys()].sort(),
  networks: [...engine.state().networks.keys()].sort(),
});

describe('backup verify --restore', () => {
  test('unpacks the copies, starts the data services shut off from everything, runs the dump recipe, and leaves nothing', async () => {
    await make();
    const before = present();
    const seen: string[] = [];
    const run = engine.client();
    const watching: typeof run = async (argv, options) => {
      const result = await run(argv, options);
      for (const { name, publishes, network, mounts } of engine.state().containers.values())
        if (name.includes('-try-'))
          seen.push(`${name} ${publishes} ${network} ${mounts.map(({ source }) => source).join()}`.replaceAll(/try-[0-9a-f]{8}/g, 'try'));
      return result;
    };
    const planned = await attempt({ plan: true });
    expect(planned.text).toContain('started on it, shut off from every network: db');
    const done = await attempt({}, { run: watching });
    expect(done.fields).toMatchObject({ backups: [{ version: '1.0.0', problems: [], restored: true }] });
    expect([...new Set(seen)]).toEqual(['acme-try-db-1 false acme-try_default acme-try_pgdata']);
    expect(present()).toEqual(before);
    expect(await readdir(join(stage.root, '.slipway/staged')).catch(() => [])).toEqual([]);
    expect((await stage.run(say('list'), {}, parts())).text).toMatch(/restored just now +no +asked for/);
    expect(engine.state().violations).toEqual([]);
  });

  test('says what fails, for a dump that cannot be restored, and the product runs on', async () => {
    await make();
    const before = present();
    refusesDumps = true;
    const failed = await failure(attempt());
    expect(failed).toMatchObject({ code: 'E_STEP_FAILED', details: { reason: expect.stringContaining('relation "rows" already exists') } });
    expect(present()).toEqual(before);
  });

  test('opens an encrypted backup with its key', async () => {
    const identity = await generateX25519Identity();
    const key = join(stage.place, 'key.txt');
    await writeFile(key, `${identity}\n`);
    await make({ 'encrypt-to': [await identityToRecipient(identity)] });
    expect(await failure(attempt())).toMatchObject({ code: 'E_USAGE' });
    expect((await attempt({ identity: key })).fields).toMatchObject({ backups: [{ restored: true }] });
  });

  test('that is cut off at any call to the engine leaves, after `recover`, the product as it was and nothing else', async () => {
    await make();
    const before = present();
    for (let cut = 1; ; cut += 4) {
      let left = cut;
      const run = engine.client();
      const dying: typeof run = async (argv, options) => {
        if (isEffect(argv)) left -= 1;
        if (left <= 0) throw new Error('the power is gone');
        return run(argv, options);
      };
      const ended = await attempt({}, { run: dying }).then(
        () => true,
        () => false,
      );
      if (!ended) await stage.run(recover, { yes: true }, parts());
      expect({ cut, ...present() }).toEqual({ cut, ...before });
      if (ended) break;
    }
  });
});
