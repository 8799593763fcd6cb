// What the wizard is given, and what has been answered so far. Rule: data only.
import type { Feature, Variable } from '../model/description.ts';
import type { Terminal } from '../model/seams.ts';
import type { AnswerSources } from './given.ts';

export interface AskInput {
  readonly env: Readonly<Record<string, Variable>>;
  readonly features: Readonly<Record<string, Feature>>;
  readonly sources: AnswerSources;
  readonly terminal: Pick<Terminal, 'interactive' | 'ask' | 'err' | 'columns'>;
  /** Today's values, where a person is asked again; they come before the product's defaults. */
  readonly defaults?: ReadonlyMap<string, string>;
  /** Today's features, likewise. */
  readonly defaultFeatures?: readonly string[];
  /** Says what is odd about an answer that fits, such as a port that is taken; it may be kept all the same. */
  readonly notice?: (name: string, value: string) => Promise<string | undefined>;
}

export interface Sheet {
  readonly values: ReadonlyMap<string, string>;
  readonly features: readonly string[];
  /** The keys that the person answered, in that order. */
  readonly asked: readonly string[];
  /** What is odd about an answer, by key. */
  readonly notices: ReadonlyMap<string, string>;
}
