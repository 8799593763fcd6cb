// Env files of their own and a rotated password, with the real Compose and a real PostgreSQL.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Installed, install, must, openStage, run, type Stage } from './stage.ts';

const ROTATE = `[sh, -c, "read -r new && echo \\"ALTER ROLE acme PASSWORD '$new'\\" | psql -q -U acme -d acme -v ON_ERROR_STOP=1"]`;
let stage: Stage;
let acme: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1, async (tree) => {
    await edit(join(tree, 'slipway.yaml'), /immutable: true \}/, `immutable: true, rotate: { service: db, command: ${ROTATE} } }`);
    await edit(
      join(tree, 'slipway.yaml'),
      /^ {2}WORKERS:.*$/m,
      '  WORKERS: { type: integer, default: 0, file: env/worker.env }\n  NOTE: { default: "of {{DOMAIN}}", file: env/worker.env }',
    );
    await edit(join(tree, 'templates/docker-compose.yml.hbs'), /^ {6}WORKERS: .*$/m, '      OWN: one');
    await edit(
      join(tree, 'templates/docker-compose.yml.hbs'),
      /^( {4}command: \[node, worker\.js\])$/m,
      '$1\n    env_file: env/worker.env',
    );
  });
  acme = await install(stage, 'acme');
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

async function edit(path: string, from: RegExp, to: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${path} has nothing like ${from}`);
  await writeFile(path, changed);
}

async function container(service: string): Promise<{ readonly id: string; readonly env: readonly string[] }> {
  const id = (await acme.compose('ps', '-q', service)).stdout.trim();
  const { stdout } = await must(['docker', 'inspect', '--format', '{{json .Config.Env}}', id]);
  return { id, env: JSON.parse(stdout) as string[] };
}

function logIn(password: string): Promise<{ readonly code: number }> {
  const argv = ['docker', 'compose', '--project-directory', acme.root, 'exec', '-T', '-e', `PGPASSWORD=${password}`, 'db'];
  return run([...argv, 'psql', '-h', '127.0.0.1', '-U', 'acme', '-d', 'acme', '-c', 'select 1'], { cwd: acme.root });
}

async function password(): Promise<string> {
  return /^DB_PASSWORD=(.*)$/m.exec(await readFile(join(acme.root, '.env'), 'utf8'))?.[1] ?? '';
}

describe('the real Compose', () => {
  test('gives a service what stands in its own env file', async () => {
    expect((await stat(join(acme.root, 'env/worker.env'))).mode & 0o777).toBe(0o600);
    expect((await container('worker')).env).toEqual(expect.arrayContaining(['WORKERS=0', 'NOTE=of notes.example']));
  });

  test('makes that service anew when the file changes, and the database never', async () => {
    const [worker, db] = [await container('worker'), await container('db')];
    expect((await acme.ctl('configure', '--yes', '--set', 'NOTE=another $note')).result).toMatchObject({
      outcome: 'configured',
      changed: ['NOTE'],
    });
    const after = await container('worker');
    expect(after.env).toContain('NOTE=another $note');
    expect(after.id).not.toBe(worker.id);
    await acme.ctl('configure', '--yes', '--set', 'LOG_LEVEL=warn');
    expect((await acme.ctl('start', '--yes')).code).toBe(0);
    expect((await container('db')).id).toBe(db.id);
  });

  test('lets the database take a rotated password, and everybody in with it', async () => {
    const old = await password();
    expect((await logIn(old)).code).toBe(0);
    const { code, result } = await acme.ctl('rotate', 'DB_PASSWORD', '--yes');
    expect({ code, result }).toMatchObject({ code: 0, result: { outcome: 'rotated', name: 'DB_PASSWORD' } });
    expect(await password()).not.toBe(old);
    expect((await logIn(await password())).code).toBe(0);
    expect(await (await acme.http('/api/health')).json()).toMatchObject({ status: 'ok' });
    expect((await container('api')).env).toContain(`PGPASSWORD=${await password()}`);
  });
});
