// Services that nothing changed. Rule: the same container runs on, whatever it was started along with.
import { beforeEach, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { start } from '../../src/commands/operator/daily.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { COMPOSE, type InstallStage, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';

const FILES = {
  ...PRODUCT_FILES,
  'docker-compose.yml': COMPOSE.replace('  api:\n', '  api:\n    depends_on: [db]\n'),
};
/** The database is a data service: it starts in a call of its own. */
const APART: Partial<Manifest> = {
  env: { ...PRODUCT.env, NOTE: { default: 'a' } },
  data: {
    pgdata: { backup: { service: 'db', dump: 'dump', restore: 'restore' }, onUpgrade: 'skip' },
    uploads: { path: 'data/uploads', onUpgrade: 'skip' },
  },
};
let stage: InstallStage;

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', APART, FILES);
  await stage.install();
});

const ids = (): Record<string, string> =>
  Object.fromEntries(
    [...stage.engine.state().containers.values()].map(({ id, labels }) => [labels['com.docker.compose.service'] ?? '', id]),
  );

test('a service whose dependency was started apart is not made anew by configure, start or upgrade', async () => {
  const before = ids();
  expect(Object.keys(before).sort()).toEqual(['api', 'db']);
  await stage.run(configure, { yes: true, set: ['NOTE=b'] });
  expect(ids()).toEqual(before);
  await stage.run(start);
  expect(ids()).toEqual(before);
  await stage.publish('1.1.0', APART, { ...FILES, 'content/more.txt': 'more\n' });
  await stage.run(upgrade, { yes: true });
  expect(ids()).toEqual(before);
});

test('one whose answer changed is made anew, and the one it depends on is not', async () => {
  const before = ids();
  await stage.run(configure, { yes: true, set: ['PORT=18081'] });
  expect(ids().db).toBe(before.db);
  expect(ids().api).not.toBe(before.api);
});

test('start brings back the one that is gone, and leaves the other one alone', async () => {
  const before = ids();
  for (const [id, { labels }] of stage.engine.state().containers)
    if (labels['com.docker.compose.service'] === 'db') stage.engine.state().containers.delete(id);
  expect((await stage.run(start)).fields).toMatchObject({ services: ['db'] });
  expect(ids().api).toBe(before.api);
  expect(ids().db).toBeDefined();
});
