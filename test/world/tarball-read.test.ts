import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { type ArchiveLimits, DEFAULT_LIMITS, type TarEntry } from '../../src/world/tarball.ts';
import { type ExpectedFile, readEntries, type UnpackedTarball, unpackTarball } from '../../src/world/tarball-read.ts';
import { writeTarball } from '../../src/world/tarball-write.ts';
import { rawEntry, rawFile, rawFolder, rawPax, rawTarball } from '../fakes/tar-builder.ts';
import { fc } from '../property.ts';

const MTIME = new Date('2026-03-15T10:00:00Z');
const LIMITS: ArchiveLimits = { entries: 100, bytes: 50_000_000, entryBytes: 20_000_000 };
let folder = '';
const at = (name: string): string => join(folder, name);
const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const top = rawFolder('acme');

function unpack(
  archive: Buffer,
  extra: { limits?: ArchiveLimits; expected?: ReadonlyMap<string, ExpectedFile> } = {},
): Promise<UnpackedTarball> {
  writeFileSync(at('a.tar.gz'), archive);
  return unpackTarball({ file: at('a.tar.gz'), into: at('into'), top: 'acme', limits: LIMITS, ...extra });
}

/** The error of an unpacking that must fail and leave nothing: not in the folder, not beside it. */
async function refusal(archive: Buffer, extra: Parameters<typeof unpack>[1] = {}): Promise<unknown> {
  const error = await unpack(archive, extra).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(readdirSync(folder)).toEqual(['a.tar.gz']);
  return error;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tarball-read-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('an honest archive', () => {
  const manifest = rawFile('acme/bundle.json', '{}');
  const signature = rawFile('acme/bundle.json.minisig', 'sig');
  const head = [
    top,
    rawFolder('acme/configs'),
    rawFile('acme/configs/site.conf', 'listen 80;\n'),
    rawEntry({ name: 'acme/acmectl', mode: 0o755, content: '#!' }),
  ];

  test('is unpacked with contents, modes, digests and folders, into a folder only we can enter', async () => {
    const { files, folders } = await unpack(rawTarball(...head, manifest, signature));
    expect(folders).toEqual(['configs']);
    expect(files).toEqual([
      { path: 'configs/site.conf', size: 11, mode: 0o644, sha256: digestOf('listen 80;\n') },
      { path: 'acmectl', size: 2, mode: 0o755, sha256: digestOf('#!') },
      { path: 'bundle.json', size: 2, mode: 0o644, sha256: digestOf('{}') },
      { path: 'bundle.json.minisig', size: 3, mode: 0o644, sha256: digestOf('sig') },
    ]);
    expect(readFileSync(at('into/configs/site.conf'), 'utf8')).toBe('listen 80;\n');
    expect([statSync(at('into')).mode & 0o777, statSync(at('into/acmectl')).mode & 0o777]).toEqual([0o700, 0o755]);
  });

  test('gives the hash of the tar without bundle.json and its signature, whatever these hold', async () => {
    const expected = sha256(gunzipSync(rawTarball(...head)));
    const tails = [[], [manifest], [manifest, signature], [rawFile('acme/bundle.json', 'other')]];
    for (const tail of tails) {
      expect((await unpack(rawTarball(...head, ...tail))).tarSha256).toBe(expected);
      rmSync(at('into'), { recursive: true });
    }
  });

  test('may be made by GNU tar in its ustar and pax forms', async () => {
    mkdirSync(at('src/acme/sub'), { recursive: true, mode: 0o755 });
    writeFileSync(at('src/acme/sub/f'), 'hello');
    for (const format of ['ustar', 'pax']) {
      const archive = execFileSync('tar', ['-C', at('src'), `--format=${format}`, '--mode=u=rwX,go=rX', '-czf', '-', 'acme']);
      expect((await unpack(archive)).files).toEqual([{ path: 'sub/f', size: 5, mode: 0o644, sha256: digestOf('hello') }]);
      rmSync(at('into'), { recursive: true });
    }
  });

  test('gives single entries without unpacking anything', async () => {
    writeFileSync(at('a.tar.gz'), rawTarball(...head, manifest, signature));
    const found = await readEntries({ file: at('a.tar.gz'), names: ['bundle.json', 'bundle.json.minisig', 'none'], maxBytes: 3 });
    expect([...found].map(([name, content]) => [name, content.toString()])).toEqual([
      ['bundle.json', '{}'],
      ['bundle.json.minisig', 'sig'],
    ]);
    expect(readdirSync(folder)).toEqual(['a.tar.gz']);
  });

  test('gives no single entry that is larger than allowed, and none of a hostile archive', async () => {
    writeFileSync(at('a.tar.gz'), rawTarball(...head, manifest));
    await expect(readEntries({ file: at('a.tar.gz'), names: ['bundle.json'], maxBytes: 1 })).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    writeFileSync(at('a.tar.gz'), rawTarball(...head, manifest, rawFile('acme/late')));
    await expect(readEntries({ file: at('a.tar.gz'), names: ['bundle.json'], maxBytes: 9 })).rejects.toMatchObject({ code: 'E_ARCHIVE' });
  });

  test('is compared with what was expected of it', async () => {
    const good: ReadonlyMap<string, ExpectedFile> = new Map([
      ['configs/site.conf', { size: 11, mode: 0o644, sha256: digestOf('listen 80;\n') }],
      ['acmectl', { size: 2, mode: 0o755, sha256: digestOf('#!') }],
    ]);
    const with_ = (path: string, change: Partial<ExpectedFile>): { expected: Map<string, ExpectedFile> } => ({
      expected: new Map([...good, [path, { size: 2, mode: 0o755, sha256: digestOf('#!'), ...change }]]),
    });
    const archive = rawTarball(...head, manifest, signature);
    expect((await unpack(archive, { expected: good })).files).toHaveLength(4);
    rmSync(at('into'), { recursive: true });
    const without = new Map([...good].slice(0, 1));
    expect(await refusal(archive, { expected: without })).toMatchObject({
      code: 'E_ARCHIVE',
      message: 'a.tar.gz: "acme/acmectl": the manifest does not name it',
    });
    expect(await refusal(archive, with_('more', {}))).toMatchObject({
      code: 'E_ARCHIVE',
      message: expect.stringContaining('it lacks "more"'),
    });
    expect(await refusal(archive, with_('acmectl', { size: 3 }))).toMatchObject({ code: 'E_DIGEST' });
    expect(await refusal(archive, with_('acmectl', { sha256: digestOf('??') }))).toMatchObject({ code: 'E_DIGEST' });
    expect(await refusal(archive, with_('acmectl', { mode: 0o644 }))).toMatchObject({
      code: 'E_ARCHIVE',
      message: expect.stringContaining('mode'),
    });
  });

  test('is not unpacked over anything, and what was there stays', async () => {
    mkdirSync(at('into'));
    writeFileSync(at('into/mine'), '1');
    await expect(unpack(rawTarball(...head))).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(readdirSync(at('into'))).toEqual(['mine']);
  });

  test('that does not exist is said not to exist', async () => {
    await expect(unpackTarball({ file: at('none.tar.gz'), into: at('into'), top: 'acme', limits: LIMITS })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    });
    expect(existsSync(at('into'))).toBe(false);
  });
});

const name100 = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(100 - Buffer.byteLength(text))]);
const link = (type: string, name: string, to: string): Buffer => rawEntry({ name, type, link: to, size: 0 });
const deep = (count: number): string => `acme/${Array.from({ length: count }, () => 'd').join('/')}`;

describe('a hostile entry', () => {
  const cases: readonly (readonly [what: string, entries: readonly Buffer[], why: string])[] = [
    ['climbing out', [top, rawFile('../escaped')], '"../escaped": its path climbs with ".."'],
    ['climbing out from inside', [top, rawFile('acme/a/../../../escaped')], 'climbs'],
    ['climbing within', [top, rawFile('acme/a/../b')], 'climbs'],
    ['an absolute path', [top, rawFile('/tmp/escaped')], 'absolute'],
    ['an absolute path by its prefix', [top, rawEntry({ name: 'escaped', prefix: '/tmp' })], 'absolute'],
    ['climbing by its prefix', [top, rawEntry({ name: 'escaped', prefix: 'acme/../..' })], 'climbs'],
    ['climbing by a pax path', [top, rawPax({ path: '../escaped' }), rawFile('acme/a')], 'climbs'],
    ['a folder that climbs', [top, rawFolder('acme/..')], 'climbs'],
    ['an empty part', [top, rawFile('acme//a')], 'empty or "." part'],
    ['a dot part', [top, rawFile('acme/./a')], 'empty or "." part'],
    ['an empty name', [top, rawFile('')], 'empty'],
    ['a symbolic link', [top, link('2', 'acme/link', 'target')], '"acme/link": it is a symbolic link; only files and folders are allowed'],
    ['a symbolic link out, then a file through it', [top, link('2', 'acme/link', '/tmp'), rawFile('acme/link/escaped')], 'symbolic link'],
    ['a symbolic link that is relative', [top, link('2', 'acme/link', '../..'), rawFile('acme/link/escaped')], 'symbolic link'],
    [
      'a link with its target in a pax header',
      [top, rawPax({ linkpath: '/etc' }), link('2', 'acme/link', '')],
      'pax header holds "linkpath"',
    ],
    ['a folder replaced by a link', [top, rawFolder('acme/d'), link('2', 'acme/d', '/tmp')], 'symbolic link'],
    ['a hard link out', [top, link('1', 'acme/link', '../../etc/passwd')], 'hard link'],
    ['an absolute hard link', [top, link('1', 'acme/link', '/etc/passwd')], 'hard link'],
    ['a file with a link target', [top, rawEntry({ name: 'acme/a', link: '/etc/passwd' })], 'names a link target'],
    ['a character device', [top, rawEntry({ name: 'acme/dev', type: '3' })], 'character device'],
    ['a block device', [top, rawEntry({ name: 'acme/dev', type: '4' })], 'block device'],
    ['a fifo', [top, rawEntry({ name: 'acme/fifo', type: '6' })], 'fifo'],
    ['a contiguous file', [top, rawEntry({ name: 'acme/a', type: '7' })], 'contiguous'],
    ['a sparse file', [top, rawEntry({ name: 'acme/a', type: 'S' })], 'sparse'],
    [
      'a GNU long name',
      [top, rawEntry({ name: '././@LongLink', type: 'L', content: '../../escaped\0' }), rawFile('acme/a')],
      'GNU long name',
    ],
    ['a global pax header', [rawPax({ path: 'acme/x' }, 'g'), top], 'global pax header'],
    ['an unknown type', [top, rawEntry({ name: 'acme/a', type: 'Z' })], 'of an unknown type'],
    ['a pax size', [top, rawPax({ size: '9' }), rawFile('acme/a')], 'pax header holds "size"'],
    ['a GNU sparse pax header', [top, rawPax({ path: 'acme/a', 'GNU.sparse.map': '0,1' }), rawFile('acme/a')], '"GNU.sparse.map"'],
    [
      'a pax path twice',
      [top, rawEntry({ name: 'P', type: 'x', content: '15 path=acme/a\n15 path=acme/b\n' }), rawFile('acme/c')],
      'two paths',
    ],
    ['two pax headers', [top, rawPax({ path: 'acme/a' }), rawPax({ path: 'acme/b' }), rawFile('acme/c')], 'pax header follows'],
    ['a broken pax header', [top, rawEntry({ name: 'P', type: 'x', content: '99 path=acme/a\n' }), rawFile('acme/a')], 'malformed'],
    ['a huge pax header', [top, rawEntry({ name: 'P', type: 'x', size: 1_000_000_000 })], 'more than 8192 bytes'],
    ['a pax header and then nothing', [top, rawPax({ path: 'acme/a' })], 'not plain octal'],
    ['a NUL in a name', [top, rawEntry({ name: name100('acme/ok\0/../../escaped') })], 'NUL'],
    ['a NUL in a pax path', [top, rawPax({ path: 'acme/ok\0/x' }), rawFile('acme/a')], 'control character'],
    ['a backslash path', [top, rawFile('acme/..\\..\\escaped')], 'backslash'],
    ['a terminal escape in a name', [top, rawFile('acme/\u001b[2J')], 'control character'],
    ['a name that is not UTF-8', [top, rawEntry({ name: name100Bytes('acme/', 0xff) })], 'not UTF-8'],
    ['another top folder', [top, rawFile('other/a')], 'outside the folder "acme"'],
    ['no top folder', [rawFile('a')], 'outside the folder "acme"'],
    ['a top that only begins the same', [top, rawFile('acmex/a')], 'outside the folder "acme"'],
    ['a file in place of the top folder', [rawFile('acme')], 'outside the folder "acme"'],
    ['the same file twice', [top, rawFile('acme/a'), rawFile('acme/a')], 'comes twice'],
    ['a folder where a file was', [top, rawFile('acme/a'), rawFolder('acme/a')], 'comes twice'],
    ['a file where a folder was', [top, rawFile('acme/a/b'), rawFile('acme/a')], 'comes twice'],
    ['a file inside a file', [top, rawFile('acme/a'), rawFile('acme/a/b')], 'inside the file "acme/a"'],
    ['a twin by case', [top, rawFile('acme/.env'), rawFile('acme/.ENV')], 'differs from "acme/.env" only in case or Unicode form'],
    ['a twin by the case of its folder', [top, rawFile('acme/conf/a'), rawFile('acme/CONF/b')], 'differs from "acme/conf" only'],
    ['a twin by Unicode form', [top, rawFile('acme/caf\u00e9'), rawFile('acme/cafe\u0301')], 'only in case or Unicode form'],
    ['a twin by case beyond ASCII', [top, rawFile('acme/stra\u00dfe'), rawFile('acme/STRASSE')], 'only in case'],
    ['a setuid file', [top, rawEntry({ name: 'acme/a', mode: 0o4755 })], 'setuid'],
    ['a setgid folder', [top, rawEntry({ name: 'acme/d/', type: '5', mode: 0o2755 })], 'setuid, setgid'],
    ['a file everyone can write', [top, rawEntry({ name: 'acme/a', mode: 0o666 })], 'mode 0666 is not 0644 or 0755'],
    ['a folder nobody can enter', [top, rawEntry({ name: 'acme/d/', type: '5', mode: 0o644 })], 'mode 0644 is not 0755'],
    ['too deep a path', [top, rawFile(deep(32))], 'more than 32 folders deep'],
    ['2000 levels', [top, rawPax({ path: deep(2000) }), rawFile('acme/a')], 'folders deep'],
    ['too long a name', [top, rawPax({ path: `acme/${'n'.repeat(256)}` }), rawFile('acme/a')], 'longer than'],
    ['a wrong checksum', [top, rawEntry({ name: 'acme/a', checksum: 1 })], 'wrong checksum'],
    ['an old header without a magic', [top, rawEntry({ name: 'acme/a', magic: '\0\0\0\0\0\0\0\0' })], 'not a POSIX ustar header'],
    ['a GNU header', [top, rawEntry({ name: 'acme/a', magic: 'ustar  \0' })], 'not a POSIX ustar header'],
    ['a negative size', [top, rawEntry({ name: 'acme/a', size: '-0000000001\0' })], 'not plain octal'],
    ['a size in base 256', [top, rawEntry({ name: 'acme/a', size: '\u0080\0\0\0\0\0\u0080\0\0\0\0\0' })], 'not plain octal'],
    ['8 GiB announced', [top, rawEntry({ name: 'acme/a', size: 8 * 1024 ** 3 - 1 })], 'are more than the 20000000 allowed'],
    ['a folder with content', [top, rawEntry({ name: 'acme/d/', type: '5', content: 'x' })], 'folder with content'],
    ['a file named as a folder', [top, rawEntry({ name: 'acme/d/', content: 'x' })], 'name of a folder'],
    ['a file after the manifest', [top, rawFile('acme/bundle.json'), rawFile('acme/late')], 'comes after bundle.json, which must be last'],
    ['something hidden in the padding', [top, hideInPadding(rawFile('acme/a'))], 'hidden behind its content'],
    ['nothing at all', [], 'holds nothing'],
  ];

  test.each(cases)('%s is refused and leaves nothing', async (_, entries, why) => {
    const error = await refusal(rawTarball(...entries));
    expect(error).toMatchObject({ code: 'E_ARCHIVE', message: expect.stringContaining(why), hint: expect.stringMatching(/publisher/) });
    expect(existsSync('/tmp/escaped')).toBe(false);
  });

  test('a name that would act on the terminal is shown without that, and cut', async () => {
    const error = await refusal(rawTarball(top, rawPax({ path: `acme/\u009b2J\u202e${'/..'.repeat(500)}` }), rawFile('acme/a')));
    expect((error as Error).message).toMatch(/^a\.tar\.gz: "acme\/\?2J\?(\/\.\.)+[/.]*…": its path climbs/);
  });

  test('what came before it is gone too', async () => {
    expect(await refusal(rawTarball(top, rawFile('acme/a'), rawFile('acme/b'), rawFile('/x')))).toMatchObject({
      message: 'a.tar.gz: "/x": its path is absolute',
    });
  });
});

describe('a hostile archive', () => {
  const good = rawTarball(top, rawFile('acme/a', 'x'.repeat(5000)));
  const tar = gunzipSync(good);
  const noise = Buffer.concat(Array.from({ length: 3000 }, (_, i) => createHash('sha512').update(String(i)).digest()));

  test('with something behind the gzip data is refused', async () => {
    for (const tail of [Buffer.from('garbage'), Buffer.alloc(100), noise, Buffer.alloc(1_000_000), good, Buffer.from([0x1f, 0x8b])]) {
      expect(await refusal(Buffer.concat([good, tail]))).toMatchObject({ code: 'E_ARCHIVE' });
    }
  });

  test('with something behind the end of the tar is refused', async () => {
    for (const tail of [Buffer.from('x'), rawFile('acme/late'), Buffer.concat([Buffer.alloc(4096), Buffer.from('x')])]) {
      expect(await refusal(gzipSync(Buffer.concat([tar, tail])))).toMatchObject({
        message: expect.stringContaining('follows the end of the tar'),
      });
    }
    expect(await refusal(gzipSync(Buffer.concat([top, Buffer.alloc(512), rawFile('acme/a'), Buffer.alloc(1024)])))).toMatchObject({
      message: expect.stringContaining('zero block'),
    });
  });

  test('cut short anywhere, packed or unpacked, is refused', async () => {
    for (const part of [0, 0.01, 0.3, 0.5, 0.9, 0.999]) {
      expect(await refusal(good.subarray(0, Math.floor(good.length * part)))).toMatchObject({ code: 'E_ARCHIVE' });
      expect(await refusal(gzipSync(tar.subarray(0, Math.floor((tar.length - 1) * part))))).toMatchObject({ code: 'E_ARCHIVE' });
    }
    expect(await refusal(good.subarray(0, -1))).toMatchObject({ code: 'E_ARCHIVE' });
  });

  test('with a flipped byte is refused or unpacks to other digests, and never crashes', async () => {
    const archive = rawTarball(top, rawFile('acme/a', noise.subarray(0, 2000)));
    for (let index = 0; index < archive.length; index += 97) {
      const flipped = Buffer.from(archive);
      flipped[index] = (flipped[index] ?? 0) ^ 0x20;
      const result = await unpack(flipped).catch((error: unknown) => error);
      rmSync(at('into'), { recursive: true, force: true });
      if (index >= 10) expect(result).toMatchObject({ code: 'E_ARCHIVE' }); // the gzip header holds a time that means nothing
    }
  });

  test('that is no gzip file is refused', async () => {
    expect(await refusal(tar)).toMatchObject({ message: 'a.tar.gz: it is damaged, cut short or not a gzip file' });
    expect(await refusal(noise)).toMatchObject({ code: 'E_ARCHIVE' });
  });

  test('with too many entries is refused at once', async () => {
    const many = Array.from({ length: 101 }, (_, index) => rawFile(`acme/${index}`, ''));
    expect(await refusal(rawTarball(...many))).toMatchObject({ message: 'a.tar.gz: it holds more than 100 entries' });
  });

  test('with too many bytes in all is refused before they are written', async () => {
    const files = [1, 2, 3].map((index) => rawFile(`acme/${index}`, noise));
    const limits = { ...LIMITS, bytes: noise.length * 2 };
    expect(await refusal(rawTarball(...files), { limits })).toMatchObject({
      code: 'E_ARCHIVE',
      message: expect.stringMatching(/acme\/2": its 192000 bytes are more/),
    });
  });

  test('that is a bomb is refused by its announced and by its real size', async () => {
    const limits = { ...LIMITS, bytes: 2 ** 40, entryBytes: 2 ** 40 };
    const bomb = gzipSync(Buffer.concat([rawEntry({ name: 'acme/zeros', size: 100_000_000 }).subarray(0, 512), Buffer.alloc(100_000_352)]));
    expect(await refusal(bomb, { limits })).toMatchObject({
      message: expect.stringMatching(/zeros": its 100000000 bytes are more than the 67\d+ allowed/),
    });
    const zeros = gzipSync(Buffer.concat([tar, Buffer.alloc(100_000_000)]));
    expect(await refusal(zeros, { limits })).toMatchObject({ message: 'a.tar.gz: it unpacks to more than 67108864 bytes' });
  });

  test('that is a folder or a device is refused', async () => {
    mkdirSync(at('dir'));
    for (const file of [at('dir'), '/dev/zero']) {
      await expect(unpackTarball({ file, into: at('into'), top: 'acme', limits: LIMITS })).rejects.toMatchObject({ code: 'E_ARCHIVE' });
      expect(existsSync(at('into'))).toBe(false);
    }
  });
});

test('a full disk is said to be one, and leaves nothing', async ({ skip }) => {
  mkdirSync(at('small'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', at('small')]).status === 0;
  skip(!mounted, 'mounting is not allowed here');
  try {
    writeFileSync(at('a.tar.gz'), rawTarball(top, rawFile('acme/a', Buffer.alloc(1_000_000))));
    const unpacking = unpackTarball({ file: at('a.tar.gz'), into: at('small/into'), top: 'acme', limits: LIMITS });
    await expect(unpacking).rejects.toMatchObject({ code: 'E_DISK_FULL', hint: expect.stringContaining('space') });
    const noise = Buffer.concat(Array.from({ length: 16_000 }, (_, index) => createHash('sha512').update(String(index)).digest()));
    const entries: TarEntry[] = [{ path: 'acme/a', kind: 'file', mode: 0o644, source: { content: noise } }];
    await expect(writeTarball({ out: at('small/out.tar.gz'), entries, mtime: MTIME })).rejects.toMatchObject({ code: 'E_DISK_FULL' });
    expect(readdirSync(at('small'))).toEqual([]);
  } finally {
    execFileSync('umount', [at('small')]);
  }
});

test('whatever is written is read back the same, with the same hash', async () => {
  const part = fc.stringMatching(/^[a-zé0-9._-]{1,60}$/u).filter((text) => text !== '.' && text !== '..');
  const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
  const item = fc.record({
    path,
    content: fc.uint8Array({ maxLength: 3000 }),
    mode: fc.constantFrom<0o644 | 0o755>(0o644, 0o755),
    folder: fc.boolean(),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 20 }), async (items) => {
      const free = withoutCollisions(items);
      const entries: TarEntry[] = free.map((entry) =>
        entry.folder
          ? { path: `acme/${entry.path}`, kind: 'folder' }
          : { path: `acme/${entry.path}`, kind: 'file', mode: entry.mode, source: { content: Buffer.from(entry.content) } },
      );
      const out = at(`${++run}.tar.gz`);
      const tail = async (): Promise<TarEntry[]> => [
        { path: 'acme/bundle.json', kind: 'file', mode: 0o644, source: { content: Buffer.from('{}') } },
      ];
      const written = await writeTarball({ out, entries: [{ path: 'acme', kind: 'folder' }, ...entries], mtime: MTIME, tail });
      const read = await unpackTarball({ file: out, into: at(`${run}`), top: 'acme', limits: DEFAULT_LIMITS });
      expect(read.tarSha256).toBe(written.tarSha256);
      expect(new Map(read.files.slice(0, -1).map((file) => [file.path, [file.mode, file.sha256]]))).toEqual(
        new Map(free.filter((entry) => !entry.folder).map((entry) => [entry.path, [entry.mode, digestOf(entry.content)]])),
      );
      for (const entry of free) if (!entry.folder) expect(readFileSync(at(`${run}/${entry.path}`)).equals(entry.content)).toBe(true);
      expect(new Set(read.folders)).toEqual(new Set(free.filter((entry) => entry.folder).map((entry) => entry.path)));
    }),
    { numRuns: 60 },
  );
});

/** Leaves out what cannot lie beside what came before it. */
function withoutCollisions<T extends { readonly path: string; readonly folder: boolean }>(items: readonly T[]): readonly T[] {
  const kept: T[] = [];
  const inside = (one: string, other: string): boolean => one.startsWith(`${other}/`);
  const key = (path: string): string => path.toLowerCase();
  for (const item of items) {
    const taken = kept.some(
      (other) => key(other.path) === key(item.path) || inside(item.path, other.path) || inside(other.path, item.path),
    );
    if (!taken && !item.path.startsWith('bundle.json')) kept.push(item);
  }
  return kept;
}

function name100Bytes(text: string, byte: number): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.from([byte])]);
}

function hideInPadding(entry: Buffer): Buffer {
  entry.write('hidden', entry.length - 6);
  return entry;
}
