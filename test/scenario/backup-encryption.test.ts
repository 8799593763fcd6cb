// Backups that are encrypted to a key. Rule: what leaves the host is readable only with the secret key; what the host goes back to by itself needs none.
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { failure } from '../failure.ts';
import { fileNode } from '../fakes/file-tree.ts';
import { type InstallStage, imageOf, makeInstallStage, PRODUCT_FILES } from '../fakes/install-stage.ts';

let stage: InstallStage;
let identity: string;
let recipient: string;
let keyFile: string;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  keyFile = join(stage.place, 'key.txt');
  await writeFile(keyFile, `# created: 2026-03-15T10:00:00Z\n# public key: ${recipient}\n${identity}\n`);
  await stage.publish('1.0.0', {
    backup: { keep: 3, to: '{{BACKUP_DIR}}' },
    env: { ...ENV, BACKUP_DIR: { default: join(stage.place, 'disk') } },
  });
  await stage.install({ set: ['DB_PASSWORD=a-secret-of-this-site'] });
  await writeFile(join(stage.root, 'data/uploads/picture'), 'before\n');
  stage.engine
    .state()
    .volumes.get('acme_pgdata')
    ?.tree.set('rows', fileNode('row 1: a customer\n', 0o600, 70));
});

const ENV = {
  PORT: { type: 'port', default: '18080' },
  DB_PASSWORD: { secret: 'password', immutable: true },
  API_TOKEN: { default: '' },
} as const;
const disk = (): string => join(stage.place, 'disk');
const say = (...positionals: string[]) => ({
  ...backup,
  run: (context: Parameters<typeof backup.run>[0]) => backup.run({ ...context, positionals }),
});
const make = (flags = {}) => {
  stage.engine.wait(60_000);
  return stage.run(backup, { yes: true, ...flags });
};
const askInEnv = async (): Promise<void> => {
  const path = join(stage.root, '.env');
  await writeFile(path, `${await readFile(path, 'utf8')}BACKUP_ENCRYPT_TO=${recipient}\n`);
};
const filesBelow = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));

describe('a backup to a key', () => {
  test('holds nothing that can be read without it: neither data, nor settings, nor files', async () => {
    const made = await make({ 'encrypt-to': [recipient] });
    expect(made.fields).toMatchObject({ outcome: 'made', encryptedTo: [recipient] });
    const files = await filesBelow(disk());
    expect(files.map((path) => path.slice(path.indexOf('1.0.0') + 6)).sort()).toEqual([
      'backup.json',
      'bundle.json',
      'data/pgdata.tar.gz.age',
      'data/uploads.tar.gz.age',
      'env.age',
      'files.tar.gz.age',
      'install.json.age',
    ]);
    for (const path of files.filter((each) => each.endsWith('.age')))
      expect((await readFile(path, 'latin1')).slice(0, 22)).toBe('age-encryption.org/v1\n');
    for (const path of files) expect(await readFile(path, 'latin1')).not.toMatch(/a-secret-of-this-site|a customer|AGE-SECRET-KEY/);
  });

  test('is verified without the secret key, and a single changed byte is found', async () => {
    await make({ 'encrypt-to': [recipient] });
    expect((await stage.run(say('verify'))).fields).toMatchObject({ backups: [{ problems: [] }] });
    const env = (await filesBelow(disk())).find((path) => path.endsWith('env.age')) ?? '';
    const bytes = await readFile(env);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(env, bytes);
    expect(await failure(stage.run(say('verify')))).toMatchObject({
      code: 'E_BACKUP',
      message: expect.stringContaining('env.age is not what was written'),
    });
    expect(await failure(stage.run(restore, { yes: true, identity: keyFile }))).toMatchObject({ code: 'E_BACKUP' });
    expect(existsSync(join(stage.root, '.slipway/cache/opened'))).toBe(false);
  });

  test('is restored with the secret key alone, which is never written anywhere', async () => {
    await askInEnv();
    await make();
    await writeFile(join(stage.root, 'data/uploads/picture'), 'after\n');
    await writeFile(join(stage.root, 'configs/api.conf'), 'edited later\n');
    const without = await failure(stage.run(restore, { yes: true }));
    expect(without).toMatchObject({ code: 'E_USAGE', message: expect.stringMatching(/is encrypted, and its secret key was not given/) });
    expect(String((without as { hint?: string }).hint)).toContain(recipient);
    const back = await stage.run(restore, { yes: true, identity: keyFile });
    expect(back.fields).toMatchObject({ outcome: 'restored', version: '1.0.0' });
    expect(await readFile(join(stage.root, 'data/uploads/picture'), 'utf8')).toBe('before\n');
    expect(await readFile(join(stage.root, 'configs/api.conf'), 'utf8')).toBe('shipped\n');
    expect(stage.engine.state().volumes.get('acme_pgdata')?.tree.get('rows')).toEqual(fileNode('row 1: a customer\n', 0o600, 70));
    for (const path of await filesBelow(stage.root)) expect(await readFile(path, 'latin1')).not.toContain(identity);
    expect(existsSync(join(stage.root, '.slipway/cache/opened'))).toBe(false);
  });

  test('leaves nothing readable behind when only the plan was asked for', async () => {
    await make({ 'encrypt-to': [recipient] });
    expect((await stage.run(restore, { plan: true, identity: keyFile })).fields.plan).toMatchObject({ command: 'restore' });
    expect(existsSync(join(stage.root, '.slipway/cache/opened'))).toBe(false);
  });

  test('is refused to another secret key, a locked file of keys, and a file that is none, each by what it is', async () => {
    await make({ 'encrypt-to': [recipient] });
    const other = join(stage.place, 'other.txt');
    await writeFile(other, `${await generateX25519Identity()}\n`);
    expect(await failure(stage.run(restore, { yes: true, identity: other }))).toMatchObject({
      code: 'E_BACKUP',
      message: expect.stringContaining('encrypted to other keys'),
    });
    await writeFile(other, 'age-encryption.org/v1\n-> scrypt abc 18\n');
    expect(await failure(stage.run(restore, { yes: true, identity: other }))).toMatchObject({
      code: 'E_ANSWER',
      hint: expect.stringContaining(`age -d ${other}`),
    });
    await writeFile(other, `${identity}\nnot a key\n`);
    const wrong = await failure(stage.run(restore, { yes: true, identity: other }));
    expect(wrong).toMatchObject({ code: 'E_ANSWER' });
    expect(JSON.stringify([wrong, String(wrong)])).not.toContain(identity);
    expect(await failure(stage.run(restore, { yes: true, identity: join(stage.place, 'nowhere') }))).toMatchObject({ code: 'E_NOT_FOUND' });
  });

  test('is refused before anything stops when the key is none: a typing error, or the secret key itself', async () => {
    const before = stage.engine.state().counter;
    const typo = `${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`;
    for (const key of [typo, 'age1short', recipient.toUpperCase()])
      expect(await failure(make({ 'encrypt-to': [key] }))).toMatchObject({ code: 'E_ANSWER' });
    const secret = await failure(make({ 'encrypt-to': [identity] }));
    expect(secret).toMatchObject({ code: 'E_ANSWER', message: expect.stringContaining('holds a secret key') });
    expect(JSON.stringify([secret, String(secret)])).not.toContain(identity);
    expect(stage.engine.state().counter).toBe(before); // no container came or went
    expect((await stage.run(say('list'))).fields.backups).toEqual([]);
  });
});

describe('what the host goes back to by itself', () => {
  test('stays on the host and needs no key: restore takes an upgrade back', async () => {
    await askInEnv();
    const [reference = '', digest = ''] = imageOf('api', '2').pinned.split('@');
    const files = {
      ...PRODUCT_FILES,
      'docker-compose.yml': (PRODUCT_FILES['docker-compose.yml'] ?? '').replace(imageOf('api').pinned, imageOf('api', '2').pinned),
    };
    await stage.publish(
      '1.1.0',
      {
        backup: { keep: 3, to: '{{BACKUP_DIR}}' },
        env: { ...ENV, BACKUP_DIR: { default: '' } },
        images: [{ name: 'api', reference, digest: digest as never, platforms: ['linux/amd64'], size: 1 }, ...(await dbImage())],
      },
      files,
    );
    stage.engine.wait(60_000);
    await stage.run(upgrade, { yes: true });
    await expect(readdir(disk())).rejects.toThrow(/ENOENT/);
    const copies = await readdir(join(stage.root, '.slipway/backups'));
    expect(copies).toHaveLength(1);
    await writeFile(join(stage.root, 'data/uploads/picture'), 'after\n');
    await stage.run(restore, { yes: true });
    expect(await readFile(join(stage.root, 'data/uploads/picture'), 'utf8')).toBe('before\n');
    expect((await stage.run(say('list'))).text).toMatch(/1\.0\.0 .*\n(.*\n)?.*1\.1\.0 .*rescue/);
  });
});

async function dbImage() {
  const [reference = '', digest = ''] = imageOf('db').pinned.split('@');
  return [{ name: 'db', reference, digest: digest as never, platforms: ['linux/amd64'], size: 1 }];
}
