// Checks of the product's features. Rule: a feature is switched on or off, or one of its choices is chosen; never both.
import type { Feature } from '../model/description.ts';
import { isRefused, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';

/** The problems of each feature by itself; the names it uses are checked with all other names. */
export function checkFeatures({ features, source }: Product): ProblemText[] {
  const whole = Object.entries(features).filter(([name]) => !isRefused(source, ['features', name]));
  return whole.flatMap(([name, feature]) => (feature.choices === undefined ? checkSwitch(name, feature) : checkChoices(name, feature)));
}

function checkSwitch(name: string, { default: fallback }: Feature): ProblemText[] {
  if (typeof fallback === 'boolean') return [];
  return [problem(name, 'default', `features.${name}.default is true or false`, 'Only a feature with choices has the name of one here.')];
}

function checkChoices(name: string, { choices = {}, default: fallback, profiles, requires }: Feature): ProblemText[] {
  const names = Object.keys(choices);
  const only = 'Put it below the choices, or make a feature of its own of it.';
  return [
    ...(names.includes(String(fallback))
      ? []
      : [problem(name, 'default', `features.${name}: the default must be one of the choices`, `Write default: ${names.join(' or ')}.`)]),
    ...(profiles.length === 0 ? [] : [problem(name, 'profiles', `features.${name} has choices, which have the profiles`, only)]),
    ...(requires === undefined ? [] : [problem(name, 'requires', `features.${name} has choices, so it cannot require others`, only)]),
  ];
}

function problem(name: string, key: string, message: string, hint: string): ProblemText {
  return { code: 'E_FEATURE', path: ['features', name, key], message, hint };
}
