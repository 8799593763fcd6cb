// A release with images of other ones for some services. Rule: nothing but those images is another, and a person's changes merge as if they were not.

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { serviceImages } from '../../src/model/compose-image.ts';
import { mergeContent } from '../../src/model/content-merge.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { ManifestImage } from '../../src/model/manifest.ts';
import { type Mixed, mixServices, parseMixed, releaseOnSite } from '../../src/model/mixed.ts';
import { manifestOf } from '../plan/sketch.ts';
import { fc } from '../property.ts';

const NAMES = ['api', 'web', 'worker', 'docs'];

const row = (name: string, version: string): ManifestImage => ({
  ...{ name, reference: `registry.test/acme/${name}:${version}`, digest: digestOf(`${name} ${version}`), platforms: [], size: 1 },
});
const pinned = (name: string, version: string): string => `registry.test/acme/${name}:${version}@${digestOf(`${name} ${version}`)}`;
const servicesOf = (...names: readonly string[]): Mixed['services'] =>
  Object.fromEntries(names.map((name) => [name, { version: '2.0.0', image: pinned(name, '2.0.0'), row: row(name, '2.0.0') }]));

function composeOf(version: string, more: Readonly<Record<string, string>> = {}): string {
  const services = NAMES.map((name) => `  # the ${name}\n  ${name}:\n    image: ${pinned(name, version)} # pinned\n${more[name] ?? ''}`);
  return `name: acme\nservices:\n${services.join('')}`;
}

const signedOf = (compose: string) => {
  const manifest = manifestOf({ version: '1.0.0', services: Object.fromEntries(NAMES.map((name) => [name, {}])) });
  const files = manifest.files.map((file) => ({ ...file, sha256: digestOf(compose), size: compose.length }));
  return { ...manifest, images: NAMES.map((name) => row(name, '1.0.0')), files, registry: 'registry.test/acme' };
};

const mixedOf = (...names: readonly string[]): Mixed => mixServices(composeOf('1.0.0'), servicesOf(...names));

/** The compose file as an install with these services mixed has it. */
const mixedText = (compose: string, services: Mixed['services']): string =>
  releaseOnSite(signedOf(compose), compose, { registry: null, mixed: mixServices(compose, services) }).compose?.text ?? compose;

describe('a mixed release', () => {
  test('has other images for its services, in file and manifest; what was signed stays beside it', () => {
    const compose = composeOf('1.0.0');
    const used = releaseOnSite(signedOf(compose), compose, { registry: null, mixed: mixedOf('api', 'docs') });
    expect(Object.fromEntries(serviceImages(used.compose?.text ?? ''))).toEqual({
      ...{ api: pinned('api', '2.0.0'), docs: pinned('docs', '2.0.0') },
      ...{ web: pinned('web', '1.0.0'), worker: pinned('worker', '1.0.0') },
    });
    expect(used.compose?.text).toContain('  # the web\n');
    expect(used.manifest.files[0]?.sha256).toBe(digestOf(used.compose?.text ?? ''));
    expect(used.manifest.images.flatMap(({ name, version }) => (version === undefined ? [] : [`${name} ${version}`]))).toEqual([
      'api 2.0.0',
      'docs 2.0.0',
    ]);
    expect(used.shipped).toEqual(signedOf(compose));
  });

  test('has all of them at the site’s registry, where it has one', () => {
    const compose = composeOf('1.0.0');
    const { manifest, compose: used } = releaseOnSite(signedOf(compose), compose, { registry: 'site.test/x', mixed: mixedOf('api') });
    expect([...serviceImages(used?.text ?? '').values()].every((image) => image.startsWith('site.test/x/'))).toBe(true);
    expect(serviceImages(used?.text ?? '').get('api')).toBe(`site.test/x/api:2.0.0@${digestOf('api 2.0.0')}`);
    expect(manifest.images.every(({ reference }) => reference.startsWith('site.test/x/'))).toBe(true);
  });

  test('is the signed one where nothing is mixed', () => {
    const signed = signedOf(composeOf('1.0.0'));
    expect(releaseOnSite(signed, composeOf('1.0.0'), { registry: null }).manifest).toBe(signed);
  });

  test('gives an image of its own to a service that has it by a merge key, and leaves the others theirs', () => {
    const compose = `x-app: &app\n  image: ${pinned('api', '1.0.0')}\n  restart: always\nservices:\n  api:\n    <<: *app\n  worker:\n    <<: *app\n    command: work\n`;
    const text = mixedText(compose, { api: { version: '2.0.0', image: pinned('api', '2.0.0'), row: row('api', '2.0.0') } });
    const { services } = parse(text, { merge: true }) as { services: Record<string, object> };
    expect(services.api).toEqual({ image: pinned('api', '2.0.0'), restart: 'always' });
    expect(services.worker).toEqual({ image: pinned('api', '1.0.0'), restart: 'always', command: 'work' });
  });

  test('does so where others have their image by an alias of its own, and keeps the quotes of a site’s variable', () => {
    const compose = `services:\n  api:\n    image: &image "${pinned('api', '1.0.0')}"\n  worker:\n    image: *image\n`;
    const variable = `\${REGISTRY:-registry.test/acme}/api:2.0.0`;
    const text = mixedText(compose, { api: { version: '2.0.0', image: variable, row: row('api', '2.0.0') } });
    expect(parse(text)).toEqual({ services: { api: { image: variable }, worker: { image: pinned('api', '1.0.0') } } });
  });

  test('leaves a file as it is that it cannot write: reading an install never fails of it', () => {
    for (const compose of ['', 'services: [', 'services: {}\n', 'a: b\n']) expect(mixedText(compose, servicesOf('api'))).toBe(compose);
  });

  test('comes out the same when it is made again', () => {
    fc.assert(
      fc.property(fc.subarray(NAMES), fc.boolean(), (names, atSite) => {
        const site = { registry: atSite ? 'site.test/x' : null, mixed: mixedOf(...names) };
        const once = releaseOnSite(signedOf(composeOf('1.0.0')), composeOf('1.0.0'), site).compose?.text ?? '';
        expect(releaseOnSite(signedOf(composeOf('1.0.0')), once, site).compose?.text).toBe(once);
      }),
      { numRuns: 30 },
    );
  });

  test('knows its compose file where only a person’s version of it is left, and does not take that for the shipped one', () => {
    const [compose, mixed] = [composeOf('1.0.0'), mixedOf('api')];
    const edited = `${mixedText(compose, servicesOf('api'))}# mine\n`;
    const used = releaseOnSite(signedOf(compose), edited, { registry: null, mixed });
    expect(used.manifest.files[0]?.sha256).toBe(mixed.compose);
    expect(used.compose).toBeUndefined();
  });

  test('what install.json says of it is checked', () => {
    expect(parseMixed(JSON.parse(JSON.stringify(mixedOf('api'))), 'mixed')).toEqual(mixedOf('api'));
    expect(() => parseMixed({ compose: digestOf(''), services: { api: { version: '2.0.0', image: 'x' } } }, 'mixed')).toThrow(
      'services.api.row',
    );
  });
});

describe('the whole upgrade after it', () => {
  const edit = fc.record({
    labels: fc.subarray(NAMES),
    top: fc.boolean(),
  });

  test('merges a person’s changes to the same file, to the byte, as if nothing had been mixed', () => {
    fc.assert(
      fc.property(fc.subarray(NAMES), edit, fc.subarray(NAMES), (names, { labels, top }, restarted) => {
        const mine = (text: string): string =>
          labels.reduce(
            (all, name) => all.replace(`  ${name}:\n`, `  ${name}:\n    labels: { mine: "yes" }\n`),
            top ? `x-mine: 1\n${text}` : text,
          );
        const base = composeOf('1.0.0');
        const theirs = composeOf('2.0.0', Object.fromEntries(restarted.map((name) => [name, '    restart: always\n'])));
        const plain = mergeContent({ base, mine: mine(base), theirs });
        const mixed = mixedText(base, servicesOf(...names));
        expect(mergeContent({ base: mixed, mine: mine(mixed), theirs })).toEqual(plain);
        expect(plain.conflicts).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
