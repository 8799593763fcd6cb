// A YAML text changed to hold another value. Rule: what has not changed stays as it is written, to the byte; the result is read again and compared, and a text
// that cannot be brought there is given up.
import { isDeepStrictEqual as isSame } from 'node:util';
import { type Document, isAlias, isMap, isSeq, type Pair, parseDocument, stringify, type YAMLMap, type YAMLSeq } from 'yaml';
import { itemNames } from './compose-list.ts';
import type { Path } from './problem.ts';
import { type Fields, isFields } from './value-merge.ts';

/** A YAML file with one map in it. */
export interface YamlText {
  readonly text: string;
  readonly root: YAMLMap;
  readonly value: Fields;
}

/** Reads a YAML file that holds a map; undefined for everything else. */
export function readYamlMap(text: string): YamlText | undefined {
  const document: Document = parseDocument(text, { merge: true, prettyErrors: false, logLevel: 'silent' });
  if (document.errors.length > 0 || !isMap(document.contents)) return undefined;
  try {
    const value: unknown = document.toJS({ maxAliasCount: 1000 });
    return isFields(value) ? { text, root: document.contents, value } : undefined;
  } catch {
    return undefined; // aliases that multiply without end
  }
}

/**
 * Gives `mine` the value `wanted`; what is new is written as `theirs` writes it.
 * Undefined when that cannot be done line by line: flow style over several entries, anchors that are gone.
 */
export function editYaml(mine: YamlText, theirs: YamlText, wanted: Fields): string | undefined {
  const edits: Edit[] = [];
  const places = { mine: mine.text, theirs: theirs.text, edits };
  if (!editMap({ path: [], mine: mine.root, theirs: theirs.root, before: mine.value, vendor: theirs.value, wanted }, places))
    return undefined;
  const text = applyEdits(mine.text, edits);
  const after = readYamlMap(text);
  return after !== undefined && isSame(after.value, wanted) ? text : undefined;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Places {
  readonly mine: string;
  readonly theirs: string;
  readonly edits: Edit[];
}

interface MapEdit {
  readonly path: Path;
  readonly mine: YAMLMap;
  readonly theirs: YAMLMap | undefined;
  readonly before: Fields;
  readonly vendor: Fields;
  readonly wanted: Fields;
}

/** True when the edits that bring a block map to its wanted value were found. */
function editMap({ path, mine, theirs, before, vendor, wanted }: MapEdit, places: Places): boolean {
  if (mine.flow === true || mine.items.length === 0 || Object.keys(wanted).length === 0) return false;
  const pairs = new Map(mine.items.map((pair) => [keyOf(pair), pair]));
  const vendors = new Map(theirs?.items.map((pair) => [keyOf(pair), pair]));
  for (const [name, pair] of pairs) {
    if (name === '<<' || isSame(before[name], wanted[name])) continue;
    const whole = { pair, vendor: vendors.get(name), value: wanted[name], same: isSame(vendor[name], wanted[name]) };
    if (wanted[name] === undefined) places.edits.push({ ...linesOf(pair, places.mine), text: '' });
    else if (!editInside({ path: [...path, name], ...whole, before: before[name], theirs: vendor[name] }, places))
      replacePair(name, whole, places);
  }
  const added = Object.keys(wanted).filter((name) => !pairs.has(name) && !isSame(before[name], wanted[name]));
  const order = [...vendors.keys()];
  for (const name of added.sort((a, b) => order.indexOf(a) - order.indexOf(b))) {
    const at = placeFor(name, { order, pairs, wanted }, places.mine) ?? linesOf(mine.items[0] as Pair, places.mine).start;
    const same = isSame(vendor[name], wanted[name]);
    places.edits.push({
      start: at,
      end: at,
      text: written(name, { vendor: vendors.get(name), value: wanted[name], same }, columnOf(mine, places.mine), places),
    });
  }
  return true;
}

interface PairEdit {
  readonly pair: Pair;
  readonly vendor: Pair | undefined;
  readonly value: unknown;
  /** True when the wanted value is the vendor's. */
  readonly same: boolean;
}

/** True when the value was changed inside, entry by entry. */
function editInside(edit: PairEdit & { readonly path: Path; readonly before: unknown; readonly theirs: unknown }, places: Places): boolean {
  const { path, pair, vendor, before, theirs, value } = edit;
  const [mine, its] = [pair.value, vendor?.value];
  if (isMap(mine) && isFields(before) && isFields(value)) {
    const other = isMap(its) && isFields(theirs) ? { theirs: its, vendor: theirs } : { theirs: undefined, vendor: {} };
    return editMap({ path, mine, before, wanted: value, ...other }, places);
  }
  if (!isSeq(mine) || !Array.isArray(before) || !Array.isArray(value)) return false;
  return editList(
    { path, mine, before, wanted: value, theirs: isSeq(its) ? its : undefined, vendor: Array.isArray(theirs) ? theirs : [] },
    places,
  );
}

interface ListEdit {
  readonly path: Path;
  readonly mine: YAMLSeq;
  readonly theirs: YAMLSeq | undefined;
  readonly before: readonly unknown[];
  readonly vendor: readonly unknown[];
  readonly wanted: readonly unknown[];
}

/** True when the items of a block list that changed could be replaced, removed and added one by one. */
function editList({ path, mine, theirs, before, vendor, wanted }: ListEdit, places: Places): boolean {
  const [named, target] = [itemNames(path, before), itemNames(path, wanted)];
  if (mine.flow === true || mine.items.length === 0 || named === undefined || target === undefined || target.size === 0) return false;
  const [names, its] = [[...named.keys()], [...(itemNames(path, vendor)?.keys() ?? [])]];
  const itemAt = (seq: YAMLSeq | undefined, index: number, source: string): Lines | undefined => {
    const range = (seq?.items[index] as { readonly range?: Range } | undefined)?.range;
    return seq?.flow === true || range === undefined || range === null ? undefined : linesAt(range[0], range[1], source);
  };
  const textOf = (name: string): string => {
    const index = its.indexOf(name);
    const found = isSame(vendor[index], target.get(name)) ? itemAt(theirs, index, places.theirs) : undefined;
    if (found === undefined)
      return indent(stringify([target.get(name)], STYLE), 0, columnAt(itemAt(mine, 0, places.mine)?.start ?? 0, places.mine));
    return moved(found, places.theirs, {
      from: columnAt(found.start, places.theirs),
      to: columnAt(itemAt(mine, 0, places.mine)?.start ?? 0, places.mine),
    });
  };
  const lines = names.map((_, index) => itemAt(mine, index, places.mine));
  if (lines.some((each) => each === undefined || places.mine.slice(each.start, each.end).trimStart()[0] !== '-')) return false;
  for (const [index, name] of names.entries()) {
    const place = lines[index] as Lines;
    if (isSame(named.get(name), target.get(name))) continue;
    places.edits.push({ ...place, text: target.has(name) ? textOf(name) : '' });
  }
  const end = (lines.at(-1) as Lines).end;
  for (const name of target.keys()) if (!named.has(name)) places.edits.push({ start: end, end, text: textOf(name) });
  return true;
}

type Range = readonly [number, number, number] | null;

interface Lines {
  readonly start: number;
  readonly end: number;
}

function replacePair(name: string, edit: PairEdit, places: Places): void {
  const place = linesOf(edit.pair, places.mine);
  places.edits.push({ ...place, text: written(name, edit, columnAt(place.start, places.mine), places) });
}

const STYLE = { lineWidth: 0 } as const;

/** A whole entry, as the vendor writes it where it is the vendor's, otherwise in our own hand. */
function written(name: string, { vendor, value, same }: Omit<PairEdit, 'pair'>, column: number, places: Places): string {
  if (same && vendor !== undefined && !isAlias(vendor.value)) {
    const lines = withComments(linesOf(vendor, places.theirs), places.theirs);
    return moved(lines, places.theirs, { from: columnAt(linesOf(vendor, places.theirs).start, places.theirs), to: column });
  }
  return indent(stringify({ [name]: value }, STYLE), 0, column);
}

/** The end of the nearest entry that stands before `name` in the vendor's file and stays in ours. */
function placeFor(
  name: string,
  { order, pairs, wanted }: { readonly order: readonly string[]; readonly pairs: ReadonlyMap<string, Pair>; readonly wanted: Fields },
  text: string,
): number | undefined {
  const before = order.slice(0, Math.max(0, order.indexOf(name))).filter((each) => pairs.has(each) && wanted[each] !== undefined);
  const last = before.at(-1) ?? (order.includes(name) ? undefined : [...pairs.keys()].at(-1));
  const pair = last === undefined ? undefined : pairs.get(last);
  return pair === undefined ? undefined : linesOf(pair, text).end;
}

function keyOf({ key }: Pair): string {
  return String((key as { readonly value?: unknown } | null)?.value ?? key);
}

/** The lines of an entry, from its key to the last of its value. */
function linesOf({ key, value }: Pair, text: string): Lines {
  const start = (key as { readonly range?: Range } | null)?.range?.[0] ?? 0;
  const range = (value as { readonly range?: Range } | null)?.range;
  const keyEnd = (key as { readonly range?: Range } | null)?.range?.[1] ?? start;
  return linesAt(start, Math.max(range?.[1] ?? keyEnd, keyEnd), text);
}

function linesAt(start: number, end: number, text: string): Lines {
  const last = Math.max(start, text.slice(0, end).trimEnd().length);
  const newline = text.indexOf('\n', last);
  return { start: text.lastIndexOf('\n', start - 1) + 1, end: newline === -1 ? text.length : newline + 1 };
}

/** With the comment lines right above. */
function withComments({ start, end }: Lines, text: string): Lines {
  let from = start;
  for (;;) {
    const above = text.lastIndexOf('\n', from - 2) + 1;
    if (from === 0 || !text.slice(above, from).trimStart().startsWith('#')) return { start: from, end };
    from = above;
  }
}

function columnOf(map: YAMLMap, text: string): number {
  return columnAt(linesOf(map.items[0] as Pair, text).start, text);
}

/** The white space at the beginning of the line that begins here. */
function columnAt(start: number, text: string): number {
  return /^ */.exec(text.slice(start, text.indexOf('\n', start) === -1 ? undefined : text.indexOf('\n', start)))?.[0].length ?? 0;
}

function moved({ start, end }: Lines, text: string, { from, to }: { readonly from: number; readonly to: number }): string {
  return indent(text.slice(start, end), from, to);
}

/** Lines that begin with `from` spaces begin with `to`; each ends with a newline. */
function indent(text: string, from: number, to: number): string {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  return lines
    .map((line) => `${line.startsWith(' '.repeat(from)) && line.trim() !== '' ? ' '.repeat(to) + line.slice(from) : line}\n`)
    .join('');
}

function applyEdits(text: string, edits: readonly Edit[]): string {
  const crlf = /\r\n/.test(text);
  let out = text.endsWith('\n') || text === '' ? text : `${text}\n`;
  const ordered = edits.map((edit, index) => ({ ...edit, index })).sort((a, b) => b.start - a.start || b.end - a.end || b.index - a.index); // what is put in stands before what begins there
  for (const { start, end, text: piece } of ordered)
    out = out.slice(0, start) + (crlf ? piece.replace(/\n/g, '\r\n') : piece) + out.slice(end);
  return out;
}

/** The line of the entry at this path, or of the nearest one above it that is there. The first line is 1. */
export function lineOf({ text, root }: YamlText, path: Path): number {
  let [node, start]: [unknown, number] = [root, root.range?.[0] ?? 0];
  for (const name of path) {
    const pair: Pair | undefined = isMap(node) ? node.items.find((each) => keyOf(each) === String(name)) : undefined;
    if (pair === undefined) break;
    [node, start] = [pair.value, (pair.key as { readonly range?: Range } | null)?.range?.[0] ?? start];
  }
  return text.slice(0, start).split('\n').length;
}
