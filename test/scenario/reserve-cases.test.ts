// M-1 and M-2 as they are written down: counters that prereleases take, and a version that a person names. Rule: the authority's own tags decide, on each kind of host.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { openView } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { AUTHORITIES, type Authority, makePublishers, openAuthority, scratchFolder } from '../fakes/authority-stage.ts';
import { commitFiles, git, gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { quietWorld } from '../fakes/release-builder.ts';

const CHANNELS = '  base: package.json#version\n  channels: { stable: {}, staging: { prerelease: staging } }\n';
let folder: string;

beforeEach(async () => {
  folder = await scratchFolder();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Asked = Record<string, string>;

function reserveIn(root: string, { env }: Pick<Authority, 'env'>, flags: Asked): Promise<Record<string, unknown>> {
  return runCommand(reserve, flags, { root, world: { env: { ...gitEnvironment, ...env } } }).then(({ fields }) => ({ ...fields }));
}

describe.each(AUTHORITIES)('%s decides:', (kind) => {
  let authority: Authority;
  beforeEach(async () => {
    authority = await openAuthority(kind, folder);
  });
  afterEach(() => authority.close());

  /** So many publishers on one commit, with 0.1.9 to come. */
  async function publishers(count: number): Promise<readonly string[]> {
    return (await makePublishers(authority, { folder, count, commits: 1, release: CHANNELS, version: '0.1.9' })).workspaces;
  }

  /** Another commit, which the host knows. */
  async function goOn(root: string, change: string): Promise<void> {
    authority.push(root, [await commitFiles(root, { change })]);
  }

  const view = () => openView(authority.address, quietWorld({ env: { ...gitEnvironment, ...authority.env }, run: runProgram }));
  const staging = (root: string): Promise<Record<string, unknown>> => reserveIn(root, authority, { channel: 'staging' });
  const named = (root: string, version: string): Promise<Record<string, unknown>> => reserveIn(root, authority, { version });

  test('M-1: after 0, 1 and 2 comes 3, whatever else looks like a tag; after 9 comes 10', async () => {
    const [root = ''] = await publishers(1);
    for (const n of [0, 1, 2]) expect(await named(root, `0.1.9-staging.${n}`)).toMatchObject({ outcome: 'reserved' });
    for (const junk of ['v0.1.9-staging.x', 'v0.1.9-staging.03', 'v0.1.9-stagingx.7', 'v0.1.90-staging.8', '0.1.9-staging.40'])
      git(root, 'tag', '-a', '-m', 'junk', junk); // annotated: a remote lists each a second time, with ^{}
    if (kind === 'git') git(root, 'push', '-q', `file://${folder}/acme.git`, '--tags');
    await goOn(root, '1');
    expect(await staging(root)).toMatchObject({ version: '0.1.9-staging.3', outcome: 'reserved' });
    expect(await named(root, '0.1.9-staging.9')).toMatchObject({ outcome: 'reserved' });
    await goOn(root, '2');
    expect(await staging(root)).toMatchObject({ version: '0.1.9-staging.10' });
  });

  test('M-1: of two racers one gets N and the other N+1', async () => {
    const both = await Promise.all((await publishers(2)).map((root) => staging(root)));
    expect(both.map(({ version }) => version).sort()).toEqual(['0.1.9-staging.0', '0.1.9-staging.1']);
    expect(both.map(({ outcome }) => outcome)).toEqual(['reserved', 'reserved']);
  });

  test('M-2: a named version that is new is reserved; on the same commit it is joined; on another one it is refused before anything is written', async () => {
    const [mine = '', theirs = ''] = await publishers(2);
    expect(await named(mine, '0.1.2-staging.99')).toMatchObject({ outcome: 'reserved' });
    expect(await named(theirs, '0.1.2-staging.99')).toMatchObject({ outcome: 'already-yours' });
    const before = await view().reservation('v0.1.2-staging.99');
    await goOn(theirs, 'other');
    const refused = await failure(named(theirs, '0.1.2-staging.99'));
    expect(refused).toMatchObject({ code: 'E_RESERVED_ELSEWHERE', hint: expect.stringContaining('nothing was changed') });
    expect(await view().reservation('v0.1.2-staging.99')).toEqual(before);
    expect(git(theirs, 'tag', '--list')).toBe('');
  });
});

describe('GitHub decides, and', () => {
  let github: FakeGithub;
  let root: string;
  const writes = (): string[] => github.requests.map(({ line }) => line).filter((line) => !line.startsWith('GET'));

  beforeEach(async () => {
    github = await startGithub();
    root = join(folder, 'workspace');
    const hosts = `  hosts: { github: { type: github, repository: acme/acme, url: "${github.url}", token: GITHUB_TOKEN } }\n  publishTo: [github]\n`;
    const yaml = `schema: 1\nproduct: acme\nrelease:\n  tag: "{version}"\n${CHANNELS}${hosts}`;
    const commit = await commitFiles(root, {
      'slipway.yaml': yaml,
      'package.json': '{ "version": "0.1.9" }\n',
      '.gitignore': '.slipway\n',
    });
    github.state.commits.add(commit);
  });
  afterEach(() => github.close());

  const ask = (flags: Asked): Promise<Record<string, unknown>> => reserveIn(root, { env: { GITHUB_TOKEN: 'good-token' } }, flags);

  test('M-1: a list of tags that fails is no empty one: nothing is guessed and nothing is written', async () => {
    github.faults.add({ on: /matching-refs|\/tags|git\/refs/, answer: { status: 500 }, times: 1000 });
    expect((await failure(ask({ channel: 'staging' }))).code).toBe('E_NETWORK');
    expect(writes()).toEqual([]);
    github.faults.clear();
    expect(await ask({ channel: 'staging' })).toMatchObject({ version: '0.1.9-staging.0' });
  });

  test('M-1: a name that somebody else has by now (422) leads on to the next one', async () => {
    const commit = git(root, 'rev-parse', 'HEAD');
    const taken = (name: string) => () => void github.state.refs.set(`tags/${name}`, { sha: commit, type: 'commit' });
    github.faults.add({
      on: /^POST .*git\/refs/,
      meanwhile: taken('0.1.9-staging.0'),
      answer: { status: 422, body: '{"message":"Reference already exists"}' },
    });
    expect(await ask({ channel: 'staging' })).toMatchObject({ version: '0.1.9-staging.1', outcome: 'reserved' });
  });

  test('M-2: a named version on another commit is refused without a single write', async () => {
    expect(await ask({ version: '0.1.2-staging.99' })).toMatchObject({ outcome: 'reserved' });
    const before = writes().length;
    github.state.commits.add(await commitFiles(root, { change: 'other' }));
    await rm(join(root, '.slipway'), { recursive: true, force: true });
    expect((await failure(ask({ version: '0.1.2-staging.99' }))).code).toBe('E_RESERVED_ELSEWHERE');
    expect(writes()).toHaveLength(before);
  });
});
