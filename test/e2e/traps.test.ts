// Traps that were measured in this field, kept shut. Rule: each is tried on the real engine.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addNote, freePort, type Installed, install, must, openStage, REPOSITORY, run, runningImages, type Stage } from './stage.ts';

let stage: Stage;
let acme: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1);
  acme = await install(stage, 'traps', { workers: 1 });
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

describe('measured traps stay shut', () => {
  test("a shell's own variables never beat .env", async () => {
    const hostile = {
      DB_PASSWORD: 'from-the-shell',
      LOG_LEVEL: 'debug',
      COMPOSE_PROJECT_NAME: 'hijacked',
      COMPOSE_FILE: '/nowhere.yml',
      HTTP_PORT: '1',
    };
    const ctl = [join(acme.root, 'acmectl')];
    for (const verb of ['stop', 'start']) {
      const { code, stderr } = await run([...ctl, verb, '--json'], { cwd: '/', env: hostile });
      expect(code, stderr).toBe(0);
    }
    expect((await acme.http('/api/health')).status).toBe(200);
    const level = await must(['docker', 'compose', '--project-directory', acme.root, 'exec', '-T', 'api', 'sh', '-c', 'echo $LOG_LEVEL'], {
      cwd: acme.root,
    });
    expect(level.stdout.trim()).toBe('info');
  });

  test('compose by hand in the folder sees the same project and changes nothing', async () => {
    const before = await runningIds('acme');
    const { code, stderr } = await acme.compose('up', '-d');
    expect(code, stderr).toBe(0);
    expect(await runningIds('acme')).toEqual(before);
  });

  test('a second folder with the same project is refused before anything starts', async () => {
    const other = join(stage.folder, 'second');
    const port = await freePort();
    const line = `curl -fsS ${stage.url}/install.sh | sh -s -- --dir '${other}' --yes --set DOMAIN=b.example --set HTTP_PORT=${port}`;
    const ran = await run(['sh', '-c', line]);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain(`belongs to ${acme.root}`);
    expect((await run(['test', '-e', other])).code).toBe(1);
  });

  test('a copied folder is refused: it would share the volumes of the original', async () => {
    const copy = join(stage.folder, 'copied');
    await cp(acme.root, copy, { recursive: true });
    const ran = await run([join(copy, 'acmectl'), 'upgrade', '--yes', '--json'], { cwd: '/' });
    expect(ran.result).toMatchObject({ ok: false, code: 'E_POLICY' });
    expect(String(ran.result.message)).toContain('moved, or a copy?');
  });

  test('a feature that is switched on runs, and switched off is gone', async () => {
    expect((await acme.ctl('configure', '--set', 'FEATURES=reports', '--yes')).code).toBe(0);
    expect(Object.keys(await runningImages('acme'))).toContain('reports');
    const { code, stderr } = await acme.ctl('configure', '--set', 'FEATURES=', '--yes');
    expect(code, stderr).toBe(0);
    const all = (
      await must([
        'docker',
        'ps',
        '-a',
        '--format',
        '{{.Label "com.docker.compose.service"}}',
        '--filter',
        'label=com.docker.compose.project=acme',
      ])
    ).stdout;
    expect(all.split('\n')).not.toContain('reports');
  });

  test('configure restarts only what changes', async () => {
    const before = await runningIds('acme');
    expect((await acme.ctl('configure', '--set', 'LOG_LEVEL=warn', '--yes')).code).toBe(0);
    const after = await runningIds('acme');
    expect(after.db).toBe(before.db);
    expect(after.proxy).toBe(before.proxy);
    expect(after.api).not.toBe(before.api);
  });

  test('docker image prune does not remove what the install needs', async () => {
    expect((await acme.ctl('stop')).code).toBe(0);
    await must(['docker', 'image', 'prune', '--force']);
    const { code, stderr } = await acme.ctl('start');
    expect(code, stderr).toBe(0);
    expect((await acme.http('/api/health')).status).toBe(200);
  });

  test('a changed immutable secret is refused before anything starts, and the old value is named as the way out', async () => {
    await stage.publish('2.0.0', 2);
    const path = join(acme.root, '.env');
    const env = await readFile(path, 'utf8');
    await writeFile(path, env.replace(/^DB_PASSWORD=.*$/m, 'DB_PASSWORD=another-password-altogether'));
    const { result, code } = await acme.ctl('upgrade', '--yes');
    await writeFile(path, env);
    expect(code).toBe(3);
    expect(String(result.message)).toContain('DB_PASSWORD');
    expect(String(result.message)).not.toContain('another-password-altogether');
  });

  test('a line that the person and the release both changed stops the upgrade before anything changes', async () => {
    const path = join(acme.root, 'configs/nginx.conf');
    const shipped = await readFile(path, 'utf8');
    await writeFile(path, shipped.replace('# The door', '# My door'));
    const before = await runningIds('acme');
    const { result, code } = await acme.ctl('upgrade', '--yes');
    expect(code).toBe(3);
    expect(result).toMatchObject({ code: 'E_CONFLICT' });
    expect(String(result.message)).toContain('configs/nginx.conf: yours line 1, the release’s line 1');
    expect(await runningIds('acme')).toEqual(before);
    await writeFile(path, shipped);
  });

  test("the person's own files, edits of shipped ones and unknown variables survive an upgrade", async () => {
    await writeFile(
      join(acme.root, 'configs/nginx.conf'),
      `${await readFile(join(acme.root, 'configs/nginx.conf'), 'utf8')}# mine, at the end\n`,
    );
    const compose = await readFile(join(acme.root, 'docker-compose.yml'), 'utf8');
    await writeFile(
      join(acme.root, 'docker-compose.yml'),
      compose.replace(/^ {2}api:\n/m, '  api:\n    labels: { mine: "yes" } # a label of ours\n'),
    );
    const edits = await editedLines(acme);
    await mkdir(join(acme.root, 'configs/custom'), { recursive: true });
    await writeFile(join(acme.root, 'configs/custom/mine.conf'), '# a snippet of mine\n');
    await writeFile(join(acme.root, '.env'), `${await readFile(join(acme.root, '.env'), 'utf8')}\n# my note\nMY_OWN='a b'\n`);
    await addNote(acme, 'before the upgrade');
    const ticks = Number(await acme.sql('select count(*) from ticks'));
    const { code, stderr } = await acme.ctl('upgrade', '--yes');
    expect(code, stderr).toBe(0);
    expect(await readFile(join(acme.root, 'configs/custom/mine.conf'), 'utf8')).toBe('# a snippet of mine\n');
    expect(await readFile(join(acme.root, '.env'), 'utf8')).toMatch(/# my note\nMY_OWN='a b'/);
    expect(Number(await acme.sql('select count(*) from ticks'))).toBeGreaterThanOrEqual(ticks);
    expect((await acme.http('/api/health')).headers.get('x-acme-release')).toBe('2.0.0');
    expect(await readFile(join(acme.root, 'configs/nginx.conf'), 'utf8')).toMatch(/2\.0\.0[\s\S]*# mine, at the end\n$/);
    expect(await readFile(join(acme.root, 'docker-compose.yml'), 'utf8')).toContain('labels: { mine: "yes" } # a label of ours\n');
    expect(await editedLines(acme)).toEqual(edits);
  });

  test('a reboot in the middle of an upgrade starts no writer, and recover brings the old release back', async () => {
    await stage.publish('2.1.0', 2, slowMigration);
    const child = acme.spawnCtl('upgrade', '--yes');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await until(async () => (await must(['docker', 'ps', '-a', '--format', '{{.Names}}'])).stdout.includes('run-job'));
    const ticks = await acme.sql('select count(*) from ticks');
    await run(['pkill', '-KILL', '-f', 'operators/']);
    child.kill('SIGKILL');
    await ended;
    await must(['sh', join(REPOSITORY, 'scripts/testbed.sh'), 'restart-engine'], { cwd: REPOSITORY });
    await until(
      async () =>
        (await run(['docker', 'compose', '--project-directory', acme.root, 'exec', '-T', 'db', 'pg_isready', '-q'], { cwd: acme.root }))
          .code === 0,
    );
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(Object.keys(await runningImages('acme'))).toEqual(['db']);
    expect(await acme.sql('select count(*) from ticks')).toBe(ticks);
    const { result, code, stderr } = await acme.ctl('recover');
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'undone', version: '2.0.0' });
    expect(await (await acme.http('/api/health')).json()).toMatchObject({ version: '2.0.0' });
  });
});

/** A migration that takes long enough to be interrupted. */
async function slowMigration(tree: string): Promise<void> {
  const file = join(tree, 'slipway.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('command: [node, migrate.js]', 'command: [sh, -c, "sleep 60"]'));
}

/** What `diff` says was edited, wherever in the file it stands. */
async function editedLines(acme: Installed): Promise<unknown[]> {
  const files = (await acme.ctl('diff')).result.files as { readonly path: string; readonly lines: readonly { readonly line: number }[] }[];
  return files.map(({ path, lines }) => [path, lines.map(({ line, ...edit }) => edit)]);
}

async function runningIds(project: string): Promise<Record<string, string>> {
  const text = (
    await must([
      'docker',
      'ps',
      '--format',
      '{{.Label "com.docker.compose.service"}} {{.ID}}',
      '--filter',
      `label=com.docker.compose.project=${project}`,
    ])
  ).stdout;
  return Object.fromEntries(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ') as [string, string]),
  );
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('waited for a minute in vain');
}
