// Changes to an env file as data, carried out by the editor. Rule: knows what was asked, not how it is written.

import { appendEnv, commentOutEnv, type EnvFile, hasEnv, removeEnv, renameEnv, setEnv } from '../../src/model/env-file.ts';
import { fc } from '../property.ts';
import { anyEnvValue } from './env-corpus.ts';

export type Change =
  | { readonly kind: 'set' | 'append'; readonly name: string; readonly value: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'remove' | 'comment-out'; readonly name: string };

const name = fc.constantFrom('A', 'B', 'C', 'D', 'E', 'A_1', 'NEW', 'NEWER');

/** Any change; names that the files of the corpus have, and others. */
export const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('set', 'set', 'append'), name, value: anyEnvValue }),
  fc.record({ kind: fc.constant('rename' as const), name, to: fc.constantFrom('R', 'S') }),
  fc.record({ kind: fc.constantFrom('remove', 'comment-out'), name }),
) as fc.Arbitrary<Change>;

export const anyChanges: fc.Arbitrary<readonly Change[]> = fc.array(anyChange, { minLength: 1, maxLength: 5 });

/** A reason, a heading and a comment, as somebody careless would give them. */
export const NOTE = 'gone in 2.0.0\nEVIL=1\r\nEVIL=2';

/** The file after one change. Like a merge it renames only what keeps its name to itself, and appends only what is not there. */
export function changeOne(file: EnvFile, change: Change): EnvFile {
  switch (change.kind) {
    case 'set':
      return setEnv(file, change.name, change.value);
    case 'append':
      return hasEnv(file, change.name) ? file : appendEnv(file, NOTE, [{ name: change.name, value: change.value, comment: NOTE }]);
    case 'rename':
      return hasEnv(file, change.to) ? file : renameEnv(file, change.name, change.to);
    case 'remove':
      return removeEnv(file, change.name, NOTE);
    case 'comment-out':
      return commentOutEnv(file, change.name, NOTE);
  }
}

/** The file after all changes, and the names they may have touched. */
export function changeAll(file: EnvFile, changes: readonly Change[]): { readonly file: EnvFile; readonly touched: ReadonlySet<string> } {
  const touched = new Set(changes.flatMap((change) => ('to' in change ? [change.name, change.to] : [change.name])));
  return { file: changes.reduce(changeOne, file), touched };
}
