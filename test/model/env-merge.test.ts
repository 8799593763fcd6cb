// `.env` at an upgrade: what the person has stays, what the release brings comes.

import { describe, expect, it } from 'vitest';
import { envText, envValue, envValues, parseEnvFile } from '../../src/model/env-file.ts';
import { type EnvMerge, type MergedEnv, mergeEnv, secretsToGenerate } from '../../src/model/env-merge.ts';
import type { Variables } from '../../src/model/settings.ts';
import { fc } from '../property.ts';

interface Case {
  readonly text: string;
  readonly old?: Variables;
  readonly new?: Variables;
  readonly answers?: Readonly<Record<string, string>>;
  readonly generated?: Readonly<Record<string, string>>;
  readonly features?: readonly string[];
}

function inputOf(c: Case): EnvMerge {
  return {
    current: parseEnvFile(c.text),
    oldVariables: c.old ?? {},
    newVariables: c.new ?? {},
    answers: new Map(Object.entries(c.answers ?? {})),
    generated: new Map(Object.entries(c.generated ?? {})),
    features: c.features ?? [],
    version: '2.0.0',
  };
}

function merge(c: Case): MergedEnv & { readonly text: string } {
  const merged = mergeEnv(inputOf(c));
  return { ...merged, text: envText(merged.file) };
}

function newSecrets(input: EnvMerge): string[] {
  return secretsToGenerate({ ...input, values: envValues(input.current) });
}

describe('mergeEnv', () => {
  it('leaves a file alone that has all the release wants, and everything in it that the release does not know', () => {
    const text = '# mine\r\nPORT="81"  \r\n\r\nEXTRA=$PORT # keep\r\nexport X=1';
    const variables = { PORT: { default: 80 } };
    expect(merge({ text, old: variables, new: variables })).toMatchObject({ text, changes: [], missing: [] });
  });

  it('adds new defaults, made from present values where they need them, under a heading with the version', () => {
    const { text, changes } = merge({
      text: 'DOMAIN=d.example\n',
      old: { DOMAIN: {} },
      new: {
        DOMAIN: {},
        LEVEL: { default: 'info', choices: ['info', 'warn'], help: 'How much is logged' },
        URL: { default: 'http://{{DOMAIN}}/{{LEVEL}}' },
        NOTE: {},
      },
    });
    expect(text).toBe(
      'DOMAIN=d.example\n\n# Added in 2.0.0\n# How much is logged\n# One of: info, warn\nLEVEL=info\nURL=http://d.example/info\nNOTE=\n',
    );
    expect(changes.map(({ name, change }) => `${name} ${change}`)).toEqual(['LEVEL added', 'URL added', 'NOTE added']);
  });

  it('takes new secrets as they are generated', () => {
    const variables = { KEY: { secret: 'hex' } } as const;
    expect(newSecrets(inputOf({ text: '', new: variables }))).toEqual(['KEY']);
    const { text, changes } = merge({ text: '', new: variables, generated: { KEY: 'abc' } });
    expect([text, changes]).toEqual(['# Added in 2.0.0\nKEY=abc\n', [{ name: 'KEY', change: 'generated' }]]);
  });

  it('never makes a secret again that an earlier release made, but reports it as missing', () => {
    const variables = { KEY: { secret: 'hex', immutable: true } } as const;
    for (const text of ['', 'KEY=\n']) {
      expect(newSecrets(inputOf({ text, old: variables, new: variables }))).toEqual([]);
      expect(merge({ text, old: variables, new: variables })).toMatchObject({ missing: ['KEY'], text });
    }
  });

  it('reports new required variables of the chosen features, unless there is an answer', () => {
    const variables = {
      HOST: { required: true },
      MAIL: { required: true, when: 'features.mail' },
      CHAT: { required: true, when: 'features.chat' },
    };
    expect(merge({ text: '', new: variables, features: ['mail'] })).toMatchObject({
      missing: ['HOST', 'MAIL'],
      text: '# Added in 2.0.0\nCHAT=\n',
    });
    const answered = merge({ text: 'MAIL=\n', new: variables, features: ['mail'], answers: { HOST: 'h', MAIL: 'm' } });
    expect(answered).toMatchObject({ missing: [], text: 'MAIL=m\n\n# Added in 2.0.0\nHOST=h\nCHAT=\n' });
  });

  it('carries a renamed variable over in place, and copies it where other lines still use the old name', () => {
    const variables = { NEW: { renamedFrom: 'OLD', default: 'x' } };
    expect(merge({ text: "A=1\nexport OLD='v' # c\n", old: { OLD: {} }, new: variables }).text).toBe("A=1\nexport NEW='v' # c\n");
    const copied = merge({ text: 'OLD=v\nMINE=$OLD\n', old: { OLD: {} }, new: variables });
    expect(Object.fromEntries(envValues(copied.file))).toEqual({ OLD: 'v', MINE: 'v', NEW: 'v' });
    expect(copied.changes.map(({ change }) => change)).toEqual(['renamed', 'kept']);
  });

  it('comments out what the release dropped, unless a line of the person refers to it', () => {
    expect(merge({ text: 'A=1\nGONE=2\n', old: { GONE: {} } }).text).toBe('A=1\n# removed in 2.0.0\n# GONE=2\n');
    expect(merge({ text: 'GONE=2\nMINE=$' + '{GONE}\n', old: { GONE: {} } })).toMatchObject({
      text: 'GONE=2\nMINE=$' + '{GONE}\n',
      changes: [{ change: 'kept' }],
    });
  });

  it('follows a changed default only where nobody was asked and nobody edited', () => {
    const old = {
      A: { default: 1 },
      B: { default: 1, ask: 'B?' },
      C: { default: 1 },
      P: { default: 80 },
      URL: { default: 'http://h:{{P}}' },
    };
    const now = {
      A: { default: 2 },
      B: { default: 2, ask: 'B?' },
      C: { default: 2 },
      P: { default: 81 },
      URL: { default: 'http://h:{{P}}' },
    };
    const { text, changes } = merge({ text: 'A=1\nB=1\nC=7\nP=80\nURL=http://h:80\n', old, new: now });
    expect(text).toBe('A=2\nB=1\nC=7\nP=81\nURL=http://h:81\n');
    expect(changes).toEqual(['A', 'P', 'URL'].map((name) => ({ name, change: 'default-followed' })));
  });

  it('lets a default follow the answer it is made of until a person edits it', () => {
    const variables = { DOMAIN: { ask: 'Name?' }, URL: { default: 'http://{{DOMAIN}}' } };
    const answers = { DOMAIN: 'new' };
    expect(merge({ text: 'DOMAIN=old\nURL=http://old\n', old: variables, new: variables, answers }).text).toBe(
      'DOMAIN=new\nURL=http://new\n',
    );
    expect(merge({ text: 'DOMAIN=old\nURL=http://other\n', old: variables, new: variables, answers }).text).toBe(
      'DOMAIN=new\nURL=http://other\n',
    );
  });

  it('changes nothing the second time, whatever the first time did', () => {
    const names = ['A', 'B', 'C', 'D'];
    const variable = fc.record(
      {
        default: fc.constantFrom('x', 'y', 'p$q', '{{A}}-z'),
        ask: fc.constant('Ask?'),
        required: fc.boolean(),
        secret: fc.constant('hex' as const),
        renamedFrom: fc.constantFrom('E', 'F'),
        deprecated: fc.constant('gone'),
      },
      { requiredKeys: [] },
    );
    const variables = fc.dictionary(fc.constantFrom(...names), variable).map((all) => ({ ...all, A: { default: 'a' } }));
    const line = fc.constantFrom('A=a', 'B=x', 'B=', "C='x'", 'D="$B"', 'E=e', 'F=', 'MINE=$E', 'A=q # c', '# note', 'D=a-z');
    const texts = fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(texts, variables, variables, (text, old, now) => {
        const input = inputOf({ text, old, new: now, generated: { B: 'gen', C: 'gen' }, answers: { D: 'given' } });
        const first = mergeEnv(input);
        const second = mergeEnv({ ...input, current: parseEnvFile(envText(first.file)) });
        expect(envText(second.file)).toBe(envText(first.file));
        expect(second.missing).toEqual(first.missing);
        expect(second.changes.filter(({ change }) => change !== 'kept')).toEqual([]);
        expect(envValue(first.file, 'MINE')).toBe(envValue(parseEnvFile(text), 'MINE'));
      }),
      { numRuns: 2000 },
    );
  });
});
