// A checkout that goes forward and back between two commits. Rule: real git, whatever it can hold; afterwards git itself finds nothing to say.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Checkout, editedPaths, exportTree, moveCheckout } from '../../src/world/git-checkout.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { commitFiles, git, gitEnvironment } from '../fakes/git-workspace.ts';

let place: string;
let root: string;
let from: string;
let to: string;
let checkout: Checkout;
const branch = 'refs/heads/main';

/** Every path, with what it is. */
function tree(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => !name.startsWith('.git'));
  const kindOf = (path: string): string => {
    const found = lstatSync(path);
    if (found.isSymbolicLink()) return `-> ${readlinkSync(path)}`;
    return found.isDirectory() ? 'folder' : `${(found.mode & 0o100) === 0 ? '' : 'x '}${readFileSync(path, 'utf8')}`;
  };
  return Object.fromEntries(names.sort().map((name) => [name, kindOf(join(folder, name))]));
}

beforeEach(async ({ onTestFinished }) => {
  place = await mkdtemp(join(tmpdir(), 'slipway-checkout-'));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  root = join(place, 'checkout');
  checkout = { root, world: { run: runProgram, env: gitEnvironment }, work: join(place, 'work') };
  await mkdir(root);
  await symlink('kept.txt', join(root, 'link'));
  from = await commitFiles(root, {
    'kept.txt': 'kept\n',
    'run.sh': 'one\n',
    'deep/er/gone.txt': 'gone\n',
    turns: 'file\n',
    'folds/in.txt': 'in\n',
  });
  for (const path of ['link', 'deep', 'turns', 'folds']) await rm(join(root, path), { recursive: true });
  await symlink('run.sh', join(root, 'link'));
  await chmod(join(root, 'run.sh'), 0o755);
  to = await commitFiles(root, { 'run.sh': 'two\n', 'turns/now.txt': 'folder\n', folds: 'file\n', 'né w\n.txt': 'odd\n' });
  git(root, 'reset', '-q', '--hard', from);
});

/** Of another size than what was there: git trusts the time of a file, and may take one of the same moment and size for unchanged. */
const MINE = 'mine since then\n';

describe('a checkout', () => {
  test('goes forward and back with links, permissions, odd names, and files that become folders', async () => {
    const before = tree(root);
    await writeFile(join(root, 'kept.txt'), MINE);
    await moveCheckout(checkout, { branch, from, to });
    expect(tree(root)).toEqual({
      ...{ 'kept.txt': MINE, link: '-> run.sh', 'run.sh': 'x two\n', turns: 'folder', 'turns/now.txt': 'folder\n' },
      ...{ folds: 'file\n', 'né w\n.txt': 'odd\n' },
    });
    expect([git(root, 'rev-parse', 'main'), git(root, 'status', '--porcelain')]).toEqual([to, 'M kept.txt']);
    await moveCheckout(checkout, { branch, from: to, to: from });
    expect(tree(root)).toEqual({ ...before, 'kept.txt': MINE });
    expect([git(root, 'rev-parse', 'main'), git(root, 'status', '--porcelain')]).toEqual([from, 'M kept.txt']);
  });

  test('is told which tracked files differ, whatever its own index says of them', async () => {
    git(root, 'update-index', '--assume-unchanged', 'kept.txt');
    await writeFile(join(root, 'kept.txt'), 'mine\n');
    await rm(join(root, 'turns'));
    expect(await editedPaths(checkout, from)).toEqual(['kept.txt', 'turns']);
  });

  test('gives the tree of a commit beside itself', async () => {
    await exportTree(checkout, to, join(place, 'beside'));
    expect(tree(join(place, 'beside'))).toMatchObject({ link: '-> run.sh', 'run.sh': 'x two\n', 'turns/now.txt': 'folder\n' });
    expect(git(root, 'status', '--porcelain')).toBe('');
  });

  test.each(['refs/heads/main', 'HEAD'])('moves in spite of the lock on %s that a killed git left', async (name) => {
    await writeFile(join(root, '.git', `${name}.lock`), '');
    await moveCheckout(checkout, { branch, from, to });
    expect([git(root, 'rev-parse', 'main'), git(root, 'status', '--porcelain')]).toEqual([to, '']);
  });

  test('that somebody else moved is left alone', async () => {
    const other = await commitFiles(root, { 'other.txt': 'other\n' });
    expect(await failure(moveCheckout(checkout, { branch, from, to }))).toMatchObject({ code: 'E_CONFLICT' });
    git(root, 'checkout', '-q', '-b', 'side', from);
    expect(await failure(moveCheckout(checkout, { branch, from, to }))).toMatchObject({ code: 'E_CONFLICT' });
    expect([git(root, 'rev-parse', 'main'), git(root, 'rev-parse', 'side')]).toEqual([other, from]);
  });

  test.skipIf(process.getuid?.() !== 0)('stays its owner’s when root moves it', async () => {
    for (const path of ['.', '.git/index', '.git']) await chown(join(root, path), 1234, 1234);
    const asSudo = { ...checkout, world: { run: runProgram, env: { ...gitEnvironment, SUDO_UID: '1234' } } };
    await moveCheckout(asSudo, { branch, from, to });
    for (const path of ['run.sh', 'link', 'turns', 'turns/now.txt', '.git/index'])
      expect([path, lstatSync(join(root, path)).uid]).toEqual([path, 1234]);
  });
});
