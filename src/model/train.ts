// The branches that changes pass on their way to a release. Rule: each follows one other, and holds nothing that the one before it lacks.
import { ToolError } from './error.ts';
import type { GitAddress } from './git-work.ts';

/** What a product says of its branches (`sync`). */
export interface SyncRules {
  /** In the order in which changes pass them; undefined = what channels say. */
  readonly train?: readonly string[];
  /** Remotes of the checkout, repositories or addresses; the first is asked for tags and files. */
  readonly remotes: readonly string[];
  /** Shell lines that must go well on a commit before a branch goes to it. */
  readonly gate: readonly string[];
}

/** Of a channel, what says which branch follows which. */
export interface ChannelBranch {
  readonly branch?: string;
  readonly promoteFrom?: string;
}

/** A branch, and the one that follows it. */
export interface TrainPair {
  readonly from: string;
  readonly to: string;
}

export interface CommitLine {
  readonly id: string;
  /** As its author wrote it, without control characters. */
  readonly subject: string;
  readonly author: string;
}

/** Commits of a branch that another one lacks. */
export interface Commits {
  readonly count: number;
  /** The newest of them, newest first. */
  readonly newest: readonly CommitLine[];
}

/** The commits of two branches; undefined where there is no such branch. */
export interface TrainHeads {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** What a remote shows of both branches. */
export interface TrainLook extends TrainHeads {
  readonly remote: GitAddress;
  /** What `from` has and `to` lacks, and the other way round. */
  readonly going: Commits;
  readonly foreign: Commits;
  /** Branches of the checkout with commits that neither branch of this remote has. */
  readonly unpushed: readonly string[];
  /** The commits under its tags, by their names. */
  readonly tags: ReadonlyMap<string, string>;
  /** The text of the file that was asked for, as `from` has it. */
  readonly file: string | undefined;
  /** What stood in the way of looking. */
  readonly problem: ToolError | undefined;
}

/** True for a branch's name as we write it into commands, file names and workflows: what git takes, without signs that mean something elsewhere. */
export function isBranchName(name: string): boolean {
  return /^[A-Za-z0-9_][\w./+-]{0,200}$/.test(name) && !/\.\.|\/\/|\/\.|\.lock(?:\/|$)|[./]$/.test(name) && name !== 'HEAD';
}

/** Which branch follows which: `sync.train`, else the branches of channels that are promoted from another. */
export function trainPairs({ train }: SyncRules, channels: Readonly<Record<string, ChannelBranch>>): TrainPair[] {
  if (train !== undefined) return train.slice(1).map((to, index) => ({ from: train[index] ?? '', to }));
  return Object.values(channels).flatMap(({ branch, promoteFrom = '' }) => {
    const from = Object.hasOwn(channels, promoteFrom) ? channels[promoteFrom]?.branch : undefined;
    return branch === undefined || from === undefined ? [] : [{ from, to: branch }];
  });
}

/** Throws E_USAGE for names that are none, and E_POLICY for a branch that follows another one. */
export function refuseOffTrain({ from, to }: TrainPair, rules: SyncRules, channels: Readonly<Record<string, ChannelBranch>>): void {
  const bad = [from, to].find((name) => !isBranchName(name));
  if (bad !== undefined) {
    throw new ToolError('E_USAGE', `${JSON.stringify(bad)} is not the name of a branch`, {
      hint: 'Give the names alone: slipway sync develop staging',
    });
  }
  if (from === to)
    throw new ToolError('E_USAGE', `${from} cannot follow itself`, { hint: 'Give two branches: slipway sync develop staging' });
  const pairs = trainPairs(rules, channels);
  if (pairs.some((pair) => pair.from === from && pair.to === to)) return;
  const before = pairs.find((pair) => pair.to === to)?.from;
  if (before === undefined && rules.train === undefined) return;
  const follows = before === undefined ? `no branch of this product goes to ${to}` : `${to} follows ${before}, never ${from}`;
  throw new ToolError('E_POLICY', follows, {
    hint: `In this order: ${pairs.map((pair) => `slipway sync ${pair.from} ${pair.to}`).join(', then ')}.`,
  });
}
