// A copy that is killed at its changes of the file system, as a real process. Rule: run again, with no thought of what happened, it ends as an undisturbed one.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { buildRelease, makeKeys, publishRelease } from '../fakes/release-builder.ts';
import { buildSlipway, runSlipway, type SlipwayEnd } from '../fakes/slipway-program.ts';

const keys = makeKeys();
/** Changes between two kills; coprime to what a release takes, so that every kind of change is met. */
const STRIDE = 17;

/** Loaded before the program: kills the process right before its n-th change of the file system. `open` counts because writing begins with it. */
const KILLER = `import * as fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
let calls = 0;
for (const name of ['open', 'link', 'rename', 'rm', 'mkdir']) {
  const real = fs.promises[name];
  fs.promises[name] = (...args) => {
    if (name === 'open' && (args[1] ?? 'r') === 'r') return real(...args);
    calls += 1;
    if (calls === Number(process.env.KILL_BEFORE)) process.kill(process.pid, 'SIGKILL');
    return real(...args);
  };
}
syncBuiltinESMExports();
`;

let folder: string;
let workspace: string;
let program: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  await mkdir(workspace);
  await writeFile(join(folder, 'killer.mjs'), KILLER);
  program = await buildSlipway(join(folder, 'program'));
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${keys.publicKey}
  hosts:
    local: { type: folder, path: ${folder}/local }
    other: { type: folder, path: ${folder}/other }
  publishTo: [local]
`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
  for (const version of ['1.0.0', '1.1.0']) {
    await publishRelease(await buildRelease({ workspace, version, keys, manifest: { channel: 'stable' } }), join(folder, 'local'));
  }
});

function copy(killBefore?: number): Promise<SlipwayEnd> {
  const killed = { NODE_OPTIONS: `--import=${join(folder, 'killer.mjs')}`, KILL_BEFORE: String(killBefore) };
  const env = { SLIPWAY_SECRET_KEY: '', ...(killBefore === undefined ? {} : killed) };
  return runSlipway(program, ['release', 'copy', '--from', 'local', '--to', 'other', '--yes'], { cwd: workspace, env });
}

/** Everything that readers see, with its contents. */
function treeOf(host: string): string {
  const find = 'find . -type f -not -path "./reservations/*" -not -path "*/.claims/*" | sort | xargs sha256sum';
  return execFileSync('sh', ['-c', find], { cwd: join(folder, host), encoding: 'utf8' });
}

test('a copy that is killed anywhere and run again leaves the same files, and nothing besides', async () => {
  const wanted = treeOf('local');
  let kills = 0;
  for (let at = 1; ; at += STRIDE) {
    await rm(join(folder, 'other'), { recursive: true, force: true });
    const first = await copy(at);
    if (first.code === 0) break;
    kills += 1;
    const again = await copy();
    expect(again.result, `killed before change ${at}: ${again.stderr}`).toMatchObject({
      ok: true,
      channels: [{ name: 'stable', sequence: 2 }],
    });
    expect(treeOf('other'), `killed before change ${at}`).toBe(wanted);
    expect(await readdir(join(workspace, '.slipway/staged')), `killed before change ${at}`).toEqual([]);
    expect(await readdir(join(folder, 'other')), `killed before change ${at}`).toEqual(['channels', 'install.sh', 'releases']);
  }
  expect(kills).toBeGreaterThan(5);
}, 300_000);
