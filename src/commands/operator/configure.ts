// configure: other answers, other features. Rule: shows what changes, and restarts only what must.
import { isDeepStrictEqual } from 'node:util';
import { digestOf } from '../../model/digest.ts';
import { setCompose } from '../../model/env-render.ts';
import { ToolError } from '../../model/error.ts';
import { withdrawnValues } from '../../model/external.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { allProfiles, profilesOf } from '../../model/feature.ts';
import { renderedFiles } from '../../model/host-file.ts';
import { canonicalJson } from '../../model/json.ts';
import type { Manifest } from '../../model/manifest.ts';
import { releaseOnSite } from '../../model/mixed.ts';
import { documentOf, MAIN_ENV, type Settings, sameSettings, settingsValues } from '../../model/settings.ts';
import { mergeSettings } from '../../model/settings-merge.ts';
import { networkToText, type SiteNetwork } from '../../model/site-network.ts';
import { COMPOSE_FILE } from '../../model/site-registry.ts';
import { observeInstall, readShippedCompose } from '../../observe/install.ts';
import { type ChangedAnswer, changesToText } from '../../show/answers.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { refuseOpenJournal } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { ANSWER_FLAGS, answersFor, givenNames, makeSecrets, openSecrets } from './answers.ts';
import { changeSettings, type Rehomed } from './change-settings.ts';
import { REGISTRY_FLAG, registryFor, registryOf } from './choose-registry.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { renderInstalled } from './host-files.ts';
import { refuseUnfit } from './preflight.ts';
import { ensureLogin, LOGIN_FLAGS } from './registry-login.ts';
import { revealSecrets } from './reveal.ts';
import { chooseNetwork, NETWORK_FLAGS } from './site-network.ts';
import { areUnitsSaid, prepareUnits, UNIT_FLAGS } from './units.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...ANSWER_FLAGS,
  ...REGISTRY_FLAG,
  ...LOGIN_FLAGS,
  ...NETWORK_FLAGS,
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

async function run(asked: Context): Promise<CommandResult> {
  refusePositionals(asked);
  const { world } = asked;
  const root = findInstall(asked);
  await refuseOpenJournal(root, asked.world);
  const install = await observeInstall(root);
  const { manifest, record } = install;
  const start = !isSet(asked.flags, 'no-start');
  const { context: reaching, network } = await chooseNetwork(asked, record.network);
  const rewired = !isDeepStrictEqual(network, record.network ?? {});
  const { context, rehomed } = await decideRegistry(reaching, install, start);
  const today = settingsValues(install.settings, manifest.env);
  const said = await givenNames(context);
  const isTold = said.size > 0 || rehomed !== undefined || rewired || areUnitsSaid(context);
  const answers = await answersFor(context, {
    manifest,
    features: record.features,
    ...todaysChoice(declared(today, manifest.env), record.features, isTold),
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
  if (isSame && rehomed === undefined && !rewired && (await isRendered(install, settings, answers.features)))
    return { fields: { changed: [], outcome: 'unchanged' }, text: 'nothing to change\n' };
  const changes = changesOf(manifest, {
    today,
    changed,
    features: [record.features, answers.features],
    registries: registriesOf(install, rehomed),
    networks: rewired ? [record.network ?? {}, network] : undefined,
  });
  const carried = await changeSettings(context, {
    command: 'configure',
    install,
    settings,
    features: answers.features,
    start,
    units,
    ...(rehomed === undefined ? {} : { rehomed }),
    network,
    preface: changesToText(changes),
  });
  if (carried.outcome === 'planned')
    return { fields: { plan: planToJson(carried.plan), changes }, text: `${changesToText(changes)}${planToText(carried.plan)}` };
  revealSecrets(context, manifest.env, generated);
  const names = [...(rehomed === undefined ? [] : ['registry']), ...(rewired ? ['network'] : []), ...changed.keys()];
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
  readonly registries: readonly [string, string];
  readonly networks: readonly [SiteNetwork, SiteNetwork] | undefined;
}

/** Another registry than so far, checked for the images before anything else is asked. */
async function decideRegistry(
  asked: Context,
  install: InstallFacts,
  start: boolean,
): Promise<{ readonly context: Context; readonly rehomed?: Rehomed }> {
  const { manifest, shipped = manifest, root, record } = install;
  const { context, registry } = await registryFor(asked, install, shipped);
  const text = await readShippedCompose(root, shipped);
  const used = releaseOnSite(shipped, text, { ...record, registry });
  if (isDeepStrictEqual(used.manifest.images, manifest.images)) return { context };
  const compose = used.compose?.text ?? text;
  refuseLostCompose(used.manifest, compose);
  const rehomed = { registry, used, compose, login: undefined };
  if (!start) return { context, rehomed };
  const { context: known, login } = await ensureLogin(context, { manifest: used.manifest, root });
  await refuseUnfit(known, { manifest: used.manifest, root, project: record.project, ports: [], hosts: record.hosts, registry, login });
  return { context: known, rehomed: { ...rehomed, login: login?.registry } };
}

function refuseLostCompose({ files, version }: Manifest, text: string): void {
  if (files.find(({ path }) => path === COMPOSE_FILE)?.sha256 === digestOf(text)) return;
  throw new ToolError('E_NOT_FOUND', `the compose file of ${version} as it was shipped is not here any more`, {
    hint: 'The next upgrade brings one; the registry can be changed then.',
  });
}

function registriesOf(install: InstallFacts, rehomed: Rehomed | undefined): readonly [string, string] {
  const own = install.manifest.registry ?? 'the product’s own';
  const today = registryOf(install) ?? own;
  return [today, rehomed === undefined ? today : (rehomed.registry ?? own)];
}

function changesOf({ env }: Manifest, { today, changed, features: [before, after], registries, networks }: Changing): ChangedAnswer[] {
  const lists = [before.join(', '), after.join(', ')] as const;
  const chosen = lists[0] === lists[1] ? [] : [{ name: 'features', from: lists[0], to: lists[1] }];
  const values = [...changed].map(([name, to]): ChangedAnswer => {
    const isHidden = env[name]?.secret !== undefined || env[name]?.sensitive === true;
    return isHidden ? { name } : { name, from: today.get(name) ?? null, to };
  });
  const rehomed = registries[0] === registries[1] ? [] : [{ name: 'registry', from: registries[0], to: registries[1] }];
  const [from, to] = (networks ?? []).map((network) => networkToText(network) ?? 'direct');
  const rewired = networks === undefined ? [] : [{ name: 'network', from: from ?? '', to: to ?? '' }];
  return [...rehomed, ...rewired, ...chosen, ...values];
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
