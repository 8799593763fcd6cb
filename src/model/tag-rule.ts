// The rules by which images get their tags: `1.{run}`, `{major}.{minor}`, `{date:YYYY.MMDD.HHmm}-{sha}`. Rule: dates are UTC; what a rule needs and an event
// does not have is a mistake of the product file.
import { TAGGED_EVENTS, type TaggedEvent, type TagTable } from './build-rules.ts';
import { isPrerelease, numbersOf, type Version, versionOf } from './version.ts';

/** What a rule's placeholders stand for in one build. */
export interface TagFacts {
  readonly version?: Version | undefined;
  /** The whole commit id; undefined outside of git. */
  readonly commit?: string | undefined;
  /** The CI's number of the run. */
  readonly run?: number | undefined;
  readonly date: Date;
}

const PLACE = /\{([^{}:]*)(?::([^{}]*))?\}/g;
const EVERYWHERE = ['sha', 'run', 'date'];
const PLACES: Readonly<Record<TaggedEvent, readonly string[]>> = {
  main: EVERYWHERE,
  branch: EVERYWHERE,
  release: ['version', 'major', 'minor', 'patch', ...EVERYWHERE],
};
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DATE_PART = /YYYY|MM|DD|HH|mm|ss/g;
const NUMBER = '(?:0|[1-9]\\d*)';

/** The tag of one rule; undefined where a placeholder's value is not known. */
export function renderTag(rule: string, facts: TagFacts): string | undefined {
  let whole = true;
  const tag = rule.replace(PLACE, (_, name: string, format: string | undefined) => {
    const value = factOf(name, format, facts);
    whole &&= value !== undefined;
    return value ?? '';
  });
  return whole && TAG.test(tag) ? tag : undefined;
}

/** What is wrong with a rule of this event, or undefined. */
export function tagRuleProblem(rule: string, event: TaggedEvent): string | undefined {
  for (const [place, name = '', format] of rule.matchAll(PLACE)) {
    const known = PLACES[event].includes(name);
    if (!known && TAGGED_EVENTS.some((other) => PLACES[other].includes(name))) return `the event ${event} has no ${place}`;
    if (!known) return `${place} is not known; there are ${PLACES[event].map((each) => `{${each}}`).join(' ')}`;
    if (name === 'date' && !isDateFormat(format))
      return `${place} is not a date: write it with YYYY MM DD HH mm ss, as in {date:YYYY.MMDD.HHmm}`;
    if (name !== 'date' && format !== undefined) return `${place} takes nothing after a colon`;
  }
  const sample = renderTag(rule, { version: '10.20.30' as Version, commit: 'a'.repeat(40), run: 1, date: new Date(0) });
  return sample === undefined ? `${JSON.stringify(rule)} makes no image tag` : undefined;
}

/** The rules of a release that a version follows: a prerelease moves nothing that floats. */
export function rulesFor(rules: readonly string[], version: Version): readonly string[] {
  return isPrerelease(version) ? rules.filter((rule) => !isFloating(rule)) : rules;
}

/** True for a rule whose tag moves from release to release: `{major}.{minor}`, `latest`. */
export function isFloating(rule: string): boolean {
  return !/\{(?:version|sha|run|date:[^{}]*)\}/.test(rule) && !/\{major\}.*\{minor\}.*\{patch\}/.test(rule);
}

/** True when a tag could have been made by this rule. */
export function isMadeBy(rule: string, tag: string): boolean {
  return expressionOf(rule).test(tag);
}

/** The moment that a tag of this rule names; undefined for other tags, for rules without a date, and for days that do not exist. */
export function dateOfTag(rule: string, tag: string): Date | undefined {
  const found = expressionOf(rule).exec(tag)?.groups;
  if (found === undefined || found.YYYY === undefined) return undefined;
  const part = (name: string, none: number): number => Number(found[name] ?? none);
  const [month, day, hour, minute, second] = [part('MM', 1), part('DD', 1), part('HH', 0), part('mm', 0), part('ss', 0)];
  const date = new Date(Date.UTC(part('YYYY', 0), month - 1, day, hour, minute, second));
  const same =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour && date.getUTCMinutes() === minute;
  return same ? date : undefined;
}

export interface RulePair {
  readonly first: string;
  readonly second: string;
  /** The tag that both can give. */
  readonly tag: string;
}

/** Rules of one event that can give the same tag for the same build. */
export function collidingRules(rules: readonly string[]): RulePair[] {
  return rules.flatMap((second, index) => rules.slice(0, index).flatMap((first) => pairOf(first, second, (facts) => [facts, facts])));
}

/** Rules of a push to the main branch and of a release that can give the same tag, the one for some run, the other for some version. */
export function crossingRules({ main, release }: TagTable): RulePair[] {
  const other = SAMPLES.flatMap((facts) => SAMPLES.map(({ version }): [TagFacts, TagFacts] => [facts, { ...facts, version }]));
  return main.flatMap((first) => release.flatMap((second) => firstPair(first, second, other)));
}

/** `1.2.3`, `v1.2.3`, `V.1.2.3-staging.4`: what people take for a release that never changes. */
export function looksLikeVersion(tag: string): boolean {
  return versionOf(tag.replace(/^[vV]\.?/, '')) !== undefined;
}

const SAMPLES: readonly TagFacts[] = ['1.5.0', '1.1.1', '5.5.5', '2.0.1'].flatMap((version) =>
  [1, 5, 42].map((run) => ({
    version: version as Version,
    run,
    commit: '6e32668'.padEnd(40, '0'),
    date: new Date(Date.UTC(2026, 6, 22, 8, 23)),
  })),
);

function pairOf(first: string, second: string, split: (facts: TagFacts) => [TagFacts, TagFacts]): RulePair[] {
  return firstPair(first, second, SAMPLES.map(split));
}

function firstPair(first: string, second: string, facts: readonly (readonly [TagFacts, TagFacts])[]): RulePair[] {
  for (const [one, other] of facts) {
    const tag = renderTag(first, one);
    if (tag !== undefined && tag === renderTag(second, other)) return [{ first, second, tag }];
  }
  return [];
}

function factOf(name: string, format: string | undefined, { version, commit, run, date }: TagFacts): string | undefined {
  switch (name) {
    case 'version':
      return version;
    case 'major':
    case 'minor':
    case 'patch':
      return version === undefined ? undefined : String(numbersOf(version)[name]);
    case 'sha':
      return commit?.slice(0, 7);
    case 'run':
      return run === undefined ? undefined : String(run);
    case 'date':
      return format === undefined ? undefined : printDate(format, date);
    default:
      return undefined;
  }
}

function isDateFormat(format: string | undefined): boolean {
  return format?.includes('YYYY') === true && /^[._-]*$/.test(format.replace(DATE_PART, ''));
}

function printDate(format: string, date: Date): string {
  const [, YYYY, MM, DD, HH, mm, ss] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/.exec(date.toISOString()) ?? [];
  const parts: Readonly<Record<string, string | undefined>> = { YYYY, MM, DD, HH, mm, ss };
  return format.replace(DATE_PART, (part) => parts[part] ?? '');
}

/** A rule as a pattern of its tags; the parts of its first date are named. */
function expressionOf(rule: string): RegExp {
  const named = new Set<string>();
  const group = (name: string, pattern: string): string => {
    if (named.has(name)) return pattern;
    named.add(name);
    return `(?<${name}>${pattern})`;
  };
  const pattern = rule.split(/(\{[^{}]*\})/).map((part) => {
    const [name = '', format = ''] = part.startsWith('{') ? part.slice(1, -1).split(/:(.*)/s) : [];
    if (name === 'sha') return '[0-9a-f]{7}';
    if (name === 'run') return '[1-9]\\d*';
    if (name === 'major' || name === 'minor' || name === 'patch') return NUMBER;
    if (name === 'version') return `${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-[0-9A-Za-z.-]+)?`;
    if (name !== 'date') return plain(part);
    return format
      .split(/(YYYY|MM|DD|HH|mm|ss)/)
      .map((token) =>
        token === 'YYYY' ? group(token, '\\d{4}') : /^(?:MM|DD|HH|mm|ss)$/.test(token) ? group(token, '\\d\\d') : plain(token),
      )
      .join('');
  });
  return new RegExp(`^${pattern.join('')}$`);
}

function plain(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
