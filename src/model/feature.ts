// Features: a person's choices, which are compose profiles. Rule: what is chosen is a list of `name` and, for features with choices, `name=choice`;
// `when` knows one form, `features.<one of these>`.
import type { Feature } from './description.ts';
import { ToolError } from './error.ts';

type Features = Readonly<Record<string, Feature>>;

/** A feature that was switched on because another one needs it. */
export interface AddedFeature {
  readonly name: string;
  readonly neededBy: string;
}

/** True when something with this condition applies to the chosen features; without a condition it always does. */
export function isActive(when: string | undefined, chosen: readonly string[]): boolean {
  if (when === undefined) return true;
  const name = /^features\.([A-Za-z0-9_-]+(?:=[A-Za-z0-9_-]+)?)$/.exec(when)?.[1];
  if (name !== undefined) return chosen.includes(name);
  throw new ToolError('E_CONFIG', `unknown condition ${JSON.stringify(when)}`, {
    hint: 'Write `when: features.NAME`, or `when: features.NAME=CHOICE`.',
  });
}

/** The names of a list as people write it, each once. */
export function listOf(text: string): string[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  return [...new Set(names)];
}

/** The list with these choices in place of other choices of the same features. */
export function chooseInstead(chosen: readonly string[], choices: readonly string[]): string[] {
  const names = choices.map((item) => item.replace(/=.*/, ''));
  return [...chosen.filter((item) => !names.includes(item.replace(/=.*/, ''))), ...choices];
}

/** What is chosen when nobody says anything. */
export function defaultFeatures(features: Features): string[] {
  return Object.entries(features).flatMap(([name, { default: fallback, choices }]) => {
    if (choices !== undefined) return [`${name}=${fallback}`];
    return fallback === true ? [name] : [];
  });
}

/** The compose profiles of what is chosen, sorted, each once. */
export function profilesOf(features: Features, chosen: readonly string[]): string[] {
  const profiles = chosen.flatMap((item) => {
    const [name = '', choice] = item.split('=');
    const feature = features[name];
    return (choice === undefined ? feature?.profiles : feature?.choices?.[choice]) ?? [];
  });
  return [...new Set(profiles)].sort();
}

/** Every profile that some choice switches on. */
export function allProfiles(features: Features): string[] {
  return profilesOf(
    features,
    Object.keys(features).flatMap((name) => choosable(features, name)),
  );
}

/** What can be chosen of a feature: its name, or one item for each of its choices. */
export function choosable(features: Features, name: string): string[] {
  const choices = features[name]?.choices;
  return choices === undefined ? [name] : Object.keys(choices).map((choice) => `${name}=${choice}`);
}

/** The choice of a feature with choices, or undefined. */
export function choiceOf(name: string, chosen: readonly string[]): string | undefined {
  return chosen.find((item) => item.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The list made whole: features that others need, a choice where none was made (today's, else the default), in the product's order. */
export function completeFeatures(
  features: Features,
  chosen: readonly string[],
  today: readonly string[] = [],
): { readonly features: string[]; readonly added: readonly AddedFeature[] } {
  const added: AddedFeature[] = [];
  const whole = new Set(chosen);
  for (const item of whole) {
    for (const name of features[item]?.requires ?? []) {
      if (whole.has(name)) continue;
      whole.add(name); // the loop comes to it, and to what it needs
      added.push({ name, neededBy: item });
    }
  }
  const inOrder = Object.entries(features).flatMap(([name, { choices, default: fallback }]) => {
    if (choices === undefined) return whole.has(name) ? [name] : [];
    const known = [choiceOf(name, chosen), choiceOf(name, today), String(fallback)];
    return [`${name}=${known.find((choice) => choice !== undefined && Object.hasOwn(choices, choice))}`];
  });
  return { features: inOrder, added };
}

/** What is chosen among the features of a newer release: today's choices where it knows the feature from before, else the default. */
export function carriedFeatures(old: Features, next: Features, chosen: readonly string[]): string[] {
  const kept = Object.keys(next).filter((name) => (old[name] === undefined ? next[name]?.default === true : chosen.includes(name)));
  const choices = chosen.filter((item) => item.includes('='));
  return completeFeatures(next, [...kept, ...choices]).features;
}

/** The chosen features that need this one. */
export function neededBy(features: Features, name: string, chosen: readonly string[]): string[] {
  return chosen.filter((item) => item !== name && features[item]?.requires?.includes(name) === true);
}

/** What these compose profiles switch on: the choices of an install that nobody wrote down as features. */
export function featuresOfProfiles(features: Features, profiles: readonly string[]): string[] {
  const isOn = (needed: readonly string[] = []): boolean => needed.length > 0 && needed.every((profile) => profiles.includes(profile));
  return Object.entries(features).flatMap(([name, feature]) => {
    const { choices } = feature;
    if (choices === undefined) return isOn(feature.profiles) || (feature.profiles.length === 0 && feature.default === true) ? [name] : [];
    const names = Object.keys(choices);
    const choice = names.find((each) => isOn(choices[each])) ?? names.find((each) => choices[each]?.length === 0);
    return [`${name}=${choice ?? feature.default}`];
  });
}
