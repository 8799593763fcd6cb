// A workflow as the text of its file. Rule: the same workflow is the same text; every job has its marked places, and nothing that a forge ignores is needed.

import type { Action, CiScene, Job, Step, Triggers, Workflow } from './workflow.ts';
import { COMMENT, type Yaml, yamlLines } from './yaml.ts';

/** How every file that we make begins. */
export const HEADER = '# Made by `slipway ci generate`';

/** A place whose lines are a person's own. */
export interface Place {
  readonly name: string;
}

export interface SecretNote {
  readonly name: string;
  readonly text: string;
}

/** The text of the file, with its marked places empty. `notes` describe its secrets. */
export function printWorkflow(workflow: Workflow, scene: CiScene, notes: readonly SecretNote[]): string {
  const { product, forge, folder } = scene;
  const group = workflow.group === undefined ? {} : { concurrency: { group: workflow.group, 'cancel-in-progress': false } };
  const inside = folder === '' ? {} : { 'working-directory': folder.replace(/\/$/, '') };
  const body: Yaml = {
    name: `${product.product}: ${workflow.title}`,
    on: triggersOf(workflow.on, folder),
    permissions: {},
    ...group,
    defaults: { run: { shell: 'bash', ...inside } },
    jobs: {
      ...Object.fromEntries(
        workflow.jobs.flatMap((job): [string, Yaml][] => [
          [job.id, jobOf(job, scene)],
          [`${COMMENT} after ${job.id}`, ''],
        ]),
      ),
      ...place('jobs'),
    },
  };
  const text = Object.entries(body).map(([key, value]) => yamlLines({ [key]: value as Yaml }).join('\n'));
  const ignored = forge === 'gitea' ? ['# Gitea before 1.26 reads neither permissions nor concurrency: nothing here relies on them.'] : [];
  return `${[...headerOf(scene), ...ignored, ...secretLines(notes), '', text.join('\n\n')].join('\n')}\n`;
}

function headerOf({ source }: CiScene): string[] {
  return [
    `${HEADER} from ${source.file} (${source.digest}).`,
    '# What stands between `slipway:begin own` and `slipway:end own` is yours, and stays; everything else is made anew.',
  ];
}

function secretLines(notes: readonly SecretNote[]): string[] {
  if (notes.length === 0) return [];
  const width = Math.max(...notes.map(({ name }) => name.length));
  return ['#', '# Secrets:', ...notes.map(({ name, text }) => `#   ${name.padEnd(width)}  ${text.replace(/\s+/g, ' ')}`)];
}

function triggersOf({ branches, tags, paths, pullRequests, dispatch, schedule }: Triggers, folder: string): Yaml {
  const below = paths === undefined ? {} : { paths: paths.map((path) => pathFilter(`${folder}${path}`)) };
  const pushed = branches === undefined && tags === undefined;
  return {
    ...(pushed
      ? {}
      : {
          push: {
            ...(branches === undefined ? {} : { branches, ...below }),
            ...(tags === undefined ? {} : { tags }),
          },
        }),
    ...(pullRequests === true ? { pull_request: below } : {}),
    ...(schedule === undefined ? {} : { schedule: [{ cron: schedule }] }),
    ...(dispatch === undefined ? {} : { workflow_dispatch: dispatchOf(dispatch) }),
  };
}

function dispatchOf(inputs: NonNullable<Triggers['dispatch']>): Yaml {
  if (Object.keys(inputs).length === 0) return {};
  const input = ({ description, required, options }: (typeof inputs)[string]): Yaml => ({
    description,
    required,
    ...(options === undefined ? { type: 'string' } : { type: 'choice', options }),
  });
  return { inputs: Object.fromEntries(Object.entries(inputs).map(([name, each]) => [name, input(each)])) };
}

/** Our `?` is one letter and theirs an optional one; the other signs mean nothing to us. */
function pathFilter(path: string): string {
  return path.replace(/[+[\]!\\]/g, '\\$&').replaceAll('?', '*');
}

function jobOf(job: Job, scene: CiScene): Yaml {
  const steps = (list: readonly Step[]): Yaml[] => list.map((step) => stepOf(step, scene));
  return {
    name: job.images === undefined ? job.title : `${job.title} \${{ matrix.image }}`,
    ...(job.needs === undefined ? {} : { needs: job.needs }),
    ...(job.if === undefined ? {} : { if: job.if }),
    'runs-on': scene.product.ci.runner,
    permissions: job.permissions as Record<string, string>,
    ...(job.images === undefined ? {} : { strategy: { 'fail-fast': false, matrix: { image: job.images } } }),
    ...(job.outputs === undefined ? {} : { outputs: job.outputs }),
    ...(job.withoutSources === true && scene.folder !== '' ? { defaults: { run: { 'working-directory': '.' } } } : {}),
    steps: [...steps(job.setup), place(`${job.id}-before`), ...steps(job.steps), place(`${job.id}-after`)],
  };
}

function stepOf({ name, id, if: when, uses, with: inputs, env, run }: Step, { forge }: CiScene): Yaml {
  return {
    name,
    ...(id === undefined ? {} : { id }),
    ...(when === undefined ? {} : { if: when }),
    ...(uses === undefined ? {} : { uses: actionOf(uses, forge === 'gitea') }),
    ...(inputs === undefined ? {} : { with: inputs }),
    ...(env === undefined || Object.keys(env).length === 0 ? {} : { env }),
    ...(run === undefined ? {} : { run: run.join('\n') }),
  };
}

/** Gitea looks for `owner/name` on a server of its own choice, so it is told where. */
function actionOf({ repository, commit, release }: Action, absolute: boolean): string {
  return `${absolute ? 'https://github.com/' : ''}${repository}@${commit} # ${release}`;
}

function place(name: string): { readonly [key: string]: Yaml } {
  return { [`${COMMENT} ${name}`]: `slipway:begin own ${name}\nslipway:end own ${name}` };
}
