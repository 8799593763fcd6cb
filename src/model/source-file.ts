// The files of the product's folder that a bundle is made of. Rule: measured facts; what they become is decided in plan.
import type { Digest } from './digest.ts';
import type { Path, Problem, ProblemText } from './problem.ts';

/** A file of the product's folder that goes into the bundle. */
export interface SourceFile {
  /** Relative to the product's folder. */
  readonly source: string;
  /** Its place in the bundle; a template's still has its suffix. */
  readonly path: string;
  readonly size: number;
  readonly sha256: Digest;
  readonly executable: boolean;
  /** Its content as the commit has it, where this checkout has other line ends. */
  readonly text?: string;
  /** Where slipway.yaml asks for it. */
  readonly at: Path;
}

export interface SourceFiles {
  readonly files: readonly SourceFile[];
  /** The texts of compose files, the env file and templates, by source. */
  readonly texts: ReadonlyMap<string, string>;
  /** Paths that slipway.yaml names and that are not there. */
  readonly missing: readonly string[];
  readonly problems: readonly ProblemText[];
  /** What was found inside of shipped files. */
  readonly found: readonly Problem[];
}

/** The operator program that goes into the bundle. */
export interface OperatorProgram {
  /** Absolute. */
  readonly file: string;
  readonly size: number;
  readonly sha256: Digest;
}

const SUFFIX = '.hbs';

/** True for a file that is rendered when it is packed. */
export function isTemplate(source: string): boolean {
  return source.endsWith(SUFFIX);
}

/** The path without a template's suffix. */
export function renderedPath(path: string): string {
  return isTemplate(path) ? path.slice(0, -SUFFIX.length) : path;
}
