// bump and notes as a maintainer calls them.
import { chmod, mkdtemp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { bump } from '../../src/commands/slipway/bump.ts';
import { notes } from '../../src/commands/slipway/notes.ts';
import type { Event } from '../../src/model/event.ts';
import { failure } from '../failure.ts';
import { commitFiles, git, runCommand } from '../fakes/git-workspace.ts';
import { buildRelease, makeKeys, publishRelease } from '../fakes/release-builder.ts';

const keys = makeKeys();
const PACKAGE = '{\n\t"name": "acme",\n\t"version":"2.4.0",\n\t"x": {"version": "2.4.0"}}';
let folder: string;
let root: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  root = join(folder, 'workspace');
  await makeWorkspace('package.json#version');
});

function makeWorkspace(base: string, more = ''): Promise<string> {
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  base: ${base}
  notes: docs/{base}.md
  publicKey: ${keys.publicKey}
  hosts: { local: { type: folder, path: ../host } }
${more}`;
  return commitFiles(root, { 'slipway.yaml': yaml, 'package.json': PACKAGE, VERSION: '2.4.0-dev\n', '.gitignore': 'dist\n' });
}

function bumpTo(wanted: string, flags = {}): Promise<CommandResult> {
  return runCommand(bump, flags, { root, positionals: [wanted] });
}

const text = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

describe('bump', () => {
  test.each([
    ['major', '3.0.0'],
    ['minor', '2.5.0'],
    ['patch', '2.4.1'],
    ['2.10.0', '2.10.0'],
  ])('%s writes %s and a changelog to fill in, and keeps everything else', async (wanted, to) => {
    await chmod(join(root, 'package.json'), 0o640);
    expect((await bumpTo(wanted)).fields).toEqual({ from: '2.4.0', to, files: [`docs/${to}.md`, 'package.json'] });
    expect(await text('package.json')).toBe(PACKAGE.replace('"version":"2.4.0"', `"version":"${to}"`));
    expect((await stat(join(root, 'package.json'))).mode & 0o777).toBe(0o640);
    expect(await text(`docs/${to}.md`)).toContain(`# ${to}\n`);
    expect(await readdir(root)).not.toContain('package.json.slipway-new');
  });

  test('a second time changes nothing, and a changelog that is there stays', async () => {
    await commitFiles(root, { 'docs/2.5.0.md': 'Mine.\n' });
    expect((await bumpTo('2.5.0')).fields.files).toEqual(['package.json']);
    expect(await bumpTo('2.5.0')).toMatchObject({ fields: { files: [] }, text: '2.5.0 already\n' });
    expect(await text('docs/2.5.0.md')).toBe('Mine.\n');
  });

  test('a text file is only its version', async () => {
    await makeWorkspace('VERSION');
    await bumpTo('minor');
    expect(await text('VERSION')).toBe('2.5.0\n');
  });

  test('shows what it would write, and writes nothing', async () => {
    const { fields, exit } = await bumpTo('minor', { plan: true, 'exit-code': true });
    expect(fields.plan).toMatchObject({ command: 'bump', steps: [{ path: 'docs/2.5.0.md' }, { path: 'package.json' }] });
    expect({ exit, changes: git(root, 'status', '--porcelain') }).toEqual({ exit: 4, changes: '' });
  });

  test.each([
    ['2.3.9', /2\.3\.9 is lower than 2\.4\.0/],
    ['v2.5.0', /"v2\.5\.0" is not a version/],
    ['2.5', /"2\.5" is not a version/],
    ['02.5.0', /is not a version/],
    ['2.5.0-rc.1', /has a prerelease part/],
    ['', /"" is not a version/],
    ['2.6.0', /2\.6\.0 is released already: there is a tag v2\.6\.0/],
  ])('refuses %j and changes nothing', async (wanted, message) => {
    git(root, 'tag', 'v2.6.0');
    expect(await failure(bumpTo(wanted))).toMatchObject({
      code: 'E_USAGE',
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });
    expect(git(root, 'status', '--porcelain')).toBe('');
  });

  test('refuses where no file says the version, and a dated minor', async () => {
    await makeWorkspace('git');
    expect(await failure(bumpTo('minor'))).toMatchObject({ code: 'E_CONFIG' });
    await makeWorkspace('package.json#version', '  versions: dated\n');
    expect(await failure(bumpTo('minor'))).toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('bump major') });
    await makeWorkspace('package.json#nothing');
    expect(await failure(bumpTo('minor'))).toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('package.json#nothing is missing'),
    });
  });
});

describe('notes', () => {
  const run = (flags = {}, world = {}): Promise<CommandResult> => runCommand(notes, flags, { root, world });

  test('of what bump just wrote are a problem with the line, and of a text that text', async () => {
    await bumpTo('2.5.0');
    expect(await failure(run())).toMatchObject({
      code: 'E_CONFIG',
      details: { problems: [{ code: 'E_NOTES_STUB', line: 6, path: 'release.notes' }] },
    });
    await writeFile(join(root, 'docs/2.5.0.md'), '# 2.5.0\n\nFaster.\n');
    const { fields, text: shown } = await run({ version: '2.5.0' });
    expect(shown).toBe('# 2.5.0\n\nFaster.\n');
    expect(fields).toEqual({ version: '2.5.0', tag: 'v2.5.0', notes: shown, since: null, changes: null, problems: [] });
  });

  test('that are missing are said, and may be missing for a reason', async () => {
    expect(await failure(run({ tag: 'v2.4.7' }))).toMatchObject({ code: 'E_CONFIG', details: { problems: [{ code: 'E_NOTES_MISSING' }] } });
    expect((await run({ tag: 'v2.4.7', 'no-notes': 'hotfix' })).text).toBe('_Released without notes: hotfix_\n');
  });

  test('of a packed release tell what changed since the one before', async () => {
    const before = await buildRelease({ workspace: root, version: '2.3.0', keys });
    await publishRelease(before, join(folder, 'host'));
    await buildRelease({ workspace: root, version: '2.4.0', keys, manifest: { env: { DOMAIN: { required: true } } } });
    await commitFiles(root, { 'docs/2.4.0.md': 'Faster.\n' });
    const { fields, text: shown } = await run({ tag: 'v2.4.0' });
    expect(fields).toMatchObject({ since: '2.3.0', changes: { required: ['DOMAIN'] } });
    expect(shown).toBe('Faster.\n\n## Changes since 2.3.0\n\n### New required settings\n\n- `DOMAIN`\n');
  });

  test('of a release that is not packed say so', async () => {
    await commitFiles(root, { 'docs/2.4.0.md': 'Faster.\n' });
    const said: string[] = [];
    await run({ version: '2.4.0-rc.1' }, { report: (event: Event) => void (event.type === 'note' && said.push(event.text)) });
    expect(said).toEqual(['v2.4.0-rc.1 is not packed, so what changed since the release before is not shown.']);
  });

  test('are never read from outside of the product’s folder, and a wrong version is refused', async () => {
    await writeFile(join(folder, 'secret.md'), 'Secret.\n');
    await commitFiles(root, { 'docs/1.0.0.md': 'x\n' });
    await symlink(join(folder, 'secret.md'), join(root, 'docs/9.9.9.md'));
    expect(await failure(run({ version: '9.9.9' }))).toMatchObject({ code: 'E_CONFIG', message: expect.stringContaining('leads out') });
    expect(await failure(run({ version: 'v1' }))).toMatchObject({ code: 'E_USAGE' });
    expect(await failure(run({ tag: 'x1.0.0' }))).toMatchObject({ code: 'E_USAGE' });
  });
});
