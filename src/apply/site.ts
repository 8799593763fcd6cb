// Where a plan works: the folders below `.slipway/staged/<plan id>`. Rule: everything there belongs to one plan and goes when it has ended.
import { join } from 'node:path';
import { hexOf } from '../model/digest.ts';
import { stateFolder } from '../model/layout.ts';
import type { World } from '../model/seams.ts';
import type { Site } from './handler.ts';

/** The folder of a plan's own files. */
export function workFolder(root: string, planId: string): string {
  return join(stateFolder(root), 'staged', planId);
}

/** The contents that a plan's steps name, one file per digest. */
export function contentsFolder(root: string, planId: string): string {
  return join(workFolder(root, planId), 'contents');
}

/** Copies of what steps replaced, one folder per step's own name. */
export function undoFolder(site: Site, name: string): string {
  return join(workFolder(site.root, site.planId), 'undo', name);
}

export function siteOf(root: string, planId: string, world: World): Site {
  return { root, planId, world, interrupted: () => false, content: (digest) => join(contentsFolder(root, planId), hexOf(digest)) };
}
