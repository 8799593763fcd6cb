// What a git checkout is told before it goes forward. Rule: real repositories; every refusal leaves the checkout as it was and says what to do.
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { observeSource, type SourceFacts } from '../../src/observe/source.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { commitFiles, git, gitEnvironment } from '../fakes/git-workspace.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let origin: string;
let root: string;
let first: string;
let second: string;

beforeEach(async ({ onTestFinished }) => {
  const place = await mkdtemp(join(tmpdir(), 'slipway-source-'));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  [origin, root] = [join(place, 'origin'), join(place, 'checkout')];
  first = await commitFiles(origin, { 'a.conf': 'a\n', 'b.conf': 'b\n', 'old/part.c': 'old\n', 'file-then-folder': 'x\n' });
  git(place, 'clone', '-q', origin, root);
  await rm(join(origin, 'old'), { recursive: true });
  await rm(join(origin, 'file-then-folder'));
  second = await commitFiles(origin, { 'b.conf': 'b2\n', 'new/part.c': 'new\n', 'file-then-folder/part.c': 'y\n' });
});

const look = (commit: string | null = second): Promise<SourceFacts> => {
  const world = quietWorld({ env: gitEnvironment, run: runProgram });
  return observeSource(world, { root, version: '1.1.0', tag: 'v1.1.0', commit, own: ['.slipway', '.env'] });
};
const lay = async (path: string, text = 'mine\n'): Promise<void> => {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), text);
};
const here = (): string[] => [git(root, 'status', '--porcelain', '--ignored'), git(root, 'rev-parse', 'HEAD'), git(root, 'for-each-ref')];

describe('a checkout', () => {
  test('knows what the commit changes, and which edits stay; no ref is written', async () => {
    await lay('a.conf');
    const before = here();
    const { branch, head, commit, changes, edits } = await look();
    expect({ branch, head, commit, edits }).toEqual({ branch: 'refs/heads/main', head: first, commit: second, edits: ['a.conf'] });
    expect(changes.map(({ path, change }) => `${change} ${path}`).sort()).toEqual([
      'added file-then-folder/part.c',
      'added new/part.c',
      'changed b.conf',
      'removed file-then-folder',
      'removed old/part.c',
    ]);
    expect([here(), existsSync(join(root, '.git/FETCH_HEAD'))]).toEqual([before, false]);
  });

  test('finds a commit that only a tag of the release holds', async () => {
    git(origin, 'tag', 'v1.1.0');
    git(origin, 'reset', '-q', '--hard', first);
    expect((await look()).commit).toBe(second);
  });

  const REFUSALS: readonly (readonly [string, () => unknown, readonly [code: string, message: string, hint: string]])[] = [
    ['with commits of its own', () => commitFiles(root, { 'mine.c': 'mine\n' }), ['E_POLICY', 'went different ways', 'git branch mine']],
    [
      'that is past the release',
      async () => {
        await commitFiles(origin, { 'later.c': 'later\n' });
        git(root, 'pull', '-q', '--ff-only');
      },
      ['E_POLICY', 'already past 1.1.0', 'reset --keep'],
    ],
    [
      'whose remote does not have the commit',
      () => {
        git(origin, 'reset', '-q', '--hard', first);
        git(origin, 'reflog', 'expire', '--expire=now', '--all');
        git(origin, 'prune', '--expire=now');
      },
      ['E_NOT_FOUND', 'neither on main', 'push it'],
    ],
    ['whose remote is gone', () => rm(origin, { recursive: true }), ['E_NOT_FOUND', 'git fetch of', 'Check the address']],
    ['on no branch', () => git(root, 'checkout', '-q', '--detach'), ['E_POLICY', 'no branch', 'switch main']],
    ['whose branch follows none', () => git(root, 'branch', '--unset-upstream'), ['E_POLICY', 'follows no branch', '--set-upstream-to']],
    ['amid a merge', () => writeFile(join(root, '.git/MERGE_HEAD'), `${first}\n`), ['E_POLICY', 'a merge is under way', 'Finish or abort']],
    ['amid a rebase', () => mkdir(join(root, '.git/rebase-merge')), ['E_POLICY', 'a rebase is under way', 'Finish or abort']],
    ['with another git at work', () => writeFile(join(root, '.git/index.lock'), ''), ['E_POLICY', 'another git is under way', 'git -C']],
    [
      'with staged changes',
      async () => {
        await lay('a.conf');
        git(root, 'add', 'a.conf');
      },
      ['E_POLICY', 'changes are staged in', 'restore --staged'],
    ],
    ['with an edit where the commit changes something', () => lay('b.conf'), ['E_CONFLICT', 'both changed: b.conf', 'stash']],
    ['with an edited file that the commit removes', () => lay('old/part.c'), ['E_CONFLICT', 'both changed: old/part.c', 'stash']],
    ['with an own file where the commit has one', () => lay('new/part.c'), ['E_CONFLICT', 'both changed: new/part.c', 'move your files']],
    [
      'with an ignored file where the commit has a folder',
      async () => {
        await writeFile(join(root, '.git/info/exclude'), 'new\n');
        await lay('new');
      },
      ['E_CONFLICT', 'both changed: new/part.c', 'move your files'],
    ],
    [
      'whose settings the commit would write over',
      async () => {
        second = await commitFiles(origin, { '.env': 'A=1\n' });
      },
      ['E_CONFLICT', 'both changed: .env', 'move your files'],
    ],
    [
      'that is to have another repository in it',
      async () => {
        git(origin, 'update-index', '--add', '--cacheinfo', `160000,${first},library`);
        git(origin, 'commit', '-q', '-m', 'library');
        second = git(origin, 'rev-parse', 'HEAD');
      },
      ['E_NOT_SUPPORTED', 'submodules', '.git away'],
    ],
  ];

  test.each(REFUSALS)('%s is refused, and stays as it is', async (_, arrange, [code, message, hint]) => {
    await arrange();
    const before = here();
    const refused = await failure(look());
    expect(refused).toMatchObject({ code, message: expect.stringContaining(message), hint: expect.stringContaining(hint) });
    expect(here()).toEqual(before);
  });

  test('may have a folder that becomes a file, unless something of the person’s is in it', async () => {
    await rm(join(origin, 'new'), { recursive: true });
    const third = await commitFiles(origin, { old: 'a file now\n' });
    expect((await look(third)).changes.map(({ path }) => path)).toContain('old');
    await lay('old/mine.txt');
    expect(await failure(look(third))).toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining('both changed: old') });
  });

  test.skipIf(process.getuid?.() !== 0)('of another account is not touched', async () => {
    for (const path of [root, join(root, '.git')]) await chown(path, 1234, 1234);
    expect(await failure(look())).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('as the owner') });
  });

  test('of a release whose commit is no name of a commit is refused before git hears of it', async () => {
    expect(await failure(look('--upload-pack=touch'))).toMatchObject({ code: 'E_FORMAT' });
  });

  test('of a release that names no commit, or one that nobody has, is refused', async () => {
    expect(await failure(look(null))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('which commit it was made from'),
    });
    expect(await failure(look('0'.repeat(40)))).toMatchObject({ code: 'E_NOT_FOUND' });
  });
});
