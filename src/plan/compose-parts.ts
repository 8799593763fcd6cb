// The plain parts of a compose file. Rule: what has another shape than expected reads as empty; Compose itself refuses it.
import { type Document, isScalar, Scalar, type YAMLMap } from 'yaml';
import type { Path } from '../model/problem.ts';

export interface ComposeService {
  readonly name: string;
  readonly path: Path;
  readonly fields: Record<string, unknown>;
}

export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Gives a compose project its name, above everything else where it has none yet: without one it would be called like its folder. */
export function nameProject(document: Document, contents: YAMLMap, name: string): void {
  if (contents.has('name')) return void contents.set('name', name);
  const key = new Scalar('name');
  const [first] = contents.items;
  const before = isScalar(first?.key) ? first.key : undefined;
  if (before?.commentBefore) {
    key.commentBefore = before.commentBefore; // what stands above the first key speaks of the whole file
    before.commentBefore = null;
  }
  contents.items.unshift(document.createPair(key, name));
}
