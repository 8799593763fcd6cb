// images build as maintainers and CI run it: events, tags, branches, what changed, what needs what, and what was pushed read back.
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { images } from '../../src/commands/slipway/images.ts';
import type { Event } from '../../src/model/event.ts';
import type { World } from '../../src/model/seams.ts';
import { type FakeBuilder, fakeBuilder } from '../fakes/builder.ts';
import { commitFiles, git, gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';

const NOW = new Date('2026-07-22T08:23:45Z');
let registry: FakeRegistry;
let root: string;
let commit: string;
let docker: FakeBuilder;

beforeEach(async () => {
  registry = await startFakeRegistry();
  root = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'workspace');
  docker = fakeBuilder();
});
afterEach(() => registry.close());

interface Described {
  readonly own?: string;
  readonly more?: string;
  readonly release?: string;
}

const OWN = `    api: { repository: acme-api, context: api, args: { VERSION: "{version}", GIT_COMMIT: "{commit}", BUILT: "{date}" } }
    web: { repository: acme-web, context: web }
    docs: { repository: acme-docs, tag: "3.1.0" }
    editor: { repository: acme-editor, context: editor, optIn: true }
`;

async function describeProduct({ own = OWN, more = '', release = '' }: Described = {}): Promise<void> {
  commit = await commitFiles(root, {
    'slipway.yaml': `schema: 1\nproduct: acme\nrelease:\n  tag: "v{version}"\n${release}images:\n  registry: ${registry.host}/labnow\n${more}  own:\n${own}`,
    '.gitignore': '.slipway/\n',
    'api/Dockerfile': 'FROM scratch\nCOPY server /server\n',
    'api/server': 'x',
    'web/Dockerfile': 'FROM base\nCOPY page /page\n',
    'web/page': 'x',
    'base/Dockerfile': 'FROM scratch\n',
    'editor/Dockerfile': 'FROM scratch\n',
    'README.md': 'x',
  });
}

function build(
  flags: Record<string, string | boolean | readonly string[]> = {},
  names: readonly string[] = [],
  world: Partial<World> = {},
): Promise<CommandResult> {
  const calling = { root, positionals: ['build', ...names], world: { run: docker.run, now: () => NOW, ...world } };
  return runCommand(images, flags, calling);
}

const ci = (variables: Record<string, string>): Partial<World> => ({ env: { ...gitEnvironment, ...variables } });
const tagsOf = (repository: string): string[] => [...(registry.repositories.get(repository)?.tags.keys() ?? [])].sort();
const rowsOf = (result: CommandResult): Record<string, string>[] => result.fields.images as Record<string, string>[];
const writes = (): readonly string[] => registry.requests.map(({ line }) => line).filter((line) => /^(PUT|POST|PATCH|DELETE)/.test(line));

describe('the tags of an event', () => {
  test('a push to main: latest, the run and the commit, on all images but those that are built only when named', async () => {
    await describeProduct({ more: '  tags: { main: [latest, "build-{run}", "{sha}"] }\n' });
    const result = await build({ push: true, run: '42' });
    const tags = ['build-42', commit.slice(0, 7), 'latest'].sort();
    expect(tagsOf('labnow/acme-api')).toEqual(tags);
    expect(tagsOf('labnow/acme-web')).toEqual(tags);
    expect(tagsOf('labnow/acme-editor')).toEqual([]);
    expect(result.fields).toMatchObject({ event: 'main', pushed: true });
    expect(rowsOf(result).map(({ name, outcome }) => [name, outcome])).toEqual([
      ['api', 'pushed'],
      ['web', 'pushed'],
    ]);
    expect(rowsOf(result)[0]?.digest).toBe(registry.repositories.get('labnow/acme-api')?.tags.get('latest'));
  });

  test('a release: X.Y.Z, X.Y, X of the tag on HEAD, with version, commit and date as build arguments', async () => {
    await describeProduct();
    git(root, 'tag', 'v1.5.0');
    const result = await build({ push: true });
    expect(result.fields).toMatchObject({ event: 'release', version: '1.5.0' });
    expect(tagsOf('labnow/acme-api')).toEqual(['1', '1.5', '1.5.0']);
    expect(docker.builds[0]?.args).toEqual({ VERSION: '1.5.0', GIT_COMMIT: commit, BUILT: '2026-07-22T08:23:45Z' });
  });

  test('a prerelease moves nothing that floats but its own channel’s tag', async () => {
    await describeProduct({
      release: '  channels: { stable: { promoteFrom: staging, float: [latest] }, staging: { prerelease: staging, float: [staging] } }\n',
    });
    await build({ push: true, version: '1.5.0-staging.3' });
    expect(tagsOf('labnow/acme-api')).toEqual(['1.5.0-staging.3', 'staging']);
  });

  test('an older line’s release leaves the tags of newer ones where they are', async () => {
    await describeProduct();
    await build({ push: true, version: '1.5.0' });
    await build({ push: true, version: '1.4.9' });
    const { tags } = registry.repositories.get('labnow/acme-api') ?? { tags: new Map<string, string>() };
    expect([...tags.keys()].sort()).toEqual(['1', '1.4', '1.4.9', '1.5', '1.5.0']);
    expect(tags.get('1')).toBe(tags.get('1.5.0'));
    expect(tags.get('1.4')).toBe(tags.get('1.4.9'));
  });

  test('an image with tags of its own is released by them alone', async () => {
    await describeProduct({
      own: `    api: { repository: acme-api, context: api, release: "api-v{version}" }\n    web: { repository: acme-web, context: web }\n`,
    });
    git(root, 'tag', 'api-v1.2.0');
    const result = await build({ push: true });
    expect(tagsOf('labnow/acme-api')).toEqual(['1', '1.2', '1.2.0']);
    expect(rowsOf(result).map(({ name }) => name)).toEqual(['api']);
    const asked = build({ push: true, version: '2.0.0', plan: true });
    expect(rowsOf(await asked).map(({ name }) => name)).toEqual(['web']);
  });

  test('L-1, L-2: a branch goes beside the namespace, with a dated tag in UTC', async () => {
    await describeProduct();
    git(root, 'switch', '-q', '-c', 'Feat/Add-login');
    await build({ push: true });
    expect(tagsOf('labnow0feat/acme-api')).toEqual([`2026.0722.0823-${commit.slice(0, 7)}`]);
    git(root, 'switch', '-q', '-c', 'dev');
    await build({ push: true });
    expect(tagsOf('labnow0dev/acme-web')).toHaveLength(1);
    expect(tagsOf('labnow/acme-api')).toEqual([]);
  });

  test('L-1: a detached HEAD is refused, with what to do', async () => {
    await describeProduct();
    git(root, 'switch', '-q', '--detach');
    const hint = expect.stringContaining('git switch');
    await expect(build({ push: true })).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('detached'), hint });
    await expect(build({ push: true, event: 'branch' })).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(docker.builds).toEqual([]);
  });

  test('a rule that needs the number of the run is refused without one, before anything is built', async () => {
    await describeProduct({ more: '  tags: { main: ["build-{run}"] }\n' });
    await expect(build({ push: true })).rejects.toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('--run') });
    expect(docker.builds).toEqual([]);
    await build({ push: true }, [], ci({ GITHUB_RUN_NUMBER: '7' }));
    expect(tagsOf('labnow/acme-api')).toEqual(['build-7']);
  });

  test('Z-3: run 5 does not take the tag of release 1.5.0, and the release does not take the tag of run 6', async () => {
    await describeProduct({ more: '  tags: { main: ["1.{run}"] }\n' });
    await build({ push: true, version: '1.5.0' });
    const before = tagsOf('labnow/acme-api');
    await expect(build({ push: true, run: '5' })).rejects.toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringContaining('release 1.5.0'),
    });
    await build({ push: true, run: '6' });
    await expect(build({ push: true, version: '1.6.0' })).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(tagsOf('labnow/acme-api')).toEqual([...before, '1.6'].sort());
  });
});

describe('what CI says', () => {
  test.each([
    [{ GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/heads/main' }, 'main'],
    [{ GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/heads/feat/x' }, 'branch'],
    [{ GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/tags/v2.0.0' }, 'release'],
    [{ GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/7/merge', GITHUB_HEAD_REF: 'feat/x' }, 'pull-request'],
    [{ GITHUB_EVENT_NAME: 'pull_request_target', GITHUB_REF: 'refs/heads/main', GITHUB_HEAD_REF: 'feat/x' }, 'pull-request'],
    [{ GITHUB_EVENT_NAME: 'merge_group', GITHUB_REF: 'refs/heads/gh-readonly-queue/main/pr-7' }, 'pull-request'],
  ])('%j is the event %s, though HEAD is detached', async (variables, event) => {
    await describeProduct();
    git(root, 'switch', '-q', '--detach');
    expect((await build({ plan: true }, [], ci(variables))).fields.event).toBe(event);
  });

  test('a pull request is built and never pushed, whatever is asked', async () => {
    await describeProduct();
    const result = await build({ push: true }, [], ci({ GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/7/merge' }));
    expect(result.fields).toMatchObject({ event: 'pull-request', pushed: false });
    expect(docker.builds).toHaveLength(2);
    expect(docker.builds.flatMap(({ argv }) => argv)).not.toContain('--push');
    expect(writes()).toEqual([]);
  });

  test('a tag of no grammar is no release', async () => {
    await describeProduct();
    const push = build({}, [], ci({ GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/tags/nightly' }));
    await expect(push).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('nightly') });
  });

  test('without --push nothing is pushed', async () => {
    await describeProduct();
    await build();
    expect(writes()).toEqual([]);
    expect([...docker.local.keys()]).toContain(`${registry.host}/labnow/acme-api:latest`);
  });
});

describe('Z-3: what changed', () => {
  const own = `    base: { repository: base, context: base }
    web: { repository: acme-web, context: web, needs: [base], paths: ["web/**"] }
    api: { repository: acme-api, context: api, paths: ["api/**", "shared/*.ts"] }
`;

  test('only images whose paths changed, and what needs them, each with its reason', async () => {
    await describeProduct({ own });
    await build({ push: true });
    await commitFiles(root, { 'base/file': 'new', 'README.md': 'new', 'shared/deep/x.ts': 'x' });
    const result = await build({ push: true, 'changed-since': commit });
    expect(rowsOf(result).map(({ name, why }) => [name, why])).toEqual([
      ['base', 'base/file changed'],
      ['web', 'it needs base, which changed'],
    ]);
  });

  test('an image that it needs and that did not change comes from the registry, by digest', async () => {
    await describeProduct({ own });
    await build({ push: true });
    const digest = registry.repositories.get('labnow/base')?.tags.get('latest');
    await commitFiles(root, { 'web/page': 'new' });
    const result = await build({ push: true, 'changed-since': commit });
    expect(rowsOf(result).map(({ name }) => name)).toEqual(['web']);
    expect(docker.builds.at(-1)?.contexts).toEqual({ base: `docker-image://${registry.host}/labnow/base@${digest}` });
  });

  test('what it needs and the registry does not have is built too', async () => {
    await describeProduct({ own });
    const result = await build({ push: true }, ['web']);
    expect(rowsOf(result).map(({ name, why }) => [name, why])).toEqual([
      ['base', 'web needs it, and the registry does not have it'],
      ['web', 'it was asked for'],
    ]);
  });

  test('nothing is one quiet line', async () => {
    await describeProduct({ own });
    await commitFiles(root, { 'README.md': 'new' });
    const result = await build({ push: true, 'changed-since': commit });
    expect(result.text).toMatch(/^nothing to build \(.*web: nothing of web\/\*\* changed.*\)\n$/);
    expect(docker.builds).toEqual([]);
  });

  test('what is not committed counts; a branch’s first push counts as all; a commit that git lacks is refused', async () => {
    await describeProduct({ own });
    await writeFile(join(root, 'api/new'), 'x');
    expect(rowsOf(await build({ 'changed-since': 'HEAD', plan: true })).map(({ name }) => name)).toEqual(['api']);
    expect(rowsOf(await build({ 'changed-since': '0'.repeat(40), plan: true }))).toHaveLength(3);
    const refused = build({ 'changed-since': 'no-such-commit' });
    await expect(refused).rejects.toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('fetch-depth') });
    await expect(build({ 'changed-since': '--output=/tmp/x' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});

describe('which images', () => {
  test('those that are named; one that is built only when named; none that is built elsewhere', async () => {
    await describeProduct();
    expect(rowsOf(await build({ plan: true }, ['editor'])).map(({ name }) => name)).toEqual(['editor']);
    expect(rowsOf(await build({ plan: true, include: ['editor'] })).map(({ name }) => name)).toEqual(['api', 'web', 'editor']);
    await expect(build({}, ['docs'])).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('built elsewhere') });
    await expect(build({}, ['apii'])).rejects.toMatchObject({ code: 'E_USAGE', hint: 'Did you mean api?' });
  });

  test('all problems of the product file come before the first build', async () => {
    await describeProduct({
      own: '    api: { repository: acme-api, context: nowhere }\n    web: { repository: acme-web, context: web, needs: [web] }\n',
    });
    await expect(build()).rejects.toMatchObject({
      code: 'E_CONFIG',
      details: { problems: expect.arrayContaining([expect.objectContaining({ code: 'E_NEEDS_CIRCLE' })]) },
    });
    await describeProduct({ own: '    api: { repository: acme-api, context: nowhere }\n' });
    await expect(build()).rejects.toMatchObject({ code: 'E_CONFIG', message: expect.stringContaining('2 errors') });
    expect(docker.builds).toEqual([]);
  });

  test('--plan shows every image with its reason and its tags, and builds nothing', async () => {
    await describeProduct();
    const { text, fields } = await build({ plan: true, push: true });
    expect(text).toContain(`api: a push to the main branch -> ${registry.host}/labnow/acme-api latest ${commit.slice(0, 7)}`);
    expect(text).toContain('docs is not built: it is built elsewhere');
    expect(text).toContain('editor is not built: it is built only when it is named (--include editor)');
    expect(fields.plan).toMatchObject({ command: 'images build', steps: [{ kind: 'build-images', push: true }] });
    expect(docker.builds).toEqual([]);
    expect(writes()).toEqual([]);
  });
});

describe('images that need others', () => {
  const own = `    web: { repository: acme-web, context: web, needs: [base] }\n    base: { repository: base, context: base }\n`;

  test('are handed what was pushed, by digest', async () => {
    await describeProduct({ own });
    await build({ push: true });
    const digest = registry.repositories.get('labnow/base')?.tags.get('latest');
    expect(docker.builds[1]?.contexts).toEqual({ base: `docker-image://${registry.host}/labnow/base@${digest}` });
  });

  test('are handed what is in the engine, where nothing is pushed', async () => {
    await describeProduct({ own });
    await build();
    expect(docker.builds[1]?.contexts).toEqual({ base: `docker-image://${registry.host}/labnow/base:latest` });
  });

  test('are handed a folder, where the builder is not the engine’s own', async () => {
    docker = fakeBuilder({ driver: 'docker-container' });
    await describeProduct({ own });
    await build();
    expect(docker.builds[1]?.contexts.base).toMatch(/^oci-layout:\/\/.*base\.oci@sha256:0{64}$/);
  });

  test('get the reference as a build argument, too; without buildx there is no other way', async () => {
    docker = fakeBuilder({ buildx: false });
    await describeProduct({ own });
    await expect(build({ push: true })).rejects.toMatchObject({ code: 'E_PREFLIGHT', hint: expect.stringContaining('{image:base}') });
    await describeProduct({ own: own.replace('needs:', 'args: { BASE: "{image:base}" }, needs:') });
    await build({ push: true });
    const digest = registry.repositories.get('labnow/base')?.tags.get('latest');
    expect(docker.builds[1]?.args).toEqual({ BASE: `${registry.host}/labnow/base@${digest}` });
    expect(docker.builds[1]?.env.DOCKER_BUILDKIT).toBe('0');
  });
});

describe('the builder', () => {
  const several = '    api: { repository: acme-api, context: api, platforms: [linux/amd64, linux/arm64], cache: registry }\n';

  test('several platforms need one that can do them; it keeps its cache beside the image', async () => {
    await describeProduct({ own: several });
    await expect(build({ push: true })).rejects.toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringContaining('linux/arm64') });
    docker = fakeBuilder({ driver: 'docker-container' });
    await build({ push: true, builder: 'mine' });
    const { argv = [] } = docker.builds[0] ?? {};
    expect(argv).toEqual(expect.arrayContaining(['--builder', 'mine', '--provenance=false', '--sbom=false', 'linux/amd64,linux/arm64']));
    expect(argv).toContain(`type=registry,ref=${registry.host}/labnow/acme-api:buildcache,mode=max`);
    await expect(build({ push: true, builder: 'other' })).rejects.toMatchObject({
      code: 'E_COMMAND',
      message: expect.stringContaining('other'),
    });
  });

  test('without a push the engine’s own platform is built', async () => {
    await describeProduct({ own: several });
    await build();
    expect(docker.builds[0]?.argv).toEqual(expect.arrayContaining(['--platform', 'linux/amd64', '--load']));
  });

  test('plain docker builds and pushes one platform, under every tag', async () => {
    docker = fakeBuilder({ buildx: false });
    await describeProduct();
    const result = await build({ push: true });
    expect(tagsOf('labnow/acme-api')).toEqual([commit.slice(0, 7), 'latest'].sort());
    expect(rowsOf(result)[0]).toMatchObject({
      outcome: 'pushed',
      digest: registry.repositories.get('labnow/acme-api')?.tags.get('latest'),
    });
    await describeProduct({ own: several });
    await expect(build({ push: true })).rejects.toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringContaining('without buildx') });
  });

  test('is given nothing of this process but what a build needs', async () => {
    await describeProduct();
    await build({}, [], ci({ DB_PASSWORD: 'secret', BUILDX_BUILDER: 'mine', DOCKER_TOKEN: 't' }));
    expect(docker.builds[0]?.env).not.toHaveProperty('DB_PASSWORD');
    expect(docker.builds[0]?.env).toMatchObject({ BUILDX_BUILDER: 'mine' });
  });
});

describe('what goes wrong', () => {
  const own = `    base: { repository: base, context: base }
    web: { repository: acme-web, context: web, needs: [base] }
    api: { repository: acme-api, context: api }
`;

  test('one that fails stops only what needs it; its output is shown and kept', async () => {
    docker = fakeBuilder({ failsOn: 'RUN false' });
    await describeProduct({ own });
    await commitFiles(root, { 'base/Dockerfile': 'FROM scratch\nRUN false\n' });
    const events: Event[] = [];
    const failed = build({ push: true }, [], { report: (event) => events.push(event) });
    await expect(failed).rejects.toMatchObject({
      code: 'E_STEP_FAILED',
      message: expect.stringContaining('2 of 3 images were not pushed; the first: base'),
      hint: expect.stringContaining('.slipway/log/base.log'),
      details: {
        images: [
          { name: 'base', outcome: 'failed' },
          { name: 'web', outcome: 'skipped', error: 'it needs base, which was not built' },
          { name: 'api', outcome: 'pushed' },
        ],
      },
    });
    expect(tagsOf('labnow/acme-api')).toHaveLength(2);
    expect(readFileSync(join(root, '.slipway/log/base.log'), 'utf8')).toContain('#2 RUN false\n');
    expect(events).toContainEqual({ type: 'output', source: 'base', line: 'ERROR: failed to solve: exit code 1' });
  });

  test('a tag that is another image after the push is named', async () => {
    await describeProduct();
    const steal = (event: Event): void => {
      const tags = registry.repositories.get('labnow/acme-api')?.tags;
      if (event.type === 'build' && event.name === 'api') tags?.delete('latest');
    };
    const failed = build({ push: true }, [], { report: steal });
    await expect(failed).rejects.toMatchObject({ code: 'E_STEP_FAILED', message: expect.stringContaining('acme-api:latest') });
  });

  test('Ctrl-C ends the build, and leaves nothing open', async () => {
    docker = fakeBuilder({ hangs: true });
    await describeProduct();
    const stop = new AbortController();
    const report = (event: Event): void => {
      if (event.type === 'phase') setTimeout(() => stop.abort(), 20);
    };
    await expect(build({ push: true }, [], { stop: stop.signal, report })).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
    expect(docker.stopped()).toBe(1);
    expect(docker.builds).toHaveLength(1);
    expect(existsSync(join(root, '.slipway/journal.ndjson'))).toBe(false);
    expect(existsSync(join(root, '.slipway/lock'))).toBe(false);
  });
});

describe('a released version', () => {
  test('is built once: run again, only what is missing is done', async () => {
    await describeProduct();
    await build({ push: true, version: '1.5.0' });
    const before = registry.repositories.get('labnow/acme-api')?.tags.get('1.5.0');
    registry.repositories.get('labnow/acme-api')?.tags.delete('1.5');
    docker = fakeBuilder();
    const result = await build({ push: true, version: '1.5.0' });
    expect(docker.builds).toEqual([]);
    expect(rowsOf(result).map(({ outcome }) => outcome)).toEqual(['present', 'present']);
    expect(registry.repositories.get('labnow/acme-api')?.tags.get('1.5')).toBe(before);
  });

  test('of another commit is never replaced', async () => {
    await describeProduct();
    await build({ push: true, version: '1.5.0' });
    await commitFiles(root, { 'api/server': 'other' });
    const before = writes().length;
    await expect(build({ push: true, version: '1.5.0' })).rejects.toMatchObject({
      code: 'E_PUBLISHED_DIFFERS',
      message: expect.stringContaining(commit),
    });
    expect(writes()).toHaveLength(before);
  });

  test('is not built from files that are not committed', async () => {
    await describeProduct();
    await writeFile(join(root, 'api/server'), 'changed');
    await expect(build({ push: true, version: '1.5.0' })).rejects.toMatchObject({ code: 'E_DIRTY' });
    expect((await build({ push: true, plan: true })).text).toContain('api/server among them');
  });
});

describe('verify-tags', () => {
  const verify = (flags: Record<string, readonly string[]>, ...names: string[]): Promise<CommandResult> =>
    runCommand(images, flags, { root, positionals: ['verify-tags', ...names], world: { run: docker.run } });

  test('every own image carries the tag, or those that lack it are all named', async () => {
    await describeProduct();
    await build({ push: true, version: '1.5.0' });
    expect(rowsOf(await verify({ tag: ['1.5.0', '1.5'] }))).toHaveLength(4);
    registry.repositories.get('labnow/acme-web')?.tags.delete('1.5');
    const refused = verify({ tag: ['1.5.0', '1.5'] });
    await expect(refused).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringMatching(/^1 of 4 .*labnow\/acme-web:1\.5$/),
    });
    await expect(verify({ tag: ['1.5'] }, 'api')).resolves.toBeDefined();
    await expect(verify({})).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(verify({ tag: ['1.5'] }, 'apy')).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
