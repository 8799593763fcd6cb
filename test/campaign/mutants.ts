// Engines with one rule dropped. Rule: each must leave wrong end states, or the campaign proves nothing.
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Handler, Handlers, Site } from '../../src/apply/handler.ts';
import type { Journal } from '../../src/apply/journal.ts';
import type { JournalLine, Saved } from '../../src/model/journal.ts';
import { journalPath } from '../../src/model/layout.ts';
import type { Kind, Plan, Planned, Step } from '../../src/model/plan.ts';
import type { Case, Mutant } from './crash.ts';
import type { Scenario } from './scenario.ts';

export interface MutantTrial extends Mutant {
  readonly scenario: string;
  /** The points where dropping the rule shows. */
  readonly where: RegExp;
  readonly direction: Case['direction'];
  /** Cut off twice: the rule is about going on. */
  readonly twice?: true;
}

const UPGRADE = 'upgrade through a door';

export const MUTANTS: readonly MutantTrial[] = [
  {
    name: 'the world is not asked done() when going on',
    ...{ scenario: UPGRADE, where: /^after (close-backup|stop-services)\.run/, direction: 'forward' },
    handlers: (handlers) => changeEach(handlers, (_, handler) => ({ ...handler, done: async () => false })),
  },
  {
    name: 'undo data is saved after the effect',
    ...{ scenario: UPGRADE, where: /^(before|after) [a-z-]+\.run/, direction: 'back' },
    handlers: saveLate,
  },
  {
    name: 'no start is written before the effect',
    ...{ scenario: UPGRADE, where: /^after [a-z-]+\.run/, direction: 'back' },
    journal: (journal) => startLate(journal),
  },
  {
    name: 'there is no point of no return',
    ...{ scenario: UPGRADE, where: /^(before|after) (check-health|remove-paths|remove-images)\./, direction: 'back' },
    journal: (journal) => ({ ...journal, append: async (line) => ('door' in line ? undefined : journal.append(line)) }),
  },
  {
    name: 'a half-done migration is done again as it is',
    ...{ scenario: UPGRADE, where: /^amid docker run$|^after run-job\.run/, direction: 'forward' },
    planned: withoutRestorer,
  },
  {
    name: 'an undo that cannot be repeated',
    ...{ scenario: 'upgrade, the migration fails', where: /^(before|after) run-job\.undo/, direction: 'back' },
    handlers: reverseMigration,
  },
  {
    name: 'the torn last line is not cut',
    ...{ scenario: UPGRADE, where: /^torn journal (start|done)/, direction: 'back', twice: true },
    opened: ({ stage }) => appendFileSync(journalPath(stage.root), '{"star'),
  },
  {
    name: 'a copy that was cut off leaves its container',
    ...{ scenario: UPGRADE, where: /^(before|amid|after) docker cp/, direction: 'back' },
    handlers: (handlers) => ({ ...handlers, 'copy-data': { done: handlers['copy-data'].done, run: handlers['copy-data'].run } }),
  },
  {
    name: 'the folder of a file that was swapped is not synced',
    ...{ scenario: UPGRADE, where: /^after journal (start|done)/, direction: 'forward', unsynced: /\/configs$/ },
  },
  {
    name: 'the folder of the journal is not synced',
    ...{ scenario: UPGRADE, where: /^(after journal start|after docker)/, direction: 'back', unsynced: /\/\.slipway$/ },
  },
];

function changeEach(handlers: Handlers, change: (kind: Kind, handler: Handler<Kind>) => Handler<Kind>): Handlers {
  const table = handlers as unknown as Record<Kind, Handler<Kind>>;
  return Object.fromEntries(Object.entries(table).map(([kind, handler]) => [kind, change(kind as Kind, handler)])) as unknown as Handlers;
}

/** What was saved before the effect is empty; the truth comes when it is too late. */
function saveLate(handlers: Handlers): Handlers {
  return changeEach(handlers, (_, handler) => {
    const { save } = handler;
    if (save === undefined) return handler;
    const late = new Map<string, Record<string, unknown>>();
    return {
      ...handler,
      save: async (step) => {
        const saved = {};
        late.set(JSON.stringify(step), saved);
        return saved;
      },
      run: async (step: Step<Kind>, site: Site) => {
        await handler.run(step, site);
        Object.assign(late.get(JSON.stringify(step)) ?? {}, await save(step, site));
      },
    };
  });
}

/** `start` and `done` are written together, after the effect. */
function startLate(journal: Journal): Journal {
  const waiting = new Map<number, Saved>();
  const append = async (line: JournalLine): Promise<void> => {
    if ('start' in line) {
      waiting.set(line.start, line.saved);
      return;
    }
    const saved = 'done' in line ? waiting.get(line.done) : undefined;
    if ('done' in line && saved !== undefined) await journal.append({ start: line.done, saved });
    await journal.append(line);
  };
  return { ...journal, append };
}

function withoutRestorer({ plan, contents }: Planned): Planned {
  const steps = plan.steps.map((step) => {
    if (step.kind !== 'run-job') return step;
    const { restoredBy: _, ...rest } = step;
    return rest;
  });
  return { plan: { ...plan, steps } satisfies Plan, contents };
}

/** Takes the migration back by its opposite, instead of restoring what was there: right once, wrong twice. */
function reverseMigration(handlers: Handlers, { stage }: Scenario): Handlers {
  const reverse = (): void => {
    const tree = stage.engine.state().volumes.get('acme_pgdata')?.tree;
    const change = (path: string, edit: (text: string) => string): void => {
      const node = tree?.get(path);
      if (node !== undefined) tree?.set(path, { ...node, content: edit(node.content) });
    };
    change('base/rows', (text) => text.replace(/.\n/g, '\n'));
    change('base/log', (text) => `${text.split('\n').slice(0, -3).join('\n')}\n`);
    change('base/schema', (text) => String(Number(text) - 1));
    writeFileSync(join(stage.root, 'data/uploads/index'), 'index\n');
    rmSync(join(stage.root, 'data/uploads/thumbnail'), { force: true });
  };
  const job = handlers['run-job'];
  const { undo: _, ...gate } = handlers['guard-data'];
  const undo: typeof job.undo = async (step, saved, site) => {
    await job.undo?.(step, saved, site);
    reverse();
  };
  return { ...handlers, 'run-job': { ...job, undo }, 'guard-data': gate };
}
