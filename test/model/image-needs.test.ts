import { describe, expect, test } from 'vitest';
import { buildOrder, dependentsOf, needsCircle } from '../../src/model/image-needs.ts';

const images = { web: { needs: ['base'] }, base: { needs: ['os'] }, os: { needs: [] }, api: { needs: ['base'] }, docs: { needs: [] } };

describe('images that need others', () => {
  test('come after them, and otherwise as written', () => {
    expect(buildOrder(['web', 'base', 'os', 'docs'], images)).toEqual(['os', 'base', 'web', 'docs']);
    expect(buildOrder(['web', 'os'], images)).toEqual(['os', 'web']);
  });

  test('are found through others, with what they need', () => {
    expect([...dependentsOf(['os'], images)]).toEqual([
      ['base', 'os'],
      ['web', 'base'],
      ['api', 'base'],
    ]);
    expect([...dependentsOf(['base'], images).keys()]).toEqual(['web', 'api']);
    expect([...dependentsOf(['docs'], images)]).toEqual([]);
  });

  test('may not need themselves', () => {
    expect(needsCircle('a', { a: { needs: ['b'] }, b: { needs: ['c'] }, c: { needs: ['a'] } })).toEqual(['a', 'b', 'c', 'a']);
    expect(needsCircle('a', { a: { needs: ['a'] } })).toEqual(['a', 'a']);
    expect(needsCircle('d', { a: { needs: ['a'] }, d: { needs: ['a'] } })).toBeUndefined();
    expect(needsCircle('web', images)).toBeUndefined();
  });
});
