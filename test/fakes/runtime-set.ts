// A folder as `npm run build:runtime` makes it, with little programs instead of Node.js. Rule: names, digests and files are those of the real one.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/model/digest.ts';
import { printRuntimeSet, type Runtime, type RuntimeSet } from '../../src/model/runtime.ts';
import { printSums } from '../../src/model/sums.ts';

/** Writes the folder; `programs` by `os-arch`. */
export async function makeRuntimeSet(
  folder: string,
  node: string,
  programs: Readonly<Record<string, string | Uint8Array>>,
): Promise<RuntimeSet> {
  await mkdir(folder, { recursive: true });
  const contents = new Map<string, Uint8Array>();
  const files = Object.entries(programs).map(([machine, program]): Runtime => {
    const [os = '', arch = ''] = machine.split('-');
    const name = `runtime-${machine}.gz`;
    const packed = gzipSync(program, { level: 1 });
    contents.set(name, packed);
    const unpacked = { size: Buffer.byteLength(program), sha256: digestOf(program) };
    return { node, os, arch, name, size: packed.length, sha256: digestOf(packed), tag: `runtime-node-${node}`, program: unpacked };
  });
  const set = { node, files };
  contents.set('bundle.json', Buffer.from(printRuntimeSet(set)));
  contents.set('LICENSE', Buffer.from(`the licence of Node.js ${node}\n`));
  const digests = new Map([...contents].map(([name, bytes]) => [name, digestOf(bytes)]));
  contents.set('SHA256SUMS', Buffer.from(printSums({ product: 'node', version: node, digests })));
  for (const [name, bytes] of contents) await writeFile(join(folder, name), bytes);
  return set;
}
