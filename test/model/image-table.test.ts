import { describe, expect, test } from 'vitest';
import { imageTable } from '../../src/model/image-table.ts';
import { readProduct } from '../../src/model/product.ts';
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
});
