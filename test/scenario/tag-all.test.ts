// tag-all: one tag on several real repositories, or on none.
import { chmod, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { handlers } from '../../src/apply/handlers.ts';
import { beginJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import type { CommandResult } from '../../src/commands/command.ts';
import { tagAll } from '../../src/commands/slipway/tag-all.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Event } from '../../src/model/event.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { World } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { commitFiles, git, gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let folder: string;
let root: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  root = join(folder, 'workspace');
  for (const name of ['web', 'docs', 'pipeline']) await makeRemote(name);
  await makeWorkspace(['acme/web', `file://${folder}/git/acme/docs.git`, '../git/acme/pipeline.git']);
});

/** A bare repository with two commits, as a server has it. */
async function makeRemote(name: string): Promise<void> {
  const source = join(folder, name);
  for (const content of ['1', name]) await commitFiles(source, { 'file.txt': content });
  git(folder, 'clone', '-q', '--bare', source, join(folder, 'git/acme', `${name}.git`));
}

async function makeWorkspace(repositories: readonly string[]): Promise<void> {
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  repositories: ${JSON.stringify(repositories)}
  hosts: { forge: { type: git, url: "file://${folder}/git/acme/acme.git" } }
`;
  await commitFiles(root, { 'slipway.yaml': yaml, '.gitignore': '.slipway\n' });
}

const remote = (name: string): string => join(folder, 'git/acme', `${name}.git`);
const headOf = (name: string): string => git(remote(name), 'rev-parse', 'refs/heads/main');
const tagsOf = (name: string): string =>
  git(remote(name), 'for-each-ref', '--format=%(objecttype) %(refname:strip=2) %(*objectname)', 'refs/tags');

function run(flags = {}, world: Partial<World> = {}): Promise<CommandResult> {
  return runCommand(tagAll, { tag: 'v2.4.0', ...flags }, { root, world });
}

/** A server-side rule that is only known when the push comes. */
async function addHook(name: string, script: string): Promise<void> {
  const path = join(remote(name), 'hooks/pre-receive');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

describe('tag-all', () => {
  test('puts the same annotated tag on the default branch of each, and says so', async () => {
    const { fields } = await run();
    const names = ['acme/web', `file://${folder}/git/acme/docs.git`, '../git/acme/pipeline.git'];
    const wanted = ['web', 'docs', 'pipeline'].map((name, index) => ({ name: names[index], commit: headOf(name), outcome: 'tagged' }));
    expect(fields).toMatchObject({ version: '2.4.0', tag: 'v2.4.0', repositories: wanted });
    for (const name of ['web', 'docs', 'pipeline']) expect(tagsOf(name)).toBe(`tag v2.4.0 ${headOf(name)}`);
    expect(git(remote('web'), 'tag', '-n9', '-l', 'v2.4.0')).toMatch(/acme 2\.4\.0/);
    expect(await readdir(join(root, '.slipway'))).not.toContain('journal.ndjson');
  });

  test('does nothing a second time, also when branches moved on', async () => {
    await run();
    await commitFiles(join(folder, 'web'), { more: '1' });
    git(join(folder, 'web'), 'push', '-q', remote('web'), 'main');
    const { fields } = await run();
    expect(fields.repositories).toMatchObject([{ outcome: 'present' }, { outcome: 'present' }, { outcome: 'present' }]);
  });

  test('tags the commit or branch that was named', async () => {
    const older = git(remote('web'), 'rev-parse', 'main~1');
    git(remote('docs'), 'branch', 'v2', 'main~1');
    await run({ at: [`acme/web=${older}`, `file://${folder}/git/acme/docs.git=v2`] });
    expect([tagsOf('web'), tagsOf('docs')]).toEqual([`tag v2.4.0 ${older}`, `tag v2.4.0 ${git(remote('docs'), 'rev-parse', 'v2')}`]);
  });

  test('shows its plan and touches nothing', async () => {
    const { fields, exit } = await run({ plan: true, 'exit-code': true });
    expect(fields.plan).toMatchObject({ steps: [{ kind: 'tag-repositories', repositories: [{ name: 'acme/web' }, {}, {}] }] });
    expect([exit, tagsOf('web'), tagsOf('docs')]).toEqual([4, '', '']);
  });
});

describe('none of them is tagged', () => {
  test('when one has the tag on another commit: said before the first write', async () => {
    git(remote('pipeline'), 'tag', 'v2.4.0', 'main~1');
    const { code, details } = await failure(run());
    expect({ code, problems: details.problems }).toMatchObject({
      code: 'E_RESERVED_ELSEWHERE',
      problems: [{ repository: '../git/acme/pipeline.git' }],
    });
    expect([tagsOf('web'), tagsOf('docs')]).toEqual(['', '']);
  });

  test('when one does not exist, has no such commit, or cannot be written to', async () => {
    await makeWorkspace(['acme/web', 'acme/nothing']);
    expect(await failure(run())).toMatchObject({ code: 'E_PREFLIGHT', details: { problems: [{ repository: 'acme/nothing' }] } });
    await makeWorkspace(['acme/web', 'acme/docs']);
    const at = `acme/docs=${'1'.repeat(40)}`;
    expect(await failure(run({ at: [at] }))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('no branch there has the commit'),
    });
    expect(await failure(run({ at: ['acme/docs=nothing'] }))).toMatchObject({ message: expect.stringContaining('no branch nothing') });
    expect(await failure(run({ at: ['acme/other=main'] }))).toMatchObject({ code: 'E_USAGE' });
    expect(tagsOf('web')).toBe('');
  });

  test('when the last one refuses the push: the others lose it again, and the result says where what is', async () => {
    git(remote('docs'), 'tag', 'v2.4.0', 'main');
    await addHook('pipeline', 'echo "tags are protected" >&2; exit 1');
    const { code, message, details } = await failure(run());
    expect({ code, message }).toMatchObject({ code: 'E_COMMAND', message: expect.stringContaining('tags are protected') });
    expect(details.repositories).toMatchObject([
      { name: 'acme/web', outcome: 'untagged' },
      { outcome: 'present' },
      { outcome: 'untagged' },
    ]);
    expect([tagsOf('web'), tagsOf('docs'), tagsOf('pipeline')]).toEqual(['', 'commit v2.4.0', '']);
  });

  test('and a tag that somebody else put there meanwhile is left alone', async () => {
    await addHook('pipeline', `env -i PATH="$PATH" git -C ${remote('web')} update-ref refs/tags/v2.4.0 refs/heads/main; exit 1`);
    const { details } = await failure(run());
    expect(tagsOf('web')).toBe('commit v2.4.0');
    expect(details.repositories).toMatchObject([{ outcome: 'tagged-by-others' }, { outcome: 'untagged' }, { outcome: 'untagged' }]);
  });

  test('when it was cut off: the next run takes back what was done, then does it anew', async () => {
    const plan = {
      ...((await run({ plan: true })).fields.plan as Plan),
      schema: 1,
      id: 'p',
      operation: 'p',
      basedOn: digestOf(''),
      commitAfter: 0,
    } as const;
    const head = {
      type: 'slipway/journal@1',
      id: 'p',
      operation: 'p',
      command: 'tag-all',
      operator: digestOf('me'),
      at: '2026-03-15T10:00:00Z',
      plan,
    } as const;
    await new Promise<void>((cutOff) => {
      const dying: World['run'] = (argv, options) => {
        if (!argv.includes('push') || !argv.some((word) => word.includes('docs.git'))) return runProgram(argv, options);
        cutOff();
        return new Promise(() => {});
      };
      const world = quietWorld({ env: gitEnvironment, run: dying });
      void beginJournal(root, head).then((journal) => applyPlan({ journal, handlers, site: siteOf(root, 'p', world) }));
    });
    const first = git(remote('web'), 'rev-parse', 'refs/tags/v2.4.0');
    const said: string[] = [];
    await run({}, { report: (event: Event) => void (event.type === 'note' && said.push(event.text)) });
    expect(said).toEqual(['An earlier tag-all that was cut off was taken back.']);
    expect(git(remote('web'), 'rev-parse', 'refs/tags/v2.4.0')).not.toBe(first);
    expect(tagsOf('docs')).toBe(`tag v2.4.0 ${headOf('docs')}`);
  });
});

test('a token reaches its own forge alone, and is in no argument, plan or error', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const yaml = `schema: 1\nproduct: acme\nrelease:\n  tag: v{version}\n  repositories: [acme/web]\n  hosts: { forge: { type: git, url: "${url}/acme/acme" } }\n`;
    await commitFiles(root, { 'slipway.yaml': yaml });
    const { observeRepository } = await import('../../src/observe/repositories.ts');
    const argv: string[] = [];
    const spying: World['run'] = (words, options) => {
      argv.push(...words);
      return runProgram(words, options);
    };
    const world = quietWorld({ env: { ...gitEnvironment, FORGE_TOKEN: 'hunter2' }, run: spying });
    const { problem } = await observeRepository(
      { remote: { url: `${url}/acme/web`, token: 'FORGE_TOKEN' }, tag: 'v1.0.0', at: undefined },
      world,
    );
    expect(problem).toMatchObject({ code: 'E_AUTH', hint: expect.stringContaining('$FORGE_TOKEN') });
    expect(asked).toContain(`Basic ${Buffer.from('x-access-token:hunter2').toString('base64')}`);
    expect(`${argv.join(' ')}${problem?.message}${JSON.stringify(problem?.details)}`).not.toMatch(/hunter2|Basic/);
    asked.length = 0;
    await observeRepository({ remote: { url: `${url}/acme/web` }, tag: 'v1.0.0', at: undefined }, world);
    expect(asked.filter((header) => header !== undefined)).toEqual([]);
  } finally {
    server.close();
  }
});
