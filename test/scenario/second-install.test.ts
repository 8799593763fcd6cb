// Two installs of one product on one machine. Rule: what one of them does never takes away what the other one needs.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { imageOf, makeInstallStage, PRODUCT_FILES } from '../fakes/install-stage.ts';

const SECOND = { images: ['db', 'api'].map((name) => split(name)) } satisfies Partial<Manifest>;
const FILES = {
  ...PRODUCT_FILES,
  'docker-compose.yml': (PRODUCT_FILES['docker-compose.yml'] ?? '')
    .replaceAll(imageOf('db').pinned, imageOf('db', '2').pinned)
    .replaceAll(imageOf('api').pinned, imageOf('api', '2').pinned),
};

function split(name: string): Manifest['images'][number] {
  const [reference = '', digest = ''] = imageOf(name, '2').pinned.split('@');
  return { name, reference, digest: digest as Manifest['images'][number]['digest'], platforms: ['linux/amd64'], size: 1000 };
}

test('an upgrade keeps the images of a release that another install still runs, and removes those that nobody needs', async (context) => {
  const stage = await makeInstallStage(context);
  const tags = (): string[] => [...stage.engine.state().images.keys()].filter((name) => name.startsWith('slipway.local/acme/api:')).sort();
  await stage.publish('1.0.0');
  await stage.install();
  const second = { dir: join(stage.place, 'second'), project: 'acme2', set: ['PORT=18081'] };
  await stage.install(second);
  await stage.publish('2.0.0', SECOND, FILES);
  await stage.run(upgrade, { yes: true });
  await stage.publish('3.0.0', SECOND, FILES);
  await stage.run(upgrade, { yes: true });
  expect(tags()).toEqual(['1.0.0', '2.0.0', '3.0.0'].map((version) => `slipway.local/acme/api:${version}`));
  await stage.run(upgrade, { ...second, set: [], yes: true });
  expect(tags()).toEqual(['1.0.0', '2.0.0', '3.0.0'].map((version) => `slipway.local/acme/api:${version}`));
  await stage.publish('4.0.0', SECOND, FILES);
  await stage.run(upgrade, { yes: true });
  expect(tags(), 'the second install is at 3.0.0 by now').not.toContain('slipway.local/acme/api:1.0.0');
});
