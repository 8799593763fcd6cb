// The files that live in the field for ever, byte for byte. Rule: a change that makes one of these fail breaks installs out there.
import { describe, expect, test } from 'vitest';
import { BACKUP_TYPE, parseBackup, printBackup } from '../../src/model/backup.ts';
import { parseChannel, parseSignedChannel, printChannel, printSignedChannel } from '../../src/model/channel.ts';
import type { Digest } from '../../src/model/digest.ts';
import { ToolError } from '../../src/model/error.ts';
import { parseInstall, printInstall } from '../../src/model/install.ts';
import { JOURNAL_TYPE, parseJournal, printLine } from '../../src/model/journal.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { parseReservation, printReservation } from '../../src/model/reservation.ts';

const digest = (character: string): Digest => `sha256:${character.repeat(64)}` as Digest;

describe('canonical JSON (RFC 8785)', () => {
  test('sorts keys by UTF-16 units and writes numbers as ECMAScript does', () => {
    const value = {
      '\u20ac': 1,
      '\r': 2,
      '1': 3,
      '\u{1F600}': 4,
      '\u0080': 5,
      '\u00f6': 6,
      '\ufb33': 7,
      n: [1e21, 1e-7, 0.1, -0, 333333333.3333333],
    };
    expect(canonicalJson(value)).toBe(
      '{"\\r":2,"1":3,"n":[1e+21,1e-7,0.1,0,333333333.3333333],"\u0080":5,"\u00f6":6,"\u20ac":1,"\u{1F600}":4,"\ufb33":7}',
    );
  });
});

describe('channels/<name>.signed.json', () => {
  const payload =
    `{"channel":"stable","expires":"2027-03-15T10:00:00Z","hosts":["https://acme.example/releases"],"issued":"2026-03-15T10:00:00Z","latest":"2.4.0","moved":null,"product":"acme",` +
    `"releases":[{"assets":[{"name":"acme-bundle-2.4.0.tar.gz","sha256":"${digest('a')}","size":9123456}],"from":">=2.0.0","manifest":"${digest('b')}","operator":"${digest('c')}",` +
    `"published":"2026-03-15T10:00:00Z","reason":null,"replaced":[],"status":"live","stop":false,"tag":"bundle-v2.4.0","version":"2.4.0"}],"runtimes":[],"sequence":17,"type":"slipway/channel@1"}`;

  test('the payload comes back byte for byte', () => {
    expect(printChannel(parseChannel(payload, 'channel'))).toBe(payload);
  });

  test('the outer file holds the payload as a string and the signature, or null', () => {
    const text = `{"minisig":null,"payload":${JSON.stringify(payload)},"type":"slipway/signed@1"}\n`;
    expect(printSignedChannel(payload, null)).toBe(text);
    expect(parseSignedChannel(text, 'file')).toEqual({ type: 'slipway/signed@1', payload, minisig: null });
  });

  test('another type is refused with a hint to upgrade', () => {
    const refusal = catchError(() => parseChannel(payload.replace('channel@1', 'channel@2'), 'channel'));
    expect(refusal.code).toBe('E_WRONG_TYPE');
    expect(refusal.hint).toContain('upgrade');
  });
});

test('a reservation is one line of canonical JSON', () => {
  const text =
    '{"at":"2026-03-15T10:00:00Z","by":"ci:github:acme/acme:run:123456","commit":"9f8c","nonce":"aa","product":"acme","tag":"bundle-v2.4.0","type":"slipway/reservation@1","version":"2.4.0"}\n';
  expect(printReservation(parseReservation(text, 'reservation'))).toBe(text);
});

describe('.slipway/install.json', () => {
  const record = {
    type: 'slipway/install@1',
    product: 'acme',
    folder: '/opt/acme',
    project: 'acme',
    version: '2.4.0',
    manifest: digest('d'),
    channel: 'stable',
    hosts: ['https://acme.example/releases'],
    registry: null,
    trust: { key: 'RWS', sequences: { 'ABCD/stable': 17 }, signed: true },
    volumes: { pgdata: 'acme_pgdata' },
    features: ['mail'],
    secrets: { DB_PASSWORD: { salt: 'aa', fingerprint: 'bb' } },
    held: ['2.5.0'],
    installed: '2026-03-15T10:00:00Z',
    operations: [{ id: 'u1', command: 'upgrade', from: '2.3.0', to: '2.4.0', outcome: 'upgraded', at: '2026-03-15T10:00:00Z' }],
    from_the_future: { kept: true },
  };

  test('comes back with every field, those of a newer program included', () => {
    const text = `${JSON.stringify(record, null, 2)}\n`;
    expect(JSON.parse(printInstall(parseInstall(text, 'install.json')))).toEqual({ ...record, trust: { ...record.trust, payloads: {} } });
  });
});

describe('.slipway/journal.ndjson', () => {
  const plan = {
    schema: 1 as const,
    id: 'p1',
    operation: 'o1',
    command: 'upgrade',
    basedOn: digest('e'),
    steps: [],
    commitAfter: -1,
    notes: [],
  };
  const head = {
    type: JOURNAL_TYPE,
    id: 'p1',
    operation: 'o1',
    command: 'upgrade',
    operator: digest('f'),
    at: '2026-03-15T10:00:00Z',
    plan,
  } as const;
  const first = `{"type":"slipway/journal@1","id":"p1","operation":"o1","command":"upgrade","operator":"${digest('f')}","at":"2026-03-15T10:00:00Z","plan":{"schema":1,"id":"p1","operation":"o1","command":"upgrade","basedOn":"${digest('e')}","steps":[],"commitAfter":-1,"notes":[]}}\n`;

  test('the first line is frozen', () => {
    expect(printLine(head)).toBe(first);
  });

  test('the other lines are start, done, door, back, undo and end', () => {
    const lines = [{ start: 3, saved: { a: 1 } }, { done: 3 }, { door: true }, { back: true }, { undo: 3 }, { end: 'undone' }] as const;
    expect(lines.map(printLine).join('')).toBe(
      '{"start":3,"saved":{"a":1}}\n{"done":3}\n{"door":true}\n{"back":true}\n{"undo":3}\n{"end":"undone"}\n',
    );
    expect(parseJournal(first + lines.map(printLine).join(''), 'journal')).toMatchObject({ door: true, goingBack: true, end: 'undone' });
  });

  test('a torn last line never counted, and a journal without a whole first line is none', () => {
    expect(parseJournal(`${first}{"start":0,"saved":{}}\n{"do`, 'journal')?.done.size).toBe(0);
    expect(parseJournal(first.slice(0, 40), 'journal')).toBeUndefined();
  });

  test('a line of a newer program is refused, not skipped', () => {
    expect(catchError(() => parseJournal(`${first}{"jump":1}\n`, 'journal')).hint).toContain('newer');
  });
});

test('backup.json says what a backup holds', () => {
  const backup = {
    type: BACKUP_TYPE as typeof BACKUP_TYPE,
    product: 'acme',
    version: '2.3.0',
    manifest: digest('a'),
    reason: 'before the upgrade to 2.4.0',
    rescue: false,
    at: '2026-03-15T10:00:00Z',
    items: [{ name: 'pgdata', file: 'data/pgdata.tar.gz', kind: 'copy' as const, volume: 'acme_pgdata', size: 3, sha256: digest('b') }],
  };
  expect(printBackup(backup)).toBe(`${JSON.stringify(backup, null, 2)}\n`);
  expect(parseBackup(printBackup(backup), 'backup.json')).toEqual(backup);
});

function catchError(work: () => unknown): ToolError {
  try {
    work();
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
