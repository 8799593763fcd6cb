// A folder that was moved or copied. Rule: a move is taken up without a byte of data changing hands; a copy is refused.
import { cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { relocate } from '../../src/commands/operator/relocate.ts';
import { status } from '../../src/commands/operator/status.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage } from '../fakes/install-stage.ts';

let stage: InstallStage;
let moved: string;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install();
  moved = join(stage.place, 'elsewhere/acme');
  await mkdir(join(stage.place, 'elsewhere'));
});

const folders = (): string[] => [
  ...new Set([...stage.engine.state().containers.values()].map(({ labels }) => labels['com.docker.compose.project.working_dir'] ?? '')),
];

describe('a folder that was moved', () => {
  test('is refused by every command until relocate takes it up; volumes, secrets and the command on PATH follow', async () => {
    const settings = await readFile(join(stage.root, '.env'), 'utf8');
    await rename(stage.root, moved);
    const refused = await failure(stage.run(status, { dir: moved }));
    expect(refused).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('moved, or a copy?'),
      hint: expect.stringContaining('relocate'),
    });
    const planned = await stage.run(relocate, { dir: moved, plan: true });
    expect(planned.text).toContain('containers that look into the old folder go; volumes stay');
    expect(folders()).toEqual([stage.root]);
    expect((await stage.run(relocate, { dir: moved, yes: true })).fields).toEqual({
      from: stage.root,
      folder: moved,
      outcome: 'relocated',
    });
    expect(folders()).toEqual([moved]);
    expect([...stage.engine.state().volumes.keys()]).toEqual(['acme_pgdata']);
    expect(await readFile(join(moved, '.env'), 'utf8')).toBe(settings);
    expect(await readFile(join(stage.bin, 'acmectl'), 'utf8')).toContain(`# install folder: ${moved}\n`);
    expect((await stage.run(status, { dir: moved, offline: true })).text).toContain('all well');
    expect((await stage.run(relocate, { dir: moved, yes: true })).fields).toMatchObject({ outcome: 'unchanged' });
  });

  test('that does not start is as it was before, and can be taken up later', async () => {
    await rename(stage.root, moved);
    const client = stage.engine.client();
    let refusals = 1;
    const run: typeof client = async (argv, options) =>
      argv.includes('up') && refusals-- > 0 ? { code: 1, stdout: '', stderr: 'no' } : client(argv, options);
    expect(await failure(stage.run(relocate, { dir: moved, yes: true }, { run }))).toMatchObject({ code: 'E_STEP_FAILED' });
    expect(await readFile(join(stage.bin, 'acmectl'), 'utf8')).toContain(`# install folder: ${stage.root}\n`);
    await stage.run(relocate, { dir: moved, yes: true });
    expect(folders()).toEqual([moved]);
  });
});

describe('a folder that was copied', () => {
  test('is refused, naming its original, and works once the original is gone', async () => {
    await cp(stage.root, moved, { recursive: true });
    expect(await failure(stage.run(status, { dir: moved }))).toMatchObject({ code: 'E_POLICY' });
    expect(await failure(stage.run(relocate, { dir: moved, yes: true }))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining(`${stage.root} holds this install too`),
      hint: expect.stringContaining('--project NAME --dir FOLDER'),
    });
    expect(folders()).toEqual([stage.root]);
    await rm(stage.root, { recursive: true });
    expect((await stage.run(relocate, { dir: moved, yes: true })).fields).toMatchObject({ outcome: 'relocated' });
  });

  test('is refused when containers of a third folder run under its project', async () => {
    await rename(stage.root, moved);
    const [first] = stage.engine.state().containers.values();
    Object.assign(first?.labels ?? {}, { 'com.docker.compose.project.working_dir': '/srv/third' });
    expect(await failure(stage.run(relocate, { dir: moved, yes: true }))).toMatchObject({
      code: 'E_PROJECT_ELSEWHERE',
      message: expect.stringContaining('/srv/third'),
    });
  });
});
