// `.env` at an upgrade: the person's file carried over to the new release's variables. Rule: nothing of the person's is lost, a secret that an
// earlier release made is never made again, and merging twice changes nothing more.
import type { Variable } from './description.ts';
import { appendEnv, commentOutEnv, type EnvFile, type EnvItem, envReferences, envValues, hasEnv, renameEnv, setEnv } from './env-file.ts';
import { isActive } from './feature.ts';
import { defaultValue } from './placeholder.ts';
import { originOf } from './secret-rule.ts';
import type { Variables } from './settings.ts';

export interface EnvMerge {
  readonly current: EnvFile;
  readonly oldVariables: Variables;
  readonly newVariables: Variables;
  /** Values that were given or asked for this upgrade; they win. */
  readonly answers: ReadonlyMap<string, string>;
  /** New secrets by name: those that `secretsToGenerate` names. */
  readonly generated: ReadonlyMap<string, string>;
  readonly features: readonly string[];
  /** The new release, for headings. */
  readonly version: string;
  /** What stands in the other env files of the install. */
  readonly around?: Surroundings;
}

/** The values of other env files that this one may use, before and after the merge, and the names that other files refer to. */
export interface Surroundings {
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
  readonly references: ReadonlySet<string>;
}

/** `kept`: the release dropped the variable, but a line of the person's still refers to it. */
export type EnvChangeKind = 'added' | 'generated' | 'answered' | 'renamed' | 'default-followed' | 'removed' | 'kept';

export interface EnvChange {
  readonly name: string;
  readonly change: EnvChangeKind;
  /** The former name. */
  readonly from?: string;
}

export interface MergedEnv {
  readonly file: EnvFile;
  readonly changes: readonly EnvChange[];
  /** Required variables without a value, and secrets that should be there and are not; the merged file lacks them. */
  readonly missing: readonly string[];
}

interface Progress {
  readonly file: EnvFile;
  readonly changes: readonly EnvChange[];
}

/** Merges the person's file with a new release's variables. Pure: secrets and answers come in as values. */
export function mergeEnv(input: EnvMerge): MergedEnv {
  const renamed = carryRenamed(input, { file: input.current, changes: [] });
  const answered = takeAnswers(input, renamed);
  const followed = followDefaults(input, answered);
  const { missing, ...added } = addMissing(input, followed);
  return { ...retireRemoved(input, added), missing };
}

export interface SecretsWish extends Pick<EnvMerge, 'oldVariables' | 'newVariables' | 'answers'> {
  /** What the env files hold now. */
  readonly values: ReadonlyMap<string, string>;
}

/** The secrets to generate: those that are new in this release and neither in the file nor among the answers. */
export function secretsToGenerate(input: SecretsWish): string[] {
  const { values } = input;
  return Object.entries(input.newVariables).flatMap(([name, variable]) => {
    const known = [name, variable.renamedFrom ?? name];
    const present = known.some((each) => (values.get(each) ?? '') !== '') || (input.answers.get(name) ?? '') !== '';
    const madeBefore = known.some((each) => input.oldVariables[each]?.secret !== undefined);
    const made = variable.secret !== undefined && originOf(variable.secret) === undefined;
    return !made || present || madeBefore ? [] : [name];
  });
}

/** A name that other lines refer to stays beside the new one, for those lines would come out blank. */
function carryRenamed({ newVariables, version, around }: EnvMerge, start: Progress): Progress {
  return Object.entries(newVariables).reduce(({ file, changes }, [name, { renamedFrom: from }]) => {
    if (from === undefined || hasEnv(file, name) || !hasEnv(file, from)) return { file, changes };
    const value = valuesNow(file, around).get(from) ?? '';
    const copied = (): EnvFile => appendEnv(file, `Added in ${version}`, [{ name, value, comment: `formerly ${from}` }]);
    return {
      file: envReferences(file).has(from) ? copied() : renameEnv(file, from, name),
      changes: [...changes, { name, change: 'renamed', from }],
    };
  }, start);
}

function takeAnswers({ newVariables, answers, around }: EnvMerge, start: Progress): Progress {
  return [...answers].reduce(({ file, changes }, [name, value]) => {
    const known = Object.hasOwn(newVariables, name) && hasEnv(file, name);
    if (!known || valuesNow(file, around).get(name) === value) return { file, changes };
    return { file: setEnv(file, name, value), changes: [...changes, { name, change: 'answered' }] };
  }, start);
}

function followDefaults(input: EnvMerge, start: Progress): Progress {
  const followers = Object.keys(input.newVariables).filter((name) => followsDefault(name, input));
  const values = valuesNow(start.file, input.around);
  for (const name of followers) values.delete(name); // so that defaults made of other defaults see the new ones
  return followers.reduce(({ file, changes }, name) => {
    const value = defaultValue(name, input.newVariables, values);
    if (value === undefined || valuesNow(file, input.around).get(name) === value) return { file, changes };
    return { file: setEnv(file, name, value), changes: [...changes, { name, change: 'default-followed' }] };
  }, start);
}

/** True for a variable that nobody was ever asked about and whose value is still what the old release made it. */
function followsDefault(name: string, { current, oldVariables, newVariables, answers, around }: EnvMerge): boolean {
  const now = newVariables[name];
  const oldName = [name, now?.renamedFrom ?? name].find((each) => Object.hasOwn(oldVariables, each));
  const old = oldName === undefined ? undefined : oldVariables[oldName];
  if (now === undefined || oldName === undefined || old === undefined || answers.has(name)) return false;
  if ([now, old].some((variable) => variable.ask !== undefined || variable.secret !== undefined)) return false;
  const before = new Map([...Object.entries(around?.before ?? {}), ...envValues(current, around?.before)]);
  const value = before.get(name) ?? before.get(oldName);
  return value !== undefined && value === defaultValue(oldName, oldVariables, before);
}

function addMissing(input: EnvMerge, start: Progress): Progress & { readonly missing: readonly string[] } {
  const values = new Map([...valuesNow(start.file, input.around), ...input.answers]);
  let { file } = start;
  const changes = [...start.changes];
  const missing: string[] = [];
  const items: EnvItem[] = [];
  for (const [name, variable] of Object.entries(input.newVariables)) {
    if (!wantsValue(variable, values.get(name), hasEnv(file, name))) continue;
    const value = newValue(name, variable, { input, values });
    if (value === '' && isNeeded(variable, input.features)) {
      missing.push(name);
      continue;
    }
    if (!hasEnv(file, name)) items.push({ name, value, ...commentOf(variable) });
    else if (value === '') continue;
    else file = setEnv(file, name, value);
    changes.push({ name, change: variable.secret !== undefined && !input.answers.get(name) ? 'generated' : 'added' });
  }
  return { file: appendEnv(file, `Added in ${input.version}`, items), changes, missing };
}

/** A value that is there counts, but an empty one does not where something is required. */
function wantsValue(variable: Variable, value: string | undefined, present: boolean): boolean {
  if (!present) return variable.deprecated === undefined;
  return value === '' && (variable.required === true || variable.secret !== undefined);
}

function newValue(
  name: string,
  variable: Variable,
  { input, values }: { readonly input: EnvMerge; readonly values: Map<string, string> },
): string {
  const answer = input.answers.get(name);
  if (answer !== undefined && answer !== '') return answer;
  if (variable.secret !== undefined) return input.generated.get(name) ?? '';
  const others = new Map([...values].filter(([other]) => other !== name));
  return answer ?? defaultValue(name, input.newVariables, others) ?? '';
}

/** A derived secret is empty as long as what it is made from is. */
function isNeeded(variable: Variable, features: readonly string[]): boolean {
  if (variable.secret !== undefined) return originOf(variable.secret) === undefined;
  return variable.required === true && isActive(variable.when, features);
}

/** Goes round until nothing more can go: a line that goes may have been the last one that needed another. */
function retireRemoved(input: EnvMerge, start: Progress): Progress {
  const gone = Object.keys(input.oldVariables).filter((name) => !Object.hasOwn(input.newVariables, name) && hasEnv(start.file, name));
  const references = new Set([...envReferences(start.file), ...(input.around?.references ?? [])]);
  const free = gone.filter((name) => !references.has(name));
  if (free.length === 0) return { ...start, changes: [...start.changes, ...gone.map((name) => ({ name, change: 'kept' as const }))] };
  const file = free.reduce((edited, name) => commentOutEnv(edited, name, retiredBecause(name, input)), start.file);
  return retireRemoved(input, { file, changes: [...start.changes, ...free.map((name) => ({ name, change: 'removed' as const }))] });
}

/** All that a default may be made of: the file as it is now, and what surrounds it. */
function valuesNow(file: EnvFile, around: Surroundings | undefined): Map<string, string> {
  return new Map([...Object.entries(around?.after ?? {}), ...envValues(file, around?.after)]);
}

function retiredBecause(name: string, { newVariables, version }: EnvMerge): string {
  const heir = Object.keys(newVariables).find((each) => newVariables[each]?.renamedFrom === name);
  return heir === undefined ? `removed in ${version}` : `renamed to ${heir} in ${version}`;
}

/** The comment above a variable's line: its help, else its question. */
export function commentOf({ help, ask, choices }: Variable): { readonly comment?: string } {
  const lines = [help ?? ask, choices === undefined ? undefined : `One of: ${choices.join(', ')}`].filter((line) => line !== undefined);
  return lines.length === 0 ? {} : { comment: lines.join('\n') };
}
