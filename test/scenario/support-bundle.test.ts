// The bundle for whoever helps. Rule: every secret of the install is searched for in every byte of it.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { supportBundle } from '../../src/commands/operator/support-bundle.ts';
import { envValues, parseEnvFile } from '../../src/model/env-file.ts';
import type { Run } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage } from '../fakes/install-stage.ts';

let stage: InstallStage;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install({ set: ['API_TOKEN=tok-1234-äöü"quoted"'] });
});

/** Unpacks with the system's own tar, and gives every file's text. */
async function unpack(archive: string): Promise<Map<string, string>> {
  const folder = await mkdtemp(join(stage.place, 'unpacked-'));
  execFileSync('tar', ['xzf', archive, '-C', folder]);
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      found.set(
        join(entry.parentPath, entry.name)
          .split('/')
          .slice(folder.split('/').length + 1)
          .join('/'),
        await readFile(join(entry.parentPath, entry.name), 'utf8'),
      );
  return found;
}

function talkative(secrets: readonly string[]): Run {
  const client = stage.engine.client();
  const lines = secrets.flatMap((secret) => [
    `plain ${secret}`,
    JSON.stringify({ connection: secret }),
    `GET /?token=${encodeURIComponent(secret)}`,
    `basic ${Buffer.from(secret).toString('base64')}`,
    `hex ${Buffer.from(secret).toString('hex')}`,
    `url postgres://acme:${encodeURIComponent(secret)}@db/acme`,
  ]);
  return async (argv, options) => {
    const result = await client(argv, options);
    return argv[1] === 'logs' ? { ...result, stdout: `${lines.join('\n')}\n`, stderr: `error: ${secrets.join(' ')}\n` } : result;
  };
}

async function secretsHere(): Promise<string[]> {
  const values = envValues(parseEnvFile(await readFile(join(stage.root, '.env'), 'utf8')));
  return [...values].filter(([name]) => !/^(COMPOSE_|PORT$)/.test(name)).map(([, value]) => value);
}

describe('support-bundle', () => {
  test('holds logs, versions, configuration and history, and no byte of a secret', async () => {
    await writeFile(join(stage.root, '.env'), `${await readFile(join(stage.root, '.env'), 'utf8')}MY_OWN='private words of mine'\n`);
    await writeFile(
      join(stage.root, 'docker-compose.override.yml'),
      'services:\n  api:\n    environment:\n      ADMIN_PASSWORD: written-by-hand\n      LIST: x\n',
    );
    const secrets = [...(await secretsHere()), 'written-by-hand'];
    expect(secrets).toHaveLength(4);
    const out = join(stage.place, 'support.tar.gz');
    const { fields, text } = await stage.run(supportBundle, { out }, { run: talkative(secrets) });
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    const files = await unpack(out);
    const whole = `${gunzipSync(await readFile(out)).toString('latin1')}${(await readFile(out)).toString('latin1')}${text}${JSON.stringify(fields)}`;
    for (const secret of secrets)
      for (const spelling of [
        secret,
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret),
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        Buffer.from(secret).toString('hex'),
      ]) {
        expect(whole).not.toContain(Buffer.from(spelling).toString('latin1'));
        expect([...files.values()].join('\n')).not.toContain(spelling);
      }
    const names = [...files.keys()];
    for (const name of [
      'README.txt',
      'removed.json',
      'versions.json',
      'doctor.json',
      'install.json',
      'env.txt',
      'docker-compose.yml',
      'containers.json',
      'logs/acme-api-1.log',
      'logs/acme-db-1.log',
      'override-names.txt',
    ])
      expect(names).toContain(name);
    expect(names.some((name) => name.startsWith('history/install-'))).toBe(true);
    expect(files.get('env.txt')).toContain('PORT=18080');
    expect(files.get('env.txt')).toMatch(/# DB_PASSWORD is set \(24 characters, removed\)/);
    expect(files.get('override-names.txt')).toContain('services.api.environment.LIST');
    expect(files.get('README.txt')).toContain('logs/acme-api-1.log: ');
    const removed = JSON.parse(files.get('removed.json') ?? '[]');
    expect(removed).toContainEqual({ file: 'logs/acme-api-1.log', name: 'DB_PASSWORD', how: 'value', count: expect.any(Number) });
    expect(fields.removed).toEqual(removed);
  });

  test('is made of a broken install too: without its manifest every value counts as a secret', async () => {
    const secrets = await secretsHere();
    await rm(join(stage.root, '.slipway/releases'), { recursive: true });
    const out = join(stage.place, 'support.tar.gz');
    await stage.run(supportBundle, { out }, { run: talkative([...secrets, '18080-my-port']) });
    const files = await unpack(out);
    expect(files.get('problems.txt')).toContain('is not the manifest that was installed');
    expect(files.get('env.txt')).not.toContain('18080');
    for (const secret of secrets) expect([...files.values()].join('\n')).not.toContain(secret);
    expect(files.get('doctor.json')).toContain('damaged');
  });

  test('never writes over a file, and says when --lines is no number', async () => {
    const out = join(stage.place, 'support.tar.gz');
    await writeFile(out, 'mine');
    expect(await failure(stage.run(supportBundle, { out }))).toMatchObject({ code: 'E_CONFLICT' });
    expect(await readFile(out, 'utf8')).toBe('mine');
    expect((await readdir(stage.place)).filter((name) => name.includes('slipway-new'))).toEqual([]);
    expect(await failure(stage.run(supportBundle, { lines: 'all' }))).toMatchObject({ code: 'E_USAGE' });
  });
});
