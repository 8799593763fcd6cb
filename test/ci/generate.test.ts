// The generated workflows as text: what they hold for each product, and that actionlint and GitHub's own schema have nothing against them.
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { planWorkflows } from '../../src/ci/generate.ts';
import { secret } from '../../src/ci/workflow.ts';
import { FORGES } from '../../src/model/ci-rules.ts';
import { isThere } from '../installer/stage.ts';
import { type Lint, openLint } from './lint.ts';
import { COMPONENTS, PRODUCTS, REFERENCE, TRAIN, workflowOf, workflowsOf } from './products.ts';

interface Step {
  readonly name: string;
  readonly uses?: string;
  readonly with?: Record<string, unknown>;
  readonly env?: Record<string, string>;
  readonly run?: string;
}

interface Parsed {
  readonly on: Record<string, Record<string, unknown> | null>;
  readonly permissions: object;
  readonly concurrency?: { readonly group: string; readonly 'cancel-in-progress': boolean };
  readonly jobs: Record<
    string,
    { readonly permissions: Record<string, string>; readonly if?: string; readonly needs?: string[]; readonly steps: Step[] }
  >;
}

let lint: Lint;
beforeAll(async () => {
  lint = await openLint();
});

const parsed = (text: string): Parsed => parse(text) as Parsed;
const every = FORGES.flatMap((forge) =>
  Object.entries(PRODUCTS).flatMap(([product, text]) =>
    [...workflowsOf(text, forge), ...workflowsOf(text, forge, 'deploy/acme/')].map((file) => ({ forge, product, ...file })),
  ),
);

describe('the reference product', () => {
  for (const forge of FORGES) {
    for (const { path, text } of workflowsOf(REFERENCE, forge)) {
      test(`${path} is the golden file`, async () => {
        await expect(text).toMatchFileSnapshot(join(import.meta.dirname, 'golden', forge, basename(path)));
      });
    }
  }
});

describe('every generated file', () => {
  test('has nothing against it in actionlint and GitHub’s schema', () => {
    const found = every.flatMap(({ path, product, text }) => {
      const text1 = text.replaceAll('uses: https://github.com/', 'uses: '); // Gitea wants the server, which actionlint does not know
      return lint(text1, path.replace('.gitea', '.github')).map((complaint) => ({ path, product, ...complaint }));
    });
    expect(found).toEqual([]);
  });

  test('is refused by both when it is broken', () => {
    const text = workflowOf(COMPONENTS, 'github', 'release');
    const broken = text.replace('github.event.inputs.tag', 'githubb.event.inputs.tag').replace('needs: [check]', 'need: [check]');
    expect(new Set(lint(broken, '.github/workflows/x.yml').map(({ from }) => from))).toEqual(new Set(['actionlint', 'schema']));
  });

  test('names actions by commit alone, keeps no credentials, and gives each job rights of its own', () => {
    for (const { path, text, forge } of every) {
      const { jobs, permissions } = parsed(text);
      expect(permissions, path).toEqual({});
      for (const job of Object.values(jobs)) {
        expect(Object.keys(job.permissions), path).not.toEqual([]);
        for (const { uses, with: inputs = {} } of job.steps.filter((step) => step.uses !== undefined)) {
          expect(uses).toMatch(
            forge === 'gitea' ? /^https:\/\/github\.com\/[\w-]+\/[\w-]+@[0-9a-f]{40}$/ : /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/,
          );
          if (uses?.includes('actions/checkout')) expect(inputs['persist-credentials']).toBe(false);
        }
      }
    }
  });

  test('has no expression inside of shell text, where a branch’s name could become a command', () => {
    for (const { path, text } of every) {
      for (const { steps } of Object.values(parsed(text).jobs)) for (const { run = '' } of steps) expect(run, path).not.toMatch(/\$\{\{/);
    }
  });

  test('gives secrets to single steps, describes each, and gives pull requests none', () => {
    for (const { path, text } of every) {
      const { on, jobs } = parsed(text);
      expect(text.replace(/ {8,}.*\$\{\{ secrets\..*/g, '').replace(/^#.*$/gm, ''), path).not.toContain('secrets.');
      for (const [, name = ''] of text.matchAll(/secrets\.(\w+)/g)) {
        if (!/^GIT(HUB|EA)_TOKEN$/.test(name)) expect(text, path).toMatch(new RegExp(`^#   ${name} +\\S`, 'm'));
      }
      if (!('pull_request' in on)) continue;
      const open = Object.values(jobs).filter(
        (job) => job.if?.includes("!= 'pull_request'") !== true && job.if?.includes('full_name') !== true,
      );
      expect(JSON.stringify(open), path).not.toContain('secrets.');
      for (const job of open) expect(job.permissions, path).toEqual({ contents: 'read' });
    }
  });

  test.skipIf(!isThere('shellcheck'))('has shell text that ShellCheck has nothing against', () => {
    const texts = new Set(
      every.flatMap(({ text }) => Object.values(parsed(text).jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))),
    );
    for (const text of texts) {
      const { stdout } = spawnSync('shellcheck', ['-s', 'bash', '-e', 'SC2016', '-'], {
        input: `set -eo pipefail\n${text}\n`,
        encoding: 'utf8',
      });
      expect(stdout, text).toBe('');
    }
  });
});

describe('drift', () => {
  test('every line of every file counts: a line that is added, changed or taken away outside of the places is a difference', () => {
    const missed: string[] = [];
    for (const file of workflowsOf(COMPONENTS, 'github')) {
      const outcomeOf = (lines: readonly string[]): string | undefined =>
        planWorkflows([file], [{ ...file, text: lines.join('\n') }], 'slipway.yaml')[0]?.outcome;
      const lines = file.text.split('\n');
      expect(outcomeOf(lines)).toBe('unchanged');
      lines.forEach((line, at) => {
        if (at === 0 || /slipway:(begin|end) own/.test(line)) return; // a file without its first line is not ours, and broken marks are refused
        const [before, after] = [lines.slice(0, at), lines.slice(at + 1)];
        const edits = [
          [...before, line, '# edited', ...after],
          [...before, `${line} `, ...after],
          [...before, ...after],
        ];
        if (edits.some((edit) => outcomeOf(edit) !== 'written')) missed.push(`${file.path}:${at + 1}`);
      });
    }
    expect(missed).toEqual([]);
  });
});

describe('images of components', () => {
  const of = (name: string): Parsed => parsed(workflowOf(COMPONENTS, 'github', name));

  test('an image has a workflow of its own, which its paths, its tags, its branches and pull requests start', () => {
    expect(of('image-gateway').on).toEqual({
      push: { branches: ['main', 'develop'], paths: ['ctms-api-gateway/**'], tags: ['api-gateway-v[0-9]*'] },
      pull_request: { paths: ['ctms-api-gateway/**'] },
      workflow_dispatch: { inputs: { version: expect.objectContaining({ required: false }) } },
    });
  });

  test('what is built from one another is built in order, in one workflow, with the paths of all', () => {
    const { on, jobs } = of('image-base');
    expect(on.push?.paths).toEqual(['base/**', 'web', 'web/**', 'shared/*.ts', 'shared/*.ts/**', 'worker/**']);
    expect(on.push?.tags).toBeUndefined(); // the bundle's release builds them
    expect(jobs['build-2']).toMatchObject({ needs: ['build'], strategy: { matrix: { image: ['web', 'worker'] }, 'fail-fast': false } });
  });

  test('foreign platforms bring QEMU, caches a builder of buildx, and the cache of Actions what it needs, on GitHub alone', () => {
    const names = (forge: 'github' | 'gitea', job: string): string[] =>
      parsed(workflowOf(COMPONENTS, forge, 'image-base')).jobs[job]?.steps.map(({ name }) => name) ?? [];
    expect(names('github', 'build')).toEqual(expect.arrayContaining(['Set up QEMU', 'Set up buildx', 'Log in to docker.io']));
    expect(names('github', 'build-2')).toContain('Let builds use the cache of GitHub Actions');
    expect(names('gitea', 'build-2')).not.toContain('Let builds use the cache of GitHub Actions');
    expect(of('image-gateway').jobs.build?.steps.map(({ name }) => name)).not.toContain('Set up QEMU');
  });

  test('an image that is built only when named is built by hand alone', () => {
    expect(Object.keys(of('image-editor').on)).toEqual(['workflow_dispatch']);
  });

  test('images that are mirrored elsewhere are mirrored after their build', () => {
    expect(of('image-base').jobs.mirror).toMatchObject({ needs: ['build', 'build-2'] });
    expect(workflowOf(COMPONENTS, 'github', 'image-base')).toContain('Log in to quay.io');
  });
});

describe('releases', () => {
  test('a tag builds, and then one job publishes; runs of one tag wait for each other, and none is cancelled', () => {
    const { on, jobs, concurrency } = parsed(workflowOf(COMPONENTS, 'github', 'release'));
    expect(on.push).toEqual({ tags: ['bundle-v[0-9]*'] });
    expect(Object.keys(jobs)).toEqual(['check', 'build', 'build-2', 'publish']);
    expect(jobs.publish?.needs).toEqual(['check', 'build', 'build-2']);
    expect(concurrency).toEqual({ group: expect.stringContaining('release-ctms-'), 'cancel-in-progress': false });
    const published = Object.values(jobs).filter(({ steps }) => steps.some(({ run }) => run?.includes('slipway publish')));
    expect(published).toHaveLength(1);
  });

  test('a train of branches validates, reserves, builds, verifies, publishes; main promotes and builds nothing', () => {
    const staging = parsed(workflowOf(TRAIN, 'github', 'publish-staging'));
    expect(staging.on.push).toEqual({ branches: ['staging'] });
    expect(Object.keys(staging.jobs)).toEqual(['check', 'reserve', 'build', 'verify', 'publish']);
    expect(JSON.stringify(staging.jobs.verify)).toContain('--tag staging');
    const promote = workflowOf(TRAIN, 'github', 'promote-stable');
    expect(parsed(promote).on.push).toEqual({ branches: ['main'] });
    expect(promote).not.toContain('images build');
    expect(workflowsOf(TRAIN, 'github').map(({ path }) => basename(path))).not.toContain('slipway-release.yml');
  });

  test('the forge’s own token does what it can; another forge’s is a secret under a name that this one takes', () => {
    expect(workflowOf(COMPONENTS, 'github', 'release')).toContain(`GITHUB_TOKEN: ${secret('GITHUB_TOKEN')}`);
    const gitea = workflowOf(COMPONENTS, 'gitea', 'release');
    expect(gitea).toContain(`GITHUB_TOKEN: ${secret('CI_GITHUB_TOKEN')}`);
    expect(gitea).toContain(`GITEA_TOKEN: ${secret('GITEA_TOKEN')}`);
    expect(gitea).toMatch(/^# {3}CI_GITHUB_TOKEN +the token of the release host github/m);
    expect(gitea).toMatch(/^# {3}DOCKER_TOKEN +Docker Hub access token$/m);
  });
});

describe('pull requests', () => {
  const { on, jobs } = parsed(workflowOf(COMPONENTS, 'github', 'check'));

  test('the job that runs their code reads, the job that writes the comment has none of their files, and a fork gets neither', () => {
    expect(Object.keys(on)).toEqual(['pull_request', 'workflow_dispatch']);
    expect(jobs.plan?.permissions).toEqual({ contents: 'read', packages: 'read' });
    expect(jobs['plan-comment']).toMatchObject({ permissions: { 'pull-requests': 'write' }, needs: ['plan'] });
    expect(JSON.stringify(jobs['plan-comment']?.steps)).not.toMatch(/checkout|slipway (?:plan release|check)|npm/);
    expect(jobs.outdated?.permissions).toEqual({ contents: 'read' });
    expect(jobs['outdated-comment']?.permissions).toEqual({ 'pull-requests': 'write' });
    for (const name of ['plan', 'plan-comment', 'outdated', 'outdated-comment'])
      expect(jobs[name]?.if).toContain('head.repo.full_name == github.repository');
    expect(every.map(({ text }) => text).join()).not.toMatch(/pull_request_target|workflow_run/);
  });

  test('the plan gets the job’s own token, and no secret of another forge or registry', () => {
    const text = JSON.stringify(jobs.plan);
    expect([...text.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name)).toEqual(['GITHUB_TOKEN', 'GITHUB_TOKEN']);
    expect(text).toContain('Log in to ghcr.io');
  });

  test('a pull request for a channel’s branch shows that channel’s next release', () => {
    const both = COMPONENTS.replace(
      'release:\n',
      'release:\n  channels: { stable: { branch: main }, staging: { branch: staging, prerelease: staging } }\n',
    );
    const plan = JSON.stringify(parsed(workflowOf(both, 'gitea', 'check')).jobs.plan);
    expect(plan).toContain('  staging) CHANNEL=staging ;;');
    expect(JSON.stringify(jobs.plan)).not.toContain('CHANNEL');
  });

  test('without a bundle, or with `plan: false`, there is no comment', () => {
    for (const text of [TRAIN, COMPONENTS.replace('ci:\n', 'ci:\n  plan: false\n')])
      expect(Object.keys(parsed(workflowOf(text, 'github', 'check')).jobs)).not.toContain('plan');
  });
});

describe('upkeep', () => {
  test('scheduled jobs run their stages one after the other, or the one that was asked for', () => {
    const { on, jobs } = parsed(workflowOf(COMPONENTS, 'github', 'job-lakehouse'));
    expect(on.schedule).toEqual([{ cron: '0 2 * * *' }]);
    expect(on.workflow_dispatch).toMatchObject({ inputs: { stage: { type: 'choice', options: ['all', 'ingester', 'dbt-build'] } } });
    expect(jobs['dbt-build']).toMatchObject({ needs: ['ingester'] });
    expect(JSON.stringify(jobs)).toContain('secrets.WAREHOUSE_URL');
  });

  test('a product in a folder has its paths, its names and its commands there', () => {
    const files = workflowsOf(COMPONENTS, 'github', 'deploy/acme/');
    const image = files.find(({ path }) => path === '.github/workflows/slipway-ctms-image-gateway.yml');
    expect(image?.text).toContain('"deploy/acme/ctms-api-gateway/**"');
    expect(image?.text).toContain('working-directory: deploy/acme\n');
  });
});
