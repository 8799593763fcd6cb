import { describe, expect, test } from 'vitest';
import { valueInJson, withValueInJson } from '../../src/model/json-text.ts';
import { fc } from '../property.ts';

describe('a value in a JSON text', () => {
  test('is replaced, and every other byte stays', () => {
    const text =
      '\ufeff{\r\n\t"name" : "a\\"version\\": \\"0.0.0\\"",\r\n  "scripts": { "version": "1.0.0" }, "list": ["version", {"version": "3"}],\r\n\t"version":   "1.2.3" ,"z":[ ]\r\n}';
    expect(withValueInJson(text, ['version'], '1.3.0')).toBe(text.replace('"1.2.3"', '"1.3.0"'));
    expect(withValueInJson(text, ['scripts', 'version'], '9')).toBe(text.replace('"1.0.0"', '"9"'));
  });

  test('is found whatever stands around it', () => {
    const inner = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(inner, inner, fc.nat(4), (before, after, spaces) => {
        const made = { before, tool: { other: before, version: '1.0.0', after }, after };
        const changed = withValueInJson(JSON.stringify(made, null, spaces), ['tool', 'version'], '2.0.0');
        expect(changed).toBe(JSON.stringify({ ...made, tool: { ...made.tool, version: '2.0.0' } }, null, spaces));
      }),
    );
  });

  test('is undefined where there is no such key, and refused where it is no text', () => {
    expect(valueInJson('{"a":{}}', ['a', 'version'], 'f')).toBeUndefined();
    expect(() => valueInJson('{"version":1}', ['version'], 'f')).toThrow(/version is not text/);
    expect(() => valueInJson('{"version":"1",}', ['version'], 'f.json')).toThrow(/f.json is not valid JSON/);
    expect(() => withValueInJson('{}', ['version'], '1')).toThrow(/there is no version/);
  });
});
