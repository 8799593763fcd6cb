// Several env files carried over to a release's variables.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in braces are what is tested

import { describe, expect, it } from 'vitest';
import { envText, parseEnvFile } from '../../src/model/env-file.ts';
import { type Settings, settingsTexts, settingsValues, type Variables } from '../../src/model/settings.ts';
import { mergeSettings } from '../../src/model/settings-merge.ts';
import { fc } from '../property.ts';

const API = 'env/api.env';

function merge(texts: Readonly<Record<string, string>>, oldVariables: Variables, newVariables: Variables) {
  const current: Settings = new Map(Object.entries(texts).map(([path, text]) => [path, parseEnvFile(text, path)]));
  const wish = { oldVariables, newVariables, answers: new Map<string, string>(), generated: new Map<string, string>() };
  const merged = mergeSettings({ ...wish, current, features: [], version: '2.0.0' });
  return { ...merged, texts: Object.fromEntries(settingsTexts(merged.settings)) };
}

describe('mergeSettings', () => {
  it('makes defaults in one file of values in .env, the new ones', () => {
    const { texts } = merge(
      { '.env': 'DOMAIN=d.example\n' },
      { DOMAIN: {} },
      { DOMAIN: {}, URL: { default: 'https://{{DOMAIN}}', file: API } },
    );
    expect(texts).toEqual({ '.env': 'DOMAIN=d.example\n', [API]: '# Added in 2.0.0\nURL=https://d.example\n' });
  });

  it('follows a default that is made of a changed one in .env', () => {
    const url = { default: 'p{{PORT}}', file: API };
    const { texts } = merge(
      { '.env': 'PORT=1\n', [API]: 'URL=p1\n' },
      { PORT: { default: 1 }, URL: url },
      { PORT: { default: 2 }, URL: url },
    );
    expect(texts).toEqual({ '.env': 'PORT=2\n', [API]: 'URL=p2\n' });
  });

  it('moves a line with the value that Compose read, under its new name', () => {
    const { texts } = merge({ '.env': "A=1\nOLD='x $y' # c\nB=2\n" }, { OLD: {} }, { NEW: { renamedFrom: 'OLD', file: API } });
    expect(texts['.env']).toBe('A=1\n# OLD moved to env/api.env in 2.0.0 # c\nB=2\n');
    expect(texts[API]).toBe("# Added in 2.0.0\nNEW='x $y'\n");
  });

  it('leaves a line where it was, too, as long as others there refer to it', () => {
    const { texts } = merge({ '.env': 'A=1\nMINE=$A\n' }, { A: {} }, { A: { file: API } });
    expect(texts).toEqual({ '.env': 'A=1\nMINE=$A\n', [API]: '# Added in 2.0.0\nA=1\n' });
  });

  it('keeps in .env what a line of another env file refers to', () => {
    const { texts, changes } = merge(
      { '.env': 'GONE=1\n', [API]: 'MINE=$GONE\n' },
      { GONE: {}, X: { default: 1, file: API } },
      { X: { default: 1, file: API } },
    );
    expect(texts['.env']).toBe('GONE=1\n');
    expect(changes).toContainEqual({ name: 'GONE', change: 'kept' });
  });

  it('reads a variable from its home and from nowhere else', () => {
    const settings: Settings = new Map([
      ['.env', parseEnvFile('A=wrong\nOTHER=1\n')],
      [API, parseEnvFile('A=$OTHER-right\nB=stray\n')],
    ]);
    expect(Object.fromEntries(settingsValues(settings, { A: { file: API } }))).toEqual({ OTHER: '1', A: '1-right' });
  });

  it('changes nothing the second time, wherever variables live and go', () => {
    const home = fc.constantFrom(undefined, API, 'env/b.env');
    const variable = fc
      .record({ default: fc.constantFrom(1, 'x', 'y{{A}}'), file: home })
      .map(({ file, default: value }) => ({ default: value, ...(file === undefined ? {} : { file }) }));
    const variables = fc.dictionary(fc.constantFrom('B', 'C', 'D'), variable).map((some): Variables => ({ A: { default: 'a' }, ...some }));
    const text = fc
      .array(fc.constantFrom('A=1', 'B=$A', "C='c' # c", 'D=', '# x', 'MINE=${B:-q}', 'C=y1'), { maxLength: 5 })
      .map((lines) => lines.map((line) => `${line}\n`).join(''));
    fc.assert(
      fc.property(variables, variables, text, text, (before, after, main, api) => {
        const once = merge({ '.env': main, [API]: api }, before, after);
        const twice = merge(once.texts, after, after);
        expect(twice.texts).toEqual(once.texts);
        for (const [path, document] of once.settings) expect(parseEnvFile(envText(document), path)).toBeDefined();
      }),
      { numRuns: 1500 },
    );
  });
});
