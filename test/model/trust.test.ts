import { expect, test } from 'vitest';
import { printChannel, printSignedChannel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseSecretKey } from '../../src/model/minisign.ts';
import { type Trust, verifyChannel } from '../../src/model/trust.ts';
import { signStatement } from '../../src/model/trusted-comment.ts';
import { makeKeys } from '../fakes/release-builder.ts';

// What comes over the wire is in test/observe/fetching.test.ts; here is what is remembered.
const keys = makeKeys();
const fresh: Trust = { key: keys.publicKey, signed: false, sequences: { 'OTHERKEY/stable': 99, [`${keys.keyId}/staging`]: 40 } };

function fileOf(sequence: number, latest: string | null = null): string {
  const fixed = { type: 'slipway/channel@1', product: 'acme', channel: 'stable', issued: '2026-03-15T10:00:00Z', expires: null } as const;
  const payload = printChannel({ ...fixed, sequence, latest, hosts: [], moved: null, releases: [], runtimes: [] });
  const statement = { role: 'channel', product: 'acme', subject: 'stable', content: Buffer.from(payload) } as const;
  return printSignedChannel(payload, signStatement(statement, parseSecretKey(keys.secretKeyText)));
}

function verify(text: string, trust: Trust): Trust {
  return verifyChannel(text, { product: 'acme', channel: 'stable', trust, now: new Date(), where: 'test' }).trust;
}

test('the sequence is remembered for this key and channel alone, with the digest of what had it', () => {
  const { payload } = JSON.parse(fileOf(3)) as { payload: string };
  expect(verify(fileOf(3), fresh)).toEqual({
    key: keys.publicKey,
    signed: true,
    sequences: { 'OTHERKEY/stable': 99, [`${keys.keyId}/staging`]: 40, [`${keys.keyId}/stable`]: 3 },
    payloads: { [`${keys.keyId}/stable`]: digestOf(payload) },
  });
});

test('what was remembered holds for the next file: newer is taken, the same again is, older and other are not', () => {
  const trust = verify(fileOf(3), fresh);
  expect(verify(fileOf(3), trust)).toEqual(trust);
  expect(verify(fileOf(5), trust).sequences[`${keys.keyId}/stable`]).toBe(5);
  expect(() => verify(fileOf(2), trust)).toThrow(expect.objectContaining({ code: 'E_OLDER_SEQUENCE', details: { sequence: 2, seen: 3 } }));
  expect(() => verify(fileOf(3, '1.0.0'), trust)).toThrow(expect.objectContaining({ code: 'E_EQUIVOCATION' }));
});

test('fields of a newer install record stay', () => {
  const newer = { ...fresh, pinned: 'by hand' } as Trust;
  expect(verify(fileOf(1), newer)).toMatchObject({ pinned: 'by hand' });
});
