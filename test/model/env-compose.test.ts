// The same env files read by us and by the real Docker Compose: a corpus by hand and by a seed, and what our own edits make of it.

import { describe, expect, it } from 'vitest';
import { EMPTY_ENV, envText, envValues, parseEnvFile, setEnv } from '../../src/model/env-file.ts';
import { fc } from '../property.ts';
import { anyChanges, changeAll } from './env-changes.ts';
import { anyEnvText, anyEnvValue, BY_HAND, generatedFiles } from './env-corpus.ts';
import { findCompose, OUTSIDE, readAsEnvFiles, readAsIncluded, readAsProject, severalAtOnce } from './real-compose.ts';

const docker = findCompose();
const byHand = Object.values(BY_HAND).flat();
const generated = generatedFiles(260, 20_260_315);
const corpus = [...byHand, ...generated];

describe.skipIf(docker === undefined)('an env file read by us and by docker compose', () => {
  const program = docker ?? '';
  const accepted = corpus.filter((text) => ourReading(text) !== undefined);
  const refused = corpus.filter((text) => !accepted.includes(text));

  it('means the same as the env_file of a service, in a corpus of at least 300 files', async () => {
    expect(corpus.length).toBeGreaterThanOrEqual(300);
    expect(accepted.length).toBeGreaterThanOrEqual(300);
    expect(
      differences(
        accepted,
        accepted.map((text) => ourReading(text)),
        await readAsEnvFiles(program, accepted),
      ),
    ).toEqual([]);
  });

  it('means the same as the .env of a project, under every name that could be in it', async () => {
    const names = accepted.map(namesIn);
    const theirs = await readAsIncluded(program, accepted, names);
    const ours = accepted.map((text, index) => only(ourReading(text), names[index] ?? []));
    expect(differences(accepted, ours, theirs)).toEqual([]);
    const some = accepted.filter((_, index) => index % 30 === 0);
    const alone = await severalAtOnce(some, (text) => readAsProject(program, text, namesIn(text)));
    expect(
      differences(
        some,
        some.map((text) => only(ourReading(text), namesIn(text))),
        alone,
      ),
    ).toEqual([]);
  });

  it('is given what the project sets, where an env_file leans on it', async () => {
    const project = { A: 'of the project', Q: '', 'e.f': '$' };
    const around = { ...OUTSIDE, ...project };
    const texts = accepted.filter((text) => ourReading(text, around) !== undefined);
    const theirs = await readAsEnvFiles(program, texts, "A='of the project'\nQ=\ne.f=$\n");
    expect(
      differences(
        texts,
        texts.map((text) => ourReading(text, around)),
        theirs,
      ),
    ).toEqual([]);
  });

  it('is refused by both, or by us with its line where Composes disagree about it', async () => {
    const theirs = await severalAtOnce(refused, async (text) => (await readAsEnvFiles(program, [text]))[0]);
    const alone = refused.filter((_, index) => theirs[index] !== undefined);
    const reasons = alone.map((text) => String(refusalOf(text)).replace(/^ToolError: \.env:\d+: /, ''));
    expect(reasons.filter((reason) => !REFUSED_BY_SOME.some((known) => reason.endsWith(known)))).toEqual([]);
    for (const text of alone) expect(refusalOf(text)).toMatchObject({ code: 'E_CONFIG', hint: expect.stringMatching(/line \d+ of \.env/) });
    console.log(
      `${corpus.length} env files (${byHand.length} by hand, ${generated.length} by seed): ${accepted.length} read, with no difference; ` +
        `${refused.length - alone.length} refused by both; ${alone.length} refused by us alone, for what some Composes refuse and others misread`,
    );
  });

  it('gives Compose back exactly what was set', async () => {
    const values = fc.sample(anyEnvValue, { numRuns: 400, seed: 7 });
    const file = values.reduce((edited, value, index) => setEnv(edited, `NEW_${index}`, value), EMPTY_ENV);
    const [read] = await readAsEnvFiles(program, [envText(file)]);
    expect(Object.entries(read ?? {}).sort()).toEqual(values.map((value, index) => [`NEW_${index}`, value]).sort());
  });

  it('means to Compose what our changes were to make it mean, and nothing more', async () => {
    const readable = anyEnvText.filter((text) => ourReading(text) !== undefined);
    const cases = fc.sample(fc.tuple(readable, anyChanges), { numRuns: 150, seed: 9 }).map(([text, changes]) => ({
      changes,
      text: envText(changeAll(parseEnvFile(text), changes).file),
    }));
    const changed = cases.filter(({ text }) => ourReading(text) !== undefined); // a `${A?}` may have lost its A
    expect(changed.length).toBeGreaterThan(120);
    const texts = changed.map(({ text }) => text);
    expect(
      differences(
        texts,
        texts.map((text) => ourReading(text)),
        await readAsEnvFiles(program, texts),
      ),
    ).toEqual([]);
  });
});

/** Where Composes differ from each other, or in what a project and a service take. */
const REFUSED_BY_SOME = ['a value without a name', 'a name alone at the very end', 'holds a NUL character'];

type Reading = Readonly<Record<string, string>> | undefined;

function ourReading(text: string, outside: Readonly<Record<string, string>> = OUTSIDE): Reading {
  try {
    return Object.fromEntries(envValues(parseEnvFile(text), outside));
  } catch {
    return undefined;
  }
}

function refusalOf(text: string): unknown {
  try {
    envValues(parseEnvFile(text), OUTSIDE);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** All that the text could possibly set; what Compose itself sets is not among it. */
function namesIn(text: string): string[] {
  const words = text.slice(0, 20_000).match(/[\p{L}\p{N}_.\-[\]]+/gu) ?? [];
  const names = new Set(['A', 'B', 'Q', ...words, ...Object.keys(ourReading(text) ?? {})]);
  for (const own of ['PATH', 'DOCKER_CONFIG', 'COMPOSE_PROJECT_NAME']) names.delete(own);
  return [...names];
}

function only(reading: Reading, names: readonly string[]): Reading {
  return reading === undefined ? undefined : Object.fromEntries(Object.entries(reading).filter(([name]) => names.includes(name)));
}

function differences(texts: readonly string[], ours: readonly Reading[], theirs: readonly Reading[]): unknown[] {
  const sorted = (reading: Reading): string => JSON.stringify(reading === undefined ? null : Object.entries(reading).sort());
  return texts.flatMap((text, index) =>
    sorted(ours[index]) === sorted(theirs[index])
      ? []
      : [{ text: text.slice(0, 300), ours: sorted(ours[index]), theirs: sorted(theirs[index]) }],
  );
}
