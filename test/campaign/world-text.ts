// The whole world in one digest, so that equal worlds are tried once. Rule: what differs only by the time it happened is equal: clocks, ages, numbers of rows and
// of containers; everything a judge, a handler or the product would treat differently is in it.
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { parseJournal, wholeLines } from '../../src/model/journal.ts';
import type { EngineState, FakeContainer, Row } from '../fakes/engine-state.ts';
import { type FileTree, treeText, unpackTree } from '../fakes/file-tree.ts';
import { type Attributes, type DiskState, type Inode, visitDisk } from './disk.ts';

/** Two worlds with the same digest go on in the same way; `seen` is the same for those that differ only in what a power cut would leave. */
export interface WorldDigest {
  readonly whole: string;
  readonly seen: string;
}

/** Sums over all paths, in whatever order. */
export function digestOfWorld(disk: DiskState, engine: string): WorldDigest {
  const [seen, safe] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  visitDisk(disk, (path, attributes, kind, isSafe) => {
    const numbers = numbersOf(path, attributes, kind);
    const sum = isSafe ? safe : seen;
    for (let index = 0; index < 3; index += 1) sum[index] = ((sum[index] ?? 0) + (numbers[index] ?? 0)) | 0;
  });
  return { whole: `${seen.join()} ${safe.join()} ${engine}`, seen: `${seen.join()} ${engine}` };
}

type Numbers = readonly [number, number, number];

const reckoned = new WeakMap<Attributes, Map<string, Numbers>>();

function numbersOf(path: string, attributes: Attributes, kind: Inode['kind']): Numbers {
  const byPath = reckoned.get(attributes) ?? new Map<string, Numbers>();
  const known = byPath.get(path);
  if (known !== undefined) return known;
  const { mode, uid, gid, content } = attributes;
  const text = kind === 'file' ? textOfFile(path, content) : String(content);
  const hash = createHash('sha1').update([path, kind, mode, uid, gid, text].join('\t')).digest();
  const numbers: Numbers = [hash.readInt32LE(0), hash.readInt32LE(4), hash.readInt32LE(8)];
  reckoned.set(attributes, byPath.set(path, numbers));
  return numbers;
}

/** The engine without its times, in short. */
export function digestOfEngine(state: EngineState): string {
  return createHash('sha1').update(engineText(state)).digest('base64');
}

function engineText({ containers, volumes, networks, images, ledger, violations }: EngineState): string {
  const tell = (tree: FileTree): string =>
    treeText(
      new Map([...tree].map(([path, node]) => [path, path === 'base/rows' ? { ...node, content: rowsText(node.content, ledger) } : node])),
    );
  return [
    ...[...containers.values()].map(containerText).sort(),
    ...[...volumes.values()]
      .map(({ name, driver, labels, options, tree }) => JSON.stringify([name, driver, labels, options, tell(tree)]))
      .sort(),
    ...[...networks].map((each) => JSON.stringify(each)).sort(),
    ...[...images].map((each) => each.join()).sort(),
    [...new Set(ledger.map(kindOf))].sort().join(),
    ...violations,
  ].join('\n');
}

/** After this many ticks everything is well or never will be. */
const GROWN = 4;

function containerText({ id: _, startedAt: __, age, ...rest }: FakeContainer): string {
  return JSON.stringify([rest, rest.state === 'running' ? Math.min(age, GROWN) : 0]);
}

/** Of each kind of row: whether all, some or none of those that were ever kept are here. */
function rowsText(content: string, ledger: readonly Row[]): string {
  const lines = content.split('\n').filter(Boolean);
  const ids = new Set(lines.map((line) => line.replace(/\++$/, '')));
  const kinds = new Map<string, [number, number]>();
  for (const row of ledger) {
    const [here, all] = kinds.get(kindOf(row)) ?? [0, 0];
    kinds.set(kindOf(row), [here + (ids.has(row.id) ? 1 : 0), all + 1]);
  }
  const parts = [...kinds].map(([kind, [here, all]]) => `${kind} ${here === all ? 'all' : here === 0 ? 'none' : 'some'}`);
  const marks = new Set(lines.map((line) => /\+*$/.exec(line)?.[0].length));
  return [...parts.sort(), `marks ${[...marks].sort().join()}`, ids.size < lines.length ? 'twice' : ''].join();
}

function kindOf({ version, door }: Row): string {
  return `${version}${door ? ' door' : ''}`;
}

const known = new WeakMap<Buffer, Map<string, string>>();

function textOfFile(path: string, content: Buffer | string): string {
  if (typeof content === 'string') return content;
  const how = kindOfFile(path);
  if (how === 'history') return '';
  const texts = known.get(content) ?? new Map<string, string>();
  known.set(content, texts);
  const text = texts.get(how) ?? createHash('sha1').update(readAs(how, content)).digest('base64');
  texts.set(how, text);
  return text;
}

type FileKind = 'history' | 'journal' | 'archive' | 'backup' | 'ours' | 'plain';

function kindOfFile(path: string): FileKind {
  if (!path.includes('/.slipway/')) return 'plain';
  if (path.includes('/history/')) return 'history';
  if (path.endsWith('/journal.ndjson')) return 'journal';
  if (path.endsWith('.tar.gz')) return 'archive';
  return path.endsWith('/backup.json') ? 'backup' : 'ours';
}

function readAs(how: FileKind, content: Buffer): string | Buffer {
  if (how === 'journal') return journalText(content.toString());
  if (how === 'archive') return archiveText(content);
  if (how === 'backup') return timeless(content.toString()).replace(/"(sha256|size)":[^,}]*/g, '');
  return how === 'ours' && content.length < 100_000 ? timeless(content.toString()) : content;
}

/** What the lines add up to, and whether the last one is torn. */
function journalText(text: string): string {
  const whole = wholeLines(text);
  const state = parseJournal(whole, 'journal');
  if (state === undefined) return text;
  const { started, done, door, goingBack, end } = state;
  const saved = [...started].sort(([a], [b]) => a - b);
  return timeless(JSON.stringify([saved, [...done].sort((a, b) => a - b), door, goingBack, end, whole.length < text.length]));
}

/** Whole archives by what they hold; those of person's files only by being whole, for they hold times. */
function archiveText(content: Buffer): string {
  try {
    const tar = gunzipSync(content);
    return tar.subarray(0, 12).toString() === 'slipway-data' ? timeless(treeText(new Map(unpackTree(tar, 'slipway-data')))) : 'whole';
  } catch {
    return `torn ${content.length > 0}`;
  }
}

/** Rows by their kind and moments by none. */
function timeless(text: string): string {
  const rows = text.replace(/(\d\.\d\.\d#)\d+/g, '$1').replace(/((\d\.\d\.\d#\+*(?:\\+n|\n)?))(\2)+/g, '$1');
  return rows.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T').replace(/^rows \d+$/gm, 'rows');
}
