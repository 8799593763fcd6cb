// What pull requests are told in comments: the plan of the next release, newer images. Rule: the job that runs their code can only read, the job that writes has none
// of it, and forks get neither.
import type { Product } from '../model/product.ts';
import { homeRegistry, imagePermission, jobToken, ownRegistries, ownTokens, releaseRegistries } from './credentials.ts';
import { COMMENT } from './scripts.ts';
import { letGitWrite, logIn, logOut, setUpNode, shellWord, sources } from './steps.ts';
import { type CiScene, expression, type Job, type Step } from './workflow.ts';

/** True for a pull request from a branch of this very repository: `pull_request` gives a fork's code no token that writes, and neither do we. */
const SAME_REPOSITORY = "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository";

/** Most bytes of a text: a comment holds 65536 letters, and a variable of a job not many more once it is encoded. */
const MOST_BYTES = 45_000;

/** Makes the plan, and then says it; none without a bundle, or where nobody wants it. */
export function planJobs(scene: CiScene): Job[] {
  const { ci, bundle } = scene.product;
  if (!ci.plan || bundle === undefined) return [];
  const comment = { about: 'plan', title: 'Say what the next release would do' };
  return [planJob(scene), commentJob(scene, comment)];
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
          output('plan.md'),
        ],
      },
      ...logOut(registries, scene),
    ],
  };
}

/** Looks upstream, and says what is newer. */
export function outdatedJobs(scene: CiScene): Job[] {
  const { ci, images } = scene.product;
  if (ci.outdated?.report !== 'comment' || images.thirdParty.length === 0) return [];
  const fenced = '{ echo \'```\'; cat "$RUNNER_TEMP/outdated.txt"; echo \'```\'; } > "$RUNNER_TEMP/outdated.md"';
  const look: Job = {
    id: 'outdated',
    title: 'Look for newer images',
    if: SAME_REPOSITORY,
    permissions: { contents: 'read' },
    outputs: { comment: expression('steps.text.outputs.comment') },
    setup: sources(scene),
    steps: [lookStep(), { name: 'Make it a comment', id: 'text', run: [fenced, output('outdated.md')] }],
  };
  return [look, commentJob(scene, { about: 'outdated', title: 'Say which images are newer' })];
}

/** Exit code 4 is an answer, too. */
export function lookStep(): Step {
  return {
    name: 'Look upstream',
    id: 'outdated',
    run: [
      'code=0',
      'slipway images outdated --exit-code > "$RUNNER_TEMP/outdated.txt" || code=$?',
      'cat "$RUNNER_TEMP/outdated.txt"',
      'echo "code=$code" >> "$GITHUB_OUTPUT"',
      'test "$code" = 0 || test "$code" = 4',
    ],
  };
}

interface CommentWish {
  /** The job that made the text, as its output `comment`. */
  readonly about: string;
  readonly title: string;
}

/** It has the text alone, and none of the pull request's files. */
function commentJob(scene: CiScene, { about, title }: CommentWish): Job {
  return {
    id: `${about}-comment`,
    title,
    needs: [about],
    if: SAME_REPOSITORY,
    permissions: { 'pull-requests': 'write' },
    withoutSources: true,
    setup: [setUpNode(scene)],
    steps: [
      {
        name: 'Bring the comment up to date',
        env: {
          MARK: `<!-- slipway ${about} ${scene.product.product} -->`,
          PULL: expression('github.event.pull_request.number'),
          COMMENT: expression(`needs.${about}.outputs.comment`),
          TOKEN: jobToken(scene.forge),
        },
        run: COMMENT,
      },
    ],
  };
}

/** One line, whatever is in the file: what it holds cannot become another output. */
function output(file: string): string {
  return `echo "comment=$(head -c ${MOST_BYTES} "$RUNNER_TEMP/${file}" | base64 -w 0)" >> "$GITHUB_OUTPUT"`;
}

/** The channel that publishes from the branch which the pull request is for. */
function channelOfBase({ release }: Product): { readonly lines: readonly string[]; readonly channel: string } {
  const cases = Object.entries(release.channels).flatMap(([name, { branch }]) =>
    branch === undefined ? [] : [`  ${shellWord(branch)}) CHANNEL=${shellWord(name)} ;;`],
  );
  if (cases.length === 0) return { lines: [], channel: '' };
  return { lines: ['CHANNEL=', 'case "$BASE" in', ...cases, 'esac'], channel: ` \${CHANNEL:+--channel "$CHANNEL"}` };
}
