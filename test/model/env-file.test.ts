// The `.env` document: lossless, and the same meaning as Docker Compose's.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in braces are what is tested

import { describe, expect, it } from 'vitest';
import {
  appendEnv,
  commentOutEnv,
  EMPTY_ENV,
  envReferences,
  envText,
  envValue,
  envValues,
  parseEnvFile,
  removeEnv,
  renameEnv,
  setEnv,
} from '../../src/model/env-file.ts';
import { fc } from '../property.ts';
import { anyEnvValue, PIECES } from './env-corpus.ts';

const piece = fc.constantFrom(...PIECES);
const oldLine = fc.constantFrom(
  "A='x'",
  'A="x y"',
  'A=plain',
  'A=plain # note',
  'A=',
  'A=   ',
  'export A = 1',
  "A='x' # note",
  'A: y',
  "A='m\nn'",
  'A\n',
  'A=1\nA=2',
  'A=1\r',
  'A=\r',
  'A="$Q"',
);

describe('a .env file', () => {
  it('gives back the very same text when nothing is edited', () => {
    const texts = ['', '\n\n', '\ufeffA=1\r\n# c\r\nB="x\r\ny" # z\r\n', 'A\nexport B\nC\n', "A='x'B=2\nC = 3 # c", '  # only\n\t\nA=1'];
    for (const text of texts) expect(envText(parseEnvFile(text))).toBe(text);
  });

  it('never loses a character, whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.constantFrom('A=', 'export ', 'B', '\nC=')), { maxLength: 20 }), (pieces) => {
        const text = pieces.join('');
        try {
          expect(envText(parseEnvFile(text))).toBe(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'E_CONFIG' });
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('reads back exactly what was set, in every old line and quoting', () => {
    fc.assert(
      fc.property(oldLine, fc.constantFrom('', '\nB=2', '\n# end\n', '\r\nB=2\r\n'), anyEnvValue, (line, rest, value) => {
        const file = setEnv(parseEnvFile(`Q=q\n${line}${rest}`), 'A', value);
        const again = parseEnvFile(envText(file));
        expect(envValue(file, 'A')).toBe(value);
        expect(envValue(again, 'A')).toBe(value);
        if (rest.includes('B=2')) expect(envValue(again, 'B')).toBe('2');
        expect(envText(setEnv(again, 'A', value))).toBe(envText(file));
      }),
      { numRuns: 5000 },
    );
  });

  it('keeps place, comment, quoting and line ends of a line whose value is set', () => {
    const file = parseEnvFile('# head\r\nexport  A = 1 # why\r\nB="two"\r\nC=\'three\'\r\n');
    const text = envText(setEnv(setEnv(setEnv(file, 'A', '9'), 'B', 'say "hi"'), 'C', '$5'));
    expect(text).toBe('# head\r\nexport  A = 9 # why\r\nB="say \\"hi\\""\r\nC=\'$5\'\r\n');
  });

  it('sets a value to nothing twice in the same bytes, also before white space that is none to JavaScript', () => {
    const once = envText(setEnv(parseEnvFile('A=\u0085x\n'), 'A', ''));
    expect(envText(setEnv(parseEnvFile(once), 'A', ''))).toBe(once);
  });

  it('sets the last of several entries, which is the one that counts', () => {
    expect(envText(setEnv(parseEnvFile('A=1\nA=2\n'), 'A', '3'))).toBe('A=1\nA=3\n');
  });

  it('adds a new name on a line of its own, also after a line without an end', () => {
    expect(envText(setEnv(parseEnvFile('A=1'), 'B', '2'))).toBe('A=1\nB=2\n');
    expect(envText(setEnv(EMPTY_ENV, 'B', 'x y'))).toBe("B='x y'\n");
  });

  it('appends entries with comments under a heading, in the line ends of the file', () => {
    const file = appendEnv(parseEnvFile('A=1\r\n'), 'Added in 2.4.0', [
      { name: 'B', value: '', comment: 'first\nsecond' },
      { name: 'C', value: 'x' },
    ]);
    expect(envText(file)).toBe('A=1\r\n\r\n# Added in 2.4.0\r\n# first\r\n# second\r\nB=\r\nC=x\r\n');
  });

  it('comments out every entry of a name, all of its lines, and nothing else', () => {
    const file = parseEnvFile("X=0\r\nA='m\r\nn' # note\r\nB=1\r\nA=2\r\n");
    expect(envText(commentOutEnv(file, 'A', 'removed in 3.0.0'))).toBe(
      "X=0\r\n# removed in 3.0.0\r\n# A='m\r\n# n' # note\r\nB=1\r\n# removed in 3.0.0\r\n# A=2\r\n",
    );
  });

  it('comments out an entry that shares its line with others', () => {
    const text = envText(commentOutEnv(parseEnvFile("A='1'B='2'C='3'\n"), 'B', 'gone'));
    expect(text).toBe("A='1'\n# gone\n# B='2'\nC='3'\n");
    expect([...envValues(parseEnvFile(text)).keys()]).toEqual(['A', 'C']);
  });

  it('takes an entry out, value and all, and leaves what was noted behind it', () => {
    expect(envText(removeEnv(parseEnvFile('X=0\r\nA=secret # why\r\nB=1\r\n'), 'A', 'A is gone'))).toBe(
      'X=0\r\n# A is gone # why\r\nB=1\r\n',
    );
  });

  it('renames an entry and leaves its value as it is written', () => {
    expect(envText(renameEnv(parseEnvFile('export OLD = "a b" # c\n'), 'OLD', 'NEW'))).toBe('export NEW = "a b" # c\n');
  });

  it('knows which names its values refer to', () => {
    expect([...envReferences(parseEnvFile('A=$X-${Y:-$Z}\nB=\'$N\'\nC="$$M"\n'))]).toEqual(['X', 'Y', 'Z']);
  });

  it('takes names that the file does not set from outside', () => {
    expect(envValues(parseEnvFile('A=$HOME/x\nB=$A'), { HOME: '/root' }).get('B')).toBe('/root/x');
  });

  it.each([
    ['A=1\nB C=2\n', '.env:2: this is not NAME=value'],
    ['A="x\nB=2\n', '.env:1: the value of A has no closing "'],
    ['=x\n', '.env:1: a value without a name'],
    ['A=1\nB="x\0y"\n', '.env:2: the value of B holds a NUL character'],
    ['A=1\nB', '.env:2: a name alone at the very end'],
  ])('refuses %j and names the line', (text, message) => {
    expect(() => parseEnvFile(text)).toThrow(message);
  });

  it('never shows a malformed line, which may be a piece of a secret', () => {
    expect(() => parseEnvFile('A=1\nMIIEvQ/+secret\n')).toThrow(/^(?!.*MIIE).*\.env:2:/);
  });

  it.each(['A=${B', 'A=${B:?say why}', 'A="${1}"'])('refuses the reference in %j and names the line', (text) => {
    expect(() => envValues(parseEnvFile(`X=1\n${text}\n`))).toThrow(/line 2: A/);
  });

  it('refuses a value and a name that no environment can hold', () => {
    expect(() => setEnv(EMPTY_ENV, 'A', 'a\0b')).toThrow(/NUL/);
    expect(() => setEnv(EMPTY_ENV, 'A\nB', 'x')).toThrow(/not the name/);
  });
});
