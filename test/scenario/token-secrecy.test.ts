// Tokens and keys in everything that publishing says, writes and runs. Rule: they are looked for as they are, in base64, and in what a forge says back.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Command } from '../../src/commands/command.ts';
import { channel } from '../../src/commands/slipway/channel.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { tagAll } from '../../src/commands/slipway/tag-all.ts';
import { verify } from '../../src/commands/slipway/verify.ts';
import type { World } from '../../src/model/seams.ts';
import { errorToFields, errorToText } from '../../src/show/error.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { makePublishers, scratchFolder } from '../fakes/authority-stage.ts';
import { PROXIED_HOST, startForwardProxy } from '../fakes/forward-proxy.ts';
import { git, gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
const GITHUB = 'ghs_githubSecret0123456789';
const GITEA = 'gitea5ecret0123456789abcdef';
const SECRETS = [GITHUB, GITEA, keys.secretKeyText.split('\n')[1] ?? '', 'proxy-password'];
/** As they are, and as a basic login carries them. */
const FORMS = SECRETS.flatMap((secret) => [secret, Buffer.from(`x-access-token:${secret}`).toString('base64').slice(0, 40)]);

let root: string;
let github: FakeGithub;
let gitea: FakeGitea;
/** Everything that was said, run and asked for in an address. */
let heard: string[];

beforeEach(async () => {
  heard = [];
  github = await startGithub({ token: GITHUB });
  gitea = await startGitea();
  gitea.state.tokens.clear();
  gitea.state.tokens.set(GITEA, { user: 'publisher', scopes: ['write:repository'], access: 'write' });
  await makeProduct(github.url, gitea.url);
});
afterEach(async () => {
  await github.close();
  await gitea.close();
});

async function makeProduct(githubUrl: string, giteaUrl: string): Promise<void> {
  const hosts = `forge: { type: gitea, repository: acme/acme, url: "${giteaUrl}", token: GITEA_TOKEN }, github: { type: github, repository: acme/acme, url: "${githubUrl}", token: GITHUB_TOKEN }`;
  const yaml = `  hosts: { ${hosts} }\n  publishTo: [forge, github]\n  repositories: [acme/web]\n`;
  const push = (_: string, commits: readonly string[]): void => {
    for (const { state } of [github, gitea]) for (const commit of commits) state.commits.add(commit);
  };
  const release = `  publicKey: ${keys.publicKey}\n`;
  const made = await makePublishers({ yaml, push }, { folder: await scratchFolder(), count: 1, commits: 1, release });
  root = made.workspaces[0] as string;
  await buildRelease({ workspace: root, version: '1.0.0', keys, manifest: { commit: made.commits[0] as string } });
}

interface Call {
  readonly command: Command;
  readonly flags?: Readonly<Record<string, string | boolean>>;
  readonly positionals?: readonly string[];
}

const CALLS: readonly Call[] = [
  { command: publish, flags: { tag: 'v1.0.0', plan: true } },
  { command: publish, flags: { tag: 'v1.0.0' } },
  { command: publish, flags: { tag: 'v1.0.0' } },
  { command: reserve, flags: { version: '2.0.0' } },
  { command: verify, flags: { 'all-hosts': true, tag: 'v1.0.0' } },
  { command: release, positionals: ['list'] },
  { command: release, positionals: ['yank', '1.0.0'], flags: { reason: 'broken' } },
  { command: channel, positionals: ['refresh'] },
  { command: tagAll, flags: { tag: 'v1.0.0' } },
];

/** Calls a command, and keeps all that it says, as a person and as a program hear it; true when it succeeded. */
async function call(
  { command, flags = {}, positionals = [] }: Call,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<boolean> {
  const hear = (said: unknown): void => void heard.push(typeof said === 'string' ? said : JSON.stringify(said));
  const run: World['run'] = (argv, options) => {
    hear(argv);
    return runProgram(argv, options);
  };
  const terminal = { ...quietWorld().terminal, out: hear, err: hear };
  const secrets = { GITHUB_TOKEN: GITHUB, GITEA_TOKEN: GITEA, SLIPWAY_SECRET_KEY: keys.secretKeyText };
  try {
    const world = { env: { ...gitEnvironment, ...secrets, ...env }, run, terminal, report: hear };
    const { fields, text } = await runCommand(command, flags, { root, positionals, world });
    hear([fields, text]);
    return true;
  } catch (error) {
    hear([
      errorToFields(error),
      errorToText(error, 'slipway'),
      String(error),
      (error as { cause?: unknown }).cause,
      (error as Error).stack,
    ]);
    return false;
  }
}

/** Throws when a secret is in anything that was said, in an address that was asked for, or in a file of the workspace. */
async function expectSilence(): Promise<void> {
  const lines = [...github.requests, ...gitea.requests].map(({ line }) => line);
  const files: string[] = [];
  for (const path of await readdir(root, { recursive: true })) {
    if ((await stat(join(root, path))).isFile()) files.push(`${path}\n${await readFile(join(root, path), 'latin1')}`);
  }
  const all = [...heard, ...lines, ...files];
  const told = FORMS.filter((secret) => all.some((text) => text.includes(secret)));
  expect(told.map((secret) => all.find((text) => text.includes(secret))?.slice(0, 400))).toEqual([]);
}

test('every command succeeds, and no token and no key is said, run, asked for or written', async () => {
  const done: boolean[] = [];
  for (const each of CALLS) done.push(await call(each));
  expect(done).toEqual([true, true, true, true, true, true, true, true, false]); // the fakes hold no repository to tag
  await expectSilence();
  const used = [...github.requests, ...gitea.requests].map(({ authorization }) => authorization ?? '');
  expect(used.filter((value) => value.includes(GITHUB)).length).toBeGreaterThan(5); // they were there to be told
  expect(used.filter((value) => value.includes(GITEA)).length).toBeGreaterThan(5);
  expect(heard.join('')).toContain('GITEA_TOKEN');
});

describe('a forge that says the token back', () => {
  const said = (status: number, token: string): { status: number; headers: Record<string, string>; body: string } => {
    return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message: `bad token ${token}` }) };
  };

  test.each([401, 403, 404, 422, 500])('with %i at any moment is not repeated', async (status) => {
    for (const after of [0, 9, 20, 33]) {
      for (const [fake, token] of [
        [github, GITHUB],
        [gitea, GITEA],
      ] as const) {
        fake.faults.add({ on: /./, after, times: 3, answer: said(status, token) });
        for (const each of CALLS.slice(1)) await call(each);
        fake.faults.clear();
      }
    }
    await expectSilence();
    expect(heard.join('')).toContain('bad token');
  });
});

test.each([422, 500])('a forge that says the token back to any kind of write (%i) is not repeated', async (status) => {
  const writes = [/^POST .*\/(git\/)?(tags|refs)$/, /^POST .*\/releases$/, /^POST .*\/assets/, /^PATCH /, /^(PUT|POST) .*\/contents/];
  for (const on of writes) {
    for (const [fake, token] of [
      [github, GITHUB],
      [gitea, GITEA],
    ] as const) {
      const body = JSON.stringify({ message: `bad token ${token}` });
      fake.faults.add({ on, times: 99, answer: { status, headers: { 'content-type': 'application/json' }, body } });
      await call({ command: publish, flags: { tag: 'v1.0.0' } });
      fake.faults.clear();
    }
  }
  await expectSilence();
  expect(heard.join('')).toContain('bad token …');
});

test('a publish that is cut off leaves a journal without a secret, and so does its resumption', async () => {
  for (let n = 4; n <= 60; n += 7) {
    gitea.faults.killAt(n, 'after');
    await call({ command: publish, flags: { tag: 'v1.0.0' } });
    await expectSilence();
    gitea.faults.clear();
  }
  expect(await call({ command: publish, flags: { tag: 'v1.0.0' } })).toBe(true);
  await expectSilence();
});

test('a token that is wrong, missing or meant for another host is not said', async () => {
  const wrong = [{ GITEA_TOKEN: GITHUB }, { GITHUB_TOKEN: GITEA }, { GITEA_TOKEN: undefined }, { GITHUB_TOKEN: undefined }];
  for (const env of wrong) for (const each of CALLS.slice(1)) await call(each, env);
  await expectSilence();
});

test('neither the login of a proxy nor a token is said when the proxy refuses', async () => {
  const proxy = await startForwardProxy(1, 407);
  await makeProduct(`https://${PROXIED_HOST}`, `https://${PROXIED_HOST}`);
  for (const each of CALLS) expect(await call(each, proxy.env)).toBe(false);
  expect(proxy.asked.length).toBeGreaterThan(0);
  await expectSilence();
});

test.each([
  ['git', `{ type: git, url: "https://me:${GITEA}@127.0.0.1:9/acme.git" }`],
  ['git', `{ type: git, url: "https://${GITEA}@127.0.0.1:9/acme.git" }`],
  ['git', `{ type: git, url: "ssh://me:${GITEA}@127.0.0.1:9/acme.git" }`],
  ['gitea', `{ type: gitea, repository: acme/acme, url: "https://me:${GITEA}@127.0.0.1:9" }`],
])('a login in the address of a %s host is refused before it can get into a plan or an argument', async (_, host) => {
  await writeFile(
    join(root, 'slipway.yaml'),
    `schema: 1\nproduct: acme\nrelease:\n  tag: v{version}\n  hosts: { origin: ${host} }\n  publishTo: [origin]\n`,
  );
  const error = await failure(runCommand(publish, { tag: 'v1.0.0' }, { root, world: { env: { ...gitEnvironment } } }));
  expect(error).toMatchObject({ code: 'E_CONFIG', message: expect.stringContaining('login') });
  expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain(GITEA);
  expect(git(root, 'status', '--porcelain')).toContain('slipway.yaml');
});
