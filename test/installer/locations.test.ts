import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { serveFolder } from '../fakes/folder-server.ts';
import { OPERATOR_PROGRAM } from '../fakes/operator-program.ts';
import { OPERATOR_PATH, Stage } from './stage.ts';

let stage: Stage;
beforeEach(async (context) => {
  stage = await Stage.for(context);
});

describe('the location of the releases', () => {
  it.each([
    ['a path', (folder: string) => folder],
    ['a path with a slash at its end', (folder: string) => `${folder}/`],
    ['a file:// address', (folder: string) => `file://${folder}`],
  ])('may be %s', async (_, locationOf) => {
    const folder = await stage.releases(OPERATOR_PROGRAM, 'releases-here');
    const outcome = await stage.run({ env: { SLIPWAY_RELEASES: locationOf(folder) } });
    expect(outcome).toMatchObject({ code: 0, left: [] });
    expect(outcome.operator?.argv[2]).toBe(locationOf(folder).replace(/\/$/, ''));
  });

  it('may be a relative path, which the operator gets as an absolute one', async () => {
    await stage.releases(OPERATOR_PROGRAM, 'releases here');
    const outcome = await stage.run({ env: { SLIPWAY_RELEASES: '../releases here' } });
    expect(outcome.code).toBe(0);
    expect(outcome.operator?.argv[2]).toBe(`${stage.root}/work/../releases here`);
  });

  it('may be built in as a folder', async () => {
    const folder = await stage.releases();
    expect(await stage.run({ facts: { locations: [`${stage.root}/nothing`, folder] } })).toMatchObject({ code: 0, left: [] });
  });

  it('overrides what is built in, and what comes from it is checked like everything else', async () => {
    const folder = await stage.releases(OPERATOR_PROGRAM.replace('decides', 'decided').replace('padding', 'panning'));
    const outcome = await stage.run({ facts: { locations: ['http://127.0.0.1:1'] }, env: { SLIPWAY_RELEASES: folder } });
    expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('is not the one that this installer was made for');
    expect(outcome.stderr).not.toContain('127.0.0.1');
  });

  it('is named when it holds no such release', async () => {
    const outcome = await stage.run({ env: { SLIPWAY_RELEASES: stage.root } });
    expect(outcome).toMatchObject({ code: 5, operator: undefined, left: [] });
    expect(outcome.stderr).toContain(`There is no ${stage.root}${OPERATOR_PATH}`);
  });

  it('may be a repository’s page on a forge', async () => {
    const page = join(stage.root, 'forge/acme/acme/releases/download/bundle-v2.4.0');
    await mkdir(page, { recursive: true });
    await writeFile(join(page, 'operator.js'), OPERATOR_PROGRAM);
    const server = await serveFolder(join(stage.root, 'forge'));
    const outcome = await stage.run({ env: { SLIPWAY_RELEASES: `${server.url}/acme/acme` } });
    await server.close();
    expect(outcome).toMatchObject({ code: 0, left: [] });
    expect(outcome.operator?.argv[2]).toBe(`${server.url}/acme/acme`);
  });

  it('has to be given when none is built in', async () => {
    const outcome = await stage.run();
    expect(outcome).toMatchObject({ code: 2, operator: undefined, left: [] });
    expect(outcome.stderr).toContain('SLIPWAY_RELEASES=https://...');
  });
});
