// Plans of tiny steps over one folder: step `a` makes the file `a`. Rule: every step fails, waits or counts only as its test says.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Application } from '../../src/apply/apply.ts';
import type { Handler, Handlers } from '../../src/apply/handler.ts';
import { beginJournal, type Journal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import { digestOf } from '../../src/model/digest.ts';
import { JOURNAL_TYPE, type JournalHead } from '../../src/model/journal.ts';
import type { Kind, Plan, Step } from '../../src/model/plan.ts';
import type { World } from '../../src/model/seams.ts';
import { quietWorld } from '../fakes/release-builder.ts';

/** What may be different for the step of a name. */
export interface Mood {
  readonly run?: (make: () => void) => void | Promise<void>;
  readonly undo?: (take: () => void) => void | Promise<void>;
}

export interface Tiny {
  readonly root: string;
  /** What was asked of the handlers, in order: `save a`, `run a`, `undo a`. */
  readonly calls: string[];
  readonly moods: Map<string, Mood>;
  /** The files that are there. */
  readonly world: () => string[];
  readonly begin: (plan: Plan) => Promise<Journal>;
  readonly application: (journal: Journal, world?: Partial<World>) => Application;
}

export async function makeTiny(): Promise<Tiny> {
  const root = await mkdtemp(join(tmpdir(), 'slipway-apply-'));
  const files = join(root, 'files');
  mkdirSync(files);
  const calls: string[] = [];
  const moods = new Map<string, Mood>();
  const handler: Handler<Kind> = {
    done: async ({ why }) => existsSync(join(files, why)),
    save: async ({ why }) => {
      calls.push(`save ${why}`);
      return { before: existsSync(join(files, why)) };
    },
    run: async ({ why }) => {
      calls.push(`run ${why}`);
      const make = (): void => writeFileSync(join(files, why), '');
      await (moods.get(why)?.run ?? ((go) => go()))(make);
    },
    undo: async ({ why }) => {
      calls.push(`undo ${why}`);
      const take = (): void => rmSync(join(files, why), { force: true });
      await (moods.get(why)?.undo ?? ((go) => go()))(take);
    },
  };
  const handlers = new Proxy({}, { get: () => handler }) as Handlers;
  return {
    root,
    calls,
    moods,
    world: () => readdirSync(files).sort(),
    begin: (plan) => beginJournal(root, headOf(plan)),
    application: (journal, world) => ({ journal, handlers, site: siteOf(root, 'tiny', quietWorld(world)) }),
  };
}

/** A plan of steps `a b c`; `restoredBy` makes a step one that cannot be repeated. */
export function planOf(names: string, parts: { readonly commitAfter?: number; readonly restoredBy?: Record<string, number> } = {}): Plan {
  const steps = names.split(' ').map((why): Step => {
    const restoredBy = parts.restoredBy?.[why];
    const job = {
      kind: 'run-job',
      why,
      project: { name: 'p', files: [], env: [], profiles: [] },
      service: 's',
      command: [],
      needs: [],
    } as const;
    if (restoredBy !== undefined) return { ...job, timeout: null, restoredBy } as unknown as Step;
    return { kind: 'make-folders', why, folders: [] };
  });
  const commitAfter = parts.commitAfter ?? steps.length - 1;
  return { schema: 1, id: 'tiny', operation: 'tiny', command: 'upgrade', basedOn: digestOf('facts'), steps, commitAfter, notes: [] };
}

export function headOf(plan: Plan): JournalHead {
  const { id, operation, command } = plan;
  return { type: JOURNAL_TYPE, id, operation, command, operator: digestOf('operator'), at: '2026-03-15T10:00:00Z', plan };
}
