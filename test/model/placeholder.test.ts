// `{{NAME}}` placeholders and defaults made of other variables.
import { describe, expect, it } from 'vitest';
import { defaultValue, fillPlaceholders, placeholdersIn } from '../../src/model/placeholder.ts';

describe('placeholders', () => {
  it('are filled literally, whatever the value holds', () => {
    const values = new Map([
      ['HOST', '$& {{PORT}}'],
      ['PORT', '80'],
    ]);
    expect(fillPlaceholders('http://{{HOST}}:{{ PORT }}/{{PORT}}', values, 'x')).toBe('http://$& {{PORT}}:80/80');
  });

  it('are listed once each', () => {
    expect(placeholdersIn('{{A}}-{{ B }}-{{A}}')).toEqual(['A', 'B']);
  });

  it('refuse an unknown name and a malformed one, with the place and a hint', () => {
    expect(() => fillPlaceholders('{{NOPE}}', new Map(), 'upgrade.health')).toThrow(/upgrade\.health: \{\{NOPE\}\} is not known/);
    expect(() => fillPlaceholders('{{constructor}}', new Map(), 'x')).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    expect(() => fillPlaceholders('{{A', new Map([['A', '1']]), 'x')).toThrow(/malformed/);
  });
});

describe('a default made of other variables', () => {
  const variables = {
    DOMAIN: { required: true },
    PORT: { default: 8080 },
    URL: { default: 'http://{{DOMAIN}}:{{PORT}}' },
    LINK: { default: '{{URL}}/x' },
    A: { default: '{{B}}' },
    B: { default: '{{A}}' },
    BAD: { default: '{{NOPE}}' },
  };

  it('takes given values first and defaults after them, through several steps', () => {
    expect(defaultValue('LINK', variables, new Map([['DOMAIN', 'd']]))).toBe('http://d:8080/x');
    expect(defaultValue('LINK', variables, new Map([['URL', 'u']]))).toBe('u/x');
    expect(defaultValue('URL', variables, new Map())).toBe('http://:8080');
    expect(defaultValue('DOMAIN', variables, new Map())).toBeUndefined();
  });

  it('is refused when it goes in a circle or names nothing', () => {
    expect(() => defaultValue('A', variables, new Map())).toThrow('A -> B -> A');
    expect(() => defaultValue('BAD', variables, new Map())).toThrow(/\{\{NOPE\}\} is not known/);
  });
});
