// ci generate as maintainers run it: files written once, kept from drifting, with a person's own lines in marked places.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { ci } from '../../src/commands/slipway/ci.ts';
import { COMPONENTS } from '../ci/products.ts';
import { commitFiles, runCommand } from '../fakes/git-workspace.ts';

let top: string;
beforeEach(async () => {
  top = join(await mkdtemp(join(tmpdir(), 'slipway-ci-')), 'repository');
  await commitFiles(top, { 'slipway.yaml': COMPONENTS });
});

function generate(flags: Record<string, string | boolean | readonly string[]> = {}, root = top): Promise<CommandResult> {
  return runCommand(ci, flags, { root, positionals: ['generate'] });
}

const check = (root = top): Promise<CommandResult> => generate({ check: true }, root);
const path = (name: string): string => join(top, '.github/workflows', `slipway-${name}.yml`);
const read = (name: string): string => readFileSync(path(name), 'utf8');
const edit = (name: string, from: string, to: string): void => {
  expect(read(name)).toContain(from);
  writeFileSync(path(name), read(name).replace(from, to));
};
const outcomes = ({ fields }: CommandResult): string[] => (fields.files as { outcome: string }[]).map(({ outcome }) => outcome);

describe('generate', () => {
  test('writes the workflows of every forge among the hosts, and a second run leaves them as they are', async () => {
    const first = await generate();
    expect(first.fields.files).toContainEqual({ path: '.gitea/workflows/slipway-release.yml', outcome: 'written' });
    expect(read('release')).toContain('slipway publish --tag "$TAG" --yes');
    expect(new Set(outcomes(await generate()))).toEqual(new Set(['unchanged']));
    expect((await check()).exit).toBeUndefined();
  });

  test('--forge writes for that one alone; one that nobody knows is refused with what there is', async () => {
    await generate({ forge: ['gitea'] });
    expect(readdirSync(top)).toEqual(expect.arrayContaining(['.gitea']));
    expect(readdirSync(top)).not.toContain('.github');
    await expect(generate({ forge: ['gitlab'] })).rejects.toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('github') });
  });

  test('--plan shows what would be written, writes nothing, and tells by its exit code when asked', async () => {
    const result = await generate({ plan: true, 'exit-code': true });
    expect(result.exit).toBe(4);
    expect(result.fields.plan).toMatchObject({
      command: 'ci generate',
      steps: expect.arrayContaining([expect.objectContaining({ kind: 'write-file' })]),
    });
    expect(readdirSync(top)).not.toContain('.github');
  });

  test('a product in a folder of its repository has its workflows at the top', async () => {
    await commitFiles(top, { 'deploy/slipway.yaml': COMPONENTS });
    await generate({}, join(top, 'deploy'));
    expect(readdirSync(join(top, '.github/workflows'))).toContain('slipway-ctms-release.yml');
    await check(join(top, 'deploy'));
  });

  test('lines of a person stay in their places, and everything else is made anew', async () => {
    await generate();
    edit('release', '      # slipway:begin own publish-before\n', '      # slipway:begin own publish-before\n      - run: make sbom\n');
    edit('release', 'slipway check', 'slipway check || true');
    await generate();
    expect(read('release')).toContain('publish-before\n      - run: make sbom\n      # slipway:end');
    expect(read('release')).not.toContain('|| true');
    await check();
  });

  test('what nothing asks for any more goes, unless it holds lines of a person', async () => {
    await generate();
    writeFileSync(join(top, 'slipway.yaml'), COMPONENTS.replace(/ {4}editor:.*\n/, ''));
    edit('image-editor', '# slipway:begin own jobs\n', '# slipway:begin own jobs\n  mine: { runs-on: x }\n');
    await expect(generate()).rejects.toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining('slipway-image-editor.yml') });
    edit('image-editor', '  mine: { runs-on: x }\n', '');
    await expect(check()).rejects.toMatchObject({ code: 'E_CHANGES' });
    expect((await generate()).fields.files).toContainEqual({ path: '.github/workflows/slipway-image-editor.yml', outcome: 'removed' });
    await check();
  });

  test('a file of that name that somebody else wrote is never overwritten', async () => {
    await generate();
    writeFileSync(path('release'), 'name: mine\n');
    await expect(generate()).rejects.toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining('slipway-release.yml') });
    expect(read('release')).toBe('name: mine\n');
  });
});

describe('--check', () => {
  const drift = async (): Promise<
    { path: string; outcome: string; differences: { line: number; expected: string[]; found: string[] }[] }[]
  > => {
    const error = await check().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ code: 'E_CHANGES', hint: expect.stringContaining('slipway ci generate') });
    return (error as { details: { files: Awaited<ReturnType<typeof drift>> } }).details.files;
  };

  test('names each file, and each place with its line, what is there and what is wanted', async () => {
    await generate();
    edit('release', 'run: slipway check', 'run: slipway check || true');
    rmSync(path('mirror'));
    const files = await drift();
    expect(files.filter(({ outcome }) => outcome === 'drifted')).toEqual([
      {
        path: '.github/workflows/slipway-release.yml',
        outcome: 'drifted',
        missing: false,
        differences: [
          {
            line: read('release').split('\n').indexOf('        run: slipway check || true') + 1,
            expected: ['        run: slipway check'],
            found: ['        run: slipway check || true'],
          },
        ],
      },
      { path: '.github/workflows/slipway-mirror.yml', outcome: 'drifted', missing: true, differences: [] },
    ]);
  });

  test('any change of the product file is drift, one that no workflow shows among them', async () => {
    await generate();
    writeFileSync(join(top, 'slipway.yaml'), `${COMPONENTS}title: Another Title\n`);
    expect(new Set((await drift()).map(({ outcome }) => outcome))).toEqual(new Set(['drifted']));
    await generate();
    await check();
  });

  test('line ends of another system are no drift', async () => {
    await generate();
    writeFileSync(path('release'), read('release').replaceAll('\n', '\r\n'));
    await check();
  });

  test('a mark that lost its other one is refused with its line', async () => {
    await generate();
    edit('release', '# slipway:end own publish-before', '# gone');
    await expect(check()).rejects.toMatchObject({ code: 'E_CONFLICT', message: expect.stringMatching(/slipway-release\.yml:\d+/) });
  });
});
