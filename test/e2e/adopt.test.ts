// The reference product, set up by hand with Compose alone, taken over while it runs. Rule: container ids and start times tell whether anything was touched.
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addNote, freePort, type Installed, installedAt, must, openStage, type Ran, REPOSITORY, run, type Stage } from './stage.ts';

let stage: Stage;
let notes: Installed;
let root: string;
const ENV = (port: number): string =>
  `# set up in 2021, by hand\nCOMPOSE_PROJECT_NAME=notes\nDOMAIN=notes.example\nHTTP_PORT=${port}\nDB_PASSWORD='kept in a safe'  # since then\nWORKERS=1\nMY_OWN=thing\n`;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1);
  root = join(stage.folder, 'notes');
  const port = await freePort();
  await must(['tar', '-xzf', join(stage.releases, 'releases/bundle-v1.0.0/acme-bundle-1.0.0.tar.gz'), '-C', stage.folder]);
  await rename(join(stage.folder, 'acme'), root);
  for (const path of ['VERSION', 'acmectl', 'bundle.json', 'bundle.json.minisig', '.env.example', 'scripts'])
    await rm(join(root, path), { recursive: true });
  await writeFile(join(root, '.env'), ENV(port));
  await writeFile(join(root, 'docker-compose.override.yml'), 'services:\n  api:\n    labels: { example.notes: mine }\n');
  await mkdir(join(root, 'configs/custom'), { recursive: true });
  await writeFile(join(root, 'configs/custom/mine.conf'), 'add_header X-Mine yes always;\n');
  await writeFile(join(root, 'todo.txt'), 'back this up one day\n');
  const compose = (...words: string[]): Promise<Ran> => must(['docker', 'compose', ...words], { cwd: root });
  await compose('up', '-d', '--wait', 'db');
  await compose('run', '--rm', '-T', 'api', 'node', 'migrate.js');
  await compose('up', '-d', '--wait');
  notes = installedAt(root, port, 'notes');
  await addNote(notes, 'written before we came');
});

afterAll(async () => {
  await notes?.remove();
  await stage?.close();
});

describe('a running compose project that somebody set up by hand', () => {
  test('is compared by the digests of what runs, also where its file names images by tag', async () => {
    const [file, aside] = [join(root, 'docker-compose.yml'), join(root, 'aside')];
    await copyFile(file, aside);
    await writeFile(file, (await readFile(file, 'utf8')).replace(/@sha256:[0-9a-f]{64}/g, ''));
    const { result, code, stderr } = await adopt('--plan');
    await rename(aside, file);
    expect(code, stderr).toBe(0);
    const images = result.images as { readonly name: string; readonly state: string }[];
    expect(images.map(({ state }) => state)).toEqual(['same', 'same', 'same']);
    expect(result).toMatchObject({ version: '1.0.0', from: 'hand', project: 'notes' });
  });

  test('is taken over without a restart: same containers since the same moment, same files', async () => {
    const [before, names] = [await runningSince(), await readdir(root)];
    const { result, code, stderr } = await adopt('--yes');
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'adopted', version: '1.0.0', project: 'notes' });
    expect(await runningSince()).toEqual(before);
    expect((await readdir(root)).filter((name) => name !== '.slipway')).toEqual(names);
    const record = JSON.parse(await readFile(join(root, '.slipway/install.json'), 'utf8')) as { volumes: unknown };
    expect(record.volumes).toEqual({ pgdata: 'notes_pgdata', uploads: 'notes_uploads' });
    expect((await adopt('--yes')).result).toMatchObject({ outcome: 'installed-already' });
    const local = await must([
      'docker',
      'image',
      'ls',
      '--format',
      '{{.Repository}}:{{.Tag}}',
      '--filter',
      'reference=slipway.local/acme/*',
    ]);
    expect(local.stdout).toContain('slipway.local/acme/api:1.0.0');
    const status = await operate('status', '--offline');
    expect(status.result).toMatchObject({ version: '1.0.0', openOperation: null, source: false });
  });

  test('goes on to release 2 with its rows, its edits and its own names', async () => {
    await stage.publish('2.0.0', 2);
    const { result, code, stderr } = await operate('upgrade', '--yes');
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'upgraded', from: '1.0.0', to: '2.0.0' });
    const health = await notes.http('/api/health');
    expect(await health.json()).toMatchObject({ status: 'ok', version: '2.0.0' });
    expect(health.headers.get('x-mine')).toBe('yes');
    expect(await notes.sql("select count(*) from notes where text = 'written before we came'")).toBe('1');
    expect(await readFile(join(root, '.env'), 'utf8')).toContain(ENV(notes.port));
    expect(await readFile(join(root, 'todo.txt'), 'utf8')).toBe('back this up one day\n');
    const labels = await must(['docker', 'inspect', '--format', '{{index .Config.Labels "example.notes"}}', 'notes-api-1']);
    expect(labels.stdout.trim()).toBe('mine');
    const volumes = await must(['docker', 'volume', 'ls', '--quiet', '--filter', 'name=pgdata']);
    expect(volumes.stdout.trim()).toBe('notes_pgdata');
    expect((await notes.ctl('status')).result).toMatchObject({ ok: true, version: '2.0.0', localEdits: [] });
  });
});

async function adopt(...words: string[]): Promise<Ran> {
  const key = (await readFile(join(stage.folder, 'key.pub'), 'utf8')).split('\n')[1] ?? '';
  const source = ['--product', 'acme', '--releases', stage.url, '--key', key];
  return run([process.execPath, join(REPOSITORY, 'dist/operator.mjs'), 'adopt', '--dir', root, ...source, ...words, '--json'], {
    cwd: '/',
  });
}

/** The program that took the install over, which it keeps. */
async function operate(...words: string[]): Promise<Ran> {
  const folder = join(root, '.slipway/operators');
  const [program = ''] = await readdir(folder);
  return run([process.execPath, join(folder, program), ...words, '--json'], { cwd: '/' });
}

async function runningSince(): Promise<string[]> {
  const ids = (await must(['docker', 'ps', '-q', '--no-trunc', '--filter', 'label=com.docker.compose.project=notes'])).stdout.split('\n');
  const lines = await must(['docker', 'inspect', '--format', '{{.Id}} {{.State.StartedAt}} {{.Config.Image}}', ...ids.filter(Boolean)]);
  return lines.stdout.split('\n').filter(Boolean).sort();
}
