// The logs of an install's services, passed through. Rule: the product's words, not ours.
import type { ComposeProject } from '../model/plan.ts';
import { composeArgv, dockerEnvironment, type Engine } from '../world/docker.ts';
import { runForeground } from './foreground.ts';

/** Shows the last lines of these services (all when none is named); gives docker's exit code. */
export async function followLogs(engine: Engine, project: ComposeProject, services: readonly string[]): Promise<number> {
  return runForeground(composeArgv(engine.root, project, ['logs', '--tail', '200', ...services]), dockerEnvironment(engine.world.env));
}
