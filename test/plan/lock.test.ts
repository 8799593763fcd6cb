import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseImageRef, type ResolvedImage } from '../../src/model/image.ts';
import { EMPTY_LOCK, printLockFile } from '../../src/model/lock-file.ts';
import { findUnlocked, planLock } from '../../src/plan/lock.ts';

const image = (name: string, tag: string, content: string): ResolvedImage => ({
  name,
  reference: parseImageRef(`${name}:${tag}`, 'test'),
  digest: digestOf(content),
  platforms: ['linux/amd64'],
  size: 10,
});

const MONDAY = '2026-03-16T10:00:00Z';
const TUESDAY = '2026-03-17T10:00:00Z';
const first = planLock({ previous: EMPTY_LOCK, resolved: [image('redis', '7', 'a'), image('postgres', '16', 'b')], moment: MONDAY });

describe('planLock', () => {
  it('locks what was resolved and names what is new', () => {
    expect(Object.keys(first.lock.images)).toHaveLength(2);
    expect(first.changes).toEqual([
      { name: 'postgres', after: { reference: 'docker.io/library/postgres:16', digest: digestOf('b') } },
      { name: 'redis', after: { reference: 'docker.io/library/redis:7', digest: digestOf('a') } },
    ]);
  });

  it('changes nothing, not even a time, when nothing changed', () => {
    const again = planLock({ previous: first.lock, resolved: [image('postgres', '16', 'b'), image('redis', '7', 'a')], moment: TUESDAY });
    expect(again.changes).toEqual([]);
    expect(printLockFile(again.lock)).toBe(printLockFile(first.lock));
  });

  it('dates what moved, keeps the rest and drops what is gone', () => {
    const next = planLock({ previous: first.lock, resolved: [image('postgres', '16', 'newer')], moment: TUESDAY });
    expect(next.lock.images.postgres?.resolved).toBe(TUESDAY);
    expect(next.changes.map(({ name, before, after }) => [name, before?.digest, after?.digest])).toEqual([
      ['postgres', digestOf('b'), digestOf('newer')],
      ['redis', digestOf('a'), undefined],
    ]);
  });
});

describe('findUnlocked', () => {
  it('names images that are absent or were locked for another tag', () => {
    const wanted = [image('redis', '7', ''), image('postgres', '17', ''), image('mongo', '8', '')];
    expect(findUnlocked(first.lock, wanted)).toEqual(['mongo', 'postgres']);
  });
});
