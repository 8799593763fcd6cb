import { describe, expect, test } from 'vitest';
import { imageTable } from '../../src/model/image-table.ts';
import { planMirrorNames } from '../../src/model/mirror.ts';
import { parseProduct, readProduct } from '../../src/model/product.ts';
import { parseVersion } from '../../src/model/version.ts';

const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\n';
const productOf = (text: string) => readProduct(text, 'slipway.yaml');

describe('the image table', () => {
  const images = `images:
  registry: registry.example/acme
  own:
    api: { repository: acme-api, platforms: [linux/amd64] }
    web: { tag: "3.1.0" }
  thirdParty:
    core: [docker.io/library/postgres:16-alpine]
    more: [{ source: localhost:5000/gotify/server:2.5.0, as: gotify }]
`;
  const own = [
    { name: 'api', kind: 'own', reference: 'registry.example/acme/acme-api:2.4.0', platforms: ['linux/amd64'] },
    { name: 'web', kind: 'own', reference: 'registry.example/acme/web:3.1.0', platforms: [] },
  ];

  test('pulls everything from the product’s own registry', () => {
    expect(imageTable(productOf(HEAD + images), parseVersion('2.4.0'))).toEqual([
      ...own,
      {
        name: 'postgres',
        kind: 'third-party',
        reference: 'registry.example/acme/postgres:16-alpine',
        source: 'docker.io/library/postgres:16-alpine',
        platforms: [],
      },
      {
        name: 'gotify',
        kind: 'third-party',
        reference: 'registry.example/acme/gotify:2.5.0',
        source: 'localhost:5000/gotify/server:2.5.0',
        platforms: [],
      },
    ]);
  });

  test('without a registry third-party images come from upstream', () => {
    const table = imageTable(productOf(HEAD + images.replace(/ {2}registry:.*\n/, '')), parseVersion('2.4.0'));
    expect(table.map(({ reference }) => reference)).toEqual([
      'acme-api:2.4.0',
      'web:3.1.0',
      'docker.io/library/postgres:16-alpine',
      'localhost:5000/gotify/server:2.5.0',
    ]);
  });

  test('with `mirror: false` third-party images come from upstream beside own ones in a registry, and none is mirrored there', () => {
    const product = productOf(HEAD + images.replace('registry:', 'mirror: false\n  registry:'));
    expect(imageTable(product, parseVersion('2.4.0')).map(({ reference }) => reference)).toEqual([
      'registry.example/acme/acme-api:2.4.0',
      'registry.example/acme/web:3.1.0',
      'docker.io/library/postgres:16-alpine',
      'localhost:5000/gotify/server:2.5.0',
    ]);
    expect(planMirrorNames(product).entries.map(({ destinations }) => destinations)).toEqual([[], []]);
  });

  test('an image with tags of its own is in a bundle in the version that is written, whatever the bundle’s is', () => {
    const own = images.replace('platforms: [linux/amd64] }', 'tag: "V.{version}", release: "api-v{version}", version: 1.2.0 }');
    expect(imageTable(productOf(HEAD + own), parseVersion('2.4.0'))[0]?.reference).toBe('registry.example/acme/acme-api:V.1.2.0');
    const wrong = own.replace('version: 1.2.0', 'version: latest');
    expect(parseProduct(HEAD + wrong, 'slipway.yaml').problems.map(({ message }) => message)).toEqual([
      expect.stringContaining('expected a version such as 1.2.0'),
    ]);
  });
});
