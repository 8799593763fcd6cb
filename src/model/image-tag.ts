// The order of image tags, as far as they have one. Rule: only tags written alike are compared (same words around as many numbers); everything
// else is ignored, and nothing older is ever offered.

export interface TagShape {
  readonly prefix: string;
  /** Digits as written. */
  readonly numbers: readonly string[];
  /** What stands between the numbers. */
  readonly separators: readonly string[];
  readonly suffix: string;
}

export type TagChange = 'major' | 'minor' | 'patch';

export interface NewerTag {
  readonly tag: string;
  /** The first number, the second, or a later one is another. */
  readonly change: TagChange;
}

const LONGEST_TAG = 128;
/** Numbers with `.`, `-` or `T` between them; a number that runs into letters is a word: the `-6e32668` of a commit, the `-k3s1` of a build. */
const SHAPE = /^(\D*)(\d+(?:[.\-T]\d+(?![0-9A-SU-Ya-z]))*)(.*)$/;

/** The numbers of a tag and the words around them; undefined for a tag without a number. */
export function shapeOfTag(tag: string): TagShape | undefined {
  const [, prefix, core, suffix] = (tag.length <= LONGEST_TAG ? SHAPE.exec(tag) : null) ?? [];
  if (prefix === undefined || core === undefined || suffix === undefined) return undefined;
  return { prefix, numbers: core.split(/\D/), separators: core.split(/\d+/).slice(1, -1), suffix };
}

/** The newest of these tags that is written like the current one and comes after it. */
export function newerTag(current: string, listed: readonly string[]): NewerTag | undefined {
  const shape = shapeOfTag(current);
  if (shape === undefined) return undefined;
  const newest = listed
    .flatMap((tag) => {
      const other = shapeOfTag(tag);
      return other !== undefined && isAlike(shape, other) ? [{ tag, numbers: other.numbers }] : [];
    })
    .reduce((best, each) => (compareNumbers(each.numbers, best.numbers) > 0 ? each : best), { tag: current, numbers: shape.numbers });
  if (newest.tag === current) return undefined;
  const first = shape.numbers.findIndex((number, index) => compareNumber(number, newest.numbers[index] ?? '') !== 0);
  return { tag: newest.tag, change: first === 0 ? 'major' : first === 1 ? 'minor' : 'patch' };
}

function isAlike(a: TagShape, b: TagShape): boolean {
  const sameWords = a.prefix === b.prefix && a.suffix === b.suffix && a.separators.join(' ') === b.separators.join(' ');
  return sameWords && a.numbers.length === b.numbers.length && isDate(a.numbers[0]) === isDate(b.numbers[0]);
}

/** A year, or a date in digits: no number after a version's. */
function isDate(number = ''): boolean {
  return /^(?:19|20)\d\d(?:\d\d){0,2}$/.test(number);
}

function compareNumbers(a: readonly string[], b: readonly string[]): number {
  for (const [index, number] of a.entries()) {
    const order = compareNumber(number, b[index] ?? '');
    if (order !== 0) return order;
  }
  return 0;
}

/** Digits of any length. */
function compareNumber(a: string, b: string): number {
  const [one, two] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (one.length !== two.length) return one.length - two.length;
  return one < two ? -1 : one > two ? 1 : 0;
}
