import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseImageRef } from '../../src/model/image.ts';
import { type Credential, openDockerConfig } from '../../src/world/docker-config.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-docker-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What is found for an image with this config.json; helpers are real programs in the test's folder. */
function find(config: unknown, image: string, env: Record<string, string> = {}): Promise<Credential> {
  if (config !== undefined) writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  const run: typeof runProgram = (argv, options) => runProgram(argv, { ...options, env: { PATH: `${folder}:${process.env.PATH}` } });
  return openDockerConfig({ env: { DOCKER_CONFIG: folder, ...env }, run }).find(parseImageRef(image, 'test'));
}

function addHelper(name: string, script: string): void {
  writeFileSync(join(folder, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, `docker-credential-${name}`), 0o755);
}

describe('a login that docker stored in its file', () => {
  it('is found, with a colon in its password', async () => {
    const found = await find({ auths: { 'ghcr.io': { auth: base64('me:pass:word') } } }, 'ghcr.io/acme/app');
    expect(found).toEqual({ kind: 'password', username: 'me', password: 'pass:word', from: join(folder, 'config.json') });
  });

  it.each([
    ['index.docker.io/v1', 'https://index.docker.io/v1/', 'postgres'],
    ['the short name of Docker Hub', 'docker.io', 'acme/app'],
    ['a scheme and a version', 'https://registry.acme.example/v2/', 'registry.acme.example/app'],
    ['a port', 'localhost:5000', 'localhost:5000/app'],
  ])('is found under a key with %s', async (_, key, image) => {
    expect(await find({ auths: { [key]: { auth: base64('me:x') } } }, image)).toMatchObject({ kind: 'password', username: 'me' });
  });

  it('is not given to a host whose name merely begins the same', async () => {
    const auths = { 'registry.acme.example': { auth: base64('me:x') }, 'localhost:5000': { auth: base64('me:x') } };
    expect(await find({ auths }, 'registry.acme.example.evil.test/app')).toMatchObject({ kind: 'none' });
    expect(await find({ auths }, 'localhost:50001/app')).toMatchObject({ kind: 'none' });
    expect(await find({ auths }, 'registry.acme.example:444/app')).toMatchObject({ kind: 'none' });
  });

  it('for a path goes before one for its host', async () => {
    const auths = { 'quay.io': { auth: base64('all:x') }, 'quay.io/acme': { auth: base64('acme:x') } };
    expect(await find({ auths }, 'quay.io/acme/app')).toMatchObject({ username: 'acme' });
    expect(await find({ auths }, 'quay.io/acmes/app')).toMatchObject({ username: 'all' });
  });

  it('may be an identity token or a registry token', async () => {
    expect(await find({ auths: { 'a.example': { identitytoken: 't' } } }, 'a.example/x')).toMatchObject({ kind: 'identity', token: 't' });
    const paired = { auth: Buffer.from('me:pw').toString('base64'), identitytoken: 't' };
    expect(await find({ auths: { 'a.example': paired } }, 'a.example/x')).toMatchObject({ token: 't', username: 'me', password: 'pw' });
    expect(await find({ auths: { 'a.example': { registrytoken: 't' } } }, 'a.example/x')).toMatchObject({ kind: 'bearer', token: 't' });
  });

  it('that is empty, as credential stores leave it, is none', async () => {
    const found = await find({ auths: { 'ghcr.io': {} } }, 'ghcr.io/acme/app');
    expect(found).toEqual({ kind: 'none', reason: `${join(folder, 'config.json')} has no login for ghcr.io` });
  });

  it('in DOCKER_AUTH_CONFIG goes before the file, which still serves other hosts', async () => {
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'ghcr.io': { auth: base64('ci:x') } } }) };
    const file = { auths: { 'ghcr.io': { auth: base64('me:x') }, 'quay.io': { auth: base64('me:x') } } };
    expect(await find(file, 'ghcr.io/acme/app', env)).toMatchObject({ username: 'ci', from: 'DOCKER_AUTH_CONFIG' });
    expect(await find(file, 'quay.io/acme/app', env)).toMatchObject({ username: 'me' });
  });
});

describe('without a usable file', () => {
  it('there is no login, and no error', async () => {
    expect(await find(undefined, 'ghcr.io/acme/app')).toEqual({ kind: 'none', reason: 'docker has no config.json here' });
  });

  it('a broken one is named, and nothing of it is quoted', async () => {
    const error = await failure(find('{"auths":{"ghcr.io":{"auth":"hidden"}},}', 'ghcr.io/acme/app'));
    expect(error.code).toBe('E_CONFIG');
    expect(error.message).toContain(join(folder, 'config.json'));
    expect(`${error.message}${error.hint}${String(error.cause)}`).not.toContain('hidden');
  });
});

describe('a credential helper', () => {
  it('is asked by the registry’s name on its stdin', async () => {
    addHelper('keep', `cat > "${folder}/asked"; echo '{"ServerURL":"x","Username":"me","Secret":"s"}'`);
    const found = await find({ credHelpers: { 'ghcr.io': 'keep' }, credsStore: 'absent' }, 'ghcr.io/acme/app');
    expect(found).toEqual({ kind: 'password', username: 'me', password: 's', from: 'docker-credential-keep' });
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toBe('ghcr.io');
  });

  it('for all registries is asked for Docker Hub by its old address', async () => {
    addHelper('keep', `cat > "${folder}/asked"; echo '{"Username":"<token>","Secret":"refresh"}'`);
    expect(await find({ auths: { 'https://index.docker.io/v1/': {} }, credsStore: 'keep' }, 'postgres')).toMatchObject({
      kind: 'identity',
      token: 'refresh',
    });
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toBe('https://index.docker.io/v1/');
  });

  it('that knows nothing means no login', async () => {
    addHelper('keep', 'echo "credentials not found in native keychain"; exit 1');
    expect(await find({ credsStore: 'keep' }, 'ghcr.io/acme/app')).toMatchObject({
      kind: 'none',
      reason: 'docker-credential-keep has no login for ghcr.io',
    });
  });

  it('that is not installed means no login, and its name is told', async () => {
    expect(await find({ credsStore: 'desktop' }, 'ghcr.io/acme/app')).toMatchObject({
      kind: 'none',
      reason: expect.stringContaining('docker-credential-desktop'),
    });
  });

  it('that answers nonsense means no login, and the answer is not told', async () => {
    addHelper('keep', 'echo hidden');
    const found = await find({ credsStore: 'keep' }, 'ghcr.io/acme/app');
    expect(found).toEqual({ kind: 'none', reason: 'docker-credential-keep gave no usable answer' });
  });

  it('with a path for a name is refused', async () => {
    await expect(find({ credsStore: '../../bin/sh' }, 'ghcr.io/acme/app')).rejects.toMatchObject({ code: 'E_CONFIG' });
  });
});
