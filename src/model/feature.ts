// Features: a person's choices, which are compose profiles. Rule: `when` knows one form, `features.<name>`.
import type { Feature } from './description.ts';
import { ToolError } from './error.ts';

/** True when something with this condition applies to the chosen features; without a condition it always does. */
export function isActive(when: string | undefined, chosen: readonly string[]): boolean {
  if (when === undefined) return true;
  const name = /^features\.([A-Za-z0-9_-]+)$/.exec(when)?.[1];
  if (name !== undefined) return chosen.includes(name);
  throw new ToolError('E_CONFIG', `unknown condition ${JSON.stringify(when)}`, { hint: 'Write `when: features.NAME`.' });
}

/** The features that are on when nobody says anything. */
export function defaultFeatures(features: Readonly<Record<string, Feature>>): string[] {
  return Object.keys(features).filter((name) => features[name]?.default === true);
}

/** The compose profiles of the chosen features, sorted, each once. */
export function profilesOf(features: Readonly<Record<string, Feature>>, chosen: readonly string[]): string[] {
  return [...new Set(chosen.flatMap((name) => features[name]?.profiles ?? []))].sort();
}
