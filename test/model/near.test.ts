import { expect, test } from 'vitest';
import { didYouMean, nearest } from '../../src/model/near.ts';

const keys = ['schema', 'product', 'title', 'release', 'bundle', 'images', 'features', 'env', 'requires', 'services', 'upgrade'];

test.each([
  ['relase', 'release'],
  ['realease', 'release'],
  ['budnle', 'bundle'],
  ['Images', 'images'],
  ['feature', 'features'],
  ['evn', 'env'],
  ['titel', 'title'],
  ['upgarde', 'upgrade'],
])('%s is near %s', (word, wanted) => {
  expect(nearest(word, keys)).toBe(wanted);
});

test.each(['network', 'x', 'volumes', ''])('%j is near nothing', (word) => {
  expect(nearest(word, keys)).toBeUndefined();
});

test('without a near one the hint lists what there is', () => {
  expect(didYouMean('relase', keys)).toBe('Did you mean release?');
  expect(didYouMean('network', ['a', 'b'])).toBe('Known here: a, b.');
  expect(didYouMean('network', [], 'There are')).toBe('There are: nothing.');
});
