import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseProduct } from '../../src/model/product.ts';
import { type BundleItem, bundleItems, checkItems, type ItemsWish, shimText } from '../../src/plan/bundle-items.ts';
import { type PackFacts, planPack } from '../../src/plan/pack.ts';
import { renderBundle } from '../../src/plan/render-bundle.ts';
import { planToText } from '../../src/show/plan.ts';

function productOf(more: string) {
  const text = `schema: 1\nproduct: acme\nrelease: { tag: "v{version}", aliases: ["acme-{version}.tgz"] }\nbundle:\n  files: [{ from: files, to: . }]\n${more}`;
  const { product } = parseProduct(text, 'slipway.yaml');
  if (product === undefined) throw new Error('no product');
  return product;
}

const operator = { file: '/program/operator.mjs', size: 9, sha256: digestOf('operator!') };
const file = (path: string, executable = false) => ({
  source: `files/${path}`,
  path,
  size: 1,
  sha256: digestOf(path),
  executable,
  at: ['bundle', 'files', 0, 'from'],
});
const items = (more: string, wish: Partial<ItemsWish> = {}): BundleItem[] =>
  bundleItems({ product: productOf(more), version: '1.0.0', rendered: [], files: [], operator, ...wish });
const problems = (more: string, paths: readonly string[]): [string, number, string][] =>
  checkItems(productOf(more), items(more, { files: paths.map((path) => file(path)) })).map(({ code, line, message }) => [
    code,
    line,
    message,
  ]);

const facts = (more: string, rest: Partial<PackFacts> = {}): PackFacts => ({
  product: productOf(more),
  commit: '9f8c',
  made: '2026-03-15T10:00:00Z',
  items: items(more, {
    files: [file('a.conf')],
    rendered: [{ path: 'docker-compose.yml', text: 'name: acme\n', source: 'compose.yml.hbs' }],
  }),
  images: [],
  operator,
  installer: '#!/bin/sh\n',
  packed: undefined,
  ...rest,
});
const wanted = { id: 'p1', version: '1.0.0', tag: 'v1.0.0', channel: 'stable', out: 'dist', signing: { publicKey: null, keyFile: null } };

describe('what a bundle holds', () => {
  test('an example of every env file, each with the variables that live there', () => {
    const product = productOf(
      'env:\n  A: { default: 1 }\n  B: { default: "b{{A}}", file: env/api.env }\n  C: { secret: hex, file: env/api.env }\n',
    );
    const wish = { product, texts: new Map(), templates: [], table: [], resolved: [], label: String };
    const { files } = renderBundle({ ...wish, version: '1.0.0', tag: 'v1.0.0', channel: 'stable' });
    expect(files.map(({ path }) => path)).toEqual(['.env.example', 'env/api.env.example']);
    expect(files[0]?.text).toMatch(/\nA=1\n$/);
    expect(files[1]?.text).toBe(
      `# Copy this file to api.env and fill in the empty values.\n\n# Secrets\nC=\n\n# Made from the values above\nB="b\${A}"\n`,
    );
    expect(problems('env: { A: { file: env/api.env } }\n', ['env/api.env'])).toMatchObject([
      ['E_NAME_TAKEN', 5, expect.stringContaining('env/api.env')],
    ]);
  });

  test('files, made files, the operator command and shims, in byte order', () => {
    const found = items('  shims: { config.sh: configure, a/b/up.sh: upgrade }\n', {
      files: [file('Z'), file('a/tool', true), file('ä'), file('x.conf.hbs')],
      rendered: [
        { path: 'docker-compose.yml', text: 'x', source: 'compose.yml.hbs' },
        { path: 'x.conf', text: 'y', source: 'files/x.conf.hbs' },
      ],
    });
    expect(found.map(({ path, executable }) => `${path}${executable ? '*' : ''}`)).toEqual([
      'VERSION',
      'Z',
      'a/b/up.sh*',
      'a/tool*',
      'acmectl*',
      'config.sh*',
      'docker-compose.yml',
      'x.conf',
      'ä',
    ]);
  });

  test('a shim finds the operator command from where it lies', () => {
    expect(shimText('config.sh', 'acmectl', 'configure')).toContain('exec "$(dirname -- "$0")/./acmectl" configure "$@"\n');
    expect(shimText('a/b/up.sh', 'acmectl', 'upgrade')).toContain('exec "$(dirname -- "$0")/../../acmectl" upgrade "$@"\n');
  });
});

describe('a path that cannot be', () => {
  test.each<[string, string, string[], [string, string][]]>([
    ['twice', '', ['VERSION'], [['E_NAME_TAKEN', 'VERSION is there twice: files/VERSION would take its place']]],
    ['an install’s own', '', ['.env'], [['E_NAME_TAKEN', '.env is a name that belongs to the install, not to the bundle']]],
    ['inside of our folder', '', ['.slipway/x'], [['E_NAME_TAKEN', '.slipway/x is a name that belongs to the install, not to the bundle']]],
    ['a file and a folder', '', ['a', 'a/b'], [['E_NAME_TAKEN', 'a/b needs a folder a, and the bundle has a file of that name']]],
    [
      'a declared folder and a file',
      '  folders: [data]\n',
      ['data'],
      [['E_NAME_TAKEN', 'data needs a folder data, and the bundle has a file of that name']],
    ],
    [
      'the same but for case',
      '',
      ['Conf/a', 'conf/b'],
      [['E_CASE_COLLISION', 'conf and Conf differ only in upper and lower case, or in Unicode form']],
    ],
  ])('%s', (_, more, paths, expected) => {
    expect(problems(more, paths).map(([code, line, message]) => [code, line, message])).toEqual(
      expected.map(([code, message]) => [code, 5, message]),
    );
  });

  test('folders that hold files are fine', () => {
    expect(problems('  folders: [data, data/deep]\n', ['data/a', 'data/deep/b'])).toEqual([]);
  });
});

describe('planPack', () => {
  test('is one step that names contents by digest', () => {
    const { plan, contents } = planPack(wanted, facts(''));
    expect(planToText(plan)).toBe(
      'Plan: pack, 1 step\n  1. 4 files and 0 image digests become acme-bundle-1.0.0.tar.gz\n' +
        '  note: This bundle is NOT SIGNED: whoever installs it cannot tell it from a forged one.\n',
    );
    const [step] = plan.steps;
    if (step?.kind !== 'write-bundle') throw new Error('another step');
    expect(step).toMatchObject({
      aliases: ['acme-1.0.0.tgz'],
      artifact: 'acme-bundle-1.0.0.tar.gz',
      out: 'dist',
      made: '2026-03-15T10:00:00Z',
    });
    const named = [
      ...step.entries.filter((entry) => entry.file === undefined).map(({ sha256 }) => sha256),
      step.manifest,
      ...step.extra.map(({ content }) => content),
    ];
    for (const digest of named) expect(contents.has(digest)).toBe(true);
    for (const [digest, content] of contents) if ('text' in content) expect(digestOf(content.text)).toBe(digest);
  });

  test('has nothing to do when the same manifest is packed', () => {
    const { plan, contents } = planPack(wanted, facts(''));
    const [step] = plan.steps;
    const manifest = step?.kind === 'write-bundle' ? contents.get(step.manifest) : undefined;
    const packed = manifest !== undefined && 'text' in manifest ? manifest.text : '';
    expect(planPack(wanted, facts('', { packed })).plan.steps).toEqual([]);
  });

  test('replaces what was packed from something else, and says so', () => {
    for (const packed of ['{}', 'broken']) {
      const { plan } = planPack(wanted, facts('', { packed }));
      expect(plan.steps.map(({ kind }) => kind)).toEqual(['write-bundle', 'remove-paths']);
      expect(plan.commitAfter).toBe(0);
      expect(plan.notes).toContain('dist/v1.0.0 holds something else now, and is replaced.');
    }
  });

  test('gives the same plan for the same facts', () => {
    expect(planPack(wanted, facts('')).plan).toEqual(planPack(wanted, facts('')).plan);
  });
});
