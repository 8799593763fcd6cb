import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import type { Runtime } from '../../src/model/runtime.ts';
import { type Fault, type FaultOptions, type FaultServer, serveFiles } from '../fakes/fault-server.ts';
import { isThere, named, OPERATOR_PATH, RELEASE_FILES, SHELLS, Stage } from './stage.ts';

const BASE = ['uname', 'mktemp', 'rm', 'cat', 'wc', 'cp', 'sleep', 'curl', 'gzip', 'chmod', 'id', 'printf'];
const TAG = 'runtime-node-24.21.0';

/** Stands in for Node.js: says which one it is, and otherwise is the one that runs this test. What follows `exit` cannot be compressed. */
const PROGRAM = Buffer.from(
  `#!/bin/sh\nif [ "$1" = --version ]; then echo v24.21.0; exit; fi\nexec '${process.execPath}' "$@"\nexit\n${randomBytes(40_000).toString('base64')}\n`,
);
const PACKED = gzipSync(PROGRAM);
const RUNTIMES = ['x64', 'arm64'].map((arch): Runtime => {
  const name = `runtime-linux-${arch}.gz`;
  const program = { size: PROGRAM.length, sha256: digestOf(PROGRAM) };
  return { node: '24.21.0', os: 'linux', arch, name, size: PACKED.length, sha256: digestOf(PACKED), tag: TAG, program };
});
const FILES = new Map([...RELEASE_FILES, ...RUNTIMES.map(({ name }) => [`/releases/${TAG}/${name}`, PACKED] as const)]);

let stage: Stage;
beforeEach(async (context) => {
  stage = await Stage.for(context);
});

async function serve({ onTestFinished }: TestContext, files: ReadonlyMap<string, Buffer> = FILES): Promise<FaultServer> {
  const server = await serveFiles(files);
  onTestFinished(() => server.close());
  return server;
}

/** A server on which only what is not the operator program meets the fault. */
async function serveFaulty(context: TestContext, fault: Fault, options: FaultOptions = {}): Promise<readonly [FaultServer, string]> {
  const runtimes = await serveFiles(FILES, fault, options);
  context.onTestFinished(() => runtimes.close());
  const releases = await serve(context, RELEASE_FILES);
  return [runtimes, releases.url];
}

describe.each(SHELLS.map((shell) => [named(shell), shell] as const))('on a host without Node.js, install.sh in %s', (_, shell) => {
  it.skipIf(!isThere(shell[0] ?? ''))('fetches one, checks it, and hands over to the operator with it', async (context) => {
    const server = await serve(context);
    const env = { PATH: await stage.path(...BASE, 'sha256sum') };
    const outcome = await stage.run({ shell, facts: { locations: [server.url], runtimes: RUNTIMES }, env });
    expect(outcome.stderr).toContain('Fetching Node.js 24.21.0');
    expect(outcome).toMatchObject({ code: 0, stdout: '', left: [] });
    expect(outcome.operator?.argv.slice(0, 3)).toEqual(['install', '--releases', server.url]);
    expect(server.requests.map(({ path }) => path)).toEqual([OPERATOR_PATH, expect.stringContaining(`/releases/${TAG}/runtime-linux-`)]);
  });
});

describe('the Node.js that install.sh fetches', () => {
  it.each(['sha256sum', 'shasum', 'openssl'])('is checked with %s, and other bytes are never started', async (tool) => {
    if (!isThere(tool)) return;
    const PATH = await stage.path(...BASE, tool, ...(tool === 'shasum' ? ['perl'] : []));
    const releases = await stage.releases();
    await mkdir(join(releases, 'releases', TAG));
    const run = async (bytes: Buffer): Promise<unknown> => {
      for (const { name } of RUNTIMES) await writeFile(join(releases, 'releases', TAG, name), bytes);
      return stage.run({ facts: { runtimes: RUNTIMES }, env: { PATH, SLIPWAY_RELEASES: releases } });
    };
    expect(await run(PACKED)).toMatchObject({ code: 0, left: [] });
    const other = Buffer.from(PACKED);
    other[PACKED.length - 100] = (other[PACKED.length - 100] ?? 0) ^ 1;
    const refused = await run(other);
    expect(refused).toMatchObject({ code: 5, operator: undefined, left: [] });
    expect((refused as { stderr: string }).stderr).toMatch(
      /Refused: runtime-linux-\w+\.gz is not the one that this installer was made for/,
    );
  });

  it('is refused when it unpacks to something else than the release names', async (context) => {
    const server = await serve(context);
    const runtimes = RUNTIMES.map((each) => ({ ...each, program: { ...each.program, sha256: digestOf('other') } }));
    const env = { PATH: await stage.path(...BASE, 'sha256sum') };
    const outcome = await stage.run({ facts: { locations: [server.url], runtimes }, env });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
  });

  it('is gone on with where a broken connection stopped', async (context) => {
    const [server, releases] = await serveFaulty(context, 'truncated', { times: 1 });
    const env = { PATH: await stage.path(...BASE, 'sha256sum') };
    const outcome = await stage.run({ facts: { locations: [releases, server.url], runtimes: RUNTIMES }, env });
    expect(outcome).toMatchObject({ code: 0, left: [] });
    expect(outcome.operator?.argv[2]).toBe(releases); // where releases are does not change with where Node.js comes from
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=10000-']);
  });

  it('leaves nothing behind when it cannot be had', async (context) => {
    const server = await serve(context, RELEASE_FILES);
    const env = { PATH: await stage.path(...BASE, 'sha256sum') };
    const outcome = await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env });
    expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [], stdout: '' });
    expect(outcome.stderr).toContain('Node.js 24.21.0 could not be had; nothing was changed');
    expect(outcome.stderr).toContain('SLIPWAY_NODE=/path/to/node');
  });

  it('takes the place of one on PATH that is too old', async (context) => {
    const server = await serve(context);
    const old = join(stage.root, 'old-node');
    await writeFile(old, '#!/bin/sh\necho v18.20.4\n');
    await chmod(old, 0o755);
    const env = { PATH: await stage.path(...BASE, 'sha256sum', `node=${old}`) };
    expect(await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env })).toMatchObject({ code: 0, left: [] });
    const chosen = { ...env, SLIPWAY_NODE: old }; // whoever names one wants that one
    const outcome = await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env: chosen });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('old-node is v18.20.4');
  });

  it('is not fetched where there is a suitable one', async (context) => {
    const server = await serve(context);
    const env = { PATH: await stage.path(...BASE, 'sha256sum', 'node') };
    expect(await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env })).toMatchObject({ code: 0, left: [] });
    expect(server.requests.map(({ path }) => path)).toEqual([OPERATOR_PATH]);
  });

  it('is not fetched again when an earlier install keeps it, unless what is kept was damaged', async (context) => {
    const server = await serve(context);
    const kept = join(stage.root, 'shared/slipway/runtime', hexOf(digestOf(PROGRAM)));
    await mkdir(kept, { recursive: true });
    await writeFile(join(kept, 'node'), PROGRAM, { mode: 0o755 });
    const env = { PATH: await stage.path(...BASE, 'sha256sum'), SLIPWAY_SHARED: join(stage.root, 'shared/slipway') };
    const wish = { facts: { locations: [server.url], runtimes: RUNTIMES }, env };
    expect(await stage.run(wish)).toMatchObject({ code: 0, left: [] });
    expect(server.requests.map(({ path }) => path)).toEqual([OPERATOR_PATH]);
    await writeFile(join(kept, 'node'), Buffer.concat([PROGRAM.subarray(0, -2), Buffer.from('x\n')]));
    expect(await stage.run(wish)).toMatchObject({ code: 0, left: [] });
    expect(server.requests).toHaveLength(3);
  });

  it('is not offered to a machine that there is none for', async (context) => {
    const server = await serve(context);
    const uname = join(stage.root, 'uname');
    await writeFile(uname, '#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo riscv64\n');
    await chmod(uname, 0o755);
    const env = { PATH: await stage.path(...BASE.filter((name) => name !== 'uname'), 'sha256sum', `uname=${uname}`) };
    const outcome = await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('Node.js 20.19 or newer is needed, and there is none on PATH');
    expect(server.requests).toEqual([]);
  });

  it('runs where the folder for temporary files lets no program run', async (context) => {
    const mount = join(stage.root, 'no-programs');
    await mkdir(mount);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'noexec,size=8m', 'tmpfs', mount]).status !== 0) return; // only root can
    context.onTestFinished(() => void spawnSync('umount', [mount]));
    const server = await serve(context);
    const env = { PATH: await stage.path(...BASE, 'sha256sum'), TMPDIR: mount };
    const outcome = await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env });
    expect(outcome).toMatchObject({ code: 0, left: [] });
  });

  it('is unpacked with what the host has: gzip, gunzip or pigz', async (context) => {
    const server = await serve(context);
    const without = BASE.filter((name) => name !== 'gzip');
    for (const unpacker of ['gunzip=gzip', 'pigz=gzip']) {
      const env = { PATH: await stage.path(...without, 'sha256sum', unpacker) };
      expect(await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env })).toMatchObject({ code: 0, left: [] });
    }
    const env = { PATH: await stage.path(...without, 'sha256sum') };
    const outcome = await stage.run({ facts: { locations: [server.url], runtimes: RUNTIMES }, env });
    expect(outcome).toMatchObject({ code: 3, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('There is no gzip to unpack Node.js with');
  });
});

describe('install.sh', () => {
  it('names the folder for the command: the one of this account, the one in SLIPWAY_BIN, or none', async () => {
    const program = "require('node:fs').writeFileSync(process.env.SEEN, process.env.SLIPWAY_BIN ?? 'unset')";
    const fake = join(stage.root, 'node');
    await writeFile(fake, `#!/bin/sh\nif [ "$1" = --version ]; then echo v24.21.0; exit; fi\nexec '${process.execPath}' -e "${program}"\n`);
    await chmod(fake, 0o755);
    const SEEN = join(stage.root, 'seen');
    const seen = async (env: Record<string, string>): Promise<string> => {
      await stage.run({ env: { SLIPWAY_RELEASES: await stage.releases(), SLIPWAY_NODE: fake, SEEN, ...env } });
      return readFile(SEEN, 'utf8');
    };
    expect(await seen({})).toBe(process.getuid?.() === 0 ? '/usr/local/bin' : join(stage.root, 'home/.local/bin'));
    expect(await seen({ SLIPWAY_BIN: '/srv/bin' })).toBe('/srv/bin');
    expect(await seen({ SLIPWAY_BIN: '' })).toBe('');
  });
});
