// The six rules of the journal, with steps so small that nothing else is to be seen.
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { applyPlan, recoverPlan, wasInterrupted } from '../../src/apply/apply.ts';
import { type Journal, openJournal } from '../../src/apply/journal.ts';
import { ToolError } from '../../src/model/error.ts';
import type { Event } from '../../src/model/event.ts';
import { journalPath } from '../../src/model/layout.ts';
import type { Plan } from '../../src/model/plan.ts';
import { type Mood, makeTiny, planOf, type Tiny } from './tiny-handlers.ts';

let tiny: Tiny;

beforeEach(async () => {
  tiny = await makeTiny();
});

const fails = {
  run: () => {
    throw new Error('no space left');
  },
};

/** The process ends here, as far as anything on disk can tell. */
const dies = { run: () => new Promise<never>(() => {}) };

function lines(): string[] {
  return readFileSync(journalPath(tiny.root), 'utf8').split('\n').slice(1, -1);
}

/** Carries out until the step hangs, and gives the journal up. */
async function cutOffIn(name: string, plan: Plan): Promise<void> {
  const before = tiny.moods.get(name);
  const reached = new Promise<void>((resolve) => {
    tiny.moods.set(name, {
      ...before,
      run: (make) => {
        resolve();
        return before?.run?.(make) ?? dies.run();
      },
    });
  });
  void applyPlan(tiny.application(await tiny.begin(plan)));
  await reached;
  tiny.moods.delete(name);
  tiny.calls.length = 0;
}

/** The process ends while it takes this step back; resolves when it got there. */
function hangsUndoing(name: string, mood: Mood = {}): Promise<void> {
  return new Promise((resolve) => {
    const undo = (): Promise<never> => {
      resolve();
      return dies.run();
    };
    tiny.moods.set(name, { ...mood, undo });
  });
}

async function recover(direction?: 'back' | 'forward'): Promise<unknown> {
  const journal = await openJournal(tiny.root);
  if (journal === undefined) return 'nothing open';
  return (await recoverPlan(tiny.application(journal), direction)).outcome;
}

describe('forward', () => {
  test('the world is asked before each step, and what is done already is neither run nor ever taken back', async () => {
    tiny.moods.set('a', {});
    await applyPlan(tiny.application(await tiny.begin(planOf('a'))));
    tiny.calls.length = 0;
    tiny.moods.set('c', fails);
    const result = await applyPlan(tiny.application(await tiny.begin(planOf('a b c'))));
    expect(result.outcome).toBe('undone');
    expect(tiny.calls).toEqual(['save b', 'run b', 'save c', 'run c', 'undo c', 'undo b']);
    expect(tiny.world()).toEqual(['a']);
  });

  test('what undoing needs is on disk before the effect begins', async () => {
    let seen: string[] = [];
    tiny.moods.set('a', {
      run: (make) => {
        seen = lines();
        make();
      },
    });
    await applyPlan(tiny.application(await tiny.begin(planOf('a'))));
    expect(seen).toEqual(['{"start":0,"saved":{"before":false}}']);
  });

  test('a step that fails makes everything go back, newest first, without a person', async () => {
    tiny.moods.set('c', fails);
    const { outcome, cause } = await applyPlan(tiny.application(await tiny.begin(planOf('a b c'))));
    expect([outcome, (cause as Error).message]).toEqual(['undone', 'no space left']);
    expect(tiny.calls.filter((call) => call.startsWith('undo'))).toEqual(['undo c', 'undo b', 'undo a']);
    expect(tiny.world()).toEqual([]);
  });

  test('a person who asks to stop gets the world as it was', async () => {
    const stop = new AbortController();
    tiny.moods.set('a', {
      run: (make) => {
        make();
        stop.abort();
      },
    });
    const applied = await applyPlan(tiny.application(await tiny.begin(planOf('a b')), { stop: stop.signal }));
    expect([applied.outcome, wasInterrupted(applied), tiny.world()]).toEqual(['undone', true, []]);
  });
});

describe('the point of no return', () => {
  test('is on disk before the first step behind it', async () => {
    let seen: string[] = [];
    tiny.moods.set('b', {
      run: (make) => {
        seen = lines();
        make();
      },
    });
    await applyPlan(tiny.application(await tiny.begin(planOf('a b', { commitAfter: 0 }))));
    expect(seen.slice(-2)).toEqual(['{"door":true}', '{"start":1,"saved":{"before":false}}']);
  });

  test('is never crossed back, neither by a failure behind it nor by a recovery', async () => {
    tiny.moods.set('b', fails);
    const failed = await applyPlan(tiny.application(await tiny.begin(planOf('a b', { commitAfter: 0 }))));
    expect([failed.outcome, tiny.world()]).toEqual(['failed', ['a']]);
    await cutOffIn('d', planOf('c d e', { commitAfter: 0 }));
    expect(await recover('back')).toBe('done');
    expect(tiny.world()).toEqual(['a', 'c', 'd', 'e']);
  });

  test('lets nobody interrupt what is behind it', async () => {
    const stop = new AbortController();
    tiny.moods.set('b', {
      run: (make) => {
        make();
        stop.abort();
      },
    });
    const plan = planOf('a b c', { commitAfter: 0 });
    expect((await applyPlan(tiny.application(await tiny.begin(plan), { stop: stop.signal }))).outcome).toBe('done');
    expect(tiny.world()).toEqual(['a', 'b', 'c']);
  });
});

describe('a disk that fails', () => {
  const eio = (): never => {
    throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
  };

  /** Lines are kept from the first match on, though the disk says that they are not. */
  async function beginOnFailingDisk(plan: Plan, first: string): Promise<Journal> {
    const journal = await tiny.begin(plan);
    let isFailing = false;
    const refusing = async (write: () => Promise<void>, line: unknown): Promise<void> => {
      await write();
      isFailing ||= JSON.stringify(line).includes(first);
      if (isFailing)
        throw new ToolError('E_CUT_OFF', 'the journal cannot be written', { cause: new ToolError('E_DISK', 'a disk fails (EIO)') });
    };
    return {
      ...journal,
      append: (line) => refusing(() => journal.append(line), line),
      end: (end) => refusing(() => journal.append({ end }), { end }),
    };
  }

  test.each([
    ['at the point of no return', '"door"'],
    ['at the next step', '"start":1'],
    ['after it', '"done":1'],
  ])('%s leaves the plan open, and a recovery finishes it', async (_, first) => {
    const journal = await beginOnFailingDisk(planOf('a b c', { commitAfter: 0 }), first);
    await expect(applyPlan(tiny.application(journal))).rejects.toMatchObject({ code: 'E_CUT_OFF' });
    expect(lines().join()).not.toMatch(/"end"|"back"/);
    expect(await recover('back')).toBe('done');
    expect(tiny.world()).toEqual(['a', 'b', 'c']);
    expect(await recover()).toBe('nothing open');
  });

  test('within a step past the point of no return leaves the plan open, and says what to do', async () => {
    tiny.moods.set('b', { run: eio });
    await expect(applyPlan(tiny.application(await tiny.begin(planOf('a b c', { commitAfter: 0 }))))).rejects.toMatchObject({
      code: 'E_CUT_OFF',
      message: expect.stringContaining('past the point of no return: a disk fails (EIO)'),
      hint: expect.stringContaining('Then run `recover`'),
    });
    tiny.moods.clear();
    expect(await recover()).toBe('done');
    expect(tiny.world()).toEqual(['a', 'b', 'c']);
  });

  test('before the point of no return makes everything go back', async () => {
    tiny.moods.set('b', { run: eio });
    expect((await applyPlan(tiny.application(await tiny.begin(planOf('a b c'))))).outcome).toBe('undone');
    expect(tiny.world()).toEqual([]);
  });
});

describe('what was cut off', () => {
  test('goes back unless a person wants it finished', async () => {
    await cutOffIn('b', planOf('a b c'));
    expect(await recover()).toBe('undone');
    expect(tiny.world()).toEqual([]);
    await cutOffIn('b', planOf('a b c'));
    expect(await recover('forward')).toBe('done');
    expect(tiny.world()).toEqual(['a', 'b', 'c']);
  });

  test('is not believed about the world: a step that was marked done, and is not, is taken as started', async () => {
    await cutOffIn('b', planOf('a b c'));
    expect(await recover('forward')).toBe('done');
    expect(tiny.calls).not.toContain('run a');
    expect(tiny.calls).not.toContain('save b');
  });

  test('on its way back goes on going back, whatever is asked', async () => {
    const reached = hangsUndoing('b', fails);
    void applyPlan(tiny.application(await tiny.begin(planOf('a b'))));
    await reached;
    tiny.moods.clear();
    expect(await recover('forward')).toBe('undone');
    expect(tiny.world()).toEqual([]);
  });

  test('and cannot be repeated is first restored, down to what restores it', async () => {
    await cutOffIn('c', planOf('a b c d', { restoredBy: { c: 1 } }));
    expect(await recover('forward')).toBe('done');
    expect(tiny.calls).toEqual(['undo c', 'undo b', 'save b', 'run b', 'save c', 'run c', 'save d', 'run d']);
  });

  test('while it was restored begins restoring anew', async () => {
    await cutOffIn('c', planOf('a b c d', { restoredBy: { c: 1 } }));
    const reached = hangsUndoing('b');
    void recover('forward');
    await reached;
    tiny.moods.clear();
    tiny.calls.length = 0;
    expect(await recover('forward')).toBe('done');
    expect(tiny.calls.slice(0, 2)).toEqual(['undo c', 'undo b']);
  });
});

describe('a way back that fails', () => {
  test('says so, keeps the journal, and goes on from there once it is mended', async () => {
    tiny.moods.set('c', fails);
    tiny.moods.set('b', {
      undo: () => {
        throw new Error('the engine is stopped');
      },
    });
    await expect(applyPlan(tiny.application(await tiny.begin(planOf('a b c'))))).rejects.toMatchObject({
      code: 'E_WAY_BACK_FAILED',
      details: { reason: 'the engine is stopped', first: 'no space left' },
    });
    expect(tiny.world()).toEqual(['a', 'b']);
    tiny.moods.clear();
    tiny.calls.length = 0;
    expect(await recover()).toBe('undone');
    expect(tiny.calls).toEqual(['undo b', 'undo a']);
    expect(await recover()).toBe('nothing open');
  });

  test('for a program that failed is tried again: a service may be slow to be well', async () => {
    const slow = failing(4);
    tiny.moods.set('c', fails).set('b', { undo: slow.undo });
    const { outcome } = await applyPlan(tiny.application(await tiny.begin(planOf('a b c')), { sleep: slow.sleep, report: slow.report }));
    expect([outcome, tiny.world(), slow.slept]).toEqual(['undone', [], [5000, 5000, 5000, 5000]]);
    expect(slow.said[0]).toBe('docker compose up failed: api is unhealthy; tried again in 5 s');
  });

  test('for a program that never comes to its end is given up', async () => {
    tiny.moods.set('c', fails).set('b', { undo: failing(5).undo });
    const applied = applyPlan(tiny.application(await tiny.begin(planOf('a b c')), { sleep: async () => {} }));
    await expect(applied).rejects.toMatchObject({ code: 'E_WAY_BACK_FAILED' });
    expect(await recover()).toBe('undone');
  });
});

/** A program that fails so many times before it ends well, and what was waited for and said meanwhile. */
function failing(times: number) {
  let left = times;
  const slept: number[] = [];
  const said: string[] = [];
  return {
    slept,
    said,
    undo: (take: () => void): void => {
      left -= 1;
      if (left >= 0) throw new ToolError('E_COMMAND', 'docker compose up failed: api is unhealthy');
      take();
    },
    sleep: async (milliseconds: number): Promise<void> => {
      slept.push(milliseconds);
    },
    report: (event: Event): void => {
      if (event.type === 'note') said.push(event.text);
    },
  };
}
