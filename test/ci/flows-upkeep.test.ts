// Generated workflows beside releases, really run: images that are built from each other, what is newer upstream, release pages without a bundle, scheduled jobs,
// and a person's own lines.
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { hasDockerRegistry } from '../fakes/docker-registry.ts';
import { git } from '../fakes/git-workspace.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { COMPONENTS, TRAIN, workflowOf } from './products.ts';
import { forgeIssues, type Item } from './runner/issues.ts';
import { startsWorkflow } from './runner/runner.ts';
import { buildMachine, expectWell, openStage, type Stage } from './runner/stage.ts';

let bin: string;
beforeAll(async () => {
  bin = await buildMachine();
});

const headOf = ({ work }: Stage): string => git(work, 'rev-parse', 'HEAD');
const scheduled = (stage: Stage) => ({ name: 'schedule', ref: 'refs/heads/main', sha: headOf(stage) }) as const;

describe.skipIf(!hasDockerRegistry() && process.env.CI !== 'true')('the generated workflows', () => {
  test('newer images: one issue that is opened, brought up to date, and closed when there is nothing newer', async () => {
    const stage = await openStage(bin, { kind: 'gitea' });
    const forge = await forgeIssues();
    const ours = (): Item[] => forge.issues.filter(({ title }) => title === 'Tiny Product: newer images');
    expectWell(await stage.run('outdated', scheduled(stage), forge.url));
    expect(ours()).toEqual([]);
    for (const tag of ['17', '18']) {
      await pushImage({ host: stage.upstream.host }, 'library/postgres', { architecture: 'amd64', layers: [tag], tag });
      expectWell(await stage.run('outdated', scheduled(stage), forge.url));
      expect(ours()).toEqual([
        expect.objectContaining({ state: 'open', body: expect.stringMatching(new RegExp(`postgres[\\s\\S]*${tag}`)) }),
      ]);
    }
    await stage.push({ 'slipway.yaml': readFileSync(`${stage.work}/slipway.yaml`, 'utf8').replace('postgres:16', 'postgres:18') });
    expectWell(await stage.run('outdated', scheduled(stage), forge.url));
    expect(ours()).toEqual([expect.objectContaining({ state: 'closed' })]);
  }, 600_000);

  test('newer images: one comment on a pull request', async () => {
    const stage = await openStage(bin, { kind: 'github', change: (text) => `${text}  outdated: { report: comment }\n  plan: false\n` });
    await pushImage({ host: stage.upstream.host }, 'library/postgres', { architecture: 'amd64', layers: ['17'], tag: '17' });
    expectWell(await stage.run('mirror', scheduled(stage)));
    await stage.lock();
    const sha = await stage.push();
    const forge = await forgeIssues();
    git(stage.work, 'push', '-q', `file://${stage.bare}`, 'HEAD:refs/pull/3/merge');
    const pull = { name: 'pull_request', ref: 'refs/pull/3/merge', sha, pull: { base: sha, number: 3 } } as const;
    for (let times = 0; times < 2; times += 1) expectWell(await stage.run('check', pull, forge.url));
    expect(forge.comments).toEqual([expect.objectContaining({ body: expect.stringContaining('17') })]);
  }, 600_000);

  test.each(['github', 'gitea'] as const)(
    'the plan of the next release: one comment on a pull request, and a fork gets none (%s)',
    async (kind) => {
      const stage = await openStage(bin, { kind });
      const forge = await forgeIssues();
      git(stage.work, 'push', '-q', `file://${stage.bare}`, 'HEAD:refs/pull/3/merge');
      const pull = { name: 'pull_request', ref: 'refs/pull/3/merge', sha: headOf(stage) } as const;
      const fork = { ...pull, pull: { base: pull.sha, number: 3, fork: 'somebody/acme' } };
      const ends = await stage.run('check', fork, forge.url);
      expect(ends.map(({ name, result }) => [name, result])).toEqual([
        ['check', expect.anything()],
        ['plan', 'skipped'],
        ['plan-comment', 'skipped'],
      ]);
      expect(forge.comments).toEqual([]);
      for (const version of ['1.0.0', '1.1.0']) {
        const sha = await stage.push({ 'package.json': `{ "version": "${version}" }\n` });
        git(stage.work, 'push', '-q', `file://${stage.bare}`, '+HEAD:refs/pull/3/merge');
        const [, plan, comment] = await stage.run('check', { ...pull, sha, pull: { base: sha, number: 3 } }, forge.url);
        expectWell([plan, comment].flatMap((end) => end ?? []));
        const body = expect.stringMatching(
          new RegExp(`^<!-- slipway plan tiny -->\\n## Next release: \`v${version}\`\\n[\\s\\S]*### Images`),
        );
        expect(forge.comments).toEqual([expect.objectContaining({ body })]);
      }
    },
    600_000,
  );

  test('images that are built from each other are built in their order, and mirrored after', async () => {
    const stage = await openStage(bin, {
      kind: 'github',
      change: (text) =>
        text
          .replace(
            'web: { repository: tiny-web, context: web }',
            'web: { repository: tiny-web, context: web, needs: [api] }\n    worker: { context: web, needs: [api] }',
          )
          .replace(
            /(registry: (\S+)[\s\S]*core:\n)/,
            (_, head: string, home: string) =>
              `${head}      - { source: "${home}/tiny-api:latest", as: api-copy, to: ["${home}/elsewhere"] }\n`,
          ),
    });
    const event = { name: 'push', ref: 'refs/heads/main', sha: headOf(stage), changed: ['web/Dockerfile'] } as const;
    const ends = await stage.run('image-api', event);
    expectWell(ends, ['try']);
    expect(ends.map(({ name }) => name)).toEqual(['try', 'build', 'build-2 web', 'build-2 worker', 'mirror']);
    expect(await stage.tagsOf('acme/worker')).toContain('latest');
    expect(await stage.digestOf('acme/elsewhere/api-copy', 'latest')).toBe(await stage.digestOf('acme/tiny-api', 'latest'));
  }, 600_000);

  test('without a bundle, a release is a page with the notes of its changelog', async () => {
    const stage = await openStage(bin, {
      kind: 'github',
      release: ({ forge }) =>
        `  channels: { stable: { branch: main, promoteFrom: staging }, staging: { branch: staging, prerelease: staging } }
  notes: notes/{base}.md
  hosts: { ${forge} }
`,
      change: (text) => text.replace(/bundle:\n[\s\S]*?images:/, 'images:').replace(/env:\n[\s\S]*?ci:/, 'ci:'),
    });
    git(stage.work, 'switch', '-q', '-c', 'staging');
    const sha = await stage.push({ 'notes/1.0.0.md': '# 1.0.0\n\nPeople can now do everything.\n' });
    const event = { name: 'push', ref: 'refs/heads/staging', sha, run: 77 } as const; // tried again, it is the same run
    for (let times = 0; times < 2; times += 1) {
      const ends = await stage.run('publish-staging', event);
      expectWell(ends);
    }
    git(stage.work, 'push', '-q', `file://${stage.bare}`, 'HEAD:main');
    expectWell(await stage.run('promote-stable', { name: 'push', ref: 'refs/heads/main', sha }));
    const pages = stage.github?.releases.map(({ tag, prerelease, body }) => [tag, prerelease, body.includes('do everything')]).sort();
    expect(pages).toEqual([
      ['v1.0.0', false, true],
      ['v1.0.0-staging.0', true, true],
    ]);
  }, 600_000);

  test('a scheduled job runs its stages in order, or the one that was asked for; a stage that fails stops those after it', async () => {
    const jobs =
      '  jobs: { lake: { schedule: "0 2 * * *", secrets: [DOCKER_USERNAME], stages: { ingest: [test "$DOCKER_USERNAME" = reader], dbt: [test ! -e stop] } } }\n';
    const stage = await openStage(bin, { kind: 'gitea', change: (text) => `${text}${jobs}` });
    expectWell(await stage.run('job-lake', scheduled(stage)));
    const alone = { ...scheduled(stage), name: 'workflow_dispatch', inputs: { stage: 'dbt' } } as const;
    expectWell(await stage.run('job-lake', alone), ['ingest']);
    await stage.push({ 'slipway.yaml': readFileSync(`${stage.work}/slipway.yaml`, 'utf8').replace('= reader', '= nobody') });
    const ends = await stage.run('job-lake', scheduled(stage));
    expect(ends.map(({ result }) => result)).toEqual(['failure', 'skipped']);
    expect(ends[0]?.logins).toEqual([]);
  }, 600_000);

  test('a person’s own lines run where they stand, and a job of theirs after all others', async () => {
    const stage = await openStage(bin, { kind: 'github' });
    const file = `${stage.work}/.github/workflows/slipway-mirror.yml`;
    const begin = (name: string): string => `# slipway:begin own ${name}\n`;
    const step = '      - name: Mine\n        run: echo mine\n';
    const job = '  mine:\n    needs: [mirror]\n    runs-on: ubuntu-latest\n    steps:\n      - name: Tell\n        run: echo told\n';
    const text = readFileSync(file, 'utf8')
      .replace(begin('mirror-before'), `${begin('mirror-before')}${step}`)
      .replace(begin('jobs'), `${begin('jobs')}${job}`);
    writeFileSync(file, text);
    await stage.push();
    const ends = await stage.run('mirror', scheduled(stage));
    expectWell(ends);
    expect(ends.map(({ name }) => name)).toEqual(['mirror', 'mine']);
    expect(ends[0]?.steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['Mine', 'Mirror images']));
  }, 600_000);
});

describe('what starts a workflow', () => {
  const push = (ref: string, changed?: readonly string[]) => ({
    name: 'push' as const,
    ref,
    sha: '',
    ...(changed === undefined ? {} : { changed }),
  });
  const starts = (name: string, ...event: Parameters<typeof push>): boolean =>
    startsWorkflow(workflowOf(COMPONENTS, 'github', name), push(...event));

  test('an image: a change below its paths on its branches, and its own tags', () => {
    expect(starts('image-gateway', 'refs/heads/main', ['ctms-api-gateway/src/a.ts'])).toBe(true);
    expect(starts('image-gateway', 'refs/heads/develop', ['ctms-api-gateway/a'])).toBe(true);
    expect(starts('image-gateway', 'refs/heads/main', ['web/a'])).toBe(false);
    expect(starts('image-gateway', 'refs/heads/feature', ['ctms-api-gateway/a'])).toBe(false);
    expect(starts('image-gateway', 'refs/tags/api-gateway-v1.2.0', ['README.md'])).toBe(true);
    expect(starts('image-gateway', 'refs/tags/bundle-v1.2.0')).toBe(false);
    expect(starts('image-base', 'refs/heads/main', ['shared/x.ts'])).toBe(true);
  });

  test('a release: its tags alone, never those of prereleases that a branch publishes', () => {
    const both = COMPONENTS.replace(
      'release:\n',
      'release:\n  channels: { stable: {}, staging: { branch: staging, prerelease: staging } }\n',
    );
    const release = (tag: string): boolean => startsWorkflow(workflowOf(both, 'github', 'release'), push(`refs/tags/${tag}`));
    expect(['bundle-v1.2.0', 'bundle-v2.35.20260315', 'bundle-v1.2.0-staging.4', 'bundle-vnext', 'v1.2.0'].map(release)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(startsWorkflow(workflowOf(TRAIN, 'gitea', 'publish-staging'), push('refs/heads/staging'))).toBe(true);
    expect(startsWorkflow(workflowOf(TRAIN, 'gitea', 'promote-stable'), push('refs/heads/staging'))).toBe(false);
  });
});
