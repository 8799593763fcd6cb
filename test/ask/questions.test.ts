// The wizard as data.
import { describe, expect, it } from 'vitest';
import { promptText } from '../../src/ask/prompt.ts';
import { questionsFor } from '../../src/ask/questions.ts';

const NONE = { env: {}, features: {}, given: new Set<string>() };

describe('questionsFor', () => {
  it('asks features first, then variables by group, and leaves out secrets, given and unasked ones', () => {
    const env = {
      A: { group: 'One', ask: 'A?' },
      B: { group: 'Two', ask: 'B?' },
      C: { group: 'One', ask: 'C?' },
      D: { ask: 'D?' },
      E: { default: 1 },
      F: { secret: 'hex', ask: 'F?' },
      G: { required: true },
    } as const;
    const features = { mail: { ask: 'Mail?', profiles: [], default: true }, quiet: { profiles: [], default: true } };
    const keys = questionsFor({ env, features, given: new Set(['D']) }).map(({ kind, group, key }) => `${kind} ${group}/${key}`);
    expect(keys).toEqual(['feature Features/mail', 'variable One/A', 'variable One/C', 'variable Two/B', 'variable Settings/G']);
  });

  it('asks no feature when features were chosen', () => {
    const features = { mail: { ask: 'Mail?', profiles: [], default: true } };
    expect(questionsFor({ ...NONE, features, given: new Set(['FEATURES']) })).toEqual([]);
  });
});

describe('promptText', () => {
  it('shows choices and the default, but not a hidden one, and lets no control character through', () => {
    const [question] = questionsFor({ ...NONE, env: { A: { ask: 'Level\u001b[2J', choices: ['debug', 'info'] } } });
    expect(promptText(question!, 'info')).toBe('Level [2J (debug, info) [info]: ');
    expect(promptText({ ...question!, hidden: true }, 'info')).toBe('Level [2J [set]: ');
  });
});
