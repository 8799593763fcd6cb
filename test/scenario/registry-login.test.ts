// Private images: the login is asked for when the registry asks, kept by docker alone, and stands nowhere else.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Flags } from '../../src/commands/command.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { World } from '../../src/model/seams.ts';
import { keepLogin, keptLogins, withDockerLogin } from '../fakes/docker-login.ts';
import { hasDockerRegistry, REGISTRY_LOGIN, startDockerRegistry } from '../fakes/docker-registry.ts';
import { startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';
import { COMPOSE, IMAGES, type InstallStage, openInstallStage } from './install-stage.ts';

const { username: USER, password: TOKEN } = REGISTRY_LOGIN;
const NAMES = ['db', 'api', 'web'] as const;
const LINE = `${USER}:${TOKEN}`;
const AUTHORIZATION = `Basic ${Buffer.from(LINE).toString('base64')}`;
let host: string;
let closing: (() => Promise<void>)[];
let stage: InstallStage;
let home: string;
let digests: Readonly<Record<string, string>>;
let words: string[];
let around: (run: World['run']) => World['run'];

const registries = [
  ['a registry with Basic login', async () => startFakeRegistry({ login: { kind: 'basic', username: USER, password: TOKEN } })],
  ...(hasDockerRegistry() ? [['the real docker-registry with htpasswd', async () => startDockerRegistry({ login: true })] as const] : []),
] as const;

async function open(start: () => Promise<{ readonly host: string; readonly close: () => Promise<void> }>): Promise<void> {
  const registry = await start();
  home = await mkdtemp(join(tmpdir(), 'slipway-docker-'));
  host = registry.host;
  const target = { host, authorization: AUTHORIZATION };
  const push = async (name: string): Promise<readonly [string, string]> => [
    name,
    (await pushImage(target, `acme/${name}`, { architecture: 'amd64', layers: [`layer of ${name}`], tag: '1' })).digest,
  ];
  digests = Object.fromEntries(await Promise.all(NAMES.map(push)));
  const images = NAMES.map((name) => ({ id: digestOf(`config of ${name}`), pinned: pinned(name), program: name }));
  stage = await openInstallStage({ images, wrap: (run) => around(noting(withDockerLogin(run, home))) });
  closing = [registry.close, stage.close, () => rm(home, { recursive: true, force: true })];
  [words, around] = [[], (run) => run];
  await release('1.0.0');
}

afterEach(async () => {
  for (const close of closing.reverse()) await close();
});

const pinned = (name: string): string => `${host}/acme/${name}:1@${digests[name]}`;

function noting(run: World['run']): World['run'] {
  return (argv, options) => {
    words.push(...argv);
    return run(argv, options);
  };
}

async function release(version: string): Promise<void> {
  const compose = IMAGES.reduce((text, each) => text.replace(each.pinned, pinned(each.program)), COMPOSE);
  const images = NAMES.map((name) => ({
    ...{ name, reference: `${host}/acme/${name}:1`, digest: digests[name] as Digest, platforms: [], size: 1000 },
  }));
  const upgradeRules: Manifest['upgrade'] = { from: '*', stop: false, migrate: [], entry: [], timeout: 5, probation: 0, health: [] };
  const more: Partial<Manifest> = { images, registry: `${host}/acme`, login: 'ask', upgrade: upgradeRules };
  await stage.release(version, { LEVEL: { default: 'info' } }, more, compose.replace('    env_file:\n      - ./env/api.env\n', ''));
}

const env = (more: Record<string, string> = {}): Record<string, string> => ({ PATH: process.env.PATH ?? '', DOCKER_CONFIG: home, ...more });
const given = { SLIPWAY_SET_REGISTRY_USER: USER, SLIPWAY_SET_REGISTRY_TOKEN: TOKEN };
const install = (flags: Flags = {}, world: Partial<World> = {}): ReturnType<InstallStage['install']> =>
  stage.install(flags, { env: env(), ...world });

/** Every text below the install. */
async function everything(): Promise<string> {
  const entries = await readdir(stage.root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return (await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n');
}

describe.each(registries)('%s', (_, start) => {
  beforeEach(() => open(start));

  test('gives its images to whoever the wizard asked, again after a wrong token; docker keeps the login, and nothing else does', async () => {
    const terminal = scriptedTerminal([USER, 'wrong-token', USER, TOKEN]);
    const reports: string[] = [];
    const result = await install({}, { terminal, report: (event) => reports.push(JSON.stringify(event)) });
    expect(terminal.shown()).toContain(`The images of Acme Platform are private: ${host} asks for a login.`);
    expect(terminal.shown()).toContain(`${host} does not give 3 images to ${USER} with this token`);
    expect(keptLogins(home)).toEqual({ [host]: LINE });
    expect(stage.container('web').image).toBe(pinned('web'));
    for (const text of [terminal.shown(), JSON.stringify(result), reports.join('\n'), words.join('\n'), await everything()]) {
      expect(text).not.toContain(TOKEN);
      expect(text).not.toContain(Buffer.from(LINE).toString('base64'));
    }
  });
});

describe('a login for private images', () => {
  beforeEach(() => open(async () => startFakeRegistry({ login: { kind: 'basic', username: USER, password: TOKEN } })));

  test('is not asked for when docker has one that suffices', async () => {
    keepLogin(home, host, LINE);
    const result = await install({ plan: true });
    expect(JSON.stringify(result.fields.plan)).not.toContain('log-in');
    await install();
    expect(stage.container('web').image).toBe(pinned('web'));
  });

  test.each<[string, () => Promise<[Flags, Record<string, string>]>]>([
    ['the environment', async () => [{}, given]],
    [
      'the answers file',
      async () => {
        await writeFile(join(home, 'answers'), `REGISTRY_USER=${USER}\nREGISTRY_TOKEN=${TOKEN}\nLEVEL=warn\n`);
        return [{ answers: join(home, 'answers') }, {}];
      },
    ],
    [
      'a flag that names a file',
      async () => {
        await writeFile(join(home, 'token'), `${TOKEN}\n`);
        return [{ 'registry-user': USER, 'registry-token-file': join(home, 'token') }, {}];
      },
    ],
  ])('is taken from %s, and is not in .env', async (_, prepare) => {
    const [flags, more] = await prepare();
    await stage.install(flags, { env: env(more) });
    expect(keptLogins(home)).toEqual({ [host]: LINE });
    expect(await stage.read('.env')).not.toContain('REGISTRY');
    expect((await stage.record()).login).toBe(host);
  });

  test.each<[string, Record<string, string>, Flags, string, string]>([
    ['none', {}, {}, 'E_AUTH', '--registry-token-file'],
    ['a wrong one', { ...given, SLIPWAY_SET_REGISTRY_TOKEN: 'wrong' }, {}, 'E_AUTH', 'right to read'],
    ['half of one', { SLIPWAY_SET_REGISTRY_USER: USER }, {}, 'E_AUTH', 'REGISTRY_TOKEN'],
    ['one among the arguments', {}, { set: ['REGISTRY_TOKEN=visible'] }, 'E_USAGE', 'SLIPWAY_SET_REGISTRY_TOKEN'],
  ])('is refused before anything changes when there is %s', async (_, more, flags, code, hint) => {
    await expect(stage.install(flags, { env: env(more) })).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) });
    await expect(readdir(stage.root)).rejects.toThrow();
    expect(keptLogins(home)).toEqual({});
  });

  test('is in the plan by the registry’s name alone, and goes again when the install is undone', async () => {
    const planned = await stage.install({ plan: true }, { env: env(given) });
    expect(JSON.stringify(planned.fields.plan)).toContain(`"kind":"log-in"`);
    expect(JSON.stringify(planned)).not.toContain(USER);
    expect(keptLogins(home)).toEqual({});
    const broken =
      (run: World['run']): World['run'] =>
      async (argv, options) =>
        argv.includes('up') ? { code: 1, stdout: '', stderr: 'no\n' } : run(argv, options);
    around = broken;
    await expect(stage.install({}, { env: env(given) })).rejects.toMatchObject({ code: 'E_STEP_FAILED' });
    expect(keptLogins(home)).toEqual({});
  });

  test('serves the later upgrade, is asked for again when it does not suffice any more, and stays after an uninstall, which says so', async () => {
    await stage.install({}, { env: env(given) });
    await release('2.0.0');
    for (const name of NAMES) stage.forget(pinned(name));
    keepLogin(home, host, `${USER}:expired`);
    await expect(stage.operate(upgrade, {}, [], { env: env() })).rejects.toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('docker’s present one does not suffice'),
    });
    const terminal = scriptedTerminal([USER, TOKEN]);
    await stage.operate(upgrade, {}, [], { env: env(), terminal });
    expect(terminal.shown()).toContain('would be replaced');
    expect((await stage.record()).version).toBe('2.0.0');
    const { fields } = await stage.operate(uninstall, {}, [], { env: env() });
    expect(fields.kept).toContain(`docker’s login for ${host}: docker logout ${host} ends it`);
    expect(keptLogins(home)).toEqual({ [host]: LINE });
  });
});
