import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseSums, printSums } from '../../src/model/sums.ts';

const sums = {
  product: 'acme',
  version: '2.4.0',
  digests: new Map([
    ['b.tar.gz', digestOf('b')],
    ['a.json', digestOf('a')],
  ]),
};

test('the file names product and version, then the assets in order', () => {
  const hex = (text: string): string => digestOf(text).slice(7);
  expect(printSums(sums)).toBe(`# acme 2.4.0\n${hex('a')}  a.json\n${hex('b')}  b.tar.gz\n`);
  expect(parseSums(printSums(sums), 'test')).toEqual(sums);
});

test('sha256sum -c reads it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-'));
  writeFileSync(join(folder, 'a.json'), 'a');
  writeFileSync(join(folder, 'b.tar.gz'), 'b');
  writeFileSync(join(folder, 'SHA256SUMS'), printSums(sums));
  expect(execFileSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })).toBe('a.json: OK\nb.tar.gz: OK\n');
});

test.each(['', 'acme 2.4.0\n', '# acme 2.4.0\nxyz  a\n', `# acme 2.4.0\n${'0'.repeat(64)}  ../a\n`, `# acme 2.4.0\n${'0'.repeat(64)} a\n`])(
  'refuses %j, naming the line',
  (text) => {
    expect(() => parseSums(text, 'SHA256SUMS')).toThrow(
      expect.objectContaining({ code: 'E_FORMAT', message: expect.stringMatching(/^SHA256SUMS:[12]/) }),
    );
  },
);
