// The plain parts of a compose file. Rule: what has another shape than expected reads as empty; Compose itself refuses it.
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
