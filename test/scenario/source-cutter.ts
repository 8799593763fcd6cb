// Cuts the upgrade of a checkout off at a point, and recovers. Rule: each time from the very same folder and engine; a dead run leaves its locks, and does nothing more.
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { projectLockPath } from '../../src/apply/lock.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { lockPath } from '../../src/model/layout.ts';
import type { Run } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { Fuse, fuseRun, withFuse } from '../campaign/fuse.ts';
import { gitEnvironment } from '../fakes/git-workspace.ts';
import type { SourceStage } from '../fakes/source-stage.ts';

export interface Cutter {
  /** The points of a run that nothing disturbs; it is carried out. */
  readonly points: () => Promise<readonly string[]>;
  /** Cuts a run off at this point, counted from 1, and recovers; gives how that ended. */
  readonly at: (point: number) => Promise<unknown>;
  /** The same, and the first recovery is cut off as well: at the first point of this name. */
  readonly twice: (point: number, name: string) => Promise<unknown>;
}

/** From the state that the stage has now. */
export async function makeCutter({ stage }: SourceStage): Promise<Cutter> {
  const { root, place, engine, env } = stage;
  const kept = join(place, 'kept');
  execFileSync('cp', ['-a', root, kept]);
  const snapshot = engine.snapshot();
  const runOf = (fuse: Fuse): Run => {
    const docker = fuseRun(engine, fuse);
    return (argv, options) => (argv[0] === 'git' ? fusedGit(fuse, argv, options) : docker(argv, options));
  };
  const start = async (fuse: Fuse): Promise<unknown> => {
    execFileSync('sh', ['-c', 'rm -rf "$0" && cp -a "$1" "$0"', root, kept]);
    engine.restore(snapshot);
    return withFuse(fuse, () => stage.run(upgrade, { yes: true }, { run: runOf(fuse) }));
  };
  const cutAt = async (point: number): Promise<void> => {
    if ((await start(new Fuse({ at: point, blow: 'kill' }))) !== 'dead') throw new Error(`point ${point} was never reached`);
    await unlock();
  };
  const unlock = async (): Promise<void> => {
    for (const lock of [lockPath(root), await projectLockPath('acme', env)]) await rm(lock, { force: true }); // ours is the pid, and it lives on
  };
  const recoverNow = async (fuse = new Fuse()): Promise<unknown> =>
    withFuse(fuse, async () => (await stage.run(recover, { yes: true }, { run: runOf(fuse) })).fields.outcome);
  return {
    points: async () => {
      const fuse = new Fuse();
      await start(fuse);
      return fuse.passed;
    },
    at: async (point) => {
      await cutAt(point);
      return recoverNow();
    },
    twice: async (point, name) => {
      await cutAt(point);
      const whole = new Fuse();
      await recoverNow(whole);
      await cutAt(point);
      if ((await recoverNow(new Fuse({ at: whole.passed.indexOf(name) + 1, blow: 'kill' }))) !== 'dead')
        throw new Error(`no ${name} on the way back`);
      await unlock();
      return recoverNow();
    },
  };
}

const EFFECTS = ['checkout-index', 'read-tree', 'update-ref'];

/** Git with points around what it changes; one that is killed amid a checkout has written some of the files. */
async function fusedGit(fuse: Fuse, argv: readonly string[], options: Parameters<Run>[1] = {}): ReturnType<Run> {
  const verb = argv.find((word) => EFFECTS.includes(word));
  if (verb === undefined) {
    if (fuse.dead) await new Promise(() => undefined);
    return runProgram(argv, options);
  }
  await fuse.point(`before git ${verb}`);
  const { input, cwd, env } = options;
  if (verb === 'checkout-index' && typeof input === 'string') {
    const paths = input.split('\0').filter(Boolean);
    const half = paths.slice(0, Math.ceil(paths.length / 2)).map((path) => `${path}\0`);
    await fuse.point('amid git checkout-index', () => {
      execFileSync('git', argv.slice(1), { cwd, env: { ...gitEnvironment, ...env } as NodeJS.ProcessEnv, input: half.join('') });
      return [];
    });
  }
  const result = await runProgram(argv, options);
  await fuse.point(`after git ${verb}`);
  return result;
}
