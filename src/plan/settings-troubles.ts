// What is wrong with settings that somebody else wrote. Rule: told with the next step and never mended unasked; values are not shown.
import { checkAnswer } from '../model/answer.ts';
import type { Variable } from '../model/description.ts';
import { isActive } from '../model/feature.ts';
import { originOf } from '../model/secret-rule.ts';
import { homeOf, type Variables } from '../model/settings.ts';

/** One line for each variable of the release that has no value where it needs one, or one that does not fit. */
export function settingsTroubles(variables: Variables, values: ReadonlyMap<string, string>, features: readonly string[]): string[] {
  return Object.entries(variables).flatMap(([name, variable]) => {
    const value = values.get(name) ?? '';
    const home = homeOf(variable);
    if (value === '') return isNeeded(variable, features) ? [`${name} has no value in ${home}: ${nextStep(name, variable, home)}`] : [];
    const trouble = variable.secret === undefined ? checkAnswer(name, variable, value) : undefined;
    return trouble === undefined ? [] : [`${trouble} (${home}); \`configure --set ${name}=VALUE\` changes it`];
  });
}

function isNeeded({ secret, required, deprecated, when }: Variable, features: readonly string[]): boolean {
  if (deprecated !== undefined || !isActive(when, features)) return false;
  return secret === undefined ? required === true : originOf(secret) === undefined;
}

/** A secret that data was made with is somewhere already; a new one would lock the data away. */
function nextStep(name: string, { secret }: Variable, home: string): string {
  return secret === undefined
    ? `\`configure --set ${name}=VALUE\` gives it one; an upgrade asks for it`
    : `write the one that is in use into ${home}, for upgrades never make a second one`;
}
