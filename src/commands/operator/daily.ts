// start, stop and logs: daily work on the services. Rule: starting and stopping change the world, so they are plans like everything else.
import { followLogs } from '../../apply/logs.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import type { Plan, Step } from '../../model/plan.ts';
import { observeEngine } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeSelf } from '../../observe/self.ts';
import { refuseInside } from '../../plan/own-service.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, refusePositionals } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

const FLAGS = { ...FOLDER_FLAG, ...CHANGING_FLAGS } as const satisfies FlagTable;

export const start: Command = { name: 'start', summary: 'Starts the services.', flags: FLAGS, run: (context) => change(context, 'start') };
export const stop: Command = {
  name: 'stop',
  summary: 'Stops the services; data stays.',
  flags: FLAGS,
  run: (context) => change(context, 'stop'),
};
export const logs: Command = { name: 'logs', summary: 'The logs of the services.', usage: '[SERVICE…]', flags: FOLDER_FLAG, run: showLogs };

async function change(context: Context, command: 'start' | 'stop'): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  const install = await observeInstall(root);
  const engine = await observeEngine(context.world, root, install.project);
  const basedOn = fingerprintInstall(install, engine.containers);
  const running = engine.containers.filter((each) => !each.oneOff && each.state === 'running').map((each) => each.service);
  const stopped = Object.keys(engine.config.services).filter((service) => !running.includes(service));
  if (command === 'stop') refuseInside(engine.own, 'stop');
  const services = command === 'stop' ? [...new Set(running)].sort() : stopped.sort(); // those that run are left alone
  const needed = services.length > 0;
  const id = `${command}-${context.world.random(8).toString('hex')}`;
  const steps = needed ? stepsOf(command, install, services) : [];
  const plan: Plan = { schema: 1, id, operation: id, command, basedOn, steps, commitAfter: steps.length - 1, notes: [] };
  const carried = await carryOut({ plan, contents: new Map() }, withYes(context), {
    root,
    operator: await observeSelf(context.file),
    program: context.file,
  });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  return {
    fields: { services },
    text:
      carried.outcome === 'nothing' ? `nothing to ${command}\n` : `${command === 'stop' ? 'stopped' : 'started'}: ${services.join(', ')}\n`,
  };
}

function stepsOf(command: 'start' | 'stop', install: InstallFacts, services: readonly string[]): Step[] {
  const { project, manifest } = install;
  if (command === 'stop') return [{ kind: 'stop-services', why: 'you asked for it', project, services }];
  const jobs = services.filter((service) => manifest.services[service]?.kind === 'job');
  const optional = services.filter((service) => manifest.services[service]?.optional === true);
  const lasting = services.filter((service) => !jobs.includes(service));
  return [
    { kind: 'start-services', why: 'you asked for it', project, services, recreate: [] },
    {
      kind: 'check-health',
      why: 'they must be well',
      project,
      services: lasting,
      jobs,
      optional,
      probes: [],
      timeout: manifest.upgrade.timeout,
      probation: 0,
    },
  ];
}

/** Starting and stopping is what was typed: there is nothing to confirm. */
function withYes(context: Context): Context {
  return { ...context, flags: { ...context.flags, yes: true } };
}

async function showLogs(context: Context): Promise<CommandResult> {
  const root = findInstall(context);
  const { project } = await observeInstall(root);
  return { fields: {}, text: '', exit: await followLogs({ world: context.world, root }, project, context.positionals) };
}
