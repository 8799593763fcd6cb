// A new value of a secret, taken into use by a service. Rule: values go from a file to the command's stdin and nowhere else; a command that fails has changed nothing.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { envValues, parseEnvFile } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { Step } from '../../model/plan.ts';
import { MAIN_ENV } from '../../model/settings.ts';
import { readTextIfThere, statIfThere } from '../../world/disk.ts';
import { runCompose } from '../../world/docker.ts';
import { readValues } from '../../world/values.ts';
import { writeDurably } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { undoFolder } from '../site.ts';
import { nameOf } from './files.ts';
import { waitUntilReady } from './ready.ts';

/** Seconds. */
const TIMEOUT = 300;

/** Its env file still holds the former value while it runs, and again when it is taken back. */
const rotateSecret: Handler<'rotate-secret'> = {
  done: async () => false,
  save: async (step, site) => {
    await rm(refusalOf(step, site), { force: true });
    return {};
  },
  run: async (step, site) => {
    await tell(step, site, site.content(step.content), async () => {
      await mkdir(undoFolder(site, nameOf(step)), { recursive: true, mode: 0o700 });
      await writeDurably(refusalOf(step, site), '', 0o600);
    });
  },
  undo: async (step, _saved, site) => {
    if ((await statIfThere(refusalOf(step, site))) !== undefined) return;
    await waitUntilReady(site, step.project.name, [step.service]);
    await tell(step, site, join(site.root, step.home), async () => undefined);
  },
};

/** The handler that rotates secrets. */
export const rotateSteps = { 'rotate-secret': rotateSecret } satisfies Pick<Handlers, 'rotate-secret'>;

/** Runs the command with the value that an env file holds; whatever it prints stays unseen, for it may repeat the value. */
async function tell(step: Step<'rotate-secret'>, site: Site, file: string, onRefusal: () => Promise<void>): Promise<void> {
  const value = await valueIn(file, step, site);
  const argv = ['exec', '-T', step.service, ...step.command];
  const { code } = await runCompose(site, step.project, argv, { input: `${value}\n`, timeout: TIMEOUT });
  if (code === 0) return;
  await onRefusal();
  throw new ToolError('E_STEP_FAILED', `${step.service}: ${step.command.join(' ')} did not take ${step.name}: exit code ${code}`, {
    hint: 'The former value is still in use. The log of the service may say more.',
  });
}

async function valueIn(file: string, { name, home }: Step<'rotate-secret'>, site: Site): Promise<string> {
  const around = home === MAIN_ENV ? {} : Object.fromEntries(await readValues(join(site.root, MAIN_ENV)));
  const value = envValues(parseEnvFile((await readTextIfThere(file)) ?? '', home), around).get(name);
  if (value !== undefined && value !== '') return value;
  throw new ToolError('E_STEP_FAILED', `${name} has no value in ${home}`, {
    hint: `Put its line back into ${home}, then run \`recover\`.`,
  });
}

/** There when the command said no: nothing is to be taken back then. */
function refusalOf(step: Step<'rotate-secret'>, site: Site): string {
  return join(undoFolder(site, nameOf(step)), 'refused');
}
