// bump: the next base version, and a changelog to fill in. Rule: local files only, each replaced at once; run again, it changes nothing.
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeDurably } from '../../apply/durable.ts';
import { notesPath } from '../../model/changelog.ts';
import { ToolError } from '../../model/error.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { localTags, observeBase, observeIsThere } from '../../observe/release-tags.ts';
import { type Bump, bumpTarget, type FileWrite, planBump } from '../../plan/bump.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isPlanOnly, isSet } from '../command.ts';
import { PRODUCT_FLAGS, readProductFile } from './product-file.ts';

export const bump: Command = {
  name: 'bump',
  summary: 'the next base version, and a changelog to fill in',
  usage: 'VERSION|major|minor|patch',
  flags: { ...PRODUCT_FLAGS, ...CHANGING_FLAGS },
  run: async (context) => {
    const wanted = onlyWord(context);
    const { root, product } = await readProductFile(context);
    const { release } = product;
    const base = await observeBase(root, release.base);
    if (base === undefined) {
      throw new ToolError('E_CONFIG', 'there is nothing to bump: release.base is git, so the highest tag decides', {
        hint: 'Reserve with --version V, or set release.base, for example to package.json#version.',
      });
    }
    const { commit } = await observeCheckout(root, context.world);
    const tags = commit === null ? [] : await localTags(root, context.world);
    const to = bumpTarget(wanted, base.version, { rules: release, tags });
    const hasNotes = release.notes !== undefined && (await observeIsThere(root, notesPath(release.notes, to)));
    const planned = planBump(to, release, { ...base, hasNotes });
    if (isPlanOnly(context)) return planOf(planned, context);
    for (const write of planned.writes) await writeFile(root, write);
    return resultOf(planned);
  },
};

function onlyWord({ positionals, program }: Context): string {
  const [wanted, extra] = positionals;
  if (wanted !== undefined && extra === undefined) return wanted;
  const message = wanted === undefined ? 'bump to which version?' : `unexpected argument ${JSON.stringify(extra)}`;
  throw new ToolError('E_USAGE', message, { hint: `${program} bump VERSION, or major, minor or patch.` });
}

async function writeFile(root: string, { path, text, mode }: FileWrite): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeDurably(file, text, mode);
}

function planOf({ from, to, writes }: Bump, { flags }: Context): CommandResult {
  const steps = writes.map(({ path, why }) => ({ kind: 'write-file', why, path }));
  const text = writes.map(({ path, why }) => `${path}: ${why}\n`).join('') || `${to} already\n`;
  const exit = isSet(flags, 'exit-code') && writes.length > 0 ? { exit: 4 } : {};
  return { fields: { from, to, files: filesOf(writes), plan: { command: 'bump', steps, notes: [] } }, text, ...exit };
}

function resultOf({ from, to, writes }: Bump): CommandResult {
  const written = writes.map(({ path }) => `${path} is written\n`).join('');
  return { fields: { from, to, files: filesOf(writes) }, text: writes.length === 0 ? `${to} already\n` : `${from} -> ${to}\n${written}` };
}

function filesOf(writes: readonly FileWrite[]): readonly string[] {
  return writes.map(({ path }) => path);
}
