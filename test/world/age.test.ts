// Files in the age format. Rule: of any size, through a real child process; and what was cut short or changed is never taken for whole.
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { makeWitness, seal, unseal } from '../../src/world/age.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';

const hasAge = ((): boolean => {
  try {
    execFileSync('age', ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
})();

async function allOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

async function* chunks(total: number): AsyncGenerator<Uint8Array> {
  for (let left = total; left > 0; left -= 50_000) yield Buffer.alloc(Math.min(left, 50_000), left % 251);
}

describe('a child’s output', () => {
  test('is packed and encrypted on its way, never lying on disk as it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'age-'));
    const { identity, recipient } = await makeWitness();
    const file = join(folder, 'out.gz.age');
    await runProgram(['sh', '-c', 'i=0; while [ $i -lt 40000 ]; do echo "row $i"; i=$((i+1)); done'], {
      output: { file, gzip: true, encryptTo: [recipient] },
    });
    const opened = gunzipSync(await allOf(unseal(createReadStream(file), [identity], file))).toString();
    expect(opened.split('\n')).toHaveLength(40_001);
    expect((await readFile(file, 'latin1')).startsWith('age-encryption.org/v1\n')).toBe(true);
  });
});

describe('an encrypted file', () => {
  test('of every length around the format’s chunks comes back as it was', async () => {
    const { identity, recipient } = await makeWitness();
    for (const length of [0, 1, 65_535, 65_536, 65_537, 131_072, 300_001]) {
      const plain = await allOf(chunks(length));
      const back = await allOf(unseal(seal(chunks(length), [recipient]), [identity], 'it'));
      expect({ length, same: back.equals(plain) }).toEqual({ length, same: true });
    }
  });

  test('that was cut short anywhere, or changed anywhere, is refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'age-'));
    const { identity, recipient } = await makeWitness();
    const whole = await allOf(seal(chunks(200_000), [recipient]));
    const file = join(folder, 'it.age');
    for (const length of [0, 10, 100, 65_736, whole.length - 16, whole.length - 1]) {
      await writeFile(file, whole);
      await truncate(file, length);
      expect(await failure(allOf(unseal(createReadStream(file), [identity], file)))).toMatchObject({ code: 'E_BACKUP' });
    }
    for (const at of [30, 250, 70_000, whole.length - 1]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await failure(allOf(unseal([changed] as never, [identity], file)))).toMatchObject({ code: 'E_BACKUP' });
    }
  });

  test.skipIf(!hasAge)('is read by age itself, and age’s files are read here', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'age-'));
    const { identity, recipient } = await makeWitness();
    await writeFile(join(folder, 'key'), `${identity}\n`);
    await writeFile(join(folder, 'ours.age'), await allOf(seal(chunks(200_000), [recipient])));
    const plain = await allOf(chunks(200_000));
    expect(execFileSync('age', ['-d', '-i', join(folder, 'key'), join(folder, 'ours.age')]).equals(plain)).toBe(true);
    const theirs = execFileSync('age', ['-r', recipient], { input: plain, maxBuffer: 1 << 24 });
    expect((await allOf(unseal([theirs] as never, [identity], 'theirs'))).equals(plain)).toBe(true);
  });
});
