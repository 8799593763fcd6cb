import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseImageRef } from '../../src/model/image.ts';
import { EMPTY_LOCK, lockedFor, lockedImage, parseLockFile, printLockFile } from '../../src/model/lock-file.ts';

const DIGEST = digestOf('postgres');
const ref = (text: string) => parseImageRef(text, 'test');

// Golden: this text lives in other people's repositories.
const GOLDEN = `{
  "type": "slipway/lock@1",
  "images": {
    "postgres": {
      "reference": "docker.io/library/postgres:16-alpine",
      "digest": "${DIGEST}",
      "platforms": [
        "linux/amd64",
        "linux/arm64"
      ],
      "size": 93211000,
      "resolved": "2026-03-15T10:00:00Z"
    }
  }
}
`;

describe('slipway.lock.json', () => {
  it('has this text, and reads back', () => {
    const lock = parseLockFile(GOLDEN);
    expect(lock.images.postgres).toMatchObject({ digest: DIGEST, size: 93211000, platforms: ['linux/amd64', 'linux/arm64'] });
    expect(printLockFile(lock)).toBe(GOLDEN);
  });

  it('sorts images by name', () => {
    const { postgres } = parseLockFile(GOLDEN).images;
    const text = printLockFile({ ...EMPTY_LOCK, images: { web: postgres!, api: postgres! } });
    expect(text.indexOf('"api"')).toBeLessThan(text.indexOf('"web"'));
  });

  it('keeps fields of a newer tool', () => {
    const newer = JSON.parse(GOLDEN) as { images: { postgres: object } };
    const text = JSON.stringify({ ...newer, generator: 'x', images: { postgres: { ...newer.images.postgres, signed: true } } });
    expect(JSON.parse(printLockFile(parseLockFile(text)))).toEqual(JSON.parse(text));
  });

  it('of an unknown type is refused with the way out', () => {
    expect(() => parseLockFile(GOLDEN.replace('lock@1', 'lock@2'))).toThrow(
      expect.objectContaining({ code: 'E_WRONG_TYPE', hint: expect.stringContaining('upgrade') }),
    );
  });

  it('names the field that is wrong', () => {
    expect(() => parseLockFile(GOLDEN.replace(DIGEST, 'sha256:1'))).toThrow(/slipway\.lock\.json: images\.postgres\.digest/);
  });

  it('knows images by name, and only the reference that was locked', () => {
    const lock = parseLockFile(GOLDEN);
    expect(lockedImage(lock, 'postgres')?.digest).toBe(DIGEST);
    expect(lockedImage(lock, 'toString')).toBeUndefined();
    expect(lockedFor(lock, 'postgres', ref('postgres:16-alpine'))?.digest).toBe(DIGEST);
    expect(lockedFor(lock, 'postgres', ref('postgres:17-alpine'))).toBeUndefined();
    expect(lockedFor(lock, 'postgres', ref(`postgres:16-alpine@${digestOf('other')}`))).toBeUndefined();
  });
});
