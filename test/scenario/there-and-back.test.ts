// There and back again: an upgrade by way of a stop, then `restore`. Rule: for any edits, the files are byte for byte what they were before the upgrade, and so is the data.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diff } from '../../src/commands/operator/diff.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { fileNode, readFolderTree } from '../fakes/file-tree.ts';
import { makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';
import { fc } from '../property.ts';

const LINES = Array.from({ length: 12 }, (_, index) => `key${index} = ${index}`);
const RULES = PRODUCT.upgrade as Manifest['upgrade'];

/** Only lines that do not touch the vendor’s own changes: what both changed is another test. */
const anyEdit = fc.record({ at: fc.constantFrom(0, 4, 6, 10, 11), text: fc.constantFrom('mine = 1', '# a note', 'a = "ä"', 'tab\t= 1') });
const anyOwn = fc.dictionary(
  fc.constantFrom('content/a.txt', 'content/b', 'docker-compose.override.yml'),
  fc.constantFrom('services: {}\n', '# empty\nservices: {}\n'),
);

const conf = (changes: Readonly<Record<number, string>>): string => LINES.map((line, index) => `${changes[index] ?? line}\n`).join('');
const filesOf = (changes: Readonly<Record<number, string>>): Record<string, string> => ({
  ...PRODUCT_FILES,
  'configs/api.conf': conf(changes),
});

test('for any edits: diff says the same after the upgrade, and restore gives every file and row back', async (context) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyEdit, { minLength: 1, maxLength: 3 }),
      anyOwn,
      fc.stringMatching(/^[a-z0-9 #']{0,12}$/),
      async (edits, own, value) => {
        const stage = await makeInstallStage(context);
        const theirs = (): unknown => [...readFolderTree(stage.root)].filter(([path]) => !path.startsWith('.slipway'));
        const edited = async (): Promise<unknown> =>
          ((await stage.run(diff)).fields.files as { path: string; lines?: { removed: unknown; added: unknown }[] }[]).map(
            ({ path, lines }) => [path, lines?.map(({ removed, added }) => [removed, added])],
          );
        await stage.publish('1.0.0', {}, filesOf({}));
        await stage.install();
        await writeFile(join(stage.root, 'configs/api.conf'), conf(Object.fromEntries(edits.map(({ at, text }) => [at, text]))));
        for (const [path, text] of Object.entries(own)) await writeFile(join(stage.root, path), text);
        await writeFile(join(stage.root, '.env'), `${readFolderTree(stage.root).get('.env')?.content ?? ''}OWN="${value}"\n`);
        await writeFile(join(stage.root, 'data/uploads/picture'), value);
        stage.engine.state().volumes.get('acme_pgdata')?.tree.set('rows', fileNode(value));
        const [before, changes] = [theirs(), await edited()];
        await stage.publish('1.1.0', { upgrade: { ...RULES, stop: true } }, filesOf({ 2: 'key2 = new' }));
        await stage.publish('1.2.0', {}, filesOf({ 2: 'key2 = new', 8: 'key8 = new' }));
        expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ path: ['1.1.0', '1.2.0'], outcome: 'upgraded' });
        expect(await edited()).toEqual(changes);
        stage.engine.state().volumes.get('acme_pgdata')?.tree.set('rows', fileNode('written later'));
        const [first = ''] = (await readdir(join(stage.root, '.slipway/backups'))).sort();
        expect((await stage.run(restore, { yes: true, backup: first })).fields).toMatchObject({ outcome: 'restored', version: '1.0.0' });
        expect(theirs()).toEqual(before);
        expect(stage.engine.state().volumes.get('acme_pgdata')?.tree.get('rows')).toEqual(fileNode(value));
      },
    ),
    { numRuns: Number(process.env.SLIPWAY_RUNS ?? 4), seed: 20_261_121, endOnFailure: true },
  );
});
