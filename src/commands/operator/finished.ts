// Has the installed release ended what it does in the background? Rule: the vendor's probes say so, not healthy containers; before that nobody leaves it.
import { probeTrouble } from '../../apply/steps/health.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { finishedProbesOf } from '../../plan/release-steps.ts';
import type { Context } from '../command.ts';

/** Milliseconds between two questions. */
const ASK_EVERY = 5000;
/** Seconds that a hop waits for the one before it, where the release does not say. */
const PATIENCE = 3600;

/** Throws E_POLICY while a probe `after: finished` says no; `wait` gives the release its time first. */
export async function refuseUnfinished({ world }: Context, install: InstallFacts, wait: boolean): Promise<void> {
  const { manifest, record, root, project } = install;
  const patience = wait ? (manifest.upgrade.finishTimeout ?? PATIENCE) : 0;
  const begun = world.now().getTime();
  for (const probe of finishedProbesOf(manifest, record.features)) {
    for (;;) {
      const trouble = await probeTrouble(probe, { project }, { root, world });
      if (trouble === undefined) break;
      const waited = (world.now().getTime() - begun) / 1000;
      if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted');
      if (waited >= patience) throw unfinished(manifest.version, trouble);
      world.report({
        type: 'progress',
        text: `${manifest.version} is still at work: ${trouble}`,
        done: waited,
        total: patience,
        unit: 'seconds',
      });
      await world.sleep(ASK_EVERY);
    }
  }
}

function unfinished(version: string, trouble: string): ToolError {
  return new ToolError('E_POLICY', `${version} has not ended what it does in the background: ${trouble}`, {
    hint: 'Let it run, and upgrade when it has: `upgrade` asks again.',
  });
}
