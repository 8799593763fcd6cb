// Releases in CI: by a tag, from a staging branch, and by promotion. Rule: one job publishes, after everything that it publishes is there; run again, it ends in the
// same state.
import type { ChannelRules, Product } from '../model/product.ts';
import { partsOfPattern, VERSION_PLACE } from '../model/tag.ts';
import {
  homeRegistry,
  hostTokens,
  imagePermission,
  jobToken,
  releaseHosts,
  releasePermission,
  releaseRegistries,
  signingKey,
} from './credentials.ts';
import { buildJobs, isPromoted, releaseImages } from './image-builds.ts';
import { ANNOUNCE } from './scripts.ts';
import { input, letGitWrite, logIn, logOut, shellWord, sources, tagFilter, takeFields } from './steps.ts';
import { type CiScene, expression, type Job, type Permissions, type Step, type Workflow } from './workflow.ts';

/** All workflows that release something. */
export function releaseWorkflows(scene: CiScene): Workflow[] {
  const { channels } = scene.product.release;
  return [
    ...(scene.product.bundle === undefined || isPromoted(scene.product) ? [] : [tagWorkflow(scene)]),
    ...Object.entries(channels).flatMap(([name, rules]) => stagingWorkflow(name, rules, scene)),
    ...Object.entries(channels).flatMap(([name, rules]) => promoteWorkflow(name, rules, scene)),
    ...refreshWorkflow(scene),
  ];
}

/** A pushed tag: build what has the product's version, then pack, verify and publish. */
function tagWorkflow(scene: CiScene): Workflow {
  const { product } = scene;
  const { tag } = product.release;
  const { before, after } = partsOfPattern(tag);
  const ref = expression('github.event.inputs.tag || github.ref_name');
  const build = {
    name: 'Build and push',
    env: { TAG: ref },
    run: [`VERSION="\${TAG#${before}}"`, `slipway images build "$IMAGE" --push --event release --version "\${VERSION%${after}}" --yes`],
  };
  const builds = buildJobs(releaseImages(product), scene, { step: build, ref, needs: ['check'] });
  return {
    name: 'release',
    title: 'release',
    on: {
      tags: [tagFilter(tag), ...stagingTags(product)],
      dispatch: { tag: { description: `A tag that is there, such as ${tag.replace(VERSION_PLACE, '1.2.3')}`, required: true } },
    },
    group: `release-${product.product}-${ref}`,
    jobs: [checkJob(scene, ref), ...builds, publishJob(scene, { needs: ['check', ...builds.map(({ id }) => id)], tag: ref, ref })],
  };
}

/** Prereleases that a branch publishes by itself are not published once more when their tag arrives. */
function stagingTags({ release }: Product): string[] {
  return Object.values(release.channels).flatMap(({ branch, prerelease }) => {
    if (branch === undefined || prerelease === undefined) return [];
    return [`!${tagFilter(release.tag.replace(VERSION_PLACE, `${VERSION_PLACE}-${prerelease}.[0-9]*`))}`];
  });
}

/** A push to the branch of prereleases: validate, reserve, build, verify the tags, publish. */
function stagingWorkflow(channel: string, { branch, prerelease, float = [] }: ChannelRules, scene: CiScene): Workflow[] {
  if (branch === undefined || prerelease === undefined) return [];
  const { product } = scene;
  const images = releaseImages(product);
  const version = expression('needs.reserve.outputs.version');
  const build = {
    name: 'Build and push',
    env: { VERSION: version },
    run: ['slipway images build "$IMAGE" --push --event release --version "$VERSION" --yes'],
  };
  const builds = buildJobs(images, scene, { step: build, needs: ['reserve'] });
  const verify = images.length === 0 ? [] : [verifyJob(scene, { images, float, needs: ['reserve', ...builds.map(({ id }) => id)] })];
  const needs = ['reserve', ...verify.map(({ id }) => id)];
  return [
    {
      name: `publish-${channel}`,
      title: `publish ${channel}`,
      on: { branches: [branch], dispatch: { version: { description: 'Take this version; empty = the next one', required: false } } },
      group: `release-${product.product}-${expression('github.sha')}`,
      jobs: [
        checkJob(scene),
        reserveJob(channel, scene),
        ...builds,
        ...verify,
        publishJob(scene, { needs, tag: expression('needs.reserve.outputs.tag'), prerelease: true }),
      ],
    },
  ];
}

/** A push to the branch of releases: what was built for staging becomes the release, byte for byte. */
function promoteWorkflow(channel: string, { branch, promoteFrom }: ChannelRules, scene: CiScene): Workflow[] {
  if (branch === undefined || promoteFrom === undefined) return [];
  const { product } = scene;
  const commit = expression('needs.promote.outputs.commit || github.sha');
  const tag = product.release.tag.replace(VERSION_PLACE, () => expression('needs.promote.outputs.version'));
  const promote: Job = {
    id: 'promote',
    title: 'Promote',
    permissions: { ...releasePermission(scene), ...imagePermission(scene, 'write') },
    outputs: { version: expression('steps.promote.outputs.to'), commit: expression('steps.promote.outputs.commit') },
    setup: [...sources(scene), ...letGitWrite(scene), ...logIn([homeRegistry(product)], scene)],
    steps: [
      {
        name: 'Promote',
        id: 'promote',
        env: { VERSION: input('version'), ...hostTokens(scene) },
        run: takeFields(`slipway promote --channel ${channel} --yes \${VERSION:+--version "$VERSION"}`, ['to', 'commit']),
      },
      ...logOut([homeRegistry(product)], scene),
    ],
  };
  return [
    {
      name: `promote-${channel}`,
      title: `promote to ${channel}`,
      on: { branches: [branch], dispatch: { version: { description: 'The release; empty = what release.base says', required: false } } },
      group: `release-${product.product}-${expression('github.sha')}`,
      jobs: [promote, publishJob(scene, { needs: ['promote'], tag, ref: commit })],
    },
  ];
}

/** Channel files expire, so they get a new date in time. */
function refreshWorkflow(scene: CiScene): Workflow[] {
  const { ci, release, bundle, product } = scene.product;
  if (ci.refresh === undefined || release.expires === null || bundle === undefined) return [];
  const registries = releaseRegistries(scene.product);
  const refresh: Job = {
    id: 'refresh',
    title: 'Refresh channel files',
    permissions: { ...releasePermission(scene), ...imagePermission(scene, 'write') },
    setup: [...sources(scene), ...letGitWrite(scene), ...logIn(registries, scene)],
    steps: [
      {
        name: 'Give channel files a new date',
        env: { ...signingKey(scene), ...hostTokens(scene) },
        run: ['slipway channel refresh --yes'],
      },
      ...logOut(registries, scene),
    ],
  };
  return [
    { name: 'refresh', title: 'channel refresh', on: { schedule: ci.refresh, dispatch: {} }, group: `refresh-${product}`, jobs: [refresh] },
  ];
}

function checkJob(scene: CiScene, ref?: string): Job {
  const { validate } = scene.product.ci;
  const tests = validate.length === 0 ? [] : [{ name: 'Validate', run: validate }];
  const check = { name: 'Check the product', run: ['slipway check'] };
  return { id: 'check', title: 'Validate', permissions: { contents: 'read' }, setup: sources(scene, ref), steps: [check, ...tests] };
}

function reserveJob(channel: string, scene: CiScene): Job {
  return {
    id: 'reserve',
    title: 'Reserve a version',
    needs: ['check'],
    permissions: releasePermission(scene),
    outputs: { version: expression('steps.reserve.outputs.version'), tag: expression('steps.reserve.outputs.tag') },
    setup: [...sources(scene), ...letGitWrite(scene)],
    steps: [
      {
        name: 'Reserve',
        id: 'reserve',
        env: { VERSION: input('version'), ...hostTokens(scene) },
        run: takeFields(`slipway reserve --channel ${channel} --yes \${VERSION:+--version "$VERSION"}`, ['version', 'tag']),
      },
    ],
  };
}

interface VerifyWish {
  readonly images: readonly string[];
  readonly float: readonly string[];
  readonly needs: readonly string[];
}

function verifyJob(scene: CiScene, { images, float, needs }: VerifyWish): Job {
  const registry = [homeRegistry(scene.product)];
  const tags = ['--tag "$VERSION"', ...float.map((tag) => `--tag ${shellWord(tag)}`)].join(' ');
  return {
    id: 'verify',
    title: 'Verify the pushed tags',
    needs,
    permissions: { contents: 'read', ...imagePermission(scene, 'read') },
    setup: [...sources(scene), ...logIn(registry, scene)],
    steps: [
      {
        name: 'Every image has every tag',
        env: { VERSION: expression('needs.reserve.outputs.version') },
        run: [`slipway images verify-tags ${tags} ${images.join(' ')}`],
      },
      ...logOut(registry, scene),
    ],
  };
}

interface PublishWish {
  readonly needs: readonly string[];
  readonly tag: string;
  readonly ref?: string;
  readonly prerelease?: boolean;
}

/** The only job that publishes. */
function publishJob(scene: CiScene, { needs, tag, ref, prerelease = false }: PublishWish): Job {
  const { product } = scene;
  const registries = [homeRegistry(product), ...releaseRegistries(product)];
  const isBundle = product.bundle !== undefined;
  const announced = isBundle ? [] : announceSteps(scene, tag, prerelease);
  const permissions: Permissions = isBundle
    ? { ...releasePermission(scene), ...imagePermission(scene, releaseRegistries(product).length > 0 ? 'write' : 'read') }
    : { contents: 'write' };
  return {
    id: 'publish',
    title: 'Publish',
    needs,
    permissions,
    setup: [...sources(scene, ref), ...(isBundle ? [...letGitWrite(scene), ...logIn(registries, scene)] : [])],
    steps: isBundle ? [...bundleSteps(scene, tag), ...logOut(registries, scene)] : announced,
  };
}

function bundleSteps(scene: CiScene, tag: string): Step[] {
  const { product } = scene;
  const tokens = hostTokens(scene);
  const locked = product.images.thirdParty.length > 0 ? ' --locked' : '';
  const verify = {
    name: 'Verify what was packed',
    env: { TAG: tag },
    run: ['slipway verify "dist/$TAG/bundle.json" "dist/$TAG/SHA256SUMS"'],
  };
  return [
    { name: 'Pack', env: { TAG: tag, ...signingKey(scene), ...tokens }, run: [`slipway pack --tag "$TAG"${locked} --verify`] },
    ...(product.release.publicKey === undefined ? [] : [verify]),
    { name: 'Publish', env: { TAG: tag, ...signingKey(scene), ...tokens }, run: ['slipway publish --tag "$TAG" --yes'] },
    { name: 'All hosts show the same', env: { TAG: tag, ...tokens }, run: ['slipway verify --all-hosts --tag "$TAG"'] },
  ];
}

/** Without a bundle a release is a page with notes. */
function announceSteps(scene: CiScene, tag: string, prerelease: boolean): Step[] {
  const isHere = releaseHosts(scene.product).some(({ type }) => type === scene.forge || type === 'git');
  if (!isHere) return [{ name: 'Notes', env: { TAG: tag }, run: ['slipway notes --tag "$TAG"'] }];
  return [
    { name: 'Notes', env: { TAG: tag }, run: ['slipway notes --tag "$TAG" > "$RUNNER_TEMP/notes.md"'] },
    { name: 'Release page', env: { TAG: tag, PRERELEASE: String(prerelease), TOKEN: jobToken(scene.forge) }, run: ANNOUNCE },
  ];
}
