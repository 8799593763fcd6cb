// A real PostgreSQL goes from 15 to 17 on the real engine. Rule: rows and roles are what they were, or the old server has them all, wherever it was cut off.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boundaries, killAt, WHOLE } from './kill-upgrade.ts';
import { leftovers } from './promises.ts';
import { addNote, type Installed, install, openStage, run, type Stage } from './stage.ts';

/** All boundaries in the whole campaign; some of the change itself in the usual run. */
const SAMPLE = [30, 34];

const RECIPE = 'backup: { service: db, dump: pg_dumpall -U acme, restore: psql -X -q -U acme -d postgres';
const ROWS = "select string_agg(id || ':' || text, ',' order by id) from notes";
const ROLES = "select string_agg(rolname || rolcanlogin, ',' order by rolname) from pg_roles where rolname !~ '^pg_'";

let stage: Stage;
let acme: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1, onDumpall);
  acme = await install(stage, 'major');
  await addNote(acme, 'written with the old major');
  await acme.sql("create role reader login password 'for reading'; create role auditor; grant auditor to reader");
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

describe('a release with another major of PostgreSQL', () => {
  test('is refused when nothing declares the change, with both majors, and nothing stops', async () => {
    await stage.publish('1.1.0', 1, (tree) => onSeventeen(tree, { volume: 'pgdata', migrate: '' }, { isUnchecked: true }));
    const { code, stderr } = await acme.ctl('upgrade', '--yes');
    expect(code).toBe(3);
    expect(stderr).toContain('the data of pgdata was made by postgres 15; postgres 17 of 1.1.0 cannot read it');
    expect(await major()).toBe('15');
  });

  test('goes back when the restore fails half-way, with every row and role as before', async () => {
    const before = await content();
    const restore = `restore: "head -c 2000 | psql -X -q -U acme -d postgres; false"`;
    await stage.publish('1.2.0', 1, (tree) => onSeventeen(tree, { volume: 'pgdata17', migrate: declared(`, ${restore}`) }));
    const { result, stderr } = await acme.ctl('upgrade', '--yes');
    expect(result.outcome, stderr).toBe('rolled-back');
    expect(await content()).toEqual(before);
    expect(await volumes()).toEqual(['acme_pgdata', 'acme_uploads']);
    expect(await leftovers(acme)).toEqual([]);
  });

  test.runIf(WHOLE)('goes back when the dump lacks a role', async () => {
    const before = await content();
    const dump = 'dump: pg_dump -U acme --clean --if-exists acme, restore: psql -X -q -U acme -d acme';
    await stage.publish('1.3.0', 1, (tree) => onSeventeen(tree, { volume: 'pgdata17', migrate: declared(`, ${dump}`) }));
    const { result, stderr } = await acme.ctl('upgrade', '--yes');
    expect(result.outcome, stderr).toBe('rolled-back');
    expect(stderr).toMatch(/not the same after its dump was restored: role (auditor|reader)/);
    expect(await content()).toEqual(before);
  });

  test('killed anywhere on its way, has all rows and roles after recover, with the old or the new server', async () => {
    await stage.publish('2.0.0', 1, (tree) => onSeventeen(tree, { volume: 'pgdata17', migrate: declared('') }));
    const before = await content();
    const wrong: string[] = [];
    let cases = 0;
    for (const boundary of boundaries(SAMPLE)) {
      const killed = await killAt(acme, boundary);
      const { code, stderr } = await acme.ctl('recover');
      const { major: now, ...data } = await content();
      const { major: _, ...was } = before;
      if (code !== 0 || JSON.stringify(data) !== JSON.stringify(was)) wrong.push(`after line ${boundary}: ${code} ${stderr} ${now}`);
      if (!killed || wrong.length > 0) break;
      cases += 1;
      if (now === '17') await goBack();
    }
    console.log(`major campaign: ${cases} cases of a change of the major killed on a real engine, ${wrong.length} wrong end states`);
    expect(wrong).toEqual([]);
    expect(cases).toBeGreaterThan(WHOLE ? SAMPLE.length : SAMPLE.length - 1);
  });

  test('has every row and role, and keeps the old volume until it is let go', async () => {
    const { major: _, ...before } = await content();
    if ((await major()) === '15') expect((await acme.ctl('upgrade', '--to', '2.0.0', '--yes')).result.outcome).toBe('upgraded');
    const { major: now, ...data } = await content();
    expect(now).toBe('17');
    expect(data).toEqual(before);
    expect((await acme.ctl('status')).result.keptVolumes).toMatchObject([{ volume: 'acme_pgdata', name: 'pgdata', version: '1.0.0' }]);
    expect(await volumes()).toEqual(['acme_pgdata', 'acme_pgdata17', 'acme_uploads']);
    await addNote(acme, 'written with the new major');
    expect((await acme.ctl('backup', 'forget', 'acme_pgdata', '--yes')).result).toMatchObject({ outcome: 'forgotten' });
    expect(await volumes()).toEqual(['acme_pgdata17', 'acme_uploads']);
    expect((await acme.ctl('status')).result.keptVolumes).toEqual([]);
  });
});

async function content(): Promise<{ major: string; rows: string; roles: string; member: string }> {
  return {
    major: await major(),
    rows: await acme.sql(ROWS),
    roles: await acme.sql(ROLES),
    member: await acme.sql("select pg_has_role('reader', 'auditor', 'member')"),
  };
}

async function major(): Promise<string> {
  return String(Math.floor(Number(await acme.sql('show server_version_num')) / 10_000));
}

async function volumes(): Promise<string[]> {
  const { stdout } = await run(['docker', 'volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${acme.project}`]);
  return stdout.trim().split('\n').sort();
}

/** Back to 1.0.0, so that the change can be made again. */
async function goBack(): Promise<void> {
  expect((await acme.ctl('restore', '--yes')).code).toBe(0);
  expect((await acme.ctl('backup', 'forget', 'acme_pgdata17', '--yes')).code).toBe(0);
}

function declared(more: string): string {
  return `migrate: { from: pgdata, majors: [15]${more} }`;
}

async function onDumpall(tree: string): Promise<void> {
  await change(tree, 'slipway.yaml', (text) => text.replace(/backup: \{ service: db, dump: .*\}/, `${RECIPE} }`));
}

async function onSeventeen(
  tree: string,
  { volume, migrate }: { readonly volume: string; readonly migrate: string },
  { isUnchecked = false } = {},
): Promise<void> {
  await onDumpall(tree);
  await change(tree, 'slipway.yaml', (text) =>
    text
      .replace('postgres:15', 'postgres:17')
      .replace(/ {2}pgdata:\n/, `  ${volume}:\n`)
      .replace('major: 15', migrate === '' ? 'major: 17' : `major: 17\n    ${migrate}`)
      .concat(isUnchecked ? '\ncheck: { ignore: [{ code: E_ENGINE_MAJOR, path: data, reason: a test of the host }] }\n' : ''),
  );
  await change(tree, 'templates/docker-compose.yml.hbs', (text) => text.replaceAll(/\bpgdata\b/g, volume));
}

async function change(tree: string, path: string, edit: (text: string) => string): Promise<void> {
  const file = join(tree, path);
  await writeFile(file, edit(await readFile(file, 'utf8')));
}
