// The plan of the next release as a comment on pull requests. Rule: the job that runs their code can only read, the job that writes runs none of it, and forks get
// neither.
import type { Product } from '../model/product.ts';
import { homeRegistry, imagePermission, jobToken, ownRegistries, ownTokens, releaseRegistries } from './credentials.ts';
import { PLAN_COMMENT } from './scripts.ts';
import { letGitWrite, logIn, logOut, setUpNode, shellWord, sources } from './steps.ts';
import { type CiScene, expression, type Job } from './workflow.ts';

/** True for a pull request from a branch of this very repository: `pull_request` gives a fork's code no token that writes, and neither do we. */
export const SAME_REPOSITORY = "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository";

/** Most bytes of a plan: a comment holds 65536 letters, and a variable of a job not many more once it is encoded. */
const MOST_BYTES = 45_000;

/** Makes the plan, and then says it; none without a bundle, or where nobody wants it. */
export function planJobs(scene: CiScene): Job[] {
  const { ci, bundle } = scene.product;
  return ci.plan && bundle !== undefined ? [planJob(scene), commentJob(scene)] : [];
}

function planJob(scene: CiScene): Job {
  const { product } = scene;
  const registries = ownRegistries([homeRegistry(product), ...releaseRegistries(product)], scene);
  const { lines, channel } = channelOfBase(product);
  return {
    id: 'plan',
    title: 'Plan the next release',
    if: SAME_REPOSITORY,
    permissions: { contents: 'read', ...imagePermission(scene, 'read') },
    outputs: { comment: expression('steps.plan.outputs.comment') },
    setup: [...sources(scene), ...letGitWrite(scene), ...logIn(registries, scene)],
    steps: [
      {
        name: 'Plan',
        id: 'plan',
        env: { ...(lines.length === 0 ? {} : { BASE: expression('github.event.pull_request.base.ref') }), ...ownTokens(scene) },
        run: [
          ...lines,
          `slipway plan release --format markdown${channel} > "$RUNNER_TEMP/plan.md"`,
          'cat "$RUNNER_TEMP/plan.md"',
          `echo "comment=$(head -c ${MOST_BYTES} "$RUNNER_TEMP/plan.md" | base64 -w 0)" >> "$GITHUB_OUTPUT"`,
        ],
      },
      ...logOut(registries, scene),
    ],
  };
}

/** It has the text alone, and none of the pull request's files. */
function commentJob(scene: CiScene): Job {
  return {
    id: 'plan-comment',
    title: 'Say what the next release would do',
    needs: ['plan'],
    if: SAME_REPOSITORY,
    permissions: { 'pull-requests': 'write' },
    withoutSources: true,
    setup: [setUpNode(scene)],
    steps: [
      {
        name: 'Bring the comment up to date',
        env: {
          MARK: `<!-- slipway plan ${scene.product.product} -->`,
          PULL: expression('github.event.pull_request.number'),
          COMMENT: expression('needs.plan.outputs.comment'),
          TOKEN: jobToken(scene.forge),
        },
        run: PLAN_COMMENT,
      },
    ],
  };
}

/** The channel that publishes from the branch which the pull request is for. */
function channelOfBase({ release }: Product): { readonly lines: readonly string[]; readonly channel: string } {
  const cases = Object.entries(release.channels).flatMap(([name, { branch }]) =>
    branch === undefined ? [] : [`  ${shellWord(branch)}) CHANNEL=${shellWord(name)} ;;`],
  );
  if (cases.length === 0) return { lines: [], channel: '' };
  return { lines: ['CHANNEL=', 'case "$BASE" in', ...cases, 'esac'], channel: ` \${CHANNEL:+--channel "$CHANNEL"}` };
}
