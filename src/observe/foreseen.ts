// An install as a plan will leave it, laid out in a private folder. Rule: the install itself is only read; what the plan writes is written elsewhere.
import { chmod, copyFile, mkdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Content, FileToWrite, Planned, Step } from '../model/plan.ts';
import { statIfThere } from '../world/disk.ts';

/** Writes what the plan stages into the folder `place`; `before` is where the person's links and compose override lie now. */
export async function layOutInstall({ plan, contents }: Planned, before: string, place: string): Promise<void> {
  for (const step of plan.steps) {
    if (step.kind !== 'stage-files') continue;
    const folder = join(place, isTree(step) ? '.' : step.to);
    for (const file of step.files) await writeContent(join(folder, file.path), file, contents.get(file.content));
    for (const path of step.links ?? []) await takeAlong(join(before, path), join(place, path));
  }
}

/** The tree that will be swapped in; everything else is written where it stays. */
function isTree({ to }: Step<'stage-files'>): boolean {
  return to.startsWith('.slipway/staged/');
}

async function writeContent(path: string, { mode }: FileToWrite, content: Content | undefined): Promise<void> {
  if (content === undefined) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if ('text' in content) await writeFile(path, content.text, { mode: 0o600 });
  else await copyFile(content.file, path);
  await chmod(path, mode);
}

/** A link, or a file of the person's own; folders of their own are in nobody's way. */
async function takeAlong(from: string, to: string): Promise<void> {
  const stats = await statIfThere(from);
  if (stats === undefined) return;
  if (!stats.isSymbolicLink() && !stats.isFile()) return;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  if (stats.isSymbolicLink()) await symlink(await readlink(from), to);
  else await copyFile(from, to);
}
