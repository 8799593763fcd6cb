// configure: other answers, other features. Rule: shows what changes, and restarts only what must.
import { type Digest, digestOf } from '../../model/digest.ts';
import { envText, envValues } from '../../model/env-file.ts';
import { mergeEnv } from '../../model/env-merge.ts';
import { setCompose } from '../../model/env-render.ts';
import { allProfiles, profilesOf } from '../../model/feature.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { printInstall } from '../../model/install.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content } from '../../model/plan.ts';
import { observeCandidate, observeContainers, observeEngine } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeSelf } from '../../observe/self.ts';
import type { UpgradeWish } from '../../plan/course.ts';
import { planUpgrade } from '../../plan/upgrade.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { ANSWER_FLAGS, answersFor, generateSecrets, givenNames, openSecrets } from './answers.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { keptContents } from './hop.ts';
import { refuseUnset } from './preflight.ts';
import { nextRecord, refuseOtherSecrets } from './record.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...ANSWER_FLAGS,
  ...CHANGING_FLAGS,
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
  const today = envValues(install.env);
  const answers = await answersFor(context, {
    manifest,
    ...todaysChoice(declared(today, manifest.env), record.features, (await givenNames(context)).size > 0),
  });
  const generated = generateSecrets(manifest.env, openSecrets(manifest, new Map([...today, ...answers.values])), world);
  const changed = new Map(
    [...answers.values, ...generated].filter(([name, value]) => manifest.env[name] !== undefined && today.get(name) !== value),
  );
  const merged = mergeEnv({
    current: install.env,
    oldVariables: manifest.env,
    newVariables: manifest.env,
    answers: changed,
    generated,
    features: answers.features,
    version: manifest.version,
  });
  const known = allProfiles(manifest.features);
  const env = setCompose(merged.file, { project: record.project, profiles: profilesOf(manifest.features, answers.features), known });
  if (envText(env) === envText(install.env)) return { fields: { changed: [], outcome: 'unchanged' }, text: 'nothing to change\n' };
  const values = envValues(env);
  refuseOtherSecrets(record, values);
  const next = await observeCandidate(world, root, { project: install.project, texts: new Map([['.env', envText(env)]]) });
  refuseUnset(next.unset);
  const engine = start
    ? await observeEngine(world, root, install.project)
    : { containers: [], volumes: Object.values(record.volumes), config: next };
  const at = momentOf(world.now());
  const id = `configure-${world.random(8).toString('hex')}`;
  const operation = { id, command: 'configure', from: record.version, to: record.version, outcome: 'configured', at };
  const recordText = printInstall(
    nextRecord(
      record,
      { manifest, manifestDigest: record.manifest, trust: record.trust, config: next, features: answers.features, values, operation },
      world,
    ),
  );
  const basedOn = fingerprintInstall(install, engine.containers);
  const wish: UpgradeWish = {
    command: 'configure',
    id,
    operation: id,
    at,
    basedOn,
    target: manifest,
    targetDigest: record.manifest,
    extra: [],
    environment: digestOf(envText(env)),
    values,
    record: digestOf(recordText),
    features: answers.features,
    start,
  };
  const plan = planUpgrade(wish, { install, engine, next, backups: [], releases: [], operators: [], localImages: [] });
  const contents = new Map<Digest, Content>([
    ...keptContents(install),
    [wish.environment, { text: envText(env) }],
    [wish.record, { text: recordText }],
  ]);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root), start ? await observeContainers(world, root, record.project) : []);
  const carried = await carryOut({ plan, contents }, context, {
    root,
    recheck,
    operator: await observeSelf(context.file),
    program: context.file,
  });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  const names = [...changed.keys()];
  return {
    fields: { changed: names, features: answers.features, outcome: 'configured' },
    text: `configured: ${[...names, `features ${answers.features.join(', ') || 'none'}`].join('; ')}\n`,
  };
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
