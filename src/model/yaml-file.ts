// A YAML file read with the line of everything in it. Rule: never throws; what is wrong comes back as problems with their lines.
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { type Path, type Problem, pathText, type Source } from './problem.ts';

const MAX_BYTES = 1024 * 1024;

export interface YamlFile {
  /** The plain value; undefined when the file cannot be read as YAML. */
  readonly value: unknown;
  readonly source: Source;
  readonly problems: readonly Problem[];
  /** Every value that is text, as it is written, one entry a line: what Compose interpolates. */
  readonly texts: readonly YamlText[];
}

export interface YamlText {
  readonly path: Path;
  readonly line: number;
  readonly text: string;
}

interface Reading {
  readonly document: Document;
  readonly text: string;
  readonly file: string;
  readonly lineAt: (offset: number) => number;
  readonly lines: Map<string, number>;
  readonly texts: YamlText[];
  readonly problems: Problem[];
}

/** Reads one YAML document (anchors, aliases and `<<` included); duplicate keys and syntax errors are problems. */
export function readYaml(text: string, file: string): YamlFile {
  if (text.length > MAX_BYTES) return tooLarge(file);
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: true, logLevel: 'error' });
  const lineAt = (offset: number): number => counter.linePos(offset).line;
  const reading: Reading = { document, text, file, lineAt, lines: new Map(), texts: [], problems: [] };
  for (const error of document.errors) {
    const duplicate = error.code === 'DUPLICATE_KEY';
    const hint = duplicate ? 'Keep one of the two.' : 'Correct the YAML here; what follows is read when it is.';
    addProblem(reading, { code: duplicate ? 'E_DUPLICATE_KEY' : 'E_YAML', message: error.message, hint, line: lineAt(error.pos[0]) });
  }
  walkNode(reading, document.contents, []);
  const broken = reading.problems.some((problem) => problem.code === 'E_YAML');
  const value: unknown = broken ? undefined : plainValue(reading);
  const source: Source = { file, lines: reading.lines, refused: new Set() };
  return { value, source, problems: reading.problems, texts: reading.texts };
}

function addProblem(reading: Reading, problem: Pick<Problem, 'code' | 'message' | 'hint' | 'line'>): void {
  reading.problems.push({ severity: 'error', ...problem, file: reading.file });
}

/** The library refuses aliases that multiply without end only here. */
function plainValue(reading: Reading): unknown {
  try {
    return reading.document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    addProblem(reading, { code: 'E_YAML', message, hint: 'Write the repeated parts out.', line: 1 });
    return undefined;
  }
}

function walkNode(reading: Reading, node: Node | null, path: Path): void {
  if (isMap(node)) walkPairs(reading, node.items, path);
  else if (isAlias(node)) checkAlias(reading, node);
  else if (isSeq(node)) walkItems(reading, node.items as Node[], path);
  else if (isScalar(node) && typeof node.value === 'string') addTexts(reading, node, path);
}

function walkItems(reading: Reading, items: readonly Node[], path: Path): void {
  for (const [index, item] of items.entries()) {
    const at = [...path, index];
    if (item.range) reading.lines.set(pathText(at), reading.lineAt(item.range[0]));
    walkNode(reading, item, at);
  }
}

function addTexts(reading: Reading, node: Node, path: Path): void {
  if (!node.range) return;
  const first = reading.lineAt(node.range[0]);
  const written = reading.text.slice(node.range[0], node.range[1]).split('\n');
  reading.texts.push(...written.map((text, index) => ({ path, line: first + index, text })));
}

function walkPairs(reading: Reading, pairs: readonly { key: unknown; value: unknown }[], path: Path): void {
  for (const { key, value } of pairs) {
    const start = (key as Node | null)?.range?.[0] ?? 0;
    if (!isScalar(key)) {
      addProblem(reading, {
        code: 'E_YAML',
        message: 'A key must be plain text',
        hint: 'Write `key: value`.',
        line: reading.lineAt(start),
      });
      continue;
    }
    const at = [...path, String(key.value)];
    reading.lines.set(pathText(at), reading.lineAt(start));
    walkNode(reading, value as Node | null, at);
  }
}

/** An alias must name an anchor that was set before it and does not hold the alias itself. */
function checkAlias(reading: Reading, alias: Alias): void {
  const name = alias.source;
  const start = alias.range?.[0] ?? 0;
  const end = alias.resolve(reading.document)?.range?.[1];
  if (end !== undefined && end <= start) return;
  const message = end === undefined ? `*${name} names no anchor` : `*${name} is inside of what it names`;
  addProblem(reading, { code: 'E_YAML', message, hint: `Set it before with &${name}.`, line: reading.lineAt(start) });
}

function tooLarge(file: string): YamlFile {
  const problem: Problem = {
    severity: 'error',
    code: 'E_TOO_LARGE',
    message: 'the file is larger than 1 MiB',
    hint: 'Is this the right file?',
    file,
    line: 1,
  };
  return { value: undefined, source: { file, lines: new Map(), refused: new Set() }, problems: [problem], texts: [] };
}
