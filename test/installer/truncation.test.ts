import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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

describe('install.sh cut short', () => {
  it('runs nothing and leaves nothing, wherever it is cut', async () => {
    const script = Buffer.from(installerText());
    const last = script.length - 2; // only the final newline may be missing
    const lengths = Array.from({ length: last }, (_, length) => length).filter((length) => length % 7 === 0 || length > last - 60);
    expect(lengths.filter((length) => starts(['dash'], script, length))).toEqual([]);
    expect(await stage.left()).toEqual([]);
    expect(lengths.length).toBeGreaterThan(1000);
  });

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
