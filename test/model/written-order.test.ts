// The order that a maintainer wrote survives a canonical manifest.
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/model/json.ts';
import { inOrder, parseOrder, writtenOrder } from '../../src/model/written-order.ts';

test('the order of variables and features comes back from sorted JSON; sorted ones are not told', () => {
  const env = { ZONE: 1, DOMAIN: 2, ADMIN: 3 };
  const features = { chat: 1, mail: 2 };
  const written = JSON.parse(canonicalJson({ env, features, ...writtenOrder(env, features) }));
  expect(written.order).toEqual({ env: ['ZONE', 'DOMAIN', 'ADMIN'] });
  const order = parseOrder(written.order, 'order');
  expect(Object.keys(inOrder(written.env, order.env))).toEqual(['ZONE', 'DOMAIN', 'ADMIN']);
  expect(Object.keys(inOrder(written.features, order.features))).toEqual(['chat', 'mail']);
  expect(writtenOrder({ A: 1, B: 1 }, {})).toEqual({});
});

test('names that the order does not tell come last, and those that are gone do no harm', () => {
  expect(Object.keys(inOrder({ a: 1, b: 2, c: 3 }, ['c', 'gone']))).toEqual(['c', 'a', 'b']);
});
