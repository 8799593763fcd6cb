// Packing whole trees, against tar and gzip of the same tree. Rule: the real `slipway pack` in a real git repository, whatever else it does besides compressing.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { progress, ratioOf, run, secondsOf } from './measure.mjs';
import { memoryRow, withUsage } from './usage.mjs';

const slipway = resolve(import.meta.dirname, '../../dist/slipway.mjs');
const MEBIBYTE = 1024 ** 2;
const POOL_BYTES = 16 * MEBIBYTE;
const PIECE_BYTES = 32 * 1024;

export async function packRows(stage) {
  const small = await makeProduct(join(stage, 'small'), { files: 300, bytes: 9 * MEBIBYTE });
  const large = await makeProduct(join(stage, 'large'), { files: 1000, bytes: 1024 * MEBIBYTE });
  const rows = [];
  for (const program of ['gzip', 'pigz']) {
    rows.push(await packRow({ what: 'pack of 300 files / 9 MB', product: small, program, rounds: 7 }));
  }
  rows.push(await packRow({ what: 'pack of 1000 files / 1 GB', product: large, program: 'gzip', rounds: 1, limit: 0.8 }));
  rows.push(memoryRow('peak memory of that pack', large.memory, 250));
  rmSync(large.root, { recursive: true });
  return rows;
}

function packRow({ what, product, program, rounds, limit }) {
  const ours = () => pack(product);
  const theirs = () => secondsOf(['sh', '-c', `tar -C '${product.tree}' -cf - . | ${program} >'${product.archive}'`]);
  return ratioOf({ what, against: `tar | ${program} of the same tree`, limit, rounds, ours, theirs });
}

/** Seconds of one pack; what was packed before is gone, so that nothing is found done. */
async function pack({ root, memory }) {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  return secondsOf([process.execPath, slipway, 'pack', '--snapshot', '--yes'], { cwd: root, env: withUsage(memory) });
}

/** A product without images of its own: one locked image, so that no registry is asked. */
async function makeProduct(root, { files, bytes }) {
  progress(`making ${files} files, ${Math.round(bytes / MEBIBYTE)} MB`);
  const tree = join(root, 'files');
  for (const [path, text] of Object.entries(PRODUCT)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const git = ['git', '-c', 'user.name=Bench', '-c', 'user.email=bench@acme.example'];
  for (const words of [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    ['commit', '-q', '-m', 'product'],
  ])
    await run([...git, ...words], { cwd: root });
  fillTree(tree, { files, bytes });
  return { root, tree, archive: `${root}.tar.gz`, memory: `${root}.memory` };
}

/** The same bytes in every run: three quarters words, one quarter what does not shrink, as in a tree of settings, pictures and archives. */
function fillTree(tree, { files, bytes }) {
  const random = numbersFrom(20_260_315);
  const pools = [wordPool(random), noisePool(random)];
  const size = Math.floor(bytes / files);
  for (let index = 0; index < files; index += 1) {
    const content = Buffer.alloc(size);
    for (let at = 0; at < size; at += PIECE_BYTES) {
      const from = Math.floor(random() * (POOL_BYTES - PIECE_BYTES));
      pools[index % 4 === 3 ? 1 : 0].copy(content, at, from, from + Math.min(PIECE_BYTES, size - at));
    }
    const folder = join(tree, `part-${index % 20}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${index}.${index % 4 === 3 ? 'bin' : 'txt'}`), content);
  }
}

function wordPool(random) {
  const words = Array.from({ length: 4000 }, () =>
    Math.floor(random() * 36 ** 6)
      .toString(36)
      .slice(0, 2 + Math.floor(random() * 8)),
  );
  const lines = [];
  for (let length = 0; length < POOL_BYTES; ) {
    const line = Array.from({ length: 10 }, () => words[Math.floor(random() ** 3 * words.length)]).join(' ');
    lines.push(line);
    length += line.length + 1;
  }
  return Buffer.from(lines.join('\n')).subarray(0, POOL_BYTES);
}

function noisePool(random) {
  const pool = Buffer.alloc(POOL_BYTES);
  for (let at = 0; at < POOL_BYTES; at += 4) pool.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return pool;
}

/** Numbers between 0 and 1, the same for the same seed (mulberry32). */
function numbersFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const PRODUCT = {
  'slipway.yaml': `schema: 1
product: bench
release:
  tag: v{version}
  artifact: bench-{version}.tar.gz
  channels: { stable: {} }
  hosts: { local: { type: folder, path: releases } }
bundle:
  compose: compose.yml.hbs
  files: [{ from: files, to: files }]
images:
  registry: registry.acme.example/bench
  thirdParty: { core: [docker.io/library/nginx:1.22] }
`,
  'compose.yml.hbs': 'name: {{product}}\nservices:\n  web:\n    image: {{image "nginx"}}\n',
  'slipway.lock.json': `${JSON.stringify({
    type: 'slipway/lock@1',
    images: {
      nginx: {
        reference: 'registry.acme.example/bench/nginx:1.22',
        digest: `sha256:${'5'.repeat(64)}`,
        platforms: ['linux/amd64', 'linux/arm64'],
        size: 1,
        resolved: '2026-03-15T10:00:00Z',
      },
    },
  })}\n`,
  'files/README': 'A tree to pack.\n',
};
