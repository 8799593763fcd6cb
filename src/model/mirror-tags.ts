// Which tags of a repository a mirror takes: `1.2`, `/regex/`, `*`, or a digest. Rule: what a registry lists is bounded before a pattern sees it,
// and signatures are no images.
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { parseImageRef } from './image.ts';

export type TagRule =
  | { readonly kind: 'tag'; readonly tag: string; readonly as: string }
  /** Without `as` the image is there by its digest alone. */
  | { readonly kind: 'digest'; readonly digest: Digest; readonly as?: string }
  /** Every tag that the pattern finds; `*` finds all. `text` is what was written. */
  | { readonly kind: 'pattern'; readonly text: string; readonly pattern: RegExp };

/** One thing to copy: what it is called upstream, and the tag that it gets. */
export interface TagPair {
  readonly from: { readonly tag: string } | { readonly digest: Digest };
  readonly as?: string;
}

export interface MatchedTags {
  readonly pairs: readonly TagPair[];
  /** Patterns that found nothing, as written. */
  readonly unmatched: readonly string[];
}

const WHOLE = '*';
const LONGEST_PATTERN = 200;
const LONGEST_TAG = 128;
/** Where cosign and the referrers fallback keep what belongs to an image (distribution-spec: Referrers Tag Schema). */
const ATTACHED = /^sha256-[0-9a-f]{64}(?:\.[a-z]+)?$/;

/** Parses one item of `tags`, with the tag that it gets at the destination. Throws E_FORMAT that begins with `where`. */
export function parseTagRule(text: string, as: string | undefined, where: string): TagRule {
  if (text === WHOLE || text.startsWith('/')) {
    if (as !== undefined) throw new ToolError('E_FORMAT', `${where}: ${text} stands for several tags, so asTags cannot name them`);
    return { kind: 'pattern', text, pattern: text === WHOLE ? /^/ : compilePattern(text, where) };
  }
  const given = as === undefined ? undefined : parseTag(as, where);
  if (!text.includes(':')) return { kind: 'tag', tag: parseTag(text, where), as: given ?? text };
  return { kind: 'digest', digest: parseDigest(text, where), ...(given === undefined ? {} : { as: given }) };
}

/** What the rules take of these tags, each thing once. Tags that are written need not be listed. */
export function matchTags(rules: readonly TagRule[], listed: readonly string[]): MatchedTags {
  const images = listed.filter((tag) => isTag(tag) && !ATTACHED.test(tag));
  const found = rules.map((rule) => ({ rule, pairs: pairsOf(rule, images) }));
  const unique = new Map(found.flatMap(({ pairs }) => pairs).map((pair) => [JSON.stringify(pair), pair]));
  const unmatched = found.flatMap(({ rule, pairs }) => (rule.kind === 'pattern' && pairs.length === 0 ? [rule.text] : []));
  return { pairs: [...unique.values()], unmatched };
}

/** True when the registry must be asked which tags there are. */
export function needsTagList(rules: readonly TagRule[]): boolean {
  return rules.some(({ kind }) => kind === 'pattern');
}

function pairsOf(rule: TagRule, listed: readonly string[]): TagPair[] {
  if (rule.kind === 'tag') return [{ from: { tag: rule.tag }, as: rule.as }];
  if (rule.kind === 'digest') return [{ from: { digest: rule.digest }, ...(rule.as === undefined ? {} : { as: rule.as }) }];
  return listed.filter((tag) => rule.pattern.test(tag)).map((tag) => ({ from: { tag }, as: tag }));
}

/** The author anchors it; flags would make it another pattern than the one that is read. */
function compilePattern(text: string, where: string): RegExp {
  const [, inner] = /^\/(.+)\/$/.exec(text) ?? [];
  const problem = `${where}: ${JSON.stringify(text.slice(0, LONGEST_PATTERN))} is not a pattern`;
  if (inner === undefined) throw new ToolError('E_FORMAT', `${problem}: it begins with / and must end with /`);
  if (text.length > LONGEST_PATTERN) throw new ToolError('E_FORMAT', `${problem}: it is longer than ${LONGEST_PATTERN} characters`);
  try {
    return new RegExp(inner);
  } catch (cause) {
    throw new ToolError('E_FORMAT', `${problem}: ${(cause as Error).message}`, { cause });
  }
}

function parseTag(text: string, where: string): string {
  if (isTag(text)) return text;
  throw new ToolError('E_FORMAT', `${where}: ${JSON.stringify(text)} is not a tag`);
}

function isTag(text: string): boolean {
  if (text.length > LONGEST_TAG) return false;
  try {
    return parseImageRef(`x:${text}`, 'tag').tag === text;
  } catch {
    return false;
  }
}
