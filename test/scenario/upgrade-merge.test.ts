// Upgrades of files that the person edited and the release changed, by the real commands. Rule: an edit is still there afterwards, or nothing was changed at all.
import { chmod, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { diff } from '../../src/commands/operator/diff.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Digest } from '../../src/model/digest.ts';
import { failure } from '../failure.ts';
import { readFolderTree } from '../fakes/file-tree.ts';
import { COMPOSE, type InstallStage, imageOf, makeInstallStage, PRODUCT_FILES } from '../fakes/install-stage.ts';
import { fc } from '../property.ts';

const CONF = 'level = info\n\n[http]\nport = 80\nworkers = 4\n\n[log]\nformat = json\n';
const OLD = { ...PRODUCT_FILES, 'configs/api.conf': CONF };
const NEW = {
  ...OLD,
  'docker-compose.yml': COMPOSE.replace(imageOf('api').pinned, imageOf('api', '2').pinned),
  'configs/api.conf': CONF.replace('workers = 4', 'workers = 8'),
};
const IMAGES = ['db', 'api'].map((name) => {
  const [reference = '', digest = ''] = imageOf(name, name === 'api' ? '2' : '1').pinned.split('@');
  return { name, reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
});

let stage: InstallStage;
const at = (path: string): string => join(stage.root, path);
const read = (path: string): Promise<string> => readFile(at(path), 'utf8');
const hop = (...onConflict: string[]) => stage.run(upgrade, { yes: true, 'on-conflict': onConflict });
const edits = async () => (await stage.run(diff)).fields.files;
const release = (files: Readonly<Record<string, string>>) => stage.publish('1.1.0', { images: IMAGES }, files);

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', {}, OLD);
  await stage.install();
});

describe('an edited file that the release changes elsewhere', () => {
  test('is merged: the edits stay, the release’s changes come, and diff shows the edits as before', async () => {
    const compose = COMPOSE.replace('restart: unless-stopped\n    ports', 'restart: always # mine\n    ports');
    await writeFile(at('docker-compose.yml'), compose);
    await writeFile(at('configs/api.conf'), CONF.replace('info', 'debug'));
    const before = await edits();
    await release(NEW);
    const planned = await stage.run(upgrade, { plan: true });
    expect(planned.text).toContain("your changes and the release's become one: configs/api.conf, docker-compose.yml");
    expect((await hop()).fields).toMatchObject({ outcome: 'upgraded' });
    expect(await read('configs/api.conf')).toBe(CONF.replace('info', 'debug').replace('workers = 4', 'workers = 8'));
    expect(await read('docker-compose.yml')).toBe(compose.replace(imageOf('api').pinned, imageOf('api', '2').pinned));
    expect(await edits()).toEqual(before);
    const running = [...stage.engine.state().containers.values()].map(({ image }) => image);
    expect(running).toContain(imageOf('api', '2').pinned);
  });

  test('keeps the permissions that the person gave it', async () => {
    await chmod(at('configs/api.conf'), 0o600);
    await chmod(at('configs/more.conf'), 0o640);
    await release(NEW);
    await hop();
    expect((await stat(at('configs/api.conf'))).mode & 0o777).toBe(0o600);
    expect((await stat(at('configs/more.conf'))).mode & 0o777).toBe(0o640);
    expect(await read('configs/api.conf')).toContain('workers = 8');
  });

  test('for any edits: after the upgrade diff shows exactly the same edits, or the upgrade changed nothing', async (context) => {
    const lines = CONF.split('\n');
    const edit = fc.record({ at: fc.nat(lines.length - 2), text: fc.constantFrom('mine = 1', '# a note', '', 'level = warn') });
    let merged = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        fc.array(edit, { minLength: 1, maxLength: 2 }),
        async (mine, theirs) => {
          stage = await makeInstallStage(context);
          await stage.publish('1.0.0', {}, OLD);
          await stage.install();
          const changed = (each: typeof mine): string =>
            lines.map((line, index) => each.findLast((one) => one.at === index)?.text ?? line).join('\n');
          await writeFile(at('configs/api.conf'), changed(mine));
          const [before, tree] = [await texts(), readFolderTree(stage.root)];
          await release({ ...NEW, 'configs/api.conf': changed(theirs) });
          const error = await hop().then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (error === undefined) {
            merged += 1;
            const took = changed(theirs) === changed(mine);
            expect(await texts()).toEqual(took ? [] : before);
          } else {
            expect(error).toMatchObject({ code: 'E_CONFLICT' });
            expect(withoutCache(readFolderTree(stage.root))).toEqual(withoutCache(tree));
          }
        },
      ),
      { numRuns: 12, seed: 20_261_121 },
    );
    expect(merged).toBeGreaterThan(2);
  });
});

/** The edits without where they stand. */
async function texts(): Promise<unknown[]> {
  const files = (await edits()) as {
    readonly path: string;
    readonly lines?: readonly { readonly removed: unknown; readonly added: unknown }[];
  }[];
  return files.map(({ path, lines }) => [path, lines?.map(({ removed, added }) => [removed, added])]);
}

/** What was fetched may stay. */
function withoutCache(tree: ReturnType<typeof readFolderTree>): unknown {
  return [...tree].filter(([path]) => !path.startsWith('.slipway/'));
}

describe('an edit of the same lines', () => {
  const MINE = CONF.replace('workers = 4', 'workers = 2');

  test('stops the upgrade before anything changes, and says which lines', async () => {
    await writeFile(at('configs/api.conf'), MINE);
    await release(NEW);
    const before = withoutCache(readFolderTree(stage.root));
    const error = await failure(hop());
    expect(error).toMatchObject({ code: 'E_CONFLICT', hint: expect.stringContaining('--on-conflict') });
    expect(error.message).toContain('configs/api.conf: yours line 5, the release’s line 5');
    expect(withoutCache(readFolderTree(stage.root))).toEqual(before);
    expect((await stage.run(diff)).text).toContain('configs/api.conf: edited\n  line 5\n  -workers = 4\n  +workers = 2\n');
  });

  test('is decided by --on-conflict: mine, vendor, or a file that was merged by hand', async () => {
    await writeFile(at('configs/api.conf'), MINE.replace('info', 'debug'));
    await release(NEW);
    expect(await failure(hop('configs/more.conf=mine'))).toMatchObject({
      code: 'E_USAGE',
      hint: expect.stringContaining('configs/api.conf'),
    });
    expect(await failure(hop('theirs'))).toMatchObject({ code: 'E_USAGE' });
    expect(await failure(hop('configs/api.conf=/no/such/file'))).toMatchObject({ code: 'E_NOT_FOUND' });
    await hop('configs/api.conf=mine');
    expect(await read('configs/api.conf')).toBe(MINE.replace('info', 'debug'));
  });

  test('taken from the vendor, keeps the edits that are in nobody’s way', async () => {
    await writeFile(at('configs/api.conf'), MINE.replace('info', 'debug'));
    await release(NEW);
    await hop('vendor');
    expect(await read('configs/api.conf')).toBe(CONF.replace('info', 'debug').replace('workers = 4', 'workers = 8'));
  });

  test('merged by hand, is taken as it was written', async () => {
    await writeFile(at('configs/api.conf'), MINE);
    await writeFile(join(stage.place, 'merged.conf'), 'by = hand\n');
    await release(NEW);
    await hop(`configs/api.conf=${join(stage.place, 'merged.conf')}`);
    expect(await read('configs/api.conf')).toBe('by = hand\n');
    expect(await edits()).toMatchObject([{ path: 'configs/api.conf', change: 'edited' }]);
  });
});

describe('what cannot be merged', () => {
  test.each([
    ['a file that was deleted', (path: string) => rm(path)],
    ['a file that became a link', (path: string) => rm(path).then(() => symlink('/etc/hostname', path))],
    ['a file that is no text', (path: string) => writeFile(path, Buffer.from([0, 1, 2, 255]))],
  ])('%s is one piece: mine leaves it, vendor takes the release’s', async (_, edit) => {
    await edit(at('configs/api.conf'));
    await release(NEW);
    const before = readFolderTree(stage.root).get('configs/api.conf');
    expect(await failure(hop())).toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining('configs/api.conf') });
    await hop('mine');
    expect(readFolderTree(stage.root).get('configs/api.conf')).toEqual(before);
    await stage.publish('1.2.0', { images: IMAGES }, { ...NEW, 'configs/api.conf': CONF.replace('json', 'text') });
    await hop('vendor');
    expect(await read('configs/api.conf')).toBe(CONF.replace('json', 'text'));
  });
});
