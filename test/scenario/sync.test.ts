// sync on real repositories: what goes forward, what is refused and why, and what happens when somebody else is quicker.
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { handlers } from '../../src/apply/handlers.ts';
import { beginJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import type { CommandResult } from '../../src/commands/command.ts';
import { sync } from '../../src/commands/slipway/sync.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Event } from '../../src/model/event.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { World } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { gitServer } from '../fakes/git-server.ts';
import { commitFiles, git, gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { listen } from '../fakes/http-server.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let folder: string;
let root: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-sync-'));
  root = join(folder, 'work');
  git(folder, 'init', '-q', '--bare', '-b', 'develop', 'origin.git');
  await commitFiles(root, { 'slipway.yaml': product(), 'package.json': '{ "version": "1.2.0" }\n', '.gitignore': '.slipway\n' });
  git(root, 'branch', '-m', 'develop');
  git(root, 'remote', 'add', 'origin', '../origin.git');
  git(root, 'push', '-q', 'origin', 'develop', 'develop:staging', 'develop:main');
  git(root, 'fetch', '-q');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function product(more = ''): string {
  return `schema: 1
product: acme
release:
  tag: "{version}"
  base: package.json#version
  channels:
    stable: { branch: main, promoteFrom: staging }
    staging: { branch: staging, prerelease: staging }
  hosts: { forge: { type: github, repository: acme/acme, token: FORGE_TOKEN } }
${more}`;
}

const bare = (name = 'origin'): string => join(folder, `${name}.git`);
const headOf = (branch: string, name = 'origin'): string => git(bare(name), 'rev-parse', `refs/heads/${branch}`);

/** A commit on develop, pushed. */
async function work(subject: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text);
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '--allow-empty', '-m', subject);
  git(root, 'push', '-q', 'origin', 'develop');
  return git(root, 'rev-parse', 'HEAD');
}

/** Somebody else's commit, right on the server. */
function elsewhere(branch: string, subject: string, name = 'origin'): string {
  const parent = headOf(branch, name);
  const commit = git(bare(name), 'commit-tree', `${parent}^{tree}`, '-p', parent, '-m', subject);
  git(bare(name), 'update-ref', `refs/heads/${branch}`, commit);
  return commit;
}

function run(flags = {}, { pair = ['develop', 'staging'], world = {} }: { pair?: readonly string[]; world?: Partial<World> } = {}) {
  return runCommand(sync, flags, { root, positionals: pair, world }) as Promise<CommandResult>;
}

const filesHere = (): string[] => readdirSync(root).filter((name) => name !== '.slipway');
const codes = (details: Readonly<Record<string, unknown>>): string[] => (details.problems as { code: string }[]).map(({ code }) => code);

describe('sync', () => {
  test('moves the branch on the remote forward to the very commit, and touches nothing here', async () => {
    await work('One');
    const wanted = await work('Two');
    const before = [git(root, 'for-each-ref'), git(root, 'status', '--porcelain'), filesHere()];
    const { fields, text } = await run();
    expect(fields).toMatchObject({
      from: 'develop',
      to: 'staging',
      commit: wanted,
      remotes: [{ name: 'origin', outcome: 'moved', commits: 2 }],
    });
    expect(text).toBe('origin: staging has everything of develop (2 new)\n');
    expect([headOf('staging'), headOf('develop')]).toEqual([wanted, wanted]);
    expect([git(root, 'for-each-ref'), git(root, 'status', '--porcelain'), filesHere()]).toEqual(before);
  });

  test('has nothing to do when both are the same, without a question', async () => {
    const { text, fields } = await run({ yes: false });
    expect(text).toBe('staging has everything of develop: nothing to do\n');
    expect(fields.remotes).toMatchObject([{ outcome: 'present' }]);
  });

  test('shows its plan with the commits that go forward, and moves nothing', async () => {
    await work('Add the \u001b[31mbutton');
    const { fields, exit } = await run({ plan: true, 'exit-code': true });
    expect(exit).toBe(4);
    expect(fields.plan).toMatchObject({ command: 'sync', steps: [{ kind: 'move-branch', branch: 'staging', before: headOf('staging') }] });
    expect((fields.plan as Plan).notes.join()).toMatch(/^New on staging: [0-9a-f]{10} Add the \[31mbutton \(Test\)$/);
    expect(headOf('staging')).not.toBe(headOf('develop'));
  });

  test('names files that git does not know before it asks, and moves nothing that nobody confirmed', async () => {
    await work('One');
    writeFileSync(join(root, 'notes.txt'), 'mine');
    const shown: string[] = [];
    const terminal = { ...quietWorld().terminal, err: (text: string) => void shown.push(text) };
    expect(await failure(run({ yes: false }, { world: { terminal } }))).toMatchObject({ code: 'E_NOT_CONFIRMED' });
    expect(shown.join('')).toContain('Files that git does not know stay here: notes.txt.');
    await run();
    expect(headOf('staging')).toBe(headOf('develop'));
  });

  test('needs no branch of that name in the checkout', async () => {
    await work('One');
    git(root, 'switch', '-q', '--detach');
    git(root, 'branch', '-q', '-D', 'develop');
    await run();
    expect(headOf('staging')).toBe(headOf('develop'));
  });

  test('goes from a folder of the repository, too, and reads the version there', async () => {
    await commitFiles(root, { 'deploy/slipway.yaml': product(), 'deploy/package.json': '{ "version": "3.0.0" }\n' });
    git(root, 'push', '-q', 'origin', 'develop');
    git(bare(), 'tag', '3.0.0', 'main');
    const inFolder = runCommand(sync, {}, { root: join(root, 'deploy'), positionals: ['develop', 'staging'] });
    expect(await failure(inFolder)).toMatchObject({ code: 'E_POLICY', message: expect.stringContaining('3.0.0 is released already') });
  });
});

describe('it is refused, with what to do, and no branch moves', () => {
  test('files that are not committed', async () => {
    await work('One');
    writeFileSync(join(root, 'package.json'), '{ "version": "1.3.0" }\n');
    const { code, message, hint } = await failure(run());
    expect({ code, message }).toMatchObject({ code: 'E_DIRTY', message: expect.stringContaining('package.json') });
    expect(hint).toContain('git stash');
    expect(headOf('staging')).not.toBe(headOf('develop'));
  });

  test('a branch that the remote does not have, with the command that makes it', async () => {
    git(bare(), 'update-ref', '-d', 'refs/heads/staging');
    expect(await failure(run())).toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('origin has no branch staging'),
      hint: expect.stringContaining(`git push origin ${headOf('develop')}:refs/heads/staging`),
    });
    git(bare(), 'update-ref', '-d', 'refs/heads/develop');
    expect(await failure(run())).toMatchObject({
      message: expect.stringContaining('no branch develop'),
      hint: expect.stringContaining('git push origin develop'),
    });
  });

  test('commits of the checkout that were not pushed, on either branch', async () => {
    git(root, 'commit', '-q', '--allow-empty', '-m', 'mine');
    expect(await failure(run())).toMatchObject({ code: 'E_CONFLICT', hint: 'Push them first: git push origin develop' });
    git(root, 'branch', 'staging');
    git(root, 'reset', '-q', '--hard', 'origin/develop');
    expect(await failure(run())).toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringContaining('git log origin/staging..staging'),
      hint: expect.stringContaining('git branch -f staging origin/staging'),
    });
    git(root, 'branch', '-f', 'staging', 'develop~0');
    git(root, 'commit', '-q', '--allow-empty', '-m', 'pushed');
    git(root, 'push', '-q', 'origin', 'develop');
    await run(); // a branch here that is only behind is no obstacle
  });

  test('commits that are on the later branch alone, each with its subject', async () => {
    await work('One');
    const hotfix = elsewhere('staging', 'Hotfix on staging');
    const { code, message, hint, details } = await failure(run());
    expect({ code, message }).toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringContaining(`${hotfix.slice(0, 10)} Hotfix on staging`),
    });
    expect(hint).toContain('git merge origin/staging');
    expect(codes(details)).toEqual(['E_CONFLICT']);
    expect(headOf('staging')).toBe(hotfix);
  });

  test('a branch that is ahead of the one it follows', async () => {
    const ahead = elsewhere('staging', 'Ahead');
    expect(await failure(run())).toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining('1 commit that develop lacks') });
    expect(headOf('staging')).toBe(ahead);
  });

  test('main from anywhere but staging, with the whole order', async () => {
    expect(await failure(run({}, { pair: ['develop', 'main'] }))).toMatchObject({
      code: 'E_POLICY',
      message: 'main follows staging, never develop',
    });
    await work('Train', { 'slipway.yaml': product('sync: { train: [develop, staging, main] }\n') });
    expect(await failure(run({}, { pair: ['main', 'develop'] }))).toMatchObject({
      code: 'E_POLICY',
      hint: 'In this order: slipway sync develop staging, then slipway sync staging main.',
    });
  });

  test.each([
    [['develop']],
    [['develop', 'staging', 'main']],
    [['develop', 'develop']],
    [['develop', '--upload-pack=x']],
    [['develop', 'a..b']],
    [['develop', 'x.lock']],
  ])('words that are no two branches: %j', async (pair) => {
    expect(await failure(run({}, { pair }))).toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('sync') });
  });

  test('a version that is released already, with the way to the next', async () => {
    await work('One');
    git(bare(), 'tag', '-a', '-m', 'x', '1.2.0', 'main');
    expect(await failure(run())).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('slipway bump patch') });
    await work('Next', { 'package.json': '{ "version": "1.3.0" }\n' });
    await run();
    expect(headOf('staging')).toBe(headOf('develop'));
  });

  test('a remote that is not there, or that nobody can reach', async () => {
    git(root, 'remote', 'set-url', 'origin', join(folder, 'nowhere.git'));
    expect(await failure(run())).toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining('nowhere.git') });
    git(root, 'remote', 'remove', 'origin');
    expect(await failure(run())).toMatchObject({ code: 'E_CONFIG', hint: expect.stringContaining('git remote add origin') });
  });

  test('everything that stands in the way, at once', async () => {
    elsewhere('staging', 'Hotfix');
    git(root, 'commit', '-q', '--allow-empty', '-m', 'mine');
    writeFileSync(join(root, 'package.json'), '{}\n');
    expect(codes((await failure(run())).details)).toEqual(['E_DIRTY', 'E_CONFLICT', 'E_CONFLICT']);
  });
});

test('what is promoted is the prerelease of this commit, or the plan says that it may not be', async () => {
  await work('One');
  await run();
  const notesOf = async (): Promise<string> =>
    ((await run({ plan: true }, { pair: ['staging', 'main'] })).fields.plan as Plan).notes.join();
  expect(await notesOf()).toContain('No prerelease is tagged on this commit of staging');
  git(bare(), 'tag', '1.2.0-staging.0', 'staging');
  expect(await notesOf()).not.toContain('No prerelease');
  await run({}, { pair: ['staging', 'main'] });
  expect(headOf('main')).toBe(headOf('develop'));
});

describe('the gate', () => {
  const gated = (line: string): string => product(`sync: { gate: [${JSON.stringify(line)}] }\n`);

  test('is tried on a copy of the very commit, and a branch goes on only when it goes well', async () => {
    const line =
      'test "$(git rev-parse HEAD)" != "" && grep -q 1.2.0 package.json && test ! -e notes.txt && ! env | grep -q ^SLIPWAY_SECRET_KEY=';
    await work('Gate', { 'slipway.yaml': gated(line) });
    writeFileSync(join(root, 'notes.txt'), 'not committed');
    await run({}, { world: { env: { ...gitEnvironment, SLIPWAY_SECRET_KEY: 'x' } } });
    expect(headOf('staging')).toBe(headOf('develop'));
  });

  test('that fails is told with its last words, and leaves nothing behind', async () => {
    await work('Gate', { 'slipway.yaml': gated('echo "2 moderate advisories: GHSA-1" >&2; exit 3') });
    const { code, message, hint, details } = await failure(run());
    expect({ code, message }).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringMatching(/exit code 3[\s\S]*2 moderate advisories: GHSA-1/),
    });
    expect(hint).toContain('no branch was moved');
    expect(details.remotes).toMatchObject([{ outcome: 'unmoved' }]);
    expect(readdirSync(join(root, '.slipway', 'staged'))).toEqual([]);
  });
});

describe('somebody else', () => {
  test('who pushes while a person looks at the plan makes it stale', async () => {
    await work('One');
    const terminal = {
      ...quietWorld().terminal,
      interactive: true,
      ask: async () => {
        elsewhere('develop', 'Two');
        return 'y';
      },
    };
    expect(await failure(run({ yes: false }, { world: { terminal } }))).toMatchObject({ code: 'E_PLAN_STALE' });
    expect(headOf('staging')).not.toBe(headOf('develop'));
  });

  test('who is quicker at the push itself keeps the branch: the remote compares', async () => {
    await work('One');
    let theirs = '';
    const racing: World['run'] = async (argv, options) => {
      if (argv.includes('push')) theirs = elsewhere('staging', 'Quicker');
      return runProgram(argv, options);
    };
    const { code, message, details } = await failure(run({}, { world: { run: racing } }));
    expect({ code, message }).toMatchObject({ code: 'E_PLAN_STALE', message: expect.stringContaining('somebody else moved it') });
    expect(details.remotes).toMatchObject([{ outcome: 'moved-by-others' }]);
    expect(headOf('staging')).toBe(theirs);
  });

  test('who syncs the same commit at the same time wins with us', async () => {
    const wanted = await work('One');
    const racing: World['run'] = async (argv, options) => {
      if (argv.includes('push')) git(bare(), 'update-ref', 'refs/heads/staging', wanted);
      return runProgram(argv, options);
    };
    expect((await run({}, { world: { run: racing } })).fields.remotes).toMatchObject([{ outcome: 'moved' }]);
  });

  test('whose rule forbids the push is named with what would allow it', async () => {
    await work('One');
    const hook = join(bare(), 'hooks/pre-receive');
    writeFileSync(hook, '#!/bin/sh\necho "staging is protected" >&2; exit 1\n');
    chmodSync(hook, 0o755);
    const { code, message, hint } = await failure(run());
    expect({ code, message }).toMatchObject({ code: 'E_COMMAND', message: expect.stringContaining('staging is protected') });
    expect(hint).toContain('allowed to push to staging');
  });

  test('who moves the earlier branch on meanwhile is told of', async () => {
    const wanted = await work('One');
    const racing: World['run'] = async (argv, options) => {
      if (argv.includes('push')) elsewhere('develop', 'Two');
      return runProgram(argv, options);
    };
    expect((await run({}, { world: { run: racing } })).text).toContain('develop has moved on meanwhile');
    expect(headOf('staging')).toBe(wanted);
  });
});

describe('several remotes', () => {
  beforeEach(async () => {
    git(folder, 'clone', '-q', '--bare', bare(), bare('mirror'));
    git(root, 'remote', 'add', 'mirror', bare('mirror'));
    await work('Remotes', { 'slipway.yaml': product('sync: { remotes: [origin, mirror] }\n') });
  });

  test('all of them are looked at before the first is moved: one that lags stops all', async () => {
    const before = headOf('staging');
    expect(await failure(run())).toMatchObject({ code: 'E_CONFLICT', hint: 'Make them the same first: git push mirror develop' });
    expect([headOf('staging'), headOf('staging', 'mirror')]).toEqual([before, before]);
    git(root, 'push', '-q', 'mirror', 'develop');
    expect((await run()).fields.remotes).toMatchObject([
      { name: 'origin', outcome: 'moved' },
      { name: 'mirror', outcome: 'moved' },
    ]);
    expect(headOf('staging', 'mirror')).toBe(headOf('develop'));
  });

  test('one that refuses is told with what the others have; run again, the rest is done', async () => {
    git(root, 'push', '-q', 'mirror', 'develop');
    const hook = join(bare('mirror'), 'hooks/pre-receive');
    writeFileSync(hook, '#!/bin/sh\nexit 1\n');
    chmodSync(hook, 0o755);
    expect((await failure(run())).details.remotes).toMatchObject([{ outcome: 'moved' }, { outcome: 'unmoved' }]);
    await rm(hook);
    expect((await run()).fields.remotes).toMatchObject([{ outcome: 'present' }, { outcome: 'moved' }]);
  });
});

test('cut off in the middle, the next run ends it first: forward, for a branch is never taken back', async () => {
  const wanted = await work('One');
  const shown = (await run({ plan: true })).fields.plan as Plan;
  const plan: Plan = { ...shown, schema: 1, id: 'p', operation: 'p', basedOn: digestOf(''), commitAfter: -1 };
  const head = {
    type: 'slipway/journal@1',
    id: 'p',
    operation: 'p',
    command: 'sync',
    operator: digestOf('me'),
    at: '2026-03-15T10:00:00Z',
    plan,
  } as const;
  await new Promise<void>((cutOff) => {
    const dying: World['run'] = (argv, options) => {
      if (!argv.includes('push')) return runProgram(argv, options);
      cutOff();
      return new Promise(() => {});
    };
    const world = quietWorld({ env: gitEnvironment, run: dying });
    void beginJournal(root, head).then((journal) => applyPlan({ journal, handlers, site: siteOf(root, 'p', world) }));
  });
  const said: string[] = [];
  await run({}, { world: { report: (event: Event) => void (event.type === 'note' && said.push(event.text)) } });
  expect(said).toEqual(['An earlier sync that was cut off was finished.']);
  expect(headOf('staging')).toBe(wanted);
});

test('over http with a token, which is in no argument, plan or error', async () => {
  const server = gitServer(folder, 'hunter2');
  const url = `http://${await listen(server)}`;
  onTestFinished(() => void server.close());
  git(bare(), 'config', 'http.receivepack', 'true');
  git(bare(), 'config', 'uploadpack.allowFilter', 'true');
  git(root, 'remote', 'set-url', 'origin', `${url}/origin.git`);
  const yaml = product()
    .replace(/hosts:.*/, `hosts: { forge: { type: gitea, url: "${url}", repository: ./origin, token: FORGE_TOKEN } }`)
    .replace('./origin', 'x/origin');
  const argv: string[] = [];
  const spying: World['run'] = (words, options) => {
    argv.push(...words);
    return runProgram(words, options);
  };
  const env = { ...gitEnvironment, FORGE_TOKEN: 'hunter2' };
  writeFileSync(join(root, 'slipway.yaml'), yaml);
  git(root, 'commit', '-q', '-a', '-m', 'Over http');
  git(root, 'push', '-q', bare(), 'develop');
  const refused = await failure(run({}, { world: { run: spying, env } }));
  expect(refused).toMatchObject({ code: 'E_AUTH' }); // origin is not the repository of that host, so it does not get its token
  git(folder, 'clone', '-q', '--bare', bare(), 'x/origin.git');
  git(join(folder, 'x/origin.git'), 'config', 'http.receivepack', 'true');
  git(root, 'remote', 'set-url', 'origin', `${url}/x/origin.git`);
  const { fields } = await run({}, { world: { run: spying, env } });
  expect(fields.remotes).toMatchObject([{ outcome: 'moved' }]);
  expect(git(join(folder, 'x/origin.git'), 'rev-parse', 'staging')).toBe(git(root, 'rev-parse', 'HEAD'));
  expect(`${argv.join(' ')}${JSON.stringify(fields)}${refused.message}`).not.toContain('hunter2');
});
