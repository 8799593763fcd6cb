import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { installerText, isThere, named, pathOf, SHELLS, Stage } from './stage.ts';

let stage: Stage;
let releases: string;
beforeEach(async (context) => {
  stage = await Stage.for(context);
  releases = await stage.releases();
});

/** Pipes the first `length` bytes into the shell; true when the operator was started. */
function starts(shell: readonly string[], script: Buffer, length: number): boolean {
  const [name = '', ...options] = shell;
  const env = stage.environment({ SLIPWAY_RELEASES: releases });
  const child = spawnSync(pathOf(name) ?? name, options, { input: script.subarray(0, length), env, cwd: join(stage.root, 'work') });
  expect(child.stdout.toString()).toBe('');
  return existsSync(join(stage.root, 'record.json'));
}

/** Feeds every length of the script to a shell of its own that finds nothing but the fakes. */
const DRIVER = `length=$1
while [ "$length" -lt "$2" ]; do
  "$HEAD" -c "$length" ../whole.sh | PATH=$FAKES "$DASH" >/dev/null 2>&1
  length=$((length + 1))
done
`;

function driveCuts(fakes: string, start: number, end: number): Promise<number> {
  const programs = { HEAD: pathOf('head') ?? '', DASH: pathOf('dash') ?? '', FAKES: fakes, SLIPWAY_RELEASES: releases };
  const argv = [join(stage.root, 'cut.sh'), String(start), String(end)];
  const child = spawn(pathOf('dash') ?? 'dash', argv, { cwd: join(stage.root, 'work'), env: stage.environment(programs), stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** Cut within the name of a function at the start of a line, a shell looks for a program of that beginning: no host has one. */
function isOwnFunction(called: string, script: string): boolean {
  const name = called.slice(called.lastIndexOf('/') + 1);
  return ![...script.matchAll(/^[a-z_0-9]+(?=\()/gm)].every(([whole]) => !whole.startsWith(name));
}

describe('install.sh cut short', () => {
  it('at any byte runs no program at all and leaves nothing', async () => {
    const script = Buffer.from(installerText());
    const names = new Set(script.toString().match(/[a-z][a-z0-9_]+/g)); // whatever it could call by any of its words
    const fakes = join(stage.root, 'fakes');
    await mkdir(fakes);
    const fake = `#!${pathOf('dash')}\necho "$0" >>'${stage.root}/called'\n`;
    await Promise.all([...names].map((name) => writeFile(join(fakes, name), fake, { mode: 0o755 })));
    await writeFile(join(stage.root, 'whole.sh'), script);
    await writeFile(join(stage.root, 'cut.sh'), DRIVER);
    const last = script.length - 2; // only the final newline may be missing
    const from = (start: number, end: number): Promise<number> => driveCuts(fakes, start, end);
    const done = await Promise.all([from(0, Math.floor(last * 0.6)), from(Math.floor(last * 0.6), last)]);
    expect(done).toEqual([0, 0]);
    const called = existsSync(join(stage.root, 'called')) ? readFileSync(join(stage.root, 'called'), 'utf8') : '';
    expect(called.split('\n').filter((line) => line !== '' && !isOwnFunction(line, script.toString()))).toEqual([]);
    expect(await stage.left()).toEqual([]);
    // The same driver sees what the whole script calls.
    expect(await driveCuts(fakes, script.length - 1, script.length)).toBe(0);
    expect(readFileSync(join(stage.root, 'called'), 'utf8')).toContain('/uname\n');
  }, 600_000);

  it('within a name at the start of a line starts no program that happens to be called so', () => {
    const script = installerText();
    const cuts = [...script.matchAll(/^[a-z_0-9]+(?=\()/gm)].flatMap(({ index, 0: name }) =>
      Array.from(name, (_, more) => index + more + 1),
    );
    const said = cuts.map((length) => spawnSync('dash', { input: script.slice(0, length), encoding: 'utf8', env: stage.environment() }));
    expect(
      said.map(({ stderr }) => stderr).filter((text) => !/^dash: \d+: ([a-z_0-9]+: not found|Syntax error: .*)\n$/.test(text)),
    ).toEqual([]);
    expect(cuts.length).toBeGreaterThan(200);
  });

  it.each(SHELLS.map((shell) => [named(shell), shell] as const))('in its last line runs nothing in %s, and whole it runs', (_, shell) => {
    if (!isThere(shell[0] ?? '')) return;
    const script = Buffer.from(installerText());
    const lengths = Array.from({ length: 20 }, (_, index) => script.length - 2 - index);
    expect(lengths.filter((length) => starts(shell, script, length))).toEqual([]);
    expect(starts(shell, script, script.length - 1)).toBe(true);
  });
});
