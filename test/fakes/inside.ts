// Programs in containers of the fake engine: an updater that is part of the product, and the helper that it starts. Rule: who is in a container ends with it, and a helper runs the
// very command line that its container was given.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { keepProgress } from '../../src/commands/operator/keep-progress.ts';
import { restart } from '../../src/commands/operator/restart.ts';
import type { Event } from '../../src/model/event.ts';
import type { Run, World } from '../../src/model/seams.ts';
import type { FakeContainer } from './engine-state.ts';
import type { InstallStage, Ran } from './install-stage.ts';

export interface Inside {
  /** The surroundings of a program in this container. */
  readonly in: (id: string, run?: Run) => Partial<World>;
  /** The surroundings of one on the machine. */
  readonly outside: (run?: Run) => Partial<World>;
  /** How the helpers that were started have ended. */
  readonly helpers: () => Promise<readonly PromiseSettledResult<Ran>[]>;
  /** Programs that ended with their container, by its id. */
  readonly killed: readonly string[];
}

export interface InsideOptions {
  /** True while a helper’s image cannot run our command. */
  readonly isBroken?: () => boolean;
  /** Sees each call of a helper before the engine does. */
  readonly watch?: (argv: readonly string[]) => void;
}

export function insideOf(stage: InstallStage, { isBroken = () => false, watch }: InsideOptions = {}): Inside {
  const { engine } = stage;
  const helpers: Promise<Ran>[] = [];
  const killed: string[] = [];
  const containers = (): ReadonlyMap<string, FakeContainer> => engine.state().containers;
  /** Helpers work side by side with who started them: time goes on for both. */
  const sleep = async (milliseconds: number): Promise<void> => {
    await pause(5);
    engine.wait(milliseconds);
  };
  const withHelpers =
    (run: Run): Run =>
    async (argv, options) => {
      const result = await run(argv, options);
      const id = argv.includes('run') && argv.includes('--detach') ? result.stdout.trim() : '';
      if (id !== '') {
        const helper = help(id);
        helper.catch(() => undefined); // told by `helpers`
        helpers.push(helper);
      }
      return result;
    };
  const mortal =
    (id: string, run: Run): Run =>
    async (argv, options) => {
      watch?.(argv);
      const result = await run(argv, options);
      if (containers().get(id)?.state === 'running') return result;
      killed.push(id);
      throw new Error(`killed with the container ${id}`);
    };
  const inside: Inside['in'] = (id, run = engine.client()) => {
    const mounts = join(stage.place, `mountinfo-${id}`);
    writeFileSync(mounts, `1 2 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 x rw\n`);
    return { env: { ...stage.env, SLIPWAY_MOUNTINFO: mounts }, run: mortal(id, withHelpers(run)), sleep };
  };
  const help = async (id: string): Promise<Ran> => {
    const container = containers().get(id);
    if (container === undefined) throw new Error('the helper is gone before it began');
    const report = (event: Event): void => {
      if (event.type === 'phase') container.log += `${event.text}\n`;
    };
    try {
      if (isBroken()) throw new Error('docker: not found');
      const [, , verb, service = '', wait, seconds = '', ...rest] = container.command;
      if (verb !== 'restart' || wait !== '--wait' || rest.join(' ') !== `--dir ${stage.root}`) throw new Error(container.command.join(' '));
      const command = keepProgress({ ...restart, run: (context) => restart.run({ ...context, positionals: [service] }) });
      return await stage.run(command, { wait: seconds }, { ...inside(id), report });
    } finally {
      engine.state().containers.delete(id); // --rm
    }
  };
  return {
    in: inside,
    outside: (run = engine.client()) => ({ run: withHelpers(run), sleep }),
    helpers: () => Promise.allSettled(helpers),
    killed,
  };
}
