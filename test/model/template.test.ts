// Strict templates: right output, and a file and a line for everything that is wrong.
import { describe, expect, it } from 'vitest';
import { renderTemplate } from '../../src/model/template.ts';

const DATA = {
  version: '2.4.0',
  product: 'acme',
  values: { motto: 'a & b <c>', on: false, list: ['x', 'y'], items: [{ name: 'n1' }, {}] },
};
const IMAGES = new Map([['api', 'registry.example/acme/api:2.4.0@sha256:abc']]);

function render(text: string): string {
  return renderTemplate({ text, file: 'templates/compose.yml.hbs', data: DATA, images: IMAGES });
}

describe('renderTemplate', () => {
  it('fills values, images, conditions and loops without escaping anything', () => {
    const text = [
      'image: {{image "api"}} # {{version}}',
      'motto: "{{values.motto}}"',
      '{{#if values.on}}on{{else}}off{{/if}}',
      '{{#each values.list}}{{@index}}={{this}};{{/each}}',
      '$' + '{HTTP_PORT:-80} \\{{.State}}',
    ].join('\n');
    expect(render(text)).toBe(
      [
        'image: registry.example/acme/api:2.4.0@sha256:abc # 2.4.0',
        'motto: "a & b <c>"',
        'off',
        '0=x;1=y;',
        '$' + '{HTTP_PORT:-80} {{.State}}',
      ].join('\n'),
    );
  });

  it.each([
    ['ok\n{{verson}}', 2, 'unknown value "verson"', 'Did you mean version?'],
    ['\n\n{{values.moto}}', 3, 'unknown value "moto"', 'Did you mean motto?'],
    ['{{#if values.maybe}}x{{/if}}', 1, 'unknown value "maybe"', ''],
    ['a\n{{#each values.lst}}x{{/each}}', 2, 'unknown value "lst"', 'Did you mean list?'],
    ['{{#each values.items}}\n{{name}}\n{{/each}}', 2, 'unknown value "name"', ''],
    ['a\nb\nimage: {{image "apy"}}', 3, 'unknown image "apy"', 'Did you mean api?'],
    ['a\n{{image}}', 1, '{{image}} needs the name of an image', ''],
    ['a\n{{image values.nope}}', 2, 'unknown value "nope"', ''],
    ['\n{{imag "api"}}', 2, 'unknown helper "imag"', 'Did you mean image?'],
    ['\n{{#unles values.on}}x{{/unles}}', 2, 'unknown helper "unles"', 'Did you mean unless?'],
    ['\n{{> header}}', 2, 'partials and decorators are not supported', ''],
    ['{{values.constructor}}', 1, 'unknown value "constructor"', ''],
    ['{{values.__proto__.x}}', 1, 'unknown value "__proto__"', ''],
    ['{{lookup values "nope"}}', 1, 'unknown value "nope"', ''],
    ['\n{{@typo}}', 2, 'unknown value @typo', ''],
    ['{{values}}', 1, 'a group of values cannot be written', ''],
    ['a\n{{#if values.on}}\nb', 3, 'syntax error', ''],
    ['a\n{{version', 2, 'syntax error', ''],
    ['{{#if values.on}}\n{{/each}}', 1, "if doesn't match each", ''],
  ])('refuses %j', (text, line, message, hint) => {
    const wanted = { code: 'E_TEMPLATE', details: { file: 'templates/compose.yml.hbs', line }, hint: expect.stringContaining(hint) };
    expect(() => render(text)).toThrow(expect.objectContaining(wanted));
    expect(() => render(text)).toThrow(`templates/compose.yml.hbs:${line}: ${message}`);
  });
});
