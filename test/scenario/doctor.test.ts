// What is wrong with an install or its machine, each from a real cause. Rule: a finding names its cause and what helps; nothing is ever changed.
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { failure } from '../failure.ts';
import { readFolderTree } from '../fakes/file-tree.ts';
import { type InstallStage, imageOf, makeInstallStage, type Ran } from '../fakes/install-stage.ts';

let stage: InstallStage;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install();
});

interface Finding {
  readonly severity: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

const findingsOf = ({ fields }: Ran): Finding[] => fields.findings as Finding[];
const worrying = (ran: Ran): string[] =>
  findingsOf(ran)
    .filter(({ severity }) => severity !== 'info')
    .map(({ code }) => code);
const container = (service: string) => [...stage.engine.state().containers.values()].find(({ name }) => name === `acme-${service}-1`);

describe('doctor', () => {
  test('finds nothing wrong with a sound install, tells what it stands on, and changes nothing', async () => {
    const before = readFolderTree(stage.root);
    const ran = await stage.run(doctor);
    expect(worrying(ran)).toEqual([]);
    expect(ran).toMatchObject({ exit: 0, text: expect.stringMatching(/all well\n$/) });
    expect(findingsOf(ran).map(({ code }) => code)).toEqual(['engine', 'no-backup']);
    expect(readFolderTree(stage.root)).toEqual(before);
  });

  test('names every trouble of the services, with the command that helps', async () => {
    Object.assign(container('db') ?? {}, { state: 'exited', exitCode: 3 });
    await writeFile(join(stage.root, 'docker-compose.override.yml'), `services:\n  api:\n    image: ${imageOf('api', '2').pinned}\n`);
    const ran = await stage.run(doctor);
    expect(findingsOf(ran)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          code: 'not-running',
          message: 'db is exited with exit code 3',
          hint: expect.stringContaining('acmectl logs db'),
        }),
        expect.objectContaining({
          code: 'other-image',
          message: expect.stringContaining('api runs another image'),
          severity: 'warn',
        }),
        expect.objectContaining({ code: 'image-override', severity: 'info' }),
      ]),
    );
    expect(ran.exit).toBe(0);
    stage.engine.state().containers.delete(container('api')?.id ?? '');
    expect(worrying(await stage.run(doctor))).toContain('service-missing');
    stage.engine.state().containers.clear();
    expect(worrying(await stage.run(doctor))).toEqual(['stopped']);
  });

  test('names what would make an upgrade lose data: a volume or a secret that is gone', async () => {
    stage.engine.state().containers.clear();
    stage.engine.state().volumes.clear();
    const settings = join(stage.root, '.env');
    await writeFile(settings, (await readFile(settings, 'utf8')).replace(/DB_PASSWORD=.*/, 'DB_PASSWORD=other'));
    const ran = await stage.run(doctor);
    expect(findingsOf(ran).slice(0, 2)).toMatchObject([
      { severity: 'block', code: 'secret-changed', message: expect.stringContaining('DB_PASSWORD') },
      { severity: 'block', code: 'volume-gone', message: expect.stringContaining('acme_pgdata') },
    ]);
    expect(ran.exit).toBe(3);
    expect(ran.text).not.toContain('other\n');
  });

  test('names what changed around the install: settings that others read, edits, the command on PATH', async () => {
    await chmod(join(stage.root, '.env'), 0o644);
    await writeFile(join(stage.root, 'configs/api.conf'), 'mine\n');
    await writeFile(join(stage.bin, 'acmectl'), '#!/bin/sh\n');
    const ran = await stage.run(doctor);
    expect(worrying(ran).sort()).toEqual(['launcher', 'local-edit', 'settings-readable']);
    expect(ran.text.replace(/\s+/g, ' ')).toContain(`chmod 600 ${stage.root}/.env`); // long paths go into the next line
    expect(ran.text.split('\n').filter((line) => line.length > 80 && line.trim().includes(' ') && !line.includes(stage.place))).toEqual([]);
  });

  test('explains an install that it can hardly read: moved, damaged, an operation cut off, compose files that are broken', async () => {
    await writeFile(join(stage.root, 'docker-compose.override.yml'), 'services: [\n');
    expect(worrying(await stage.run(doctor))).toContain('compose-invalid');
    await rm(join(stage.root, 'docker-compose.override.yml'));
    const [journal] = [...readFolderTree(stage.root)].filter(([path]) => /history\/install-.*ndjson$/.test(path));
    const text = await readFile(join(stage.root, journal?.[0] ?? ''), 'utf8');
    await writeFile(join(stage.root, '.slipway/journal.ndjson'), `${text.split('\n').slice(0, 3).join('\n')}\n`);
    expect(findingsOf(await stage.run(doctor))[0]).toMatchObject({
      code: 'open-operation',
      hint: expect.stringContaining('acmectl recover'),
    });
    await rm(join(stage.root, '.slipway/journal.ndjson'));
    const moved = join(stage.place, 'moved');
    await rename(stage.root, moved);
    expect(findingsOf(await stage.run(doctor, { dir: moved }))[0]).toMatchObject({
      code: 'moved',
      hint: expect.stringContaining('relocate'),
    });
    await rename(moved, stage.root);
    await writeFile(join(stage.root, '.slipway/releases/1.0.0/bundle.json'), '{}');
    const damaged = await stage.run(doctor);
    expect(findingsOf(damaged)).toMatchObject([{ severity: 'block', code: 'damaged' }]);
    expect(damaged.exit).toBe(3);
    expect(await failure(stage.run(doctor, { dir: stage.place }))).toMatchObject({ code: 'E_NO_INSTALL' });
  });

  test('says what is the matter with an engine that does not answer', async () => {
    const down = async () => ({
      code: 1,
      stdout: '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"]}',
      stderr: '',
    });
    const ran = await stage.run(doctor, {}, { run: down });
    expect(findingsOf(ran)[0]).toMatchObject({ code: 'no-engine', hint: expect.stringContaining('systemctl start docker') });
    expect(ran.exit).toBe(3);
  });
});
