// Decides what a version bump writes: the base version and the changelog to fill in. Rule: versions only go up, and nobody's changelog is overwritten.
import { changelogStub, notesPath } from '../model/changelog.ts';
import { ToolError } from '../model/error.ts';
import { withValueInJson } from '../model/json-text.ts';
import type { BaseRule } from '../model/product.ts';
import type { TagRules } from '../model/tag.ts';
import { tagOf, versionOfAnyTag } from '../model/tag.ts';
import { compareVersions, isPrerelease, numbersOf, parseVersion, type Version, versionOf } from '../model/version.ts';

/** Of `release`, what a bump goes by. */
export interface BumpRules extends TagRules {
  readonly base: BaseRule;
  readonly notes: string | undefined;
}

export interface BumpFacts {
  /** The file of `release.base`. */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly version: Version;
  /** True when the new version has a changelog file. */
  readonly hasNotes: boolean;
}

export interface FileWrite {
  readonly path: string;
  readonly why: string;
  readonly text: string;
  readonly mode: number;
}

export interface Bump {
  readonly from: Version;
  readonly to: Version;
  /** In the order in which they are written: the base last, so that a cut-off bump is simply run again. */
  readonly writes: readonly FileWrite[];
}

/** The version after `from` that is meant: one by itself, or `major`, `minor` or `patch`. Throws E_USAGE for a malformed, lower or released one. */
export function bumpTarget(
  wanted: string,
  from: Version,
  { rules, tags }: { readonly rules: TagRules; readonly tags: readonly string[] },
): Version {
  const to = targetOf(wanted, from, rules);
  if (compareVersions(to, from) < 0) {
    throw new ToolError('E_USAGE', `${to} is lower than ${from}`, {
      hint: 'Versions only go up: give a higher one, or major, minor or patch.',
    });
  }
  const released = tags.find((tag) => versionOfAnyTag(rules, tag) === to);
  if (released === undefined || to === from) return to;
  throw new ToolError('E_USAGE', `${to} is released already: there is a tag ${released}`, { hint: 'Give a higher version.' });
}

/** The writes; none when the version is that already and has a changelog. */
export function planBump(to: Version, release: BumpRules, facts: BumpFacts): Bump {
  const { path, text, mode, version: from, hasNotes } = facts;
  const stub: FileWrite[] =
    release.notes === undefined || hasNotes
      ? []
      : [{ path: notesPath(release.notes, to), why: `a place for the notes of ${to}`, text: changelogStub(to), mode: 0o644 }];
  const why = `the next version is ${to}, after ${from}`;
  const base: FileWrite[] = to === from ? [] : [{ path, why, text: withVersion(release.base, text, to), mode }];
  return { from, to, writes: [...stub, ...base] };
}

function targetOf(wanted: string, from: Version, { tag, versions }: TagRules): Version {
  const { major, minor, patch } = numbersOf(from);
  if (wanted === 'major') return parseVersion(`${major + 1}.0.0`);
  const counted = wanted === 'minor' ? `${major}.${minor + 1}.0` : wanted === 'patch' ? `${major}.${minor}.${patch + 1}` : undefined;
  if (counted !== undefined && versions === 'dated') {
    throw new ToolError('E_USAGE', `a dated version counts on by itself, so there is no ${wanted} to bump`, {
      hint: `\`slipway reserve\` takes the next ${tagOf(tag, parseVersion('0.0.0')).replace('0.0.0', 'MAJOR.SEQ.YYYYMMDD')}; \`bump major\` begins a new MAJOR.`,
    });
  }
  const version = versionOf(counted ?? wanted);
  if (version !== undefined && !isPrerelease(version)) return version;
  const why = version === undefined ? 'is not a version' : 'has a prerelease part, which `slipway reserve` counts';
  throw new ToolError('E_USAGE', `${JSON.stringify(wanted)} ${why}`, { hint: 'Give X.Y.Z, or major, minor or patch.' });
}

/** The file with the new version, everything else as it is. */
function withVersion(base: BaseRule, text: string, to: Version): string {
  if (base.kind === 'json') return withValueInJson(text, base.key, to);
  return text.replace(/\S+/, () => to);
}
