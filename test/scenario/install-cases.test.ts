// Cases that older installers were held to, by their names. Rule: each is what a person at a new host would see, from the command line to the files of the install.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/model/manifest.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage, PRODUCT } from '../fakes/install-stage.ts';

const ENV: Manifest['env'] = {
  ...PRODUCT.env,
  DOMAIN: { ask: 'Domain', default: 'notes.localhost' },
  TOKEN: { ask: 'Token of the installation', sensitive: true, required: true },
};

let stage: InstallStage;

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', { env: ENV });
});

const read = (path: string): Promise<string> => readFile(path, 'utf8');

async function answersFile(text: string): Promise<string> {
  const path = join(stage.place, 'answers');
  await writeFile(path, text);
  return path;
}

describe('E-7', () => {
  test('an empty domain in the answers file is its default, and said; an install that is run again keeps the token and every other line', async () => {
    const answers = await answersFile('TOKEN=of-this-host\nDOMAIN=\n');
    const { events } = await stage.install({ answers });
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'warning', text: expect.stringMatching(/DOMAIN is empty.*notes\.localhost/) }),
    );
    const env = await read(join(stage.root, '.env'));
    expect(env).toMatch(/^TOKEN=of-this-host$/m);
    expect(env).toMatch(/^DOMAIN=notes\.localhost$/m);
    expect((await stage.install({ answers: await answersFile('TOKEN=another\n') })).fields).toMatchObject({ outcome: 'installed-already' });
    expect(await read(join(stage.root, '.env'))).toBe(env);
  });

  test.each([
    ['an unknown name', 'TOKEN=x\nDOMIAN=a.example\n', /DOMIAN is not a variable of this product\..*DOMAIN/],
    ['an empty token', 'TOKEN=\nDOMAIN=a.example\n', /TOKEN/],
  ])('%s is refused before anything is changed', async (_what, text, expected) => {
    const error = await failure(stage.install({ answers: await answersFile(text) }));
    expect(error).toMatchObject({ code: 'E_ANSWER', message: expect.stringMatching(expected) });
    expect((await readdir(stage.place)).includes('acme')).toBe(false);
    expect(stage.engine.state().containers.size).toBe(0);
  });
});

describe('C-11', () => {
  test('two installs of one release with other answers have the same files, and differ in their env files alone', async () => {
    await stage.install({ set: ['TOKEN=one', 'DOMAIN=one.example'] });
    const second = join(stage.place, 'second');
    await stage.install({ dir: second, project: 'acme2', set: ['TOKEN=two', 'DOMAIN=two.example', 'PORT=18081'] });
    const [one, two] = [await shipped(stage.root), await shipped(second)];
    expect([...two.keys()]).toEqual([...one.keys()]);
    expect([...one.keys()]).toContain('docker-compose.yml');
    expect([...one.keys()].filter((path) => one.get(path) !== two.get(path))).toEqual(['.env']);
  });
});

/** Every file of an install but what is its own record, by path. */
async function shipped(root: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  const texts = files.filter((path) => !path.startsWith('.slipway/')).sort();
  return new Map(await Promise.all(texts.map(async (path) => [path, await read(join(root, path))] as const)));
}
