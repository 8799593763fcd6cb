// restart: services get new containers from the files that are there. Rule: a plan like every other; with --wait it comes after the command that is at work, whose result stays.
import { type Lock, takeLock } from '../../apply/lock.ts';
import { keep } from '../../model/description.ts';
import { isToolError, ToolError } from '../../model/error.ts';
import type { EngineFacts, InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { lockPath } from '../../model/layout.ts';
import { didYouMean } from '../../model/near.ts';
import { HELPER_READY } from '../../model/own-service.ts';
import { observeEngine } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { openProgress } from '../../observe/progress.ts';
import { observeSelf } from '../../observe/self.ts';
import { planRestart } from '../../plan/restart.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, textFlag } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...CHANGING_FLAGS,
  wait: {
    type: 'string',
    value: 'SECONDS',
    help: 'wait so long for the command that is at work here; `attach` goes on showing its result',
  },
} as const satisfies FlagTable;

export const restart: Command = {
  name: 'restart',
  summary: 'Gives services new containers: those that are named, or all that run.',
  usage: '[SERVICE…]',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  const root = findInstall(context);
  const seconds = secondsOf(context);
  if (seconds === undefined) return restartServices(context, root);
  const install = await observeInstall(root);
  chooseServices(context, install, await observeEngine(context.world, root, install.project)); // what cannot be done is told before it waits
  const lock = await lockAfterOthers(context, root, seconds);
  try {
    await awaitResult(context, root);
    return await restartServices(context, root, lock);
  } finally {
    await lock.release();
  }
}

async function restartServices(context: Context, root: string, lock?: Lock): Promise<CommandResult> {
  const install = await observeInstall(root);
  const engine = await observeEngine(context.world, root, install.project);
  const services = chooseServices(context, install, engine);
  const id = `restart-${context.world.random(8).toString('hex')}`;
  const plan = planRestart({ id, basedOn: fingerprintInstall(install, engine.containers), services }, install, engine);
  const yes = { ...context, flags: { ...context.flags, yes: true } }; // it is what was typed: there is nothing to confirm
  const carried = await carryOut({ plan, contents: new Map() }, yes, {
    ...{ root, operator: await observeSelf(context.file), program: context.file },
    ...keep({ lock }),
  });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  return { fields: { services }, text: carried.outcome === 'nothing' ? 'nothing runs\n' : `restarted: ${services.join(', ')}\n` };
}

/** Those that are named, or all that run. Throws E_USAGE for what is no service. */
function chooseServices({ positionals }: Context, install: InstallFacts, { containers, config }: EngineFacts): string[] {
  const known = Object.keys(config.services);
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ToolError('E_USAGE', `${unknown} is no service of ${install.record.product}`, {
      hint: didYouMean(unknown, known, 'Services'),
    });
  if (positionals.length > 0) return [...new Set(positionals)].sort();
  const running = new Set(containers.filter(({ oneOff, state }) => !oneOff && state === 'running').map(({ service }) => service));
  return known.filter((service) => running.has(service)).sort();
}

function secondsOf({ flags }: Context): number | undefined {
  const text = textFlag(flags, 'wait');
  if (text === undefined || /^\d{1,5}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new ToolError('E_USAGE', `--wait ${text} is no number of seconds`, { hint: 'For example --wait 60.' });
}

const LOOK_EVERY = 500;

/** The lock, when whoever holds it has ended. Throws E_LOCKED when that takes too long. Nobody is told that this command has begun: `attach` shows the other one. */
async function lockAfterOthers({ world }: Context, root: string, seconds: number): Promise<Lock> {
  const deadline = world.now().getTime() + seconds * 1000;
  world.report({ type: 'phase', text: HELPER_READY });
  for (;;) {
    try {
      return await takeLock({ path: lockPath(root), command: 'restart' }, world);
    } catch (error) {
      if (!isToolError(error, 'E_LOCKED') || world.now().getTime() >= deadline) throw error;
    }
    await world.sleep(LOOK_EVERY);
  }
}

/** Longest time between a command's lock and its result, in milliseconds; one that was cut off writes none. */
const RESULT_WITHIN = 10_000;
/** Time for whoever waits for that command to hear of its end, where it runs in a container that goes now. Milliseconds. */
const FAREWELL = 2000;

/** A command gives its lock back before it writes down its result. */
async function awaitResult({ world }: Context, root: string): Promise<void> {
  const reader = await openProgress(root);
  if (reader === undefined) return;
  const deadline = world.now().getTime() + RESULT_WITHIN;
  try {
    while (!(await reader.next()).some((line) => 'ended' in line) && world.now().getTime() < deadline) await world.sleep(LOOK_EVERY);
  } finally {
    await reader.close();
  }
  await world.sleep(FAREWELL);
}
