// What stands in the way on this machine, and what is told of it. Rule: an image that does not run here is named with what it runs on; room is added up disk by disk.
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import type { DiskFact, MachineFacts } from '../../src/model/facts.ts';
import type { Manifest, ManifestImage } from '../../src/model/manifest.ts';
import { addedBytes } from '../../src/plan/image-parts.ts';
import { type PreflightFinding, preflight } from '../../src/plan/preflight.ts';

const GB = 1e9;

function image(name: string, parts: Partial<ManifestImage> = {}): ManifestImage {
  return { name, reference: `r.example/${name}:1`, digest: digestOf(name), platforms: ['linux/amd64'], size: 0, ...parts };
}

function disk(path: string, free: number, device = path): DiskFact {
  return { path, device, free };
}

interface Scene {
  readonly images?: readonly ManifestImage[];
  readonly requires?: Partial<Manifest['requires']>;
  readonly files?: number;
  readonly machine?: Partial<MachineFacts>;
}

function findings({ images = [], requires = {}, files = 0, machine = {} }: Scene): PreflightFinding[] {
  const file = { path: 'a', mode: '0644', size: files, sha256: digestOf('a'), owner: 'vendor' } as const;
  const manifest = { images, requires: { ports: [], platforms: [], ...requires }, files: [file] } as unknown as Manifest;
  const everything: MachineFacts = {
    ...{ docker: '28.0.0', engineTrouble: undefined, compose: '2.40.0', platform: 'linux/amd64', memory: 8 * GB },
    disks: { install: undefined, backups: undefined, images: undefined },
    ...{ missingImages: images.map(({ digest }) => digest), dataBytes: 0, ports: [], projectContainers: [] },
  };
  return preflight({ manifest, root: '/opt/acme', project: 'acme' }, { ...everything, ...machine });
}

describe('platforms', () => {
  const on = (platform: string, ...platforms: string[]): string[] =>
    findings({ images: [image('api', { platforms })], machine: { platform } }).map(({ code }) => code);

  test('an image without this machine’s platform blocks, named with the platforms that it has; all of them at once', () => {
    const images = [
      image('api', { platforms: ['linux/arm64'] }),
      image('web', { platforms: ['linux/amd64', 'linux/arm64'] }),
      image('db', { platforms: ['linux/arm/v7', 'linux/s390x'] }),
    ];
    expect(findings({ images })).toMatchObject([
      { severity: 'block', code: 'no-platform', message: 'the image api is made for linux/arm64, and this machine is linux/amd64' },
      { code: 'no-platform', message: 'the image db is made for linux/arm/v7, linux/s390x, and this machine is linux/amd64' },
    ]);
  });

  test('Z-5: an image for amd64 alone is refused on an arm64 machine', () => {
    expect(on('linux/arm64', 'linux/amd64')).toEqual(['no-platform']);
  });

  test.each([
    ['linux/arm64', 'linux/arm64/v8'],
    ['linux/arm/v7', 'linux/arm/v6'],
    ['linux/arm/v7', 'linux/arm'],
  ])('%s runs images for %s', (machine, made) => {
    expect(on(machine, made)).toEqual([]);
  });

  test.each([
    ['linux/arm/v6', 'linux/arm/v7'],
    ['linux/arm64', 'linux/arm/v7'],
    ['linux/arm', 'linux/arm64'],
  ])('%s does not run images for %s', (machine, made) => {
    expect(on(machine, made)).toEqual(['no-platform']);
  });

  test('an image whose platforms nobody knows stops nobody', () => {
    expect(on('linux/amd64')).toEqual([]);
  });
});

describe('room', () => {
  const messages = (scene: Scene): string[] => findings(scene).map(({ message }) => message);
  const images = [image('api', { size: 1 * GB }), image('web', { size: 2 * GB })];
  const room = (free: number, more: Partial<MachineFacts> = {}): Partial<MachineFacts> => ({
    disks: { install: undefined, backups: undefined, images: disk('/var/lib/docker', free) },
    ...more,
  });

  test('for images is what they take packed and unpacked, and says which', () => {
    expect(messages({ images, machine: room(10.5 * GB) })).toEqual([]);
    expect(findings({ images, machine: room(10.4 * GB) })).toMatchObject([
      {
        severity: 'block',
        code: 'disk-full',
        message: '/var/lib/docker has 10.4 GB free, and 10.5 GB are needed: 10.5 GB for 2 images to pull (api, web)',
        hint: expect.stringContaining('/var/lib/docker'),
      },
    ]);
  });

  test('is not asked for images that are here already', () => {
    const machine = room(4 * GB, { missingImages: [digestOf('api')] });
    expect(messages({ images, machine })).toEqual([]);
    expect(messages({ images, machine: room(4 * GB, { missingImages: [] }) })).toEqual([]);
  });

  test('counts an image once that is there under two names, and a shared layer with the first image that has it', () => {
    const twice = [image('api', { size: 2 * GB }), image('worker', { size: 2 * GB, digest: digestOf('api') })];
    expect(messages({ images: twice, machine: room(7 * GB) })).toEqual([]);
    const sharing = [image('api', { size: 2 * GB }), image('worker', { size: 2 * GB, added: 0.1 * GB })];
    expect(messages({ images: sharing, machine: room(7.4 * GB) })).toEqual([]);
    expect(messages({ images: sharing, machine: room(7.3 * GB) })).toHaveLength(1);
  });

  test('on one disk is added up: images, data, backups and files', () => {
    const all = (free: number, device: string): Scene => ({
      images,
      requires: { disk: 5 * GB },
      files: 0.1 * GB,
      machine: {
        dataBytes: 1 * GB,
        disks: { install: disk('/opt', free, device), backups: disk('/opt', free, device), images: disk('/var/lib/docker', free) },
      },
    });
    expect(messages(all(15 * GB, '/opt'))).toEqual([]);
    expect(messages(all(15 * GB, '/var/lib/docker'))).toEqual([
      '/var/lib/docker has 15.0 GB free, and 16.9 GB are needed: 10.5 GB for 2 images to pull (api, web), 4.0 GB for its data, ' +
        '2.0 GB for backups of 1.0 GB of data, 400.0 MB for the files of the release',
    ]);
  });

  test('for backups is asked where they go', () => {
    const machine = { dataBytes: 3 * GB, disks: { install: disk('/opt', GB), backups: disk('/mnt/backup', 5 * GB), images: undefined } };
    expect(messages({ machine })).toEqual(['/mnt/backup has 5.0 GB free, and 6.0 GB are needed: 6.0 GB for backups of 3.0 GB of data']);
  });

  test('that nobody can measure stops nobody', () => {
    expect(messages({ images, requires: { disk: 5 * GB }, machine: { dataBytes: undefined } })).toEqual([]);
  });
});

describe('what images share', () => {
  const blob = (name: string, size: number) => ({ digest: digestOf(name), size });
  const parts = (...platforms: [string, ...[string, number][]][]) => ({
    size: Math.max(...platforms.map(([, ...blobs]) => blobs.reduce((sum, [, size]) => sum + size, 0))),
    parts: platforms.map(([platform, ...blobs]) => ({ platform, blobs: blobs.map(([name, size]) => blob(name, size)) })),
  });

  test('counts for the first that has it, platform by platform', () => {
    const api = parts(['amd64', ['base', 100], ['api', 10]], ['arm64', ['base arm', 90], ['api arm', 30]]);
    const web = parts(['amd64', ['base', 100], ['web', 5]], ['arm64', ['other', 50]]);
    expect(addedBytes([api, web])).toEqual([undefined, 50]);
  });

  test('is never less, for any choice of missing images, than what one platform has to pull', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const all = [0, 1, 2, 3, 4].map((index) =>
      parts([
        'amd64',
        ...names.flatMap((name, at): [string, number][] => ((at * 7 + index * 5) % 3 === 0 ? [[name, 10 ** (at % 4)]] : [])),
        [`own ${index}`, 3],
      ]),
    );
    const added = addedBytes(all);
    for (let choice = 0; choice < 2 ** all.length; choice += 1) {
      const missing = all.filter((_, index) => choice & (1 << index));
      const present = all.filter((_, index) => !(choice & (1 << index)));
      const here = new Set<Digest>(present.flatMap((each) => each.parts.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))));
      const needed = new Map(
        missing.flatMap((each) => each.parts.flatMap(({ blobs }) => blobs.map(({ digest, size }) => [digest, size] as const))),
      );
      const really = [...needed].reduce((sum, [digest, size]) => (here.has(digest) ? sum : sum + size), 0);
      const counted = all.reduce((sum, { size }, index) => (choice & (1 << index) ? sum + (added[index] ?? size) : sum), 0);
      expect(counted).toBeGreaterThanOrEqual(really);
    }
  });

  test('is not known of an image that a lock answered for', () => {
    expect(addedBytes([{ size: 5 }, parts(['amd64', ['a', 5]])])).toEqual([undefined, undefined]);
  });
});
