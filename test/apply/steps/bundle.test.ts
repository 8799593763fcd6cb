import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Handler, Site } from '../../../src/apply/handler.ts';
import { bundleSteps } from '../../../src/apply/steps/bundle.ts';
import { digestOf, hexOf } from '../../../src/model/digest.ts';
import type { Step } from '../../../src/model/plan.ts';
import { parseProduct } from '../../../src/model/product.ts';
import { bundleItems } from '../../../src/plan/bundle-items.ts';
import { planPack } from '../../../src/plan/pack.ts';
import { failure } from '../../failure.ts';
import { makeKeys, quietWorld } from '../../fakes/release-builder.ts';

const handler: Handler<'write-bundle'> = bundleSteps['write-bundle'];
const keys = makeKeys();
let root: string;
let site: Site;
let step: Step<'write-bundle'>;
let interrupted = false;

/** A plan of the real planner, with its contents where the engine puts them. */
async function prepare(text = 'one\n'): Promise<Step<'write-bundle'>> {
  const { product } = parseProduct(
    'schema: 1\nproduct: acme\nrelease: { tag: "v{version}", aliases: [acme.tgz] }\nbundle: { folders: [data] }\n',
    'slipway.yaml',
  );
  if (product === undefined) throw new Error('no product');
  await writeFile(join(root, 'operator.mjs'), 'operator');
  await writeFile(join(root, 'a.txt'), text);
  const operator = { file: join(root, 'operator.mjs'), size: 8, sha256: digestOf('operator') };
  const files = [{ source: 'a.txt', path: 'a.txt', size: text.length, sha256: digestOf(text), executable: false, at: [] }];
  const items = bundleItems({ product, version: '1.0.0', rendered: [], files, operator });
  const wanted = {
    id: 'p1',
    version: '1.0.0',
    tag: 'v1.0.0',
    channel: 'stable',
    out: 'deep/dist',
    signing: { publicKey: keys.publicKey, keyFile: null },
  };
  const made = '2026-03-15T10:00:00Z';
  const { plan, contents } = planPack(wanted, {
    product,
    commit: null,
    made,
    items,
    images: [],
    operator,
    installer: '#!/bin/sh\n',
    packed: undefined,
  });
  for (const [digest, content] of contents)
    await writeFile(join(root, hexOf(digest)), 'text' in content ? content.text : await readFile(content.file));
  return plan.steps[0] as Step<'write-bundle'>;
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-bundle-step-'));
  interrupted = false;
  const world = quietWorld({ env: { SLIPWAY_SECRET_KEY: keys.secretKeyText } });
  site = { root, planId: 'p1', world, interrupted: () => interrupted, content: (digest) => join(root, hexOf(digest)) };
  step = await prepare();
});
afterEach(() => rm(root, { recursive: true }));

const release = (): string => join(root, 'deep/dist/v1.0.0');
const packedText = (): Promise<string> => readFile(join(release(), 'bundle.json'), 'utf8');

describe('a release that was not there', () => {
  test('is done once it is written, and not when a file of it was touched', async () => {
    expect(await handler.done(step, site)).toBe(false);
    await handler.run(step, site);
    expect(await handler.done(step, site)).toBe(true);
    for (const name of ['operator.js', 'acme.tgz', 'SHA256SUMS', 'bundle.json.minisig']) {
      const before = await readFile(join(release(), name));
      await rm(join(release(), name));
      expect(await handler.done(step, site), name).toBe(false);
      await writeFile(join(release(), name), before);
    }
    expect(await handler.done(step, site)).toBe(true);
    expect(await handler.done({ ...step, signing: { publicKey: makeKeys().publicKey, keyFile: null } }, site)).toBe(false);
  });

  test('is gone without a trace after undo, however far it came, and undo can be repeated', async () => {
    const saved = (await handler.save?.(step, site)) ?? {};
    await mkdir(join(root, 'deep/dist/.slipway-tmp-p1'), { recursive: true });
    await writeFile(join(root, 'deep/dist/.slipway-tmp-p1/half'), 'x');
    for (let time = 0; time < 2; time += 1) await handler.undo?.(step, saved, site);
    expect(existsSync(join(root, 'deep'))).toBe(false);
    await handler.run(step, site);
    for (let time = 0; time < 2; time += 1) await handler.undo?.(step, saved, site);
    expect(existsSync(join(root, 'deep'))).toBe(false);
  });

  test('leaves the folder of others alone when it is undone', async () => {
    const saved = (await handler.save?.(step, site)) ?? {};
    await handler.run(step, site);
    await writeFile(join(root, 'deep/dist/other'), 'x');
    await handler.undo?.(step, saved, site);
    expect(await readdir(join(root, 'deep/dist'))).toEqual(['other']);
  });
});

describe('a release that replaces another', () => {
  test('goes back to the other one, wherever the two renames were cut off', async () => {
    await handler.run(step, site);
    const before = await packedText();
    const next = await prepare('two\n');
    const saved = (await handler.save?.(next, site)) ?? {};
    const aside = join(root, 'deep/dist/.slipway-tmp-p1-before');
    await rename(release(), aside); // cut off between the two renames
    for (let time = 0; time < 2; time += 1) await handler.undo?.(next, saved, site);
    expect(await packedText()).toBe(before);
    await handler.run(next, site);
    expect(await packedText()).not.toBe(before);
    for (let time = 0; time < 2; time += 1) await handler.undo?.(next, saved, site);
    expect(await packedText()).toBe(before);
    expect(await readdir(join(root, 'deep/dist'))).toEqual(['v1.0.0']);
  });
});

describe('packing stops', () => {
  test('when a file is not what was planned', async () => {
    await writeFile(join(root, 'a.txt'), 'ONE\n');
    expect(await failure(handler.run(step, site))).toMatchObject({ code: 'E_DIGEST' });
    expect(existsSync(release())).toBe(false);
  });

  test('when a person asks for it', async () => {
    interrupted = true;
    expect(await failure(handler.run(step, site))).toMatchObject({ code: 'E_INTERRUPTED' });
    expect(existsSync(release())).toBe(false);
  });

  test('when there are more files than an install would unpack', async () => {
    const [entry] = step.entries;
    if (entry === undefined) throw new Error('no entry');
    const entries = Array.from({ length: 20_000 }, (_, index) => ({ ...entry, path: `f${index}` }));
    expect(await failure(handler.run({ ...step, entries }, site))).toMatchObject({ code: 'E_TOO_LARGE' });
  });
});
