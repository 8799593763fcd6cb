// The checks of pull requests, newer images, and scheduled jobs. Rule: what comes from outside, such as a fork, gets no secret and no right to write.
import type { ScheduledJob } from '../model/ci-rules.ts';
import { homeRegistry, imagePermission, jobToken } from './credentials.ts';
import { lookStep, outdatedJobs, planJobs } from './pull-requests.ts';
import { ISSUE } from './scripts.ts';
import { logIn, logOut, sources } from './steps.ts';
import { CHECKOUT, type CiScene, expression, type Job, type Step, secret, type Workflow } from './workflow.ts';

/** What every pull request must pass. */
export function checkWorkflow(scene: CiScene): Workflow {
  const { ci, product } = scene.product;
  const tests = ci.validate.length === 0 ? [] : [{ name: 'Validate', run: ci.validate }];
  const check: Job = {
    id: 'check',
    title: 'Check',
    permissions: { contents: 'read' },
    setup: sources(scene),
    steps: [
      { name: 'Check the product', run: ['slipway check'] },
      { name: 'Workflows are as slipway makes them', run: [`slipway ci generate --check --forge ${scene.forge}`] },
      ...tests,
    ],
  };
  return {
    name: 'check',
    title: 'check',
    on: { pullRequests: true, dispatch: {} },
    group: `check-${product}-${expression('github.ref')}`,
    jobs: [check, ...planJobs(scene), ...outdatedJobs(scene)],
  };
}

/** The weekly look at what is newer upstream. */
export function outdatedWorkflows(scene: CiScene): Workflow[] {
  const { ci, images, product, title } = scene.product;
  if (ci.outdated?.report !== 'issue' || images.thirdParty.length === 0) return [];
  const report: Step = {
    name: 'Bring the issue up to date',
    env: {
      TITLE: `${title}: newer images`,
      MARK: mark(product),
      OUTDATED: expression('steps.outdated.outputs.code'),
      TOKEN: jobToken(scene.forge),
    },
    run: ISSUE,
  };
  const job: Job = {
    id: 'outdated',
    title: 'Newer images',
    permissions: { contents: 'read', issues: 'write', ...imagePermission(scene, 'read') },
    setup: sources(scene),
    steps: [lookStep(), report],
  };
  return [
    {
      name: 'outdated',
      title: 'newer images',
      on: { schedule: ci.outdated.schedule, dispatch: {} },
      group: `outdated-${product}`,
      jobs: [job],
    },
  ];
}

function mark(product: string): string {
  return `<!-- slipway outdated ${product} -->`;
}

/** One workflow for each of `ci.jobs`. */
export function scheduledWorkflows(scene: CiScene): Workflow[] {
  return Object.entries(scene.product.ci.jobs).map(([name, job]) => scheduledWorkflow(name, job, scene));
}

function scheduledWorkflow(name: string, { schedule, secrets, stages }: ScheduledJob, scene: CiScene): Workflow {
  const names = Object.keys(stages);
  const registry = [homeRegistry(scene.product)];
  const env = Object.fromEntries(secrets.map((each) => [each, secret(each)]));
  const jobs = names.map((stage, index): Job => {
    const chosen = `(!github.event.inputs.stage || github.event.inputs.stage == 'all' || github.event.inputs.stage == '${stage}')`;
    return {
      id: stage,
      title: stage,
      ...(index === 0 ? { if: chosen } : { needs: [names[index - 1] ?? ''], if: `!failure() && !cancelled() && ${chosen}` }),
      permissions: { contents: 'read', ...imagePermission(scene, 'read') },
      setup: [{ name: 'Check out', uses: CHECKOUT, with: { 'persist-credentials': false } }, ...logIn(registry, scene)],
      steps: [{ name: stage, env, run: stages[stage] ?? [] }, ...logOut(registry, scene)],
    };
  });
  const stage = { description: 'Which stage', required: false, options: ['all', ...names] };
  return { name: `job-${name}`, title: name, on: { schedule, dispatch: { stage } }, group: `job-${scene.product.product}-${name}`, jobs };
}
