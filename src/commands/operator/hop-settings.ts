// The env files of the next release, from what the person wrote and what the release asks for. Rule: what is there stays; only what is new is asked or generated.
import type { Variable } from '../../model/description.ts';
import { secretsToGenerate } from '../../model/env-merge.ts';
import { setCompose } from '../../model/env-render.ts';
import { ToolError } from '../../model/error.ts';
import { withdrawnValues } from '../../model/external.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { allProfiles, carriedFeatures, profilesOf } from '../../model/feature.ts';
import type { Manifest } from '../../model/manifest.ts';
import { type Settings as Documents, documentOf, homesOf, MAIN_ENV, settingsValues } from '../../model/settings.ts';
import { mergeSettings } from '../../model/settings-merge.ts';
import { observeSettings } from '../../observe/settings.ts';
import type { Context } from '../command.ts';
import { answersFor, givenNames, makeSecrets } from './answers.ts';

export interface HopSettings {
  readonly settings: Documents;
  readonly generated: ReadonlyMap<string, string>;
  readonly features: readonly string[];
  readonly said: ReadonlyMap<string, string>;
}

/** Keeps what the person wrote; asks only for what this release newly requires. */
export async function decideSettings(
  context: Context,
  install: InstallFacts,
  { manifest, elsewhere }: { readonly manifest: Manifest; readonly elsewhere: ReadonlySet<string> | undefined },
): Promise<HopSettings> {
  const variables = { oldVariables: install.manifest.env, newVariables: manifest.env };
  const current = await observeSettings(install.root, homesOf(install.manifest.env, manifest.env));
  const today = new Map([...settingsValues(current, manifest.env), ...settingsValues(current, install.manifest.env)]);
  const isNew = (name: string): boolean => !today.has(name) && !today.has(manifest.env[name]?.renamedFrom ?? name);
  const said = await givenNames(context);
  const answers = await answersFor(context, { manifest, today: todaysAnswers(install, manifest), elsewhere });
  const given = new Map([...answers.values].filter(([name]) => isNew(name) || said.has(name)));
  const names = secretsToGenerate({ ...variables, values: today, answers: given }).filter(
    (name) => !mayBeInUse(install, manifest.env[name]),
  );
  const values = new Map([...renamedValues(today, manifest), ...given]);
  const { generated, derived } = makeSecrets(
    { variables: manifest.env, names, before: renamedValues(today, manifest), values, given: said, origins: install.record.derived ?? {} },
    context.world,
  );
  const told = new Map([...given, ...derived, ...withdrawnValues(manifest.services, answers.features, values)]);
  const merged = mergeSettings({ ...variables, current, answers: told, generated, features: answers.features, version: manifest.version });
  if (merged.missing.length > 0)
    throw new ToolError('E_ANSWER', `${merged.missing.join(', ')}: this release needs a value`, {
      hint: 'Give it with --set NAME=VALUE, or write it into .env.',
    });
  const known = [...allProfiles(install.manifest.features), ...allProfiles(manifest.features)];
  const profiles = profilesOf(manifest.features, answers.features);
  const asked = new Map(answers.asked.map((name) => [name, answers.values.get(name) ?? '']));
  const main = setCompose(documentOf(merged.settings, MAIN_ENV), { project: install.record.project, profiles, known });
  return { settings: new Map([...merged.settings, [MAIN_ENV, main] as const]), features: answers.features, generated, said: asked };
}

/** Nobody wrote down which secrets a release of older scripts made its data with: a second one would lock that away. */
function mayBeInUse({ manifest }: InstallFacts, variable: Variable | undefined): boolean {
  return manifest.imported === true && variable?.immutable === true;
}

/** Today's values under the names that the release gives them. */
function renamedValues(today: ReadonlyMap<string, string>, manifest: Manifest): Map<string, string> {
  const renamed = Object.entries(manifest.env).flatMap(([name, { renamedFrom = name }]): [string, string][] => {
    const value = today.get(name) ?? today.get(renamedFrom);
    return value === undefined ? [] : [[name, value]];
  });
  return new Map([...today, ...renamed]);
}

/** What is set already counts as given, so that nobody is asked for it again; a feature that is new is on when it is on by default. */
function todaysAnswers(install: InstallFacts, manifest: Manifest): Map<string, string> {
  const features = carriedFeatures(install.manifest.features, manifest.features, install.record.features);
  const values = [...settingsValues(install.settings, install.manifest.env)].filter(([name]) => manifest.env[name] !== undefined);
  return new Map([...values, ['FEATURES', features.join(',')]]);
}
