// The wizard: back and forth, the review, features that need others, choices, and what is odd about an answer.
import { describe, expect, it } from 'vitest';
import { type Answers, collectAnswers } from '../../src/ask/ask.ts';
import type { AskInput } from '../../src/ask/sheet.ts';
import { parseEnvFile } from '../../src/model/env-file.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';

const ENV: AskInput['env'] = {
  DOMAIN: { group: 'Site', ask: 'Public host name', type: 'hostname', required: true, help: 'The name people type' },
  PORT: { group: 'Site', ask: 'HTTP port', type: 'port', default: 8080 },
  URL: { group: 'Site', ask: 'Public address', type: 'url', default: 'http://{{DOMAIN}}:{{PORT}}' },
  SMTP_PASS: { group: 'Mail', ask: 'SMTP password', sensitive: true, required: true, when: 'features.mail' },
  TOKEN: { group: 'Tunnel', ask: 'Tunnel token', required: true, when: 'features.tunnel=pangolin' },
};
const FEATURES: AskInput['features'] = {
  mail: { ask: 'Send e-mail?', profiles: ['mail'], default: false },
  chat: { ask: 'Team chat?', profiles: ['chat'], default: false, requires: ['mail'] },
  tunnel: { ask: 'How is this host reached?', profiles: [], default: 'none', choices: { none: [], pangolin: ['pangolin'] } },
};

async function wizard(lines: readonly string[], more: Partial<AskInput> = {}): Promise<Answers & { shown: string }> {
  const terminal = scriptedTerminal(lines);
  const input = { env: ENV, features: FEATURES, sources: { flags: new Map<string, string>(), environment: {} }, terminal, ...more };
  return { ...(await collectAnswers(input)), shown: terminal.shown() };
}

const FILE = (text: string): AskInput['sources'] => ({ flags: new Map(), environment: {}, file: parseEnvFile(text) });

describe('the wizard', () => {
  it('goes back with <, and offers what was answered before', async () => {
    const { values, shown } = await wizard(['<', 'n', 'n', '', 'acme.example', '<', '<', 'pangolin', '', '81', '', 't', '']);
    expect(shown).toContain('This is the first question.');
    expect(shown).toContain('How is this host reached? (none, pangolin) [none] ');
    expect(shown).toContain('Public host name [acme.example]: ');
    expect(Object.fromEntries(values)).toMatchObject({ DOMAIN: 'acme.example', PORT: '81', URL: 'http://acme.example:81', TOKEN: 't' });
  });

  it('explains a question when asked with ?', async () => {
    const { shown } = await wizard(['', '', '', '?', 'acme.example', '', '', '']);
    expect(shown).toContain('  The name people type.\n  DOMAIN: a host name such as www.example.org.\n');
  });

  it('changes one answer from the review, and what is made of it goes along', async () => {
    const { values, shown } = await wizard(['', '', '', 'acme.example', '', '', '9', '4', 'other.example', '']);
    expect(shown).toContain('There is no such number or group.');
    expect(values.get('URL')).toBe('http://other.example:8080');
    expect(shown).toContain('   6  Public address             http://other.example:8080\n');
  });

  it('asks a group again from the review, and only its questions', async () => {
    const { values, asked } = await wizard(['', '', '', 'a.example', '', '', 'site', 'b.example', '82', '', '']);
    expect([values.get('DOMAIN'), values.get('PORT'), values.get('URL')]).toEqual(['b.example', '82', 'http://b.example:82']);
    expect(asked).toEqual(['mail', 'chat', 'tunnel', 'DOMAIN', 'PORT', 'URL']);
  });

  it('goes back from the review to the last question', async () => {
    const { values } = await wizard(['', '', '', 'a.example', '', '', '<', 'https://a.example', '']);
    expect(values.get('URL')).toBe('https://a.example');
  });

  it('never shows a hidden answer, neither as the default nor in the review', async () => {
    const { values, shown } = await wizard(['y', '', '', 'a.example', '', '', 'hush-hush', '7', '', '']);
    expect(values.get('SMTP_PASS')).toBe('hush-hush');
    expect(shown).toContain('SMTP password [set]: ');
    expect(shown).toMatch(/7 {2}SMTP password +\(hidden\)/);
    expect(shown).not.toContain('hush');
  });

  it('forgets the answers of a feature that is switched off again', async () => {
    const { values, asked } = await wizard(['y', '', '', 'a.example', '', '', 'hush', '1', 'n', '']);
    expect([values.has('SMTP_PASS'), asked.includes('SMTP_PASS')]).toEqual([false, false]);
  });

  it('tells what is odd about an answer, once more in the review, and takes it all the same', async () => {
    const notice = async (name: string, value: string): Promise<string | undefined> =>
      name === 'PORT' && value === '80' ? 'port 80 is taken on this machine' : undefined;
    const { values, shown } = await wizard(['', '', '', 'a.example', '80', '', ''], { notice });
    expect(values.get('PORT')).toBe('80');
    expect(shown.split('! port 80 is taken on this machine\n')).toHaveLength(3);
  });

  it('keeps the review within the width of the terminal', async () => {
    for (const columns of [60, 80]) {
      const terminal = { ...scriptedTerminal(['', '', '', `${'a'.repeat(20)}.example`, '', '', '']), columns };
      let text = '';
      const err = (piece: string): void => {
        text += piece;
      };
      await collectAnswers({ env: ENV, features: FEATURES, sources: FILE(''), terminal: { ...terminal, err } });
      const review = text.slice(text.indexOf('Your answers'));
      expect(Math.max(...review.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
    }
  });
});

describe('features that need others', () => {
  it('switch them on, and say so', async () => {
    const { features, shown } = await wizard(['n', 'y', '', 'a.example', '', '', 'hush', '']);
    expect(features).toEqual(['mail', 'chat', 'tunnel=none']);
    expect(shown).toContain('Switched on too, for chat needs it: Send e-mail?');
    expect(shown).toMatch(/1 {2}Send e-mail\? +yes/);
  });

  it('keep what they need on, and say why', async () => {
    const { features, shown } = await wizard(['y', 'y', '', 'a.example', '', '', 'hush', '1', 'n', '']);
    expect(features).toEqual(['mail', 'chat', 'tunnel=none']);
    expect(shown).toContain('It stays on, for this needs it: Team chat?');
  });

  it('do the same when they come from a file, for nobody is there', async () => {
    const terminal = scriptedTerminal();
    const sources = FILE('FEATURES=chat\nDOMAIN=a.example\nSMTP_PASS=x\n');
    const { features } = await collectAnswers({ env: ENV, features: FEATURES, sources, terminal });
    expect(features).toEqual(['mail', 'chat', 'tunnel=none']);
    expect(terminal.shown()).toBe('chat needs mail, so mail is switched on too\n');
  });
});

describe('features with choices', () => {
  const given = (text: string, today?: readonly string[]): Promise<Answers> => {
    const more = today === undefined ? {} : { defaultFeatures: today };
    return collectAnswers({ env: ENV, features: FEATURES, sources: FILE(text), terminal: scriptedTerminal(), ...more });
  };

  it('are chosen as name=choice, and stay as they are where nobody chooses', async () => {
    expect((await given('FEATURES=tunnel=pangolin\nDOMAIN=a.example\nTOKEN=t\n')).features).toEqual(['tunnel=pangolin']);
    expect((await given('FEATURES=\nDOMAIN=a.example\n')).features).toEqual(['tunnel=none']);
    expect((await given('FEATURES=\nDOMAIN=a.example\nTOKEN=t\n', ['mail', 'tunnel=pangolin'])).features).toEqual(['tunnel=pangolin']);
  });

  it('are refused where the choice is unknown, missing or made twice', async () => {
    for (const [text, problem] of [
      ['tunnel=pangolim', 'tunnel=pangolim is not a feature of this product. Did you mean tunnel=pangolin?'],
      ['tunnel', 'tunnel is not a feature of this product.'],
      ['tunnel=none,tunnel=pangolin', 'tunnel is chosen twice.'],
    ] as const)
      await expect(given(`FEATURES=${text}\nDOMAIN=a.example\nTOKEN=t\n`)).rejects.toMatchObject({
        message: expect.stringContaining(problem),
      });
  });
});
