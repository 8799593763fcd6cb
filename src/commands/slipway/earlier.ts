// A maintainer's command that was cut off. Rule: the next one ends it first, at exactly the old or exactly the new state, then goes on.
import { existsSync } from 'node:fs';
import { openJournal } from '../../apply/journal.ts';
import { takeLock } from '../../apply/lock.ts';
import { journalPath, lockPath } from '../../model/layout.ts';
import { type Context, isPlanOnly } from '../command.ts';

/** Ends what an earlier command left open in this workspace; with --plan, nothing is touched. */
export async function endEarlier(root: string, context: Context, command: string): Promise<void> {
  if (isPlanOnly(context) || !existsSync(journalPath(root))) return;
  const lock = await takeLock({ path: lockPath(root), command }, context.world);
  try {
    const journal = await openJournal(root);
    if (journal === undefined) return;
    const { command: earlier } = journal.state.head;
    const { recoverOpen } = await import('../carry-out.ts');
    const { outcome } = await recoverOpen(journal, root, context);
    const how = outcome === 'done' ? 'was finished' : outcome === 'undone' ? 'was taken back' : 'was ended unfinished';
    context.world.report({ type: 'note', text: `An earlier ${earlier} that was cut off ${how}.` });
  } finally {
    await lock.release();
  }
}
