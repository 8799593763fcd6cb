// Decides whether a branch goes forward to another one's commit. Rule: on all remotes or on none, and never back or sideways; everything that stands in the way is told at once.
import { type Digest, digestOf } from '../model/digest.ts';
import { type ErrorCode, ToolError } from '../model/error.ts';
import type { GitAddress } from '../model/git-work.ts';
import { canonicalJson } from '../model/json.ts';
import { valueInJson } from '../model/json-text.ts';
import type { Planned, Step } from '../model/plan.ts';
import type { BaseRule, ReleaseRules } from '../model/product.ts';
import { versionOfAnyTag } from '../model/tag.ts';
import type { Commits, TrainLook, TrainPair } from '../model/train.ts';
import { coreOf, type Version, versionOf } from '../model/version.ts';

export interface SyncFacts {
  readonly checkout: { readonly changed: readonly string[]; readonly untracked: readonly string[] };
  readonly remotes: readonly TrainLook[];
}

export interface SyncWanted extends TrainPair {
  readonly id: string;
  readonly gate: readonly string[];
  /** The product file's folder below the repository's top; `.` = the top. */
  readonly folder: string;
  readonly release: Pick<ReleaseRules, 'tag' | 'versions' | 'formerTags' | 'base' | 'channels'>;
}

interface Obstacle {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

const MOST_SHOWN = 10;

/** The plan; without steps when all remotes are in sync. Throws the first obstacle's code, with all of them in its details. */
export function planSync(wanted: SyncWanted, facts: SyncFacts): Planned {
  refuseObstacles(wanted, facts);
  const { id, to, gate, folder } = wanted;
  const behind = facts.remotes.filter((each) => each.from !== each.to);
  const moves = behind.map(({ remote, from: commit = '', to: before = '', going }): Step => {
    const why = `${remote.name}: ${to} goes forward by ${counted(going.count)}, from ${short(before)} to ${short(commit)}`;
    return { kind: 'move-branch', why, ...remote, branch: to, before, commit };
  });
  const [first] = behind;
  const trial: Step[] =
    first?.from === undefined || gate.length === 0
      ? []
      : [
          {
            kind: 'try-commit',
            why: `${short(first.from)} must pass before it goes on`,
            ...first.remote,
            commit: first.from,
            folder,
            lines: gate,
          },
        ];
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'sync',
    basedOn: syncBasis(wanted, facts.remotes),
    steps: [...trial, ...moves],
    commitAfter: moves.length === 0 ? -1 : trial.length - 1, // what a branch's followers may have read is not taken back
    notes: moves.length === 0 ? [] : notesOf(wanted, facts, first?.going),
  } as const;
  return { plan, contents: new Map() };
}

/** What the decision rests on: where both branches are on each remote. */
export function syncBasis({ from, to }: TrainPair, remotes: readonly Pick<TrainLook, 'remote' | 'from' | 'to'>[]): Digest {
  const heads = remotes.map((each) => ({ url: each.remote.url, from: each.from ?? null, to: each.to ?? null }));
  return digestOf(canonicalJson({ from, to, heads }));
}

function notesOf({ from, to, release }: SyncWanted, { checkout, remotes }: SyncFacts, going?: Commits): string[] {
  const lines = linesOf(going);
  const [first] = remotes;
  const { untracked } = checkout;
  const untested = first !== undefined && lacksPrerelease(first, to, release);
  return [
    ...(lines.length === 0 ? [] : [`New on ${to}: ${lines.join('; ')}`]),
    ...(untested ? [`No prerelease is tagged on this commit of ${from}: what is promoted may be an earlier one.`] : []),
    ...(untracked.length === 0 ? [] : [`Files that git does not know stay here: ${someOf(untracked)}.`]),
  ];
}

/** True where what arrives is promoted, and nothing was reserved for this very commit. */
function lacksPrerelease({ from, tags }: TrainLook, to: string, release: SyncWanted['release']): boolean {
  const isPromoted = Object.values(release.channels).some(({ branch, promoteFrom }) => branch === to && promoteFrom !== undefined);
  return isPromoted && ![...tags].some(([tag, commit]) => commit === from && versionOfAnyTag(release, tag) !== undefined);
}

function refuseObstacles(wanted: SyncWanted, facts: SyncFacts): void {
  const { from, to } = wanted;
  const { changed } = facts.checkout;
  const dirty: Obstacle[] = changed.length === 0 ? [] : [uncommitted(changed)];
  const remote = facts.remotes.flatMap((each) => remoteObstacles(wanted, each));
  const all = [...dirty, ...remote, ...apart(wanted, facts.remotes)];
  const [first, ...others] = all;
  if (first === undefined) return;
  const message = [first, ...others].map((each) => each.message).join('\n  ');
  throw new ToolError(first.code, `${to} stays where it is: ${message}`, { hint: first.hint, details: { from, to, problems: all } });
}

function uncommitted(changed: readonly string[]): Obstacle {
  const message = `${changed.length === 1 ? 'a file is' : `${changed.length} files are`} not as committed: ${someOf(changed)}`;
  return { code: 'E_DIRTY', message, hint: 'Commit them and push, or put them aside: git stash' };
}

/** In the order in which a person would meet them. */
function remoteObstacles(wanted: SyncWanted, look: TrainLook): Obstacle[] {
  const { remote, problem, from, to } = look;
  if (problem !== undefined) return [{ code: problem.code, message: `${remote.name}: ${problem.message}`, hint: problem.hint ?? '' }];
  if (from === undefined) return [noBranch(remote, wanted.from, `git push ${remote.name} ${wanted.from}`)];
  if (to === undefined) return [noBranch(remote, wanted.to, `git push ${remote.name} ${from}:refs/heads/${wanted.to}`)];
  return [...look.unpushed.map((name) => unpushed(remote, name, wanted)), ...sideways(wanted, look), ...released(wanted, look)];
}

function noBranch({ name }: GitAddress, branch: string, command: string): Obstacle {
  return { code: 'E_NOT_FOUND', message: `${name} has no branch ${branch}`, hint: `Check the name; to make the branch: ${command}` };
}

function unpushed({ name }: GitAddress, branch: string, { from, to }: SyncWanted): Obstacle {
  const message = `${branch} here has commits that ${name} lacks: see git log ${name}/${branch}..${branch}`;
  const hint =
    branch === from
      ? `Push them first: git push ${name} ${from}`
      : `${to} only ever follows ${from}: bring them there, then git fetch ${name} && git branch -f ${to} ${name}/${to}`;
  return { code: 'E_CONFLICT', message, hint };
}

function sideways({ from, to }: SyncWanted, { remote, foreign }: TrainLook): Obstacle[] {
  if (foreign.count === 0) return [];
  const message = `${remote.name}: ${to} has ${counted(foreign.count)} that ${from} lacks, so it cannot go forward: ${linesOf(foreign).join('; ')}`;
  const hint = `Bring them into ${from}: git switch ${from} && git merge ${remote.name}/${to} && git push ${remote.name} ${from}, then sync again.`;
  return [{ code: 'E_CONFLICT', message, hint }];
}

/** A branch that publishes by itself needs a version that nobody has. */
function released({ to, release }: SyncWanted, { from, to: now, tags, file }: TrainLook): Obstacle[] {
  const publishes = Object.values(release.channels).some(
    ({ branch, prerelease, promoteFrom }) => branch === to && (prerelease !== undefined || promoteFrom !== undefined),
  );
  const version = file === undefined ? undefined : versionIn(file, release.base);
  if (!publishes || version === undefined || from === now) return [];
  const taken = [...tags].find(([tag, commit]) => versionOfAnyTag(release, tag) === version && commit !== from)?.[0];
  if (taken === undefined) return [];
  const message = `${version} is released already: ${taken} is on another commit`;
  return [{ code: 'E_POLICY', message, hint: 'Begin the next version: slipway bump patch, commit and push, then sync again.' }];
}

function versionIn(text: string, base: BaseRule): Version | undefined {
  if (base.kind === 'git') return undefined;
  const version = versionOf((base.kind === 'text' ? text.trim() : valueInJson(text, base.key, base.path)) ?? '');
  return version === undefined ? undefined : coreOf(version);
}

/** The first remote says what all others must have, too. */
function apart({ from }: SyncWanted, remotes: readonly TrainLook[]): Obstacle[] {
  const [first, ...others] = remotes.filter((each) => each.from !== undefined);
  return others
    .filter((each) => each.from !== first?.from)
    .map(({ remote, from: commit = '' }) => ({
      code: 'E_CONFLICT',
      message: `${from} is at ${short(first?.from ?? '')} on ${first?.remote.name}, and at ${short(commit)} on ${remote.name}`,
      hint: `Make them the same first: git push ${remote.name} ${from}`,
    }));
}

function linesOf(commits: Commits | undefined): string[] {
  if (commits === undefined) return [];
  const lines = commits.newest.slice(0, MOST_SHOWN).map(({ id, subject, author }) => `${short(id)} ${subject} (${author})`);
  return commits.count > MOST_SHOWN ? [...lines, `and ${commits.count - MOST_SHOWN} more`] : lines;
}

function someOf(paths: readonly string[]): string {
  return `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ` and ${paths.length - 5} more` : ''}`;
}

function counted(count: number): string {
  return count === 1 ? '1 commit' : `${count} commits`;
}

function short(commit: string): string {
  return commit.slice(0, 10);
}
