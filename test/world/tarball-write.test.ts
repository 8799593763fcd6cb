import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import { gzip } from '../../src/world/gzip.ts';
import type { TarEntry } from '../../src/world/tarball.ts';
import { writeTarball } from '../../src/world/tarball-write.ts';

const MTIME = new Date('2026-03-15T10:00:00Z');
let folder = '';
const at = (name: string): string => join(folder, name);
const file = (path: string, content: string | Buffer = path, mode: 0o644 | 0o755 = 0o644): TarEntry => ({
  path,
  kind: 'file',
  mode,
  source: { content: Buffer.from(content) },
});
const inFolder = (path: string): TarEntry => ({ path, kind: 'folder' });
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Writes a file outside the archive and gives its entry. */
function onDisk(path: string, content: Buffer): TarEntry {
  const name = at(`source/${path}`);
  mkdirSync(dirname(name), { recursive: true });
  writeFileSync(name, content);
  return { path, kind: 'file', mode: 0o644, source: { file: name, size: content.length, sha256: digestOf(content) } };
}

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tarball-write-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

const LONG = `acme/${'long-folder-name/'.repeat(12)}${'n'.repeat(120)}`;
const TREE: readonly TarEntry[] = [
  inFolder('acme'),
  inFolder('acme/configs'),
  file('acme/VERSION', '2.4.0\n'),
  file('acme/acmectl', '#!/usr/bin/env node\n', 0o755),
  file('acme/configs/größe.conf', 'x'.repeat(513)),
  file('acme/configs-old', ''),
  file(LONG, 'deep'),
];

describe('what is written', () => {
  test('the tar of a tree is pinned for ever', async () => {
    const { tarSha256 } = await writeTarball({ out: at('a.tar.gz'), entries: TREE, mtime: MTIME });
    expect(tarSha256).toBe(GOLDEN);
  });

  test('GNU tar makes the very same tar of the same files', async () => {
    const entries = TREE.filter((entry) => entry.path !== LONG);
    const { tarSha256 } = await writeTarball({ out: at('a.tar.gz'), entries, mtime: MTIME });
    execFileSync('tar', ['-C', folder, '-xzf', at('a.tar.gz')]);
    const names = entries.map((entry) => entry.path).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const reference = execFileSync('tar', [
      '-C',
      folder,
      '--format=ustar',
      '--no-recursion',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      `--mtime=@${MTIME.getTime() / 1000}`,
      '-b1',
      '-c',
      ...names,
    ]);
    expect(`sha256:${sha256(reference)}`).toBe(tarSha256);
  });

  test('GNU tar unpacks it: contents, modes, times, long and non-ASCII names', async () => {
    const big = Buffer.alloc(3_000_000, 'slipway ');
    const entries = [...TREE, onDisk('acme/big', big), inFolder('acme/empty')];
    await writeTarball({ out: at('a.tar.gz'), entries, mtime: MTIME });
    mkdirSync(at('out'));
    execFileSync('tar', ['-C', at('out'), '-xzpf', at('a.tar.gz')]);
    for (const entry of entries) {
      const stats = statSync(join(at('out'), entry.path));
      expect([entry.path, stats.isDirectory(), stats.mode & 0o7777]).toEqual([
        entry.path,
        entry.kind === 'folder',
        entry.kind === 'folder' ? 0o755 : entry.mode,
      ]);
      if (entry.kind === 'file') expect(stats.mtime).toEqual(MTIME);
      if (entry.kind === 'file' && 'content' in entry.source)
        expect(readFileSync(join(at('out'), entry.path))).toEqual(entry.source.content);
    }
    expect(readFileSync(join(at('out'), 'acme/big')).equals(big)).toBe(true);
  });

  test('size and digest are those of the file, and progress ends at all bytes', async () => {
    const seen: number[] = [];
    const written = await writeTarball({ out: at('a.tar.gz'), entries: TREE, mtime: MTIME, onBytes: (done) => seen.push(done) });
    const bytes = readFileSync(at('a.tar.gz'));
    expect([written.size, written.sha256]).toEqual([bytes.length, `sha256:${sha256(bytes)}`]);
    expect(seen.at(-1)).toBe(gunzipSync(bytes).length - 1024);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  });

  test('the tail comes last, knows the hash of the tar without it, and is not part of that hash', async () => {
    const plain = await writeTarball({ out: at('plain.tar.gz'), entries: TREE, mtime: MTIME });
    const tail = async (digest: string): Promise<TarEntry[]> => [file('acme/bundle.json', digest), file('acme/bundle.json.minisig', 'sig')];
    const tailed = await writeTarball({ out: at('tailed.tar.gz'), entries: TREE, mtime: MTIME, tail });
    const names = execFileSync('tar', ['-tzf', at('tailed.tar.gz')], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(tailed.tarSha256).toBe(plain.tarSha256);
    expect(plain.tarSha256).toBe(`sha256:${sha256(gunzipSync(readFileSync(at('plain.tar.gz'))))}`);
    expect(names.slice(-2)).toEqual(['acme/bundle.json', 'acme/bundle.json.minisig']);
    expect(execFileSync('tar', ['-xzOf', at('tailed.tar.gz'), 'acme/bundle.json'], { encoding: 'utf8' })).toBe(plain.tarSha256);
  });

  test('the order entries are given in does not matter', async () => {
    const one = await writeTarball({ out: at('one.tar.gz'), entries: TREE, mtime: MTIME });
    const two = await writeTarball({ out: at('two.tar.gz'), entries: [...TREE].reverse(), mtime: MTIME });
    expect(two).toEqual(one);
  });

  test('folder, time zone, locale, umask and the order of creation do not matter', async () => {
    const program = at('pack.mjs');
    const options = {
      stdin: { contents: PACK_PROGRAM, resolveDir: import.meta.dirname },
      bundle: true,
      platform: 'node',
      format: 'esm',
    } as const;
    await build({ ...options, outfile: program, logLevel: 'error' });
    const runs = [
      { TZ: 'UTC', LC_ALL: 'C', umask: '022', names: 'b a/c Z ä' },
      { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', umask: '077', names: 'ä Z a/c b' },
      { TZ: 'America/St_Johns', LC_ALL: 'de_DE.UTF-8', umask: '000', names: 'Z b ä a/c' },
    ];
    const results = runs.map(({ umask, names, ...env }, index) => {
      const own = at(`run ${index}`);
      mkdirSync(own);
      const script = `umask ${umask} && exec "$0" "$@"`;
      const argv = ['-c', script, process.execPath, program, ...names.split(' ')];
      return execFileSync('sh', argv, { cwd: own, encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
    });
    expect(results[0]).toMatch(/^\{"tarSha256":"sha256:/);
    expect(new Set(results).size).toBe(1);
  });
});

/** Makes files with these names in the current folder and packs them by their absolute paths. */
const PACK_PROGRAM = `
  import { mkdirSync, writeFileSync } from 'node:fs';
  import { dirname, resolve } from 'node:path';
  import { digestOf } from '../../src/model/digest.ts';
  import { writeTarball } from '../../src/world/tarball-write.ts';
  const entries = process.argv.slice(2).map((name) => {
    mkdirSync(dirname(resolve(name)), { recursive: true });
    writeFileSync(name, name);
    return { path: 'acme/' + name, kind: 'file', mode: 0o644, source: { file: resolve(name), size: Buffer.byteLength(name), sha256: digestOf(name) } };
  });
  console.log(JSON.stringify(await writeTarball({ out: resolve('out.tar.gz'), entries, mtime: new Date('2026-03-15T10:00:00Z') })));
`;

const GOLDEN = 'sha256:7d3c5fb9bef0ce4cda8e36b0ae1f68e118debaf4ea10fbad5234e92cff7fb99a';

describe('compression', () => {
  async function* parts(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
    for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
  }
  const compress = async (bytes: Buffer, size: number): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of gzip(parts(bytes, size), 6)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };

  test.each([0, 1, 512 * 1024 - 1, 512 * 1024, 512 * 1024 + 1, 5_000_001])(
    '%d bytes come back from gunzip whatever their pieces',
    async (count) => {
      const bytes = Buffer.alloc(count);
      for (let i = 0; i < count; i++) bytes[i] = (i * i) >> ((i >> 9) % 13);
      const whole = await compress(bytes, 1 << 20);
      expect((await compress(bytes, 4999)).equals(whole)).toBe(true);
      expect(gunzipSync(whole).equals(bytes)).toBe(true);
      expect(execFileSync('gzip', ['-dc'], { input: whole, maxBuffer: 1 << 26 }).equals(bytes)).toBe(true);
    },
  );

  test('a block is compressed with what came before it', async () => {
    const noise = Buffer.alloc(30_000);
    for (let i = 0; i < noise.length; i++) noise[i] = hash32(i);
    const around = Buffer.concat([Buffer.alloc(1024 * 1024 - noise.length), noise, noise]); // the copy begins the second block
    expect((await compress(around, 1 << 20)).length).toBeLessThan(noise.length * 1.2);
  });
});

describe('what is refused', () => {
  const failing = async (entries: readonly TarEntry[]): Promise<unknown> => {
    const error = await writeTarball({ out: at('bad.tar.gz'), entries, mtime: MTIME }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(existsSync(at('bad.tar.gz'))).toBe(false);
    return error;
  };

  test('a file that changed, grew, shrank or went since it was listed', async () => {
    const content = Buffer.alloc(700_000, 'a');
    const changes: readonly ((name: string) => void)[] = [
      (name) => writeFileSync(name, Buffer.alloc(700_000, 'b')),
      (name) => writeFileSync(name, Buffer.alloc(700_001, 'a')),
      (name) => writeFileSync(name, Buffer.alloc(699_999, 'a')),
      (name) => rmSync(name),
    ];
    for (const change of changes) {
      const entry = onDisk('acme/data', content);
      change(at('source/acme/data'));
      expect(await failing([inFolder('acme'), entry])).toMatchObject({
        code: 'E_DIGEST',
        message: `${at('source/acme/data')} changed while it was packed`,
      });
    }
  });

  test.each([
    ['twice the same path', [file('acme/a'), file('acme/a')], 'it comes twice'],
    ['paths that differ only in case', [file('acme/README'), file('acme/readme')], 'differs from "acme/README" only in case'],
    ['a path that climbs', [file('acme/a'), file('acme/../b')], 'climbs'],
    ['two top folders', [file('acme/a'), file('other/a')], 'outside the folder "acme"'],
    ['a file inside a file', [file('acme/a'), file('acme/a/b')], 'inside the file "acme/a"'],
    ['a backslash', [file('acme/a\\b')], 'backslash'],
  ])('%s', async (_, entries, why) => {
    expect(await failing(entries)).toMatchObject({ code: 'E_ARCHIVE', message: expect.stringContaining(why) });
  });

  test('content that a reader would take for a bomb', async () => {
    expect(await failing([file('acme/zeros', Buffer.alloc(80_000_000))])).toMatchObject({
      code: 'E_ARCHIVE',
      message: expect.stringContaining('bomb'),
    });
  });

  test('an existing file is not overwritten and not removed', async () => {
    writeFileSync(at('a.tar.gz'), 'mine');
    await expect(writeTarball({ out: at('a.tar.gz'), entries: TREE, mtime: MTIME })).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(readFileSync(at('a.tar.gz'), 'utf8')).toBe('mine');
  });

  test('a tail that cannot be made leaves no file', async () => {
    const tail = (): Promise<never> => Promise.reject(new Error('no key'));
    await expect(writeTarball({ out: at('a.tar.gz'), entries: TREE, mtime: MTIME, tail })).rejects.toThrow('no key');
    expect(existsSync(at('a.tar.gz'))).toBe(false);
  });

  test('a folder in place of a file', async () => {
    mkdirSync(at('source/dir'), { recursive: true });
    chmodSync(at('source/dir'), 0o755);
    const entry: TarEntry = {
      path: 'acme/dir',
      kind: 'file',
      mode: 0o644,
      source: { file: at('source/dir'), size: 1, sha256: digestOf('x') },
    };
    expect(await failing([entry])).toMatchObject({ code: 'E_DIGEST' });
  });
});

function hash32(value: number): number {
  return Number.parseInt(hexOf(digestOf(String(value))).slice(0, 2), 16);
}
