// Mirroring third-party images in CI. Rule: on a schedule, and after builds where what is mirrored is built here; a run with nothing new copies nothing.
import { mirrorHome } from '../model/image-table.ts';
import type { Product } from '../model/product.ts';
import { homeRegistry, imagePermission, mirrorRegistries } from './credentials.ts';
import { logIn, logOut, sources } from './steps.ts';
import type { CiScene, Job, Workflow } from './workflow.ts';

/** The scheduled mirror; none where there is nothing to mirror, or nobody wants it. */
export function mirrorWorkflows(scene: CiScene): Workflow[] {
  const { mirror } = scene.product.ci;
  if (mirror === undefined || !isMirrored(scene.product)) return [];
  return [
    {
      name: 'mirror',
      title: 'mirror',
      on: { schedule: mirror.schedule, dispatch: {} },
      group: `mirror-${scene.product.product}`,
      jobs: [{ id: 'mirror', title: 'Mirror', ...mirrorSteps(scene) }],
    },
  ];
}

/** True when a job that built images ends with a mirror. */
export function mirrorsAfterBuilds(product: Product): boolean {
  const { mirror } = product.ci;
  if (mirror === undefined || !isMirrored(product)) return false;
  const { registry, thirdParty } = product.images;
  return mirror.afterBuilds ?? thirdParty.some(({ source }) => registry !== undefined && source.startsWith(`${registry}/`));
}

/** The parts of a job that mirrors. */
export function mirrorSteps(scene: CiScene): Pick<Job, 'permissions' | 'setup' | 'steps'> {
  const registries = [homeRegistry(scene.product), ...mirrorRegistries(scene.product)];
  return {
    permissions: { contents: 'read', ...imagePermission(scene, 'write') },
    setup: [...sources(scene), ...logIn(registries, scene)],
    steps: [{ name: 'Mirror images', run: ['slipway images mirror --yes'] }, ...logOut(registries, scene)],
  };
}

function isMirrored({ images }: Product): boolean {
  return images.thirdParty.some(({ to = [] }) => mirrorHome(images) !== undefined || to.length > 0);
}
