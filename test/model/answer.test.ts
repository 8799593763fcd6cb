// Whether one answer fits.
import { describe, expect, it } from 'vitest';
import { checkAnswer, normaliseAnswer } from '../../src/model/answer.ts';

describe('an answer', () => {
  it.each([
    [{ type: 'integer' }, ' 12 ', '12'],
    [{ type: 'boolean' }, 'Yes', 'true'],
    [{ type: 'boolean' }, 'off', 'false'],
    [{ type: 'hostname' }, ' App.Example.ORG ', 'app.example.org'],
    [{ type: 'port' }, '443', '443'],
    [{ type: 'choice', choices: ['info', 'warn'] }, 'warn', 'warn'],
    [{ type: 'text' }, ' two words ', ' two words '],
    [{ sensitive: true, type: 'text' }, ' p$"#ss ', ' p$"#ss '],
  ] as const)('of %o is accepted: %j', (variable, value, written) => {
    expect(checkAnswer('X', variable, value)).toBeUndefined();
    expect(normaliseAnswer(variable, value)).toBe(written);
  });

  it.each([
    [{ type: 'integer' }, '1.5', 'X must be a whole number'],
    [{ type: 'boolean' }, 'maybe', 'X must be true or false'],
    [{ type: 'port' }, '70000', 'X must be a port number from 1 to 65535'],
    [{ type: 'hostname' }, 'a_b.example', 'X must be a host name such as www.example.org'],
    [{ type: 'email' }, 'me', 'X must be an e-mail address'],
    [{ type: 'choice', choices: ['info', 'warn'] }, 'debug', 'X must be one of info, warn'],
    [{ required: true }, '  ', 'X must not be empty'],
    [{ pattern: '^[1-9]$' }, '10', 'X must be text that matches ^[1-9]$'],
    [{}, 'a\0b', 'X holds a NUL character or broken Unicode'],
    [{}, 'x'.repeat(70_000), 'X is too long'],
  ] as const)('of %o is refused: %j', (variable, value, problem) => {
    expect(checkAnswer('X', variable, value)).toBe(problem);
  });

  it('may be empty where nothing is required, whatever the type', () => {
    expect(checkAnswer('X', { type: 'port', pattern: '^8' }, '')).toBeUndefined();
  });
});
