// rotate: a new value for a secret, taken into use. Rule: the service that knows the secret is told first, and told the former value when anything goes wrong.
import type { Variable } from '../../model/description.ts';
import { ToolError } from '../../model/error.ts';
import { didYouMean } from '../../model/near.ts';
import { originOf } from '../../model/secret-rule.ts';
import { settingsValues, type Variables } from '../../model/settings.ts';
import { mergeSettings } from '../../model/settings-merge.ts';
import { observeInstall } from '../../observe/install.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { refuseOpenJournal } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable } from '../command.ts';
import { makeSecrets } from './answers.ts';
import { changeSettings } from './change-settings.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { revealSecrets } from './reveal.ts';

const FLAGS = { ...FOLDER_FLAG, ...CHANGING_FLAGS } as const satisfies FlagTable;

export const rotate: Command = {
  name: 'rotate',
  summary: 'Gives a secret a new value, and restarts what uses it.',
  usage: 'NAME',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  const root = findInstall(context);
  await refuseOpenJournal(root, context.world);
  const install = await observeInstall(root);
  const { manifest, record } = install;
  const name = chooseSecret(context, manifest.env);
  const before = settingsValues(install.settings, manifest.env);
  const { generated, derived } = makeSecrets(
    { variables: manifest.env, names: [name], before, values: before, given: new Set(), origins: record.derived ?? {} },
    context.world,
  );
  const { settings } = mergeSettings({
    current: install.settings,
    ...{ oldVariables: manifest.env, newVariables: manifest.env, features: record.features, version: manifest.version },
    ...{ answers: new Map([...generated, ...derived]), generated },
  });
  const rotated = { name, rotate: manifest.env[name]?.rotate };
  const carried = await changeSettings(context, { command: 'rotate', install, settings, features: record.features, start: true, rotated });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(carried.plan) }, text: planToText(carried.plan) };
  revealSecrets(context, manifest.env, generated);
  const also = [...derived.keys()];
  return {
    fields: { outcome: 'rotated', name, derived: also },
    text: `${name} has a new value${also.length === 0 ? '' : `, and so have ${also.join(', ')}`}\n`,
  };
}

/** The secret that is named. Throws E_USAGE for what is none, E_POLICY for one that cannot be rotated. */
function chooseSecret({ positionals, program }: Context, env: Variables): string {
  const [name = '', extra] = positionals;
  const secrets = Object.keys(env).filter((each) => env[each]?.secret !== undefined);
  if (name === '' || extra !== undefined) {
    throw new ToolError('E_USAGE', 'rotate takes the name of one secret', {
      hint: `Write \`${program} rotate NAME\`; secrets: ${secrets.join(', ')}.`,
    });
  }
  const variable = Object.hasOwn(env, name) ? env[name] : undefined;
  if (variable?.secret === undefined) {
    throw new ToolError('E_USAGE', `${name} is no secret of this product`, { hint: didYouMean(name, secrets, 'Secrets') });
  }
  refuseFixed(name, variable);
  return name;
}

function refuseFixed(name: string, { secret, immutable, rotate: rule }: Variable): void {
  const origin = originOf(secret);
  if (origin !== undefined) {
    throw new ToolError('E_POLICY', `${name} is made from ${origin}`, { hint: `Rotate ${origin}: ${name} follows it.` });
  }
  if (immutable !== true || rule !== undefined) return;
  throw new ToolError(
    'E_POLICY',
    `${name} cannot be rotated: data was made with it, and the product has no command that changes it there`,
    {
      hint: 'Ask the maintainer for a release that declares `rotate` for it.',
    },
  );
}
