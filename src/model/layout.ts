// The layout of `.slipway` below an install or a workspace. Rule: every path in it is made here.
import { join } from 'node:path';

/** The folder `.slipway` of an install or a workspace. */
export function stateFolder(root: string): string {
  return join(root, '.slipway');
}

export function journalPath(root: string): string {
  return join(stateFolder(root), 'journal.ndjson');
}

export function lockPath(root: string): string {
  return join(stateFolder(root), 'lock');
}

/** What the last command at work has reported, a JSON object a line; the result is the last one. */
export function progressPath(root: string): string {
  return join(stateFolder(root), 'progress.ndjson');
}

/** How the last command ended, for whoever watches from outside. */
export function resultPath(root: string): string {
  return join(stateFolder(root), 'result.json');
}

export function recordPath(root: string): string {
  return join(stateFolder(root), 'install.json');
}

/** The pristine files of a release, relative to the install: the base of every comparison. */
export function pristineFolder(version: string): string {
  return `.slipway/releases/${version}`;
}

/** The operator programs of releases, by digest. */
export function operatorsFolder(root: string): string {
  return join(stateFolder(root), 'operators');
}

/** Content-addressed downloads. */
export function cacheFolder(root: string): string {
  return join(stateFolder(root), 'cache');
}

/** What folders of the cache begin with in which a download arrives; the mark of the process that made it follows. */
export const INCOMING = 'incoming-';

/** An encrypted or packed backup, opened for one plan; relative to the install. It goes when the plan has ended. */
export function openedFolder(planId: string): string {
  return `.slipway/cache/opened/${planId}`;
}
