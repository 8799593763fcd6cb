import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { imageName, parseImageHome, parseImageRef, pinImage, printImageRef, printTagged, rehomeImage } from '../../src/model/image.ts';
import { fc } from '../property.ts';

const D = digestOf('x');
const parse = (text: string) => parseImageRef(text, 'slipway.yaml:3');
const home = (text: string) => parseImageHome(text, 'test');

describe('parseImageRef', () => {
  it.each([
    ['postgres', 'docker.io/library/postgres'],
    ['postgres:16-alpine', 'docker.io/library/postgres:16-alpine'],
    ['docker.io/postgres', 'docker.io/library/postgres'],
    ['index.docker.io/library/postgres', 'docker.io/library/postgres'],
    ['acme/app', 'docker.io/acme/app'],
    ['localhost/app', 'localhost/app'],
    ['localhost:5000/app:1', 'localhost:5000/app:1'],
    ['registry.acme.example/a/b_c__d/e-f:V1', 'registry.acme.example/a/b_c__d/e-f:V1'],
    ['[::1]:5000/app', '[::1]:5000/app'],
    [`ghcr.io/acme/app:1@${D}`, `ghcr.io/acme/app:1@${D}`],
    [`app@${D}`, `docker.io/library/app@${D}`],
  ])('reads %s as %s', (text, full) => {
    expect(printImageRef(parse(text))).toBe(full);
  });

  it.each([
    ['', 'not a valid name'],
    ['Postgres:16', 'lower case'],
    ['acme/App', 'lower case'],
    ['app:', 'the tag'],
    [`app:${'x'.repeat(129)}`, 'the tag'],
    ['app:a/b', 'registry'],
    ['a//b', 'not a valid name'],
    ['a___b', 'not a valid name'],
    ['-a', 'not a valid name'],
    ['a b', 'not a valid name'],
    ['../etc', 'registry'],
    ['https://ghcr.io/acme/app', 'registry'],
    [`a/${'b'.repeat(260)}`, 'longer than 255'],
    ['0'.repeat(64), 'image id'],
    ['app@sha256:12', 'digest'],
    [`app@${D}@${D}`, 'more than one @'],
    ['registry.example:port/app', 'registry'],
    ['$REGISTRY/app', 'registry'],
  ])('refuses %s, naming the place', (text, why) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'E_FORMAT', message: expect.stringMatching(new RegExp(`^slipway.yaml:3: .*${why}`)) }),
    );
  });

  it('reads back every reference it prints', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,4}){0,2}$/);
    const registry = fc.constantFrom('docker.io', 'ghcr.io', 'localhost:5000', 'registry.acme.example');
    const ref = fc.tuple(
      registry,
      fc.array(part, { minLength: 1, maxLength: 3 }),
      fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/)),
      fc.boolean(),
    );
    fc.assert(
      fc.property(ref, ([at, path, tag, pinned]) => {
        const parsed = parse(`${at}/${path.join('/')}${tag === null ? '' : `:${tag}`}${pinned ? `@${D}` : ''}`);
        expect(parse(printImageRef(parsed))).toEqual(parsed);
      }),
    );
  });
});

describe('printing', () => {
  it('shows the tag without the digest, and writes latest out', () => {
    expect(printTagged(parse(`app:1@${D}`))).toBe('docker.io/library/app:1');
    expect(printTagged(parse('app'))).toBe('docker.io/library/app:latest');
    expect(printTagged(parse(`app@${D}`))).toBe('docker.io/library/app');
  });

  it('pins to a digest and keeps the tag for people', () => {
    expect(printImageRef(pinImage(parse('ghcr.io/acme/app:1'), D))).toBe(`ghcr.io/acme/app:1@${D}`);
  });

  it('takes the last segment for the name', () => {
    expect(imageName(parse('docker.io/nocodb/nocodb:0.301.3'))).toBe('nocodb');
    expect(imageName(parse('postgres'))).toBe('postgres');
  });
});

describe('rehomeImage', () => {
  it('drops the organisation of images from elsewhere', () => {
    expect(printImageRef(rehomeImage(parse(`docker.io/nocodb/nocodb:1@${D}`), home('registry.acme.example/acme')))).toBe(
      `registry.acme.example/acme/nocodb:1@${D}`,
    );
  });

  it('keeps the path below the home it leaves', () => {
    const moved = rehomeImage(
      parse('registry.acme.example/acme/team/api:2'),
      home('mirror.local:5000/x/y'),
      home('registry.acme.example/acme'),
    );
    expect(printImageRef(moved)).toBe('mirror.local:5000/x/y/team/api:2');
    const stranger = rehomeImage(parse('registry.acme.example/acmes/api:2'), home('mirror.local:5000'), home('registry.acme.example/acme'));
    expect(printImageRef(stranger)).toBe('mirror.local:5000/api:2');
  });

  it('reads homes with and without host and path', () => {
    expect(home('localhost:5000')).toEqual({ registry: 'localhost:5000', path: '' });
    expect(home('acme')).toEqual({ registry: 'docker.io', path: 'acme' });
    expect(() => home('registry.example/Acme')).toThrow(/lower case/);
    expect(() => home('https://registry.example/acme')).toThrow(/registry/);
  });
});
