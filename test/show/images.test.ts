import { describe, expect, test } from 'vitest';
import { imagesToText, type ListedImage, type OutdatedImage, outdatedToText } from '../../src/show/images.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const listed: ListedImage = {
  ...{
    name: 'postgres',
    kind: 'third-party',
    group: 'core',
    reference: 'r.example/a/postgres:16',
    source: 'docker.io/library/postgres:16',
  },
  ...{ tags: null, destinations: ['r.example/a/postgres:16'], platforms: ['linux/amd64', 'linux/arm64'], digest: DIGEST, size: 97_500_000 },
};
const current: OutdatedImage = {
  ...{ name: 'redis', group: 'core', source: 'docker.io/library/redis:7', current: '7', newest: '7', change: null },
  ...{ locked: DIGEST, digest: DIGEST, drifted: false, error: null },
};

describe('the lines of images', () => {
  test('one line an image under one head; what is not known says why', () => {
    const own = { ...listed, name: 'api', kind: 'own', group: null, source: null, reference: 'r.example/a/api:{version}' } as const;
    const unknown = { destinations: [], platforms: [], digest: null, size: null };
    const many = { ...listed, name: 'k3s', source: 'quay.io/k3s/k3s', tags: ['/^v1/', 'v2'], digest: null, size: null, platforms: [] };
    expect(imagesToText([listed, { ...own, ...unknown }, many]).split('\n')).toEqual([
      'NAME      GROUP  FROM                           TO                       DIGEST               SIZE     PLATFORMS',
      'postgres  core   docker.io/library/postgres:16  r.example/a/postgres:16  sha256:abababababab  97.5 MB  linux/amd64 linux/arm64',
      'api       own    r.example/a/api:{version}      -                        asked at pack        -        -',
      'k3s       core   quay.io/k3s/k3s /^v1/ v2       r.example/a/postgres:16  mirrored only        -        -',
      '',
    ]);
    expect(imagesToText([])).toBe('');
  });

  test('only what is newer, moved, gone or not known has a line; the rest is counted', () => {
    const newer: OutdatedImage = { ...current, name: 'nocodb', current: '0.301.3', newest: '0.302.0', change: 'minor' };
    const moved: OutdatedImage = { ...current, name: 'alpine', drifted: true, digest: `sha256:${'cd'.repeat(32)}` };
    const gone: OutdatedImage = { ...current, name: 'old', digest: null };
    const failed: OutdatedImage = { ...current, name: 'x', newest: null, digest: null, error: { code: 'E_AUTH', message: 'refused' } };
    expect(outdatedToText([current, newer, moved, gone, failed]).split('\n')).toEqual([
      'nocodb  0.301.3  -> 0.302.0  minor',
      'alpine  7                    7 is another image by now: locked sha256:abababababab, upstream sha256:cdcdcdcdcdcd',
      'old     7                    the current tag is gone upstream',
      'x       7                    not known: refused',
      'nothing newer for the rest (1)',
      '',
    ]);
    expect(outdatedToText([current])).toBe('nothing newer (1 looked at)\n');
  });
});
