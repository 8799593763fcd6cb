// A secret rotated: taken into use where it counts, then written down. Rule: a change of answers with one step more, before anything stops.
import type { ServiceCommand } from '../model/description.ts';
import { ToolError } from '../model/error.ts';
import type { Plan, Step } from '../model/plan.ts';
import { homeOf } from '../model/settings.ts';
import type { UpgradeFacts, UpgradeWish } from './course.ts';
import { planUpgrade } from './upgrade.ts';

export interface Rotation {
  readonly name: string;
  /** Undefined when the new value needs no more than a restart. */
  readonly rotate: ServiceCommand | undefined;
}

/** The plan of a rotation: the service knows the new value before the env file does, and going back tells it the former one. */
export function planRotate(wish: UpgradeWish, facts: UpgradeFacts, { name, rotate }: Rotation): Plan {
  const plan = { ...planUpgrade(wish, facts), command: 'rotate' };
  if (rotate === undefined) return plan;
  const home = homeOf(wish.target.env[name]);
  const file = wish.settings.find(({ path }) => path === home);
  if (file === undefined) throw new ToolError('E_CONFIG', `${home} is not among the env files`);
  const step: Step = {
    kind: 'rotate-secret',
    why: `${rotate.service} takes the new ${name} into use`,
    project: facts.install.project,
    ...rotate,
    ...{ name, home, content: file.content },
  };
  const at = plan.steps.findIndex(({ kind }) => kind === 'stop-services' || kind === 'swap-files');
  return { ...plan, steps: [...plan.steps.slice(0, at), step, ...plan.steps.slice(at)], commitAfter: plan.commitAfter + 1 };
}
