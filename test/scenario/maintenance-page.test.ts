// The vendor's page while the door is shut. Rule: people see it exactly as long as the door is shut, and it stops nothing.
import { rm } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { nextImages } from '../fakes/found-install.ts';
import { COMPOSE, type InstallStage, imageOf, makeInstallStage, PRODUCT_FILES } from '../fakes/install-stage.ts';

const PAGE = `  page:
    image: ${imageOf('db').pinned}
    profiles: [maintenance]
    ports: ["\${PORT:-18080}:80"]
volumes:`;
const MIGRATE: Manifest['upgrade']['migrate'] = [{ service: 'api', command: ['migrate'], needs: ['db'], on: ['upgrade'], timeout: null }];
const RULES: Manifest['upgrade'] = {
  ...{ from: '>=1.0.0', stop: false, timeout: 2, probation: 0, health: [] },
  ...{ entry: ['api'], maintenance: 'page', migrate: MIGRATE },
};
const WITH_PAGE = { ...PRODUCT_FILES, 'docker-compose.yml': COMPOSE.replace('volumes:\n  pgdata', `${PAGE}\n  pgdata`) };
const NEXT = {
  ...WITH_PAGE,
  'docker-compose.yml': WITH_PAGE['docker-compose.yml'].replaceAll(imageOf('api').pinned, imageOf('api', '2').pinned),
};

let stage: InstallStage;
/** Who runs at every call that changes the engine: `api` is the door, `page` the page. */
let seen: string[];

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  seen = [];
  await stage.publish('1.0.0', { upgrade: RULES }, WITH_PAGE);
  await stage.install();
  await stage.publish('1.1.0', { upgrade: RULES, ...nextImages() }, NEXT);
});

function running(): string[] {
  const all = [...stage.engine.state().containers.values()].filter(({ state }) => state === 'running');
  return all.map(({ labels }) => labels['com.docker.compose.service'] ?? '').sort();
}

/** The engine's client; `refuse` are words of calls that fail. */
function watched(refuse: readonly string[] = []): Run {
  const client = stage.engine.client(async () => void seen.push(running().join(' ')));
  return async (argv, options) => {
    seen.push(running().join(' '));
    if (refuse.some((word) => argv.includes(word))) return { code: 1, stdout: '', stderr: 'it does not go\n' };
    return client(argv, options);
  };
}

const showed = (): boolean => seen.some((names) => names.includes('page'));
const both = (): string[] => seen.filter((names) => names.includes('page') && names.includes('api'));

describe('the maintenance page', () => {
  test('is shown while an upgrade has the door shut, never beside the door, and is gone when it opens', async () => {
    expect(running()).toEqual(['api', 'db']);
    await stage.run(upgrade, { yes: true }, { run: watched() });
    expect(showed()).toBe(true);
    expect(both()).toEqual([]);
    expect(running()).toEqual(['api', 'db']);
  });

  test('goes with the way back of an upgrade that fails', async () => {
    const client = watched();
    const run: Run = async (argv, options) =>
      argv.includes('migrate') ? { code: 1, stdout: '', stderr: 'no such column\n' } : client(argv, options);
    expect(await failure(stage.run(upgrade, { yes: true }, { run }))).toMatchObject({ code: 'E_STEP_FAILED' });
    expect(showed()).toBe(true);
    expect(both()).toEqual([]);
    expect(running()).toEqual(['api', 'db']);
  });

  test('goes with recover, wherever an upgrade was killed while it was shown', async () => {
    const client = watched();
    let reach = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const run: Run = async (argv, options) => {
      if (!argv.includes('migrate')) return client(argv, options);
      reach();
      return new Promise(() => undefined);
    };
    void stage.run(upgrade, { yes: true }, { run });
    await reached;
    expect(running()).toContain('page');
    await rm(`${stage.root}/.slipway/lock`);
    await stage.run(recover, {}, { run: watched() });
    expect(running()).toEqual(['api', 'db']);
  });

  test('that cannot be shown is a warning, and the upgrade goes on', async () => {
    const { fields, events } = await stage.run(upgrade, { yes: true }, { run: watched(['page']) });
    expect(fields).toMatchObject({ outcome: 'upgraded' });
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning', text: expect.stringContaining('page cannot show its page') }));
  });

  test('is shown while a backup or a restore has the door shut', async () => {
    await stage.run(backup, { yes: true }, { run: watched() });
    expect([showed(), both(), running()]).toEqual([true, [], ['api', 'db']]);
    seen = [];
    await stage.run(restore, { yes: true }, { run: watched() });
    expect([showed(), both(), running()]).toEqual([true, [], ['api', 'db']]);
  });
});
