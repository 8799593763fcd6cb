// What became of builds and of tags, as a person reads it. Rule: one line an image; what failed is told last, where eyes are.
import type { BuildOutcome } from '../model/image-build.ts';
import { columnsToText } from './columns.ts';

/** One image of a build, as the result tells it. */
export interface BuildRow {
  readonly name: string;
  readonly why: string;
  /** `present`: the version was pushed before. `planned`: it was not reached. */
  readonly outcome: BuildOutcome | 'present' | 'planned';
  readonly digest: string | null;
  /** Whole names. */
  readonly tags: readonly string[];
  readonly platforms: readonly string[];
  readonly seconds: number;
  readonly log: string | null;
  readonly error: string | null;
}

/** The report of `images build`. */
export function buildToText(rows: readonly BuildRow[]): string {
  const good = rows.filter(({ error }) => error === null);
  const lost = rows.filter(({ error }) => error !== null);
  const line = ({ outcome, name, digest, tags, error, log }: BuildRow): string[] => {
    if (error !== null) return [outcome, name, log === null ? error : `${error} (${log})`];
    return [outcome, name, [digest?.slice(0, 19) ?? '', ...tags].filter((word) => word !== '').join(' ')];
  };
  return columnsToText([...good, ...lost].map(line));
}
