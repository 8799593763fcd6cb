// Any change to any env file: what was asked happens, and not a byte besides.

import { describe, expect, it } from 'vitest';
import { type EnvFile, envText, envValue, hasEnv, parseEnvFile } from '../../src/model/env-file.ts';
import { type EnvEntry, partText } from '../../src/model/env-syntax.ts';
import { fc } from '../property.ts';
import { anyChange, anyChanges, type Change, changeAll, changeOne, NOTE } from './env-changes.ts';
import { anyEnvText, BY_HAND } from './env-corpus.ts';

const RUNS = { numRuns: 3000 };

/** Files that are read at all: by hand and by chance. */
const readable = fc
  .oneof({ weight: 1, arbitrary: fc.constantFrom(...Object.values(BY_HAND).flat().filter(isShort)) }, { weight: 3, arbitrary: anyEnvText })
  .filter(isReadable);

describe('a change to an env file', () => {
  it('leaves everything before and behind it byte-identical', () => {
    fc.assert(
      fc.property(readable, anyChange, (text, change) => {
        const file = parseEnvFile(text);
        const after = envText(changeOne(file, change));
        let rest = after;
        for (const piece of untouchedPieces(file, change)) {
          const at = rest.indexOf(piece);
          expect(at, `${JSON.stringify(piece)} is lost in ${JSON.stringify(after)}`).toBeGreaterThanOrEqual(0);
          rest = rest.slice(at + piece.length);
        }
      }),
      RUNS,
    );
  });

  it('touches no byte outside of the value that it sets', () => {
    fc.assert(
      fc.property(readable, anyChange, (text, change) => {
        const file = parseEnvFile(text);
        if (change.kind !== 'set' || !hasEnv(file, change.name)) return;
        const index = file.parts.findLastIndex((part) => part.kind === 'entry' && part.name === change.name);
        const entry = file.parts[index] as EnvEntry;
        const before = textOf(file, 0, index) + entry.lead + entry.name + entry.separator;
        const behind = entry.tail + textOf(file, index + 1);
        const after = envText(changeOne(file, change));
        expect(after.startsWith(before) && after.endsWith(behind)).toBe(true);
      }),
      RUNS,
    );
  });

  it('only adds at the end what it appends', () => {
    fc.assert(
      fc.property(readable, anyChange, (text, change) => {
        if (change.kind === 'append') expect(envText(changeOne(parseEnvFile(text), change)).startsWith(text)).toBe(true);
      }),
      RUNS,
    );
  });

  it('gives back exactly what was asked, and sets nothing that nobody asked for', () => {
    fc.assert(
      fc.property(readable, anyChanges, (text, changes) => {
        const start = parseEnvFile(text);
        const { file, touched } = changeAll(start, changes);
        const again = parseEnvFile(envText(file)); // what a next run, or Compose, finds
        const entries = (of: EnvFile): string[] =>
          of.parts.flatMap((part) => (part.kind === 'entry' && !touched.has(part.name) ? [partText(part).trimEnd()] : []));
        expect(entries(again)).toEqual(entries(start));
        for (const [name, wanted] of lastWishes(start, changes)) {
          expect([name, hasEnv(again, name)]).toEqual([name, wanted !== null]);
          if (typeof wanted === 'string') expect([name, valueAlone(again, name)]).toEqual([name, wanted]);
        }
        const names = new Set(
          [...start.parts, ...[...touched].map((name) => ({ kind: 'entry', name }))].flatMap((part) => ('name' in part ? [part.name] : [])),
        );
        for (const part of again.parts) if (part.kind === 'entry') expect(names).toContain(part.name);
      }),
      RUNS,
    );
  });

  it('made twice gives the same bytes as made once', () => {
    fc.assert(
      fc.property(readable, anyChange, (text, change) => {
        const once = envText(changeOne(parseEnvFile(text), change));
        expect(envText(changeOne(parseEnvFile(once), change))).toBe(once);
      }),
      RUNS,
    );
  });
});

function isReadable(text: string): boolean {
  try {
    parseEnvFile(text);
    return true;
  } catch {
    return false;
  }
}

function isShort(text: string): boolean {
  return text.length < 2000;
}

function textOf({ parts }: EnvFile, from: number, to = parts.length): string {
  return parts.slice(from, to).map(partText).join('');
}

/** All that a change has no business with, in order: texts, bare names, and entries of other names. */
function untouchedPieces(file: EnvFile, change: Change): string[] {
  return file.parts.filter((part) => part.kind !== 'entry' || part.name !== change.name).map(partText);
}

/** What each touched name must be at the end: its value, null = not set, undefined = whatever its line says. */
function lastWishes(start: EnvFile, changes: readonly Change[]): Map<string, string | null | undefined> {
  const wishes = new Map<string, string | null | undefined>();
  const isSet = (name: string): boolean => (wishes.has(name) ? wishes.get(name) !== null : hasEnv(start, name));
  for (const change of changes) {
    if (change.kind === 'set') wishes.set(change.name, change.value);
    else if (change.kind === 'append') {
      if (!isSet(change.name)) wishes.set(change.name, change.value);
    } else if (change.kind === 'rename') {
      if (isSet(change.to) || !isSet(change.name)) continue;
      wishes.set(change.to, wishes.get(change.name));
      wishes.set(change.name, null);
    } else wishes.set(change.name, null);
  }
  return wishes;
}

/** The value of the entry that counts, in a file of its own: what is set by us refers to nothing. */
function valueAlone({ parts }: EnvFile, name: string): string | undefined {
  const entry = parts.findLast((part) => part.kind === 'entry' && part.name === name);
  return entry === undefined ? undefined : envValue({ parts: [entry] }, name);
}

describe('what is written around a value', () => {
  it('cannot set a variable, whatever a heading, a comment or a reason holds', () => {
    expect(NOTE).toContain('EVIL=');
    const text = envText(
      changeAll(parseEnvFile('A=1\nB=2\n'), [
        { kind: 'append', name: 'NEW', value: 'x\nEVIL=3' },
        { kind: 'comment-out', name: 'A' },
        { kind: 'remove', name: 'B' },
      ]).file,
    );
    expect(parseEnvFile(text).parts.flatMap((part) => (part.kind === 'entry' ? [part.name] : []))).toEqual(['NEW']);
  });
});
