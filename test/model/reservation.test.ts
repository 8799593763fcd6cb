import { describe, expect, test } from 'vitest';
import { judgeReservation, parseReservation, printReservation, RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';

const mine: Reservation = {
  type: RESERVATION_TYPE,
  product: 'acme',
  version: '2.4.0-staging.3',
  tag: '2.4.0-staging.3',
  commit: '9f8c',
  by: 'ci:github:acme/acme:run:123456',
  nonce: 'n1',
  at: '2026-03-15T10:00:00Z',
};

test('a reservation has its golden text and is read back as it was', () => {
  const text =
    '{"at":"2026-03-15T10:00:00Z","by":"ci:github:acme/acme:run:123456","commit":"9f8c","nonce":"n1","product":"acme",' +
    '"tag":"2.4.0-staging.3","type":"slipway/reservation@1","version":"2.4.0-staging.3"}\n';
  expect(printReservation(mine)).toBe(text);
  expect(parseReservation(text, 'test')).toEqual(mine);
});

describe('the reservation in force', () => {
  test.each([
    ['of this very attempt is reserved', {}, 'reserved'],
    ['of an earlier attempt of the same run is ours already', { nonce: 'n0' }, 'already-yours'],
    ['of the same identity, made before there was a commit, is ours already', { nonce: 'n0', commit: null }, 'already-yours'],
    ['of the same identity for another commit is elsewhere', { nonce: 'n0', commit: 'aaaa' }, 'elsewhere'],
    ['of another for the same commit is joined', { nonce: 'n0', by: 'x' }, 'joined'],
    ['of another for another commit is elsewhere', { nonce: 'n0', by: 'x', commit: 'aaaa' }, 'elsewhere'],
    ['of another without a commit is elsewhere', { nonce: 'n0', by: 'x', commit: null }, 'elsewhere'],
    ['of another product is elsewhere, whoever holds it', { product: 'other' }, 'elsewhere'],
  ] as const)('%s', (_name, parts, outcome) => {
    expect(judgeReservation(mine, { ...mine, ...parts })).toBe(outcome);
  });

  test('without any commit, only the same identity counts', () => {
    const wanted = { ...mine, commit: null };
    expect(judgeReservation(wanted, { ...wanted, nonce: 'n0', by: 'x' })).toBe('elsewhere');
    expect(judgeReservation(wanted, { ...wanted, nonce: 'n0' })).toBe('already-yours');
  });
});
