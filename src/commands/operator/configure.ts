// configure: other answers, other features. Rule: shows what changes, and restarts only what must.
import { setCompose } from '../../model/env-render.ts';
import { withdrawnValues } from '../../model/external.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { allProfiles, profilesOf } from '../../model/feature.ts';
import { renderedFiles } from '../../model/host-file.ts';
import { canonicalJson } from '../../model/json.ts';
import type { Manifest } from '../../model/manifest.ts';
import { documentOf, MAIN_ENV, type Settings, sameSettings, settingsValues } from '../../model/settings.ts';
import { mergeSettings } from '../../model/settings-merge.ts';
import { observeInstall } from '../../observe/install.ts';
import { type ChangedAnswer, changesToText } from '../../show/answers.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { refuseOpenJournal } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { ANSWER_FLAGS, answersFor, givenNames, makeSecrets, openSecrets } from './answers.ts';
import { changeSettings } from './change-settings.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { renderInstalled } from './host-files.ts';
import { revealSecrets } from './reveal.ts';
import { areUnitsSaid, prepareUnits, UNIT_FLAGS } from './units.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...ANSWER_FLAGS,
  ...CHANGING_FLAGS,
  ...UNIT_FLAGS,
  'no-start': { type: 'boolean', help: 'change the files, and touch no container' },
} as const satisfies FlagTable;

export const configure: Command = {
  name: 'configure',
  summary: 'Changes answers and features; restarts only what must.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const { world } = context;
  const root = findInstall(context);
  await refuseOpenJournal(root);
  const install = await observeInstall(root);
  const { manifest, record } = install;
  const start = !isSet(context.flags, 'no-start');
  const today = settingsValues(install.settings, manifest.env);
  const said = await givenNames(context);
  const answers = await answersFor(context, {
    manifest,
    features: record.features,
    ...todaysChoice(declared(today, manifest.env), record.features, said.size > 0 || areUnitsSaid(context)),
  });
  const told = new Map([...today, ...answers.values]);
  const { generated, derived } = makeSecrets(
    {
      variables: manifest.env,
      names: openSecrets(manifest, told),
      before: today,
      values: told,
      given: said,
      origins: record.derived ?? {},
    },
    world,
  );
  const changed = new Map(
    [...answers.values, ...generated, ...derived, ...withdrawnValues(manifest.services, answers.features, told)].filter(
      ([name, value]) => manifest.env[name] !== undefined && today.get(name) !== value,
    ),
  );
  const merged = mergeSettings({
    current: install.settings,
    oldVariables: manifest.env,
    newVariables: manifest.env,
    answers: changed,
    generated,
    features: answers.features,
    version: manifest.version,
  });
  const main = setCompose(documentOf(merged.settings, MAIN_ENV), {
    project: record.project,
    profiles: profilesOf(manifest.features, answers.features),
    known: allProfiles(manifest.features),
  });
  const settings = new Map([...merged.settings, [MAIN_ENV, main] as const]);
  const units = await prepareUnits(context, { root, manifest, project: record.project, record, launcher: record.launcher });
  const isSame = sameSettings(settings, install.settings) && units.steps.length === 0 && units.fields.schedule === record.schedule;
  if (isSame && (await isRendered(install, settings, answers.features)))
    return { fields: { changed: [], outcome: 'unchanged' }, text: 'nothing to change\n' };
  const changes = changesOf(manifest, { today, changed, features: [record.features, answers.features] });
  const carried = await changeSettings(context, {
    command: 'configure',
    install,
    settings,
    features: answers.features,
    start,
    units,
    preface: changesToText(changes),
  });
  if (carried.outcome === 'planned')
    return { fields: { plan: planToJson(carried.plan), changes }, text: `${changesToText(changes)}${planToText(carried.plan)}` };
  revealSecrets(context, manifest.env, generated);
  const names = [...changed.keys()];
  return {
    fields: { changed: names, changes, features: answers.features, outcome: 'configured' },
    text: `configured: ${[...names, `features ${answers.features.join(', ') || 'none'}`].join('; ')}\n${units.notes.map((note) => `note: ${note}\n`).join('')}`,
  };
}

/** False when a person changed an answer in `.env` by hand: the files made from it follow at the next configure. */
async function isRendered(install: InstallFacts, settings: Settings, features: readonly string[]): Promise<boolean> {
  const values = settingsValues(settings, install.manifest.env);
  const { target } = await renderInstalled(install, { values, features });
  const now = renderedFiles(target);
  const before = install.record.rendered ?? {};
  return canonicalJson(now) === canonicalJson(before);
}

interface Changing {
  readonly today: ReadonlyMap<string, string>;
  readonly changed: ReadonlyMap<string, string>;
  /** Before and after. */
  readonly features: readonly [readonly string[], readonly string[]];
}

function changesOf({ env }: Manifest, { today, changed, features: [before, after] }: Changing): ChangedAnswer[] {
  const lists = [before.join(', '), after.join(', ')] as const;
  const chosen = lists[0] === lists[1] ? [] : [{ name: 'features', from: lists[0], to: lists[1] }];
  const values = [...changed].map(([name, to]): ChangedAnswer => {
    const isHidden = env[name]?.secret !== undefined || env[name]?.sensitive === true;
    return isHidden ? { name } : { name, from: today.get(name) ?? null, to };
  });
  return [...chosen, ...values];
}

/** Only what the product declares: the person's own variables are no answers. */
function declared(values: ReadonlyMap<string, string>, env: Readonly<Record<string, unknown>>): Map<string, string> {
  return new Map([...values].filter(([name]) => env[name] !== undefined));
}

/** With answers on the command line the rest stays as it is; without any, a person is asked again with today's values as defaults. */
function todaysChoice(
  today: ReadonlyMap<string, string>,
  features: readonly string[],
  said: boolean,
): { today?: ReadonlyMap<string, string>; defaults?: ReadonlyMap<string, string> } {
  return said ? { today: new Map([...today, ['FEATURES', features.join(',')]]) } : { defaults: today };
}
