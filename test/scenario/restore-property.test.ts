// Whatever a person did: edits, a backup, an upgrade, more edits, and back. Rule: every file, mode, owner and link of the install and of its volumes is byte for byte what the backup saw.
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { readFolderTree, type TreeNode, treeText } from '../fakes/file-tree.ts';
import { COMPOSE, type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';
import { fc } from '../property.ts';

const RUNS = process.env.SLIPWAY_CAMPAIGN === '1' ? 60 : 3;
const VENDOR = ['configs/api.conf', 'configs/more.conf', 'content/welcome.txt'];
const mode = fc.constantFrom(0o600, 0o640, 0o644, 0o755, 0o400);
const text = fc.string({ maxLength: 40 });
const name = fc.constantFrom('a', 'b c', 'ü', '.hidden', 'deep/er/file', 'deep/other');

const fileEdit = fc.record({
  path: fc.oneof(
    fc.constantFrom(...VENDOR),
    name.map((each) => `data/uploads/${each}`),
    fc.constant('docker-compose.override.yml'),
  ),
  how: fc.constantFrom('write', 'write', 'chmod', 'remove', 'link'),
  text,
  mode,
});
const node: fc.Arbitrary<TreeNode> = fc.record({
  kind: fc.constantFrom('file' as const, 'folder' as const, 'link' as const),
  mode: fc.constantFrom(0o600, 0o755, 0o1777, 0o4750),
  uid: fc.integer({ min: 0, max: 70_000 }),
  gid: fc.integer({ min: 0, max: 70_000 }),
  content: fc.string({ unit: fc.constantFrom('a', '\0', '\n', 'z', '\x7f'), maxLength: 600 }),
});
const volume = fc.array(fc.tuple(fc.constantFrom('rows', 'base', 'a b', 'pg_wal', '.x'), node), { maxLength: 6 });
const life = fc.record({
  first: fc.array(fileEdit, { maxLength: 6 }),
  rows: volume,
  later: fc.array(fileEdit, { maxLength: 6 }),
  after: volume,
});

type Edit = { readonly path: string; readonly how: string; readonly text: string; readonly mode: number };

/** A link is never made after the backup: nothing of ours gives a link back, and nothing takes one away. */
function edit(root: string, { path, how, text: content, mode: bits }: Edit, mayLink: boolean): void {
  const target = join(root, path);
  const isOverride = path === 'docker-compose.override.yml';
  const written = isOverride ? `# ${JSON.stringify(content)}\nservices: {}\n` : content;
  if (how === 'link' && !mayLink) return;
  if (how === 'remove') {
    rmSync(target, { force: true });
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  if (how === 'link' && mayLink && !isOverride) {
    rmSync(target, { force: true });
    symlinkSync(`nowhere-${bits}`, target);
    return;
  }
  rmSync(target, { force: true });
  writeFileSync(
    target,
    how === 'chmod' ? `of mode ${bits}\n${isOverride ? 'services: {}\n' : ''}`.replace('of', isOverride ? '# of' : 'of') : written,
  );
  chmodSync(target, bits);
}

function fill(stage: InstallStage, nodes: readonly (readonly [string, TreeNode])[]): void {
  const tree = stage.engine.state().volumes.get('acme_pgdata')?.tree;
  if (tree === undefined) throw new Error('there is no volume');
  for (const path of [...tree.keys()]) if (path !== '') tree.delete(path);
  for (const [path, each] of nodes)
    tree.set(path, {
      ...each,
      content: each.kind === 'file' ? each.content : each.kind === 'link' ? 'rows' : '',
      mode: each.kind === 'link' ? 0o777 : each.mode,
    });
}

function picture(stage: InstallStage): string {
  const tree = new Map([...readFolderTree(stage.root)].filter(([path]) => path !== '' && !/^\.slipway($|\/)/.test(path)));
  return `${treeText(tree)}\n\n${treeText(stage.engine.state().volumes.get('acme_pgdata')?.tree ?? new Map())}`;
}

async function liveOnce(
  stage: InstallStage,
  { first, rows, later, after }: { first: Edit[]; rows: [string, TreeNode][]; later: Edit[]; after: [string, TreeNode][] },
): Promise<void> {
  for (const each of first) edit(stage.root, each, true);
  fill(stage, rows);
  const linked = new Set(first.filter(({ how }) => how === 'link').map(({ path }) => path));
  stage.engine.wait(60_000);
  const { fields } = await stage.run(backup, { yes: true });
  const before = picture(stage);
  stage.engine.wait(60_000);
  await stage.run(upgrade, { yes: true, 'on-conflict': ['mine'] });
  for (const each of later) if (!linked.has(each.path)) edit(stage.root, each, false);
  fill(stage, after);
  stage.engine.wait(60_000);
  await stage.run(restore, { yes: true, backup: String(fields.backup).split('/').at(-1) ?? '' });
  expect(picture(stage)).toBe(before);
  expect(stage.engine.state().violations).toEqual([]);
}

test(`comes back byte for byte, whatever was done to it before and after (${RUNS} lives)`, { timeout: 600_000 }, async (context) => {
  await fc.assert(
    fc.asyncProperty(life, async (each) => {
      const stage = await makeInstallStage(context);
      await stage.publish('1.0.0');
      await stage.install();
      const [reference = '', digest = ''] = imageOf('api', '2').pinned.split('@');
      const images = (PRODUCT.images ?? []).map((image) =>
        image.name === 'api' ? { ...image, reference, digest: digest as typeof image.digest } : image,
      );
      const files = {
        ...PRODUCT_FILES,
        'docker-compose.yml': COMPOSE.replace(imageOf('api').pinned, imageOf('api', '2').pinned),
        'configs/more.conf': 'shipped anew\n',
        'configs/new.conf': 'new\n',
      };
      await stage.publish('1.1.0', { images }, files);
      await liveOnce(stage, each);
    }),
    { numRuns: RUNS, seed: 20_260_315, endOnFailure: RUNS === 3 },
  );
});
