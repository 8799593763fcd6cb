// What people do to an install by hand, from install over an upgrade and back. Rule: every edit is there afterwards, byte for byte, and means what Compose makes of it.
// .env rows and the compose file: here. Edited vendor files: upgrade-merge.test.ts. A folder that was renamed, moved or copied: relocate.test.ts, refusals-install.test.ts.
// An install made by hand: adopt.test.ts, adopt-cases.test.ts. Every form of an env file against the real Compose: test/model/env-compose.test.ts.
import { chmod, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import { COMPOSE, type InstallStage, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own interpolation
const WITH_LEVEL = COMPOSE.replace('TOKEN: "${API_TOKEN:-}"', 'LEVEL: "${LEVEL:-none}"');
const FILES = { ...PRODUCT_FILES, 'docker-compose.yml': WITH_LEVEL };
const ENV: Manifest['env'] = { ...PRODUCT.env, LEVEL: { default: 'info' } };
const PEM = '-----BEGIN KEY-----\nMIIEvQ+/=\n-----END KEY-----';

let stage: InstallStage;
let context: TestContext;
beforeEach(async (each) => {
  context = each;
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', { env: ENV }, FILES);
  await stage.install();
});

const at = (path: string): string => join(stage.root, path);
const read = (path: string): Promise<string> => readFile(at(path), 'utf8');
const hop = () => stage.run(upgrade, { yes: true });

/** 1.1.0 has a variable more; 1.2.0 is never well. */
async function publishNext(): Promise<void> {
  await stage.publish('1.1.0', { env: { ...ENV, ADDED: { default: 'yes' } } }, { ...FILES, 'configs/api.conf': 'shipped in 1.1.0\n' });
}

async function publishSick(): Promise<void> {
  const sick = { ...(PRODUCT.upgrade as Manifest['upgrade']), health: [{ tcp: '127.0.0.1:1' }], timeout: 1 };
  await stage.publish('1.2.0', { env: { ...ENV, ADDED: { default: 'yes' }, MORE: { default: '1' } }, upgrade: sick }, FILES);
}

function level(): string | undefined {
  const api = [...stage.engine.state().containers.values()].find(({ labels }) => labels['com.docker.compose.service'] === 'api');
  return api?.environment.LEVEL;
}

type Edit = (text: string) => string;
const leveled =
  (line: string): Edit =>
  (text) =>
    text.replace(/^LEVEL=.*$/m, () => line);

const MARK = 'a byte order mark';
const ROWS: readonly (readonly [string, Edit, string])[] = [
  ['CRLF', (text) => leveled('LEVEL=warn')(text).replaceAll('\n', '\r\n'), 'warn'],
  [MARK, (text) => `\ufeff${leveled('LEVEL=warn')(text)}`, 'warn'],
  ['duplicate keys', (text) => `${text}LEVEL=second\nLEVEL=last\n`, 'last'],
  ['export', leveled('export LEVEL=warn'), 'warn'],
  ['quotes', leveled(`LEVEL="it's \\"so\\"" # mine`), `it's "so"`],
  ['a $ that is taken as it is', leveled("LEVEL='costs $5'"), 'costs $5'],
  ['a $ that refers to a value above', (text) => `${text}LEVEL=\${PORT}-x\n`, '18080-x'],
  ['a # in a value and a comment behind it', leveled('LEVEL=a#b # mine'), 'a#b'],
  ['a PEM of many lines', (text) => `MY_KEY="${PEM}"\n${text}`, 'info'],
  ['an empty value', leveled('LEVEL='), 'none'],
  ['an unknown key', (text) => `${text}# mine\nMY_OWN=thing\n`, 'info'],
  ['a missing final newline', (text) => `${text}LEVEL=last`, 'last'],
];

describe('an .env with', () => {
  test.each(ROWS)('%s keeps every byte over an upgrade and a restore', async (_, edit, value) => {
    const edited = edit(await read('.env'));
    await writeFile(at('.env'), edited);
    await publishNext();
    await hop();
    const after = await read('.env');
    expect(after.startsWith(edited)).toBe(true);
    expect(after).toMatch(/\nADDED=yes\r?\n$/);
    expect(level()).toBe(value);
    expect((await stat(at('.env'))).mode & 0o777).toBe(0o600);
    await stage.run(restore, { yes: true });
    expect(await read('.env')).toBe(edited);
    expect(level()).toBe(value);
  });

  test('all of that together is the same, byte for byte, after an upgrade that fails', async () => {
    const [marked, others] = [ROWS.filter(([name]) => name === MARK), ROWS.filter(([name]) => name !== MARK)];
    const edited = [...others, ...marked].reduce((text, [, edit]) => edit(text), await read('.env'));
    await writeFile(at('.env'), edited);
    await stage.run(configure, { yes: true, set: ['PORT=18081'] });
    const before = await read('.env');
    await publishSick();
    expect(await failure(hop())).toMatchObject({ message: 'upgrade failed; everything is as before' });
    expect(await read('.env')).toBe(before);
  });

  test('no right to be written keeps its mode or becomes private, and loses nothing', async () => {
    const edited = leveled('LEVEL=warn')(await read('.env'));
    await writeFile(at('.env'), edited);
    await chmod(at('.env'), 0o400);
    await publishNext();
    await hop();
    expect((await read('.env')).startsWith(edited)).toBe(true);
    expect((await stat(at('.env'))).mode & 0o077).toBe(0);
    expect(level()).toBe('warn');
  });

  test('a PEM of many lines in a variable that the release knows as one line is told so, and nothing is changed', async () => {
    const edited = leveled(`LEVEL="${PEM}"`)(await read('.env'));
    await writeFile(at('.env'), edited);
    await publishNext();
    expect(await failure(hop())).toMatchObject({ code: 'E_ANSWER', message: 'LEVEL must be text in one line' });
    expect(await read('.env')).toBe(edited);
  });

  test('its bytes elsewhere, as a link, is never made a file of its own behind the person’s back', async () => {
    const edited = leveled('LEVEL=warn')(await read('.env'));
    await writeFile(join(stage.place, 'shared.env'), edited, { mode: 0o600 });
    await rename(at('.env'), join(stage.place, 'former.env'));
    await symlink('../shared.env', at('.env'));
    await publishNext();
    expect(await failure(hop())).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('cp --remove-destination') });
    expect(await readlink(at('.env'))).toBe('../shared.env');
    expect(await readFile(join(stage.place, 'shared.env'), 'utf8')).toContain('LEVEL=warn\n');
  });
});

describe('a compose file', () => {
  test('that was edited is edited still after an upgrade, a failed one and a restore', async () => {
    const edited = WITH_LEVEL.replace('restart: unless-stopped\n    ports', 'restart: always # mine\n    ports');
    await writeFile(at('docker-compose.yml'), edited);
    await publishNext();
    await hop();
    expect(await read('docker-compose.yml')).toBe(edited);
    await publishSick();
    await failure(hop());
    expect(await read('docker-compose.yml')).toBe(edited);
    await stage.run(restore, { yes: true });
    expect(await read('docker-compose.yml')).toBe(edited);
  });
});

describe('an install that is run again', () => {
  test('keeps its generated secret and every answer, and changes nothing', async () => {
    const before = await read('.env');
    expect((await stage.install()).fields).toMatchObject({ outcome: expect.stringMatching(/installed|nothing|unchanged/) });
    expect(await read('.env')).toBe(before);
  });

  test('takes the default for a value that is empty in .env, as Compose does', async () => {
    await writeFile(at('.env'), leveled('LEVEL=')(await read('.env')));
    await stage.run(configure, { yes: true, set: ['PORT=18081'] });
    expect(await read('.env')).toContain('PORT=18081');
    expect(level()).toMatch(/^(none|info)$/);
  });

  test('refuses an answer to a question that there is not, and an empty secret', async () => {
    expect(await failure(stage.run(configure, { yes: true, set: ['NOT_KNOWN=1'] }))).toMatchObject({ code: 'E_ANSWER' });
    await writeFile(at('.env'), (await read('.env')).replace(/^DB_PASSWORD=.*$/m, 'DB_PASSWORD='));
    expect(await failure(stage.run(configure, { yes: true, set: ['PORT=18081'] }))).toMatchObject({ code: 'E_POLICY' });
    expect(await read('.env')).toMatch(/^DB_PASSWORD=$/m);
  });
});
