import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeKeys } from '../fakes/release-builder.ts';
import { isThere, KEY, Stage } from './stage.ts';

const BASE = ['uname', 'mktemp', 'rm', 'cat', 'wc', 'cp', 'sleep', 'curl'];

let stage: Stage;
let releases: string;
beforeEach(async (context) => {
  stage = await Stage.for(context);
  releases = await stage.releases();
});

async function program(name: string, text: string): Promise<string> {
  const path = join(stage.root, name);
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

describe('what the host has', () => {
  it.each(['sha256sum', 'shasum', 'openssl'])('%s alone is enough to check a download', async (tool) => {
    if (!isThere(tool)) return;
    const PATH = await stage.path(...BASE, 'node', tool, ...(tool === 'shasum' ? ['perl'] : []));
    expect(await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases } })).toMatchObject({ code: 0, left: [] });
    const wrong = await stage.releases('x'.repeat(40_960), 'wrong');
    expect(await stage.run({ env: { PATH, SLIPWAY_RELEASES: wrong } })).toMatchObject({ code: 5, operator: undefined, left: [] });
  });

  it('refuses when nothing can check a download', async () => {
    const outcome = await stage.run({ env: { PATH: await stage.path(...BASE, 'node'), SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('there is no sha256sum, shasum or openssl');
  });

  it.each(['exit 1', 'echo', 'kill -9 $$'])('refuses when the checking program is broken (%s)', async (text) => {
    const PATH = await stage.path(...BASE, 'node', `sha256sum=${await program('broken', text)}`);
    expect(await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases } })).toMatchObject({ code: 5, operator: undefined, left: [] });
  });

  it('refuses without curl and wget', async () => {
    const PATH = await stage.path(...BASE.filter((name) => name !== 'curl'), 'node', 'sha256sum');
    const outcome = await stage.run({ env: { PATH, SLIPWAY_RELEASES: 'https://127.0.0.1:1' } });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('Neither curl nor wget was found');
  });

  it('refuses a system that is neither Linux nor macOS', async () => {
    const PATH = await stage.path('node', 'sha256sum', `uname=${await program('uname', 'echo MINGW64_NT-10.0')}`);
    const outcome = await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('This system (MINGW64_NT-10.0) is not supported');
  });

  it('does without mktemp', async () => {
    const PATH = await stage.path(...BASE.filter((name) => name !== 'mktemp'), 'mkdir', 'node', 'sha256sum');
    const outcome = await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 0, left: [], operator: { folderMode: 0o700 } });
  });

  it('works when programs may not be started from the temporary folder', async ({ skip }) => {
    const mount = `mount -t tmpfs -o noexec none '${stage.root}/tmp' && exec "$@"`;
    const wrap = (argv: readonly string[]): readonly string[] => ['unshare', '-rm', 'sh', '-c', mount, 'sh', ...argv];
    if (spawnSync(wrap(['true'])[0] ?? '', wrap(['true']).slice(1)).status !== 0) skip('mounting is not allowed here');
    const script = await stage.script();
    const outcome = await stage.run({ wrap: () => wrap(['sh', script]), env: { SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 0, left: [] });
  });
});

describe('the temporary folder', () => {
  it("may be below somebody's package.json", async () => {
    await writeFile(join(stage.root, 'package.json'), '{"type":"commonjs"}');
    const outcome = await stage.run({ env: { SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 0, left: [] });
    expect(outcome.stderr).not.toContain('Warning');
  });

  it('that cannot be made anywhere is reported with what to do', async () => {
    const nowhere = { TMPDIR: '/no/such', HOME: '/no/such' };
    const PATH = await stage.path(...BASE.filter((name) => name !== 'mktemp'), 'node', 'sha256sum');
    const outcome = await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases, ...nowhere } });
    expect(outcome).toMatchObject({ code: 5, operator: undefined });
    expect(outcome.stderr).toContain('TMPDIR=/path');
  });
});

describe('Node.js', () => {
  const nodeless = [...BASE, 'sha256sum'];

  it('is asked for when there is none', async () => {
    const outcome = await stage.run({ env: { PATH: await stage.path(...nodeless), SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('Node.js 20.19 or newer is needed, and there is none on PATH');
    expect(outcome.stderr).toContain('SLIPWAY_NODE=/path/to/node');
  });

  it.each(['v18.20.4', 'v20.18.3', 'v6.0.0'])('%s is too old', async (version) => {
    const PATH = await stage.path(...nodeless, `node=${await program('old-node', `echo ${version}`)}`);
    const outcome = await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain(`node is ${version}`);
  });

  it('is told from another program of that name', async () => {
    const PATH = await stage.path(...nodeless, `node=${await program('radio-node', 'echo "node 0.3.2 (c) radio"')}`);
    const outcome = await stage.run({ env: { PATH, SLIPWAY_RELEASES: releases } });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('node is not Node.js');
  });

  it('may be called nodejs, or be named by SLIPWAY_NODE', async () => {
    const env = { PATH: await stage.path(...nodeless, 'nodejs=node'), SLIPWAY_RELEASES: releases };
    expect(await stage.run({ env })).toMatchObject({ code: 0, left: [] });
    const named = { PATH: await stage.path(...nodeless), SLIPWAY_RELEASES: releases, SLIPWAY_NODE: process.execPath };
    expect(await stage.run({ env: named })).toMatchObject({ code: 0, left: [] });
    expect(await stage.run({ env: { ...env, SLIPWAY_NODE: '/no/such/node' } })).toMatchObject({ code: 3, operator: undefined });
  });
});

describe('what is asked for', () => {
  it('--help needs nothing but the shell, and is the only thing printed on stdout', async () => {
    const outcome = await stage.run({ args: ['--help'], env: { PATH: '/nowhere' }, shell: ['dash'] });
    expect(outcome).toMatchObject({ code: 0, stderr: '', operator: undefined, left: [] });
    expect(outcome.stdout).toContain('--set NAME=VALUE');
  });

  it('takes options from the environment, and flags beat them', async () => {
    const env = { SLIPWAY_VERSION: '2.3.1', SLIPWAY_CHANNEL: 'beta', SLIPWAY_DIR: '/a', SLIPWAY_ANSWERS: '/dev/null', SLIPWAY_YES: '1' };
    const outcome = await stage.run({ args: ['--dir', '/b', '--channel', 'lts'], env: { ...env, SLIPWAY_RELEASES: releases } });
    const argv = outcome.operator?.argv.join(' ');
    expect(argv).toContain('--channel lts --cli');
    expect(argv).toMatch(/--release-version 2\.3\.1 --key \S+ --dir \/b --answers \/dev\/null --yes$/);
  });

  it('--recover ends what was cut off in the folder that an install would take, or in the one that is named', async () => {
    const own = process.getuid?.() === 0 ? '/opt/acme' : join(stage.root, 'home/acme');
    const usual = await stage.run({ args: ['--recover'], env: { SLIPWAY_RELEASES: releases } });
    expect(usual).toMatchObject({ code: 0, left: [], operator: { argv: ['recover', '--dir', own] } });
    const named = await stage.run({ args: ['--dir', '/srv/my acme', '--recover', '--plan'], env: { SLIPWAY_RELEASES: releases } });
    expect(named.operator?.argv).toEqual(['recover', '--dir', '/srv/my acme', '--plan']);
  });

  it('leaves the version of another channel to the operator', async () => {
    const outcome = await stage.run({ args: ['--channel', 'beta'], env: { SLIPWAY_RELEASES: releases } });
    expect(outcome.operator?.argv).toContain('beta');
    expect(outcome.operator?.argv).not.toContain('--release-version');
  });

  it('gives the operator the key in SLIPWAY_KEY, which may be an earlier one than the key built in', async () => {
    const keyOf = (argv: readonly string[] = []): string | undefined => argv[argv.indexOf('--key') + 1];
    const same = await stage.run({ env: { SLIPWAY_RELEASES: releases, SLIPWAY_KEY: KEY.text } });
    expect(same).toMatchObject({ code: 0, left: [] });
    expect(keyOf(same.operator?.argv)).toBe(KEY.text);
    expect(same.stderr).not.toContain('leads to it');
    const earlier = makeKeys().publicKey;
    const pinned = await stage.run({ env: { SLIPWAY_RELEASES: releases, SLIPWAY_KEY: earlier } });
    expect(pinned).toMatchObject({ code: 0, left: [] });
    expect(keyOf(pinned.operator?.argv)).toBe(earlier);
    expect(pinned.stderr).toContain(`Taken only if the key in SLIPWAY_KEY leads to it: ${earlier}`);
  });

  it('stops when SLIPWAY_KEY is no key, or the release is not signed at all', async () => {
    const other = await stage.run({ env: { SLIPWAY_RELEASES: releases, SLIPWAY_KEY: 'RWother' } });
    expect(other).toMatchObject({ code: 2, operator: undefined, left: [] });
    expect(other.stderr).toContain('SLIPWAY_KEY is not a public key');
    const none = await stage.run({ facts: { key: null }, env: { SLIPWAY_RELEASES: releases, SLIPWAY_KEY: KEY.text } });
    expect(none).toMatchObject({ code: 5, operator: undefined, left: [] });
  });

  it('says that a release is unsigned, and gives the operator no key', async () => {
    const outcome = await stage.run({ facts: { key: null }, env: { SLIPWAY_RELEASES: releases } });
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain('Not signed');
    expect(outcome.operator?.argv).not.toContain('--key');
  });

  it('can be run again', async () => {
    for (const _ of [1, 2]) expect(await stage.run({ env: { SLIPWAY_RELEASES: releases } })).toMatchObject({ code: 0, left: [] });
  });
});
