import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseConfigPlatform, parseImageManifest } from '../../src/model/image-manifest.ts';

const OCI = 'application/vnd.oci.image';
const part = (mediaType: string) => ({ mediaType, digest: digestOf(mediaType), size: 5 });
const image = { schemaVersion: 2, config: part(`${OCI}.config.v1+json`), layers: [part(`${OCI}.layer.v1.tar+gzip`)] };
const parse = (value: unknown, contentType = '') => parseImageManifest(Buffer.from(JSON.stringify(value)), contentType, 'app:1');

describe('parseImageManifest', () => {
  it('knows an old OCI manifest without mediaType by what it holds, whatever vague type it came as', () => {
    expect(parse(image)).toMatchObject({ kind: 'image', mediaType: `${OCI}.manifest.v1+json` });
    expect(parse({ schemaVersion: 2, manifests: [] }, 'text/plain; charset=utf-8')).toMatchObject({ kind: 'index' });
  });

  it('leaves out of an index what is no image', () => {
    const manifest = part(`${OCI}.manifest.v1+json`);
    const entries = [
      { ...manifest, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
      { ...manifest, platform: { os: 'unknown', architecture: 'unknown' } },
      part('application/vnd.buildkit.cacheconfig.v0'),
      manifest,
    ];
    const parsed = parse({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: entries });
    expect(parsed.kind === 'index' && parsed.entries.map(({ platform }) => platform)).toEqual(['linux/arm/v7', undefined]);
  });

  it.each([
    ['both an index and an image', { ...image, manifests: [] }, '', /both an index and an image/],
    ['a type that contradicts Content-Type', { ...image, mediaType: `${OCI}.manifest.v1+json` }, `${OCI}.index.v1+json`, /but it says/],
    ['schema 1', { schemaVersion: 1, mediaType: 'application/vnd.docker.distribution.manifest.v1+prettyjws' }, '', /schema 1/],
    [
      'something else that lies in a registry',
      { ...image, config: part('application/vnd.cncf.helm.config.v1+json') },
      '',
      /not a container image/,
    ],
    ['a digest that is none', { ...image, layers: [{ ...image.layers[0], digest: 'sha256:1' }] }, '', /layers\[0\]\.digest/],
    ['a negative size', { ...image, layers: [{ ...image.layers[0], size: -1 }] }, '', /layers\[0\]\.size/],
  ])('refuses %s', (_, value, contentType, why) => {
    expect(() => parse(value, contentType)).toThrow(why);
  });
});

describe('parseConfigPlatform', () => {
  it('drops the variants that everyone means', () => {
    const platform = (fields: unknown) => parseConfigPlatform(Buffer.from(JSON.stringify(fields)), 'test');
    expect(platform({ os: 'linux', architecture: 'arm64', variant: 'v8' })).toBe('linux/arm64');
    expect(platform({ os: 'linux', architecture: 'amd64', variant: 'v3' })).toBe('linux/amd64/v3');
    expect(() => platform({ os: 'linux', architecture: 'a\nb' })).toThrow(/not a platform/);
  });
});
