// Building images in CI. Rule: images that are built from each other share a workflow; pull requests build in a job that can push nothing.
import { buildOrder } from '../model/image-needs.ts';
import type { OwnImage, Product } from '../model/product.ts';
import { mainChannelOf, VERSION_PLACE } from '../model/tag.ts';
import { homeRegistry, imagePermission } from './credentials.ts';
import { mirrorSteps, mirrorsAfterBuilds } from './mirror.ts';
import { builderSteps, input, logIn, logOut, sources, tagFilter } from './steps.ts';
import { type CiScene, expression, type Job, type Step, type Triggers, type Workflow } from './workflow.ts';

type Buildable = OwnImage & { readonly build: NonNullable<OwnImage['build']> };

/** The branch whose images are the product's newest. */
export function mainBranch({ release }: Product): string {
  return release.channels[mainChannelOf(release.channels) ?? '']?.branch ?? 'main';
}

/** True when the main branch promotes what another branch built. */
export function isPromoted({ release }: Product): boolean {
  return Object.values(release.channels).some(({ branch, promoteFrom }) => branch !== undefined && promoteFrom !== undefined);
}

/** The own images that are built here and have the version of the whole product. */
export function releaseImages(product: Product): string[] {
  const all = Object.entries(buildable(product)).filter(([, image]) => hasReleaseVersion(image) && !image.optIn);
  return buildOrder(
    all.map(([name]) => name),
    product.images.own,
  );
}

/** One workflow for each image, or for those that are built from each other. */
export function imageWorkflows(scene: CiScene): Workflow[] {
  return imageGroups(scene.product).map((names) => imageWorkflow(names, scene));
}

function imageWorkflow(names: readonly string[], scene: CiScene): Workflow {
  const { product } = scene;
  const [first = ''] = names;
  const own = buildable(product);
  const optional = own[first]?.optIn === true;
  const since = names.length > 1 ? ['--changed-since "$BASE"'] : [];
  const trying: Job = {
    id: 'try',
    title: 'Build without pushing',
    if: "github.event_name == 'pull_request'",
    permissions: { contents: 'read' },
    setup: [...sources(scene), ...builderSteps(imagesOf(names, product), scene)],
    steps: [
      {
        name: 'Build',
        env: names.length > 1 ? { BASE: expression('github.event.pull_request.base.sha') } : {},
        run: [['slipway images build', ...names, ...since, '--yes'].join(' ')],
      },
    ],
  };
  const build = { name: 'Build and push', env: { VERSION: input('version') }, run: [BUILD_EVENT] };
  const pushing = buildJobs(names, scene, { step: build, if: "github.event_name != 'pull_request'" });
  const mirrored = mirrorsAfterBuilds(product) ? [mirrorJob(pushing, scene)] : [];
  return {
    name: `image-${first}`,
    title: `image ${names.join(', ')}`,
    on: optional ? { ...tagsOf(names, product), dispatch: DISPATCH } : triggersOf(names, product),
    group: `${expression('github.workflow')}-${expression('github.ref')}`,
    jobs: [...(optional ? [] : [trying]), ...pushing, ...mirrored],
  };
}

/** A version makes a run that was started by hand a release; otherwise the forge's own variables tell what it is. */
const BUILD_EVENT = `slipway images build "$IMAGE" --push --yes \${VERSION:+--event release --version "$VERSION"}`;

const DISPATCH = { version: { description: 'Build the release of this version; empty = what the branch says', required: false } } as const;

function triggersOf(names: readonly string[], product: Product): Triggers {
  const branches = [...new Set([...(isPromoted(product) ? [] : [mainBranch(product)]), ...product.ci.branches])];
  const paths = names.flatMap((name) => buildable(product)[name]?.build.paths.flatMap(withContents) ?? []);
  return {
    ...(branches.length === 0 ? {} : { branches }),
    ...tagsOf(names, product),
    paths: withoutCovered([...new Set(paths)]),
    pullRequests: true,
    dispatch: DISPATCH,
  };
}

/** Our patterns cover a folder that they name; a forge's do not. */
function withContents(pattern: string): string[] {
  return pattern.endsWith('**') ? [pattern] : [pattern, `${pattern}/**`];
}

/** A folder's pattern covers all others below it. */
function withoutCovered(patterns: readonly string[]): string[] {
  const folders = patterns.filter((pattern) => /^[^*?]*\/\*\*$/.test(pattern)).map((pattern) => pattern.slice(0, -2));
  return patterns.filter((pattern) => !folders.some((folder) => pattern.startsWith(folder) && pattern !== `${folder}**`));
}

/** The git tags that release these images by themselves; those of the whole product are another workflow's, where it has a bundle. */
function tagsOf(names: readonly string[], product: Product): Pick<Triggers, 'tags'> {
  const common = product.bundle === undefined && !isPromoted(product) ? [product.release.tag] : [];
  const patterns = imagesOf(names, product).flatMap(({ release, tag }) => release ?? (tag.includes(VERSION_PLACE) ? common : []));
  return patterns.length === 0 ? {} : { tags: [...new Set(patterns)].map(tagFilter) };
}

export interface BuildWish {
  /** Its environment gets `IMAGE`. */
  readonly step: Step;
  readonly needs?: readonly string[];
  readonly if?: string;
  /** The commit or tag to check out. */
  readonly ref?: string;
}

/** A job for all images that need none of the others, then one for those that need only these, and so on. */
export function buildJobs(names: readonly string[], scene: CiScene, { step, needs = [], if: when, ref }: BuildWish): Job[] {
  const levels = levelsOf(names, scene.product);
  const registry = homeRegistry(scene.product);
  return levels.map((images, index): Job => {
    const [only = '', ...others] = images;
    const all = [...needs, ...(index === 0 ? [] : [jobName(index - 1)])];
    return {
      id: jobName(index),
      title: others.length === 0 ? `Build ${only}` : 'Build',
      ...(all.length === 0 ? {} : { needs: all }),
      ...(when === undefined ? {} : { if: when }),
      ...(others.length === 0 ? {} : { images }),
      permissions: { contents: 'read', ...imagePermission(scene, 'write') },
      setup: [...sources(scene, ref), ...builderSteps(imagesOf(images, scene.product), scene), ...logIn([registry], scene)],
      steps: [
        { ...step, env: { IMAGE: others.length === 0 ? only : expression('matrix.image'), ...step.env } },
        ...logOut([registry], scene),
      ],
    };
  });
}

function jobName(level: number): string {
  return level === 0 ? 'build' : `build-${level + 1}`;
}

function levelsOf(names: readonly string[], product: Product): string[][] {
  const levels: string[][] = [];
  const level = new Map<string, number>();
  for (const name of buildOrder(names, product.images.own)) {
    const needed = product.images.own[name]?.needs.map((need) => level.get(need) ?? -1) ?? [];
    const at = Math.max(-1, ...needed) + 1;
    level.set(name, at);
    levels[at] = [...(levels[at] ?? []), name];
  }
  return levels;
}

/** Images that are connected by `needs`; those that are built only when named stand alone. */
function imageGroups(product: Product): string[][] {
  const own = buildable(product);
  const groups: string[][] = [];
  for (const [name, image] of Object.entries(own)) {
    if (image.optIn) {
      groups.push([name]);
      continue;
    }
    const isNear = (other: string): boolean =>
      own[other]?.optIn !== true && (image.needs.includes(other) || own[other]?.needs.includes(name) === true);
    const near = groups.filter((group) => group.some(isNear));
    const joined = [...near.flat(), name];
    const [place] = near;
    if (place === undefined) groups.push(joined);
    else groups.splice(groups.indexOf(place), 1, joined);
    for (const other of near.slice(1)) groups.splice(groups.indexOf(other), 1);
  }
  return groups.map((group) => buildOrder(group, product.images.own));
}

function mirrorJob(after: readonly Job[], scene: CiScene): Job {
  return {
    id: 'mirror',
    title: 'Mirror',
    needs: after.map(({ id }) => id),
    if: "github.event_name != 'pull_request'",
    ...mirrorSteps(scene),
  };
}

function buildable({ images }: Product): Record<string, Buildable> {
  return Object.fromEntries(Object.entries(images.own).filter((entry): entry is [string, Buildable] => entry[1].build !== undefined));
}

function imagesOf(names: readonly string[], { images }: Product): OwnImage[] {
  return names.flatMap((name) => images.own[name] ?? []);
}

function hasReleaseVersion({ release, tag }: OwnImage): boolean {
  return release === undefined && tag.includes(VERSION_PLACE);
}
