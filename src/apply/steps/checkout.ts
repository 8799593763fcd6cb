// A git checkout goes to another commit. Rule: only paths that both commits have differently are written, and none of them when a person changed it meanwhile.
import { cp, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { Step } from '../../model/plan.ts';
import { statIfThere } from '../../world/disk.ts';
import { type Checkout, changedPaths, editedPaths, exportTree, headOf, moveCheckout } from '../../world/git-checkout.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { workFolder } from '../site.ts';

const stageCheckout: Handler<'stage-checkout'> = {
  done: async () => false, // a tree that was cut off half-way looks like one that lacks files
  run: async (step, site) => {
    const to = join(site.root, step.to);
    await rm(to, { recursive: true, force: true });
    await exportTree(checkoutOf(site), step.commit, to);
    for (const path of step.edits) await copyEdit(site.root, to, path);
    for (const { path, to: target } of step.links) await linkAt(join(to, path), join(site.root, target));
  },
  undo: async (step, _saved, site) => rm(join(site.root, step.to), { recursive: true, force: true }),
};

const moveStep: Handler<'move-checkout'> = {
  done: async (step, site) => step.from === step.commit || (await headOf(checkoutOf(site))) === step.commit, // the branch moves last
  save: async (step, site) => {
    await refuseLateEdits(step, site);
    return {};
  },
  run: async ({ branch, from, commit }, site) => moveCheckout(checkoutOf(site), { branch, from, to: commit }),
  undo: async ({ branch, from, commit }, _saved, site) => moveCheckout(checkoutOf(site), { branch, from: commit, to: from }),
};

/** The handlers of git checkouts. */
export const checkoutSteps = { 'stage-checkout': stageCheckout, 'move-checkout': moveStep } satisfies Partial<Handlers>;

function checkoutOf(site: Site): Checkout {
  return { root: site.root, world: site.world, work: join(workFolder(site.root, site.planId), 'git') };
}

/** The file as it lies in the checkout, or none where the person removed it. */
async function copyEdit(root: string, to: string, path: string): Promise<void> {
  await rm(join(to, path), { recursive: true, force: true });
  if ((await statIfThere(join(root, path))) === undefined) return;
  await mkdir(dirname(join(to, path)), { recursive: true });
  await cp(join(root, path), join(to, path), { recursive: true, verbatimSymlinks: true });
}

/** What is not there needs no link. */
async function linkAt(path: string, target: string): Promise<void> {
  if ((await statIfThere(target)) === undefined) return;
  await rm(path, { recursive: true, force: true });
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

/** Edits that came after the plan was shown. */
async function refuseLateEdits({ from, commit }: Step<'move-checkout'>, site: Site): Promise<void> {
  const checkout = checkoutOf(site);
  const edited = new Set(await editedPaths(checkout, from));
  const changes = await changedPaths(checkout, from, commit);
  const late: string[] = [];
  for (const { path, change } of changes) if (change === 'added' ? await isFile(join(site.root, path)) : edited.has(path)) late.push(path);
  if (late.length === 0) return;
  throw new ToolError('E_CONFLICT', `edited since the plan was made: ${late.join(', ')}`, {
    hint: 'Your edits are kept. Commit or stash them, then run the same command again.',
  });
}

async function isFile(path: string): Promise<boolean> {
  const found = await statIfThere(path);
  return found !== undefined && !found.isDirectory();
}
