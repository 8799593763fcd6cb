// Where answers come from, what is asked, and what is refused.
import { describe, expect, it } from 'vitest';
import { type Answers, collectAnswers } from '../../src/ask/ask.ts';
import type { AskInput } from '../../src/ask/sheet.ts';
import { parseEnvFile } from '../../src/model/env-file.ts';
import { type ScriptedTerminal, scriptedTerminal } from '../fakes/scripted-terminal.ts';

const ENV: AskInput['env'] = {
  DOMAIN: { group: 'Site', ask: 'Public host name', type: 'hostname', required: true, help: 'The name people type' },
  ADMIN_EMAIL: { group: 'Site', ask: "Administrator's e-mail", type: 'email', required: true },
  SMTP_HOST: { group: 'Mail', ask: 'SMTP server', type: 'hostname', required: true, when: 'features.mail' },
  SMTP_PASS: { group: 'Mail', ask: 'SMTP password', type: 'text', sensitive: true, required: true, when: 'features.mail' },
  HTTP_PORT: { group: 'Site', ask: 'HTTP port', type: 'port', default: 8080 },
  LEVEL: { type: 'choice', choices: ['debug', 'info'], default: 'info' },
  URL: { type: 'url', default: 'http://{{DOMAIN}}:{{HTTP_PORT}}' },
  KEY: { secret: 'hex', required: true },
  OLD_PORT: { deprecated: 'use HTTP_PORT', default: 1 },
};
const FEATURES: AskInput['features'] = {
  mail: { ask: 'Send e-mail?', profiles: ['mail'], default: false },
  extra: { profiles: ['x'], default: true },
};

interface Given {
  readonly flags?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly file?: string;
  readonly terminal?: ScriptedTerminal;
  readonly today?: Readonly<Record<string, string>>;
}

function collect({ flags = {}, environment = {}, file, terminal = scriptedTerminal(), today }: Given): Promise<Answers> {
  const sources = { flags: new Map(Object.entries(flags)), environment, ...(file === undefined ? {} : { file: parseEnvFile(file) }) };
  return collectAnswers({
    env: ENV,
    features: FEATURES,
    sources,
    terminal,
    ...(today === undefined ? {} : { defaults: new Map(Object.entries(today)) }),
  });
}

describe('collectAnswers', () => {
  it('takes flag before environment before file, and defaults last, without asking', async () => {
    const { values, features, asked } = await collect({
      flags: { DOMAIN: 'Flag.example' },
      environment: { SLIPWAY_SET_DOMAIN: 'env.example', SLIPWAY_SET_ADMIN_EMAIL: 'a@env.example', LEVEL: 'debug' },
      file: 'DOMAIN=file.example\nADMIN_EMAIL=a@file.example\nHTTP_PORT="81"\nCOMPOSE_PROJECT_NAME=x\nSMTP_HOST=\n',
    });
    expect(Object.fromEntries(values)).toEqual({
      DOMAIN: 'flag.example',
      ADMIN_EMAIL: 'a@env.example',
      HTTP_PORT: '81',
      LEVEL: 'info',
      URL: 'http://flag.example:81',
    });
    expect([features, asked]).toEqual([['extra'], []]);
  });

  it('asks what is open, group by group, features first, and takes Enter for the default', async () => {
    const terminal = scriptedTerminal(['', 'acme.example', '?', 'me@acme.example', '', '']);
    const { values, asked } = await collect({ terminal });
    expect(asked).toEqual(['mail', 'DOMAIN', 'ADMIN_EMAIL', 'HTTP_PORT']);
    expect(values.get('URL')).toBe('http://acme.example:8080');
    expect(terminal.shown()).toBe(
      [
        '\nEnter takes the value in brackets, ? explains, < goes back, Ctrl-C leaves.\nNothing is changed before you have seen it all.\n',
        '\nFeatures\nSend e-mail? [y/N] \n',
        '\nSite\nPublic host name: acme.example\n',
        "Administrator's e-mail: ?\n  ADMIN_EMAIL: an e-mail address.\nAdministrator's e-mail: me@acme.example\nHTTP port [8080]: \n",
        '\nYour answers\n\nFeatures\n   1  Send e-mail?            no\n',
        "Site\n   2  Public host name        acme.example\n   3  Administrator's e-mail  me@acme.example\n   4  HTTP port               8080\n\n",
        'Enter goes on; a number or the name of a group asks that again: \n',
      ].join(''),
    );
  });

  it('asks again with the reason, and never shows what must not be shown', async () => {
    const terminal = scriptedTerminal([
      'maybe',
      'yes',
      'not a host',
      'acme.example',
      '',
      'm@acme.example',
      '99999',
      '81',
      'smtp.example',
      '',
      's3cret',
      '',
    ]);
    const { values, features } = await collect({ terminal });
    expect([values.get('HTTP_PORT'), values.get('SMTP_PASS'), features]).toEqual(['81', 's3cret', ['mail', 'extra']]);
    for (const reason of [
      'DOMAIN must be a host name',
      'ADMIN_EMAIL must not be empty',
      'HTTP_PORT must be a port',
      'SMTP_PASS must not be empty',
    ]) {
      expect(terminal.shown()).toContain(reason);
    }
    expect(terminal.shown()).not.toContain('s3cret');
  });

  it('does not ask what was given, and asks a feature’s questions only when it is on', async () => {
    const terminal = scriptedTerminal(['smtp.example', '']);
    const { asked, features } = await collect({
      terminal,
      flags: { FEATURES: 'mail', DOMAIN: 'd.example', ADMIN_EMAIL: 'a@d.example', HTTP_PORT: '80' },
      environment: { SLIPWAY_SET_SMTP_PASS: 'x', SLIPWAY_SET_KEY: 'given-secret' },
    });
    expect([asked, features]).toEqual([['SMTP_HOST'], ['mail']]);
  });

  it('names everything that is missing at once, and how to give it', async () => {
    await expect(collect({ flags: { FEATURES: 'mail', DOMAIN: 'd.example' } })).rejects.toMatchObject({
      code: 'E_ANSWER',
      message: expect.stringMatching(/3 answers.*ADMIN_EMAIL has no answer \(Administrator.s e-mail\).*SMTP_HOST.*SMTP_PASS/s),
      hint: expect.stringMatching(/--set ADMIN_EMAIL=VALUE or SLIPWAY_SET_ADMIN_EMAIL.*--answers FILE/),
      details: { missing: ['ADMIN_EMAIL', 'SMTP_HOST', 'SMTP_PASS'] },
    });
  });

  it('does not suggest to give a password as an argument', async () => {
    await expect(collect({ flags: { FEATURES: 'mail', DOMAIN: 'd.example' } })).rejects.toMatchObject({
      hint: expect.not.stringContaining('--set SMTP_PASS'),
    });
  });

  it('names everything that is wrong at once, also with a person there, and never the value', async () => {
    const wrong = { DOMIAN: 'x', HTTP_PORT: 'h7x', LEVEL: 'loud', FEATURES: 'mial', ADMIN_EMAIL: 'q7q', DOMAIN: '' };
    for (const terminal of [scriptedTerminal(), scriptedTerminal([])]) {
      const error: Error = await collect({ flags: wrong, terminal }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'E_ANSWER' });
      for (const part of [
        'DOMIAN is not a variable of this product. Did you mean DOMAIN?',
        'mial is not a feature of this product. Did you mean mail?',
        'HTTP_PORT must be a port number',
        'LEVEL must be one of debug, info',
        'ADMIN_EMAIL must be an e-mail address',
        'DOMAIN must not be empty',
      ]) {
        expect(error.message).toContain(part);
      }
      expect(error.message).not.toMatch(/h7x|q7q|loud/);
    }
  });

  it('offers today’s values when asked again, and lets a default follow the new ones', async () => {
    const today = { DOMAIN: 'old.example', ADMIN_EMAIL: 'a@old.example', HTTP_PORT: '81', URL: 'http://old.example:81', LEVEL: 'debug' };
    const terminal = scriptedTerminal(['', 'new.example', '', '', '']);
    const { values } = await collect({ terminal, today });
    expect(Object.fromEntries(values)).toEqual({ ...today, DOMAIN: 'new.example', URL: 'http://new.example:81' });
    expect(terminal.shown()).toContain('Public host name [old.example]: ');
  });

  it('gives up when the person leaves', async () => {
    await expect(collect({ terminal: scriptedTerminal(['y']) })).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  });
});
