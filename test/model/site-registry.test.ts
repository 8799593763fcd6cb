// Where images come from: a site's own registry in place of the product's.
import { describe, expect, test } from 'vitest';
import type { Digest } from '../../src/model/digest.ts';
import { parseProduct } from '../../src/model/product.ts';
import { withPlainRegistry, withRegistryVariable } from '../../src/model/registry-variable.ts';
import { parseSiteRegistry, rehomeRelease } from '../../src/model/site-registry.ts';
import { checkProduct } from '../../src/plan/check.ts';
import { checkCompose } from '../../src/plan/compose-check.ts';
import { renderBundle } from '../../src/plan/render-bundle.ts';
import { ONE } from '../plan/acme.ts';
import { manifestOf } from '../plan/sketch.ts';

const [A, B] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}` as Digest);
const PRODUCT = `schema: 1
product: acme
release: { tag: "v{version}" }
bundle: { compose: compose.yml }
images:
  registry: registry.example/acme
  registryVariable: ACME_REGISTRY
  own: { api: { repository: acme-api } }
`;

function rehomed(references: readonly (readonly [string, string])[], registry: string | undefined, to: string): string[] {
  const images = references.map(([name, reference]) => ({ name, reference, digest: A as Digest, platforms: [], size: 1 }));
  const manifest = { ...manifestOf(ONE), images, ...(registry === undefined ? {} : { registry }) };
  return rehomeRelease(manifest, '', to).manifest.images.map(({ reference }) => reference);
}

describe('a re-homed image', () => {
  test.each<[string, string, string, string]>([
    ['below the product’s registry keeps its path', 'api', 'registry.example/acme/team/api:1', 'mirror.site/x/team/api:1'],
    ['from upstream has its name, as `images mirror` gives it', 'postgres', 'docker.io/library/postgres:16', 'mirror.site/x/postgres:16'],
    ['with another name in the product has that one', 'gotify', 'docker.io/gotify/server:2.5.0', 'mirror.site/x/gotify:2.5.0'],
    ['of a registry with a similar name is not below it', 'api', 'registry.example/acme2/api:1', 'mirror.site/x/api:1'],
  ])('%s', (_, name, reference, expected) => {
    expect(rehomed([[name, reference]], 'registry.example/acme', 'mirror.site/x')).toEqual([expected]);
  });

  test('of a release that does not say where its registry begins has its last name', () => {
    expect(rehomed([['api', 'registry.example/acme/acme-api:1']], undefined, 'mirror.site:5000')).toEqual(['mirror.site:5000/acme-api:1']);
  });

  test('is written into the compose file wherever the digest stands beside it, and nowhere else', () => {
    const images = [{ name: 'api', reference: 'registry.example/acme/api:1', digest: A as Digest, platforms: [], size: 1 }];
    const text = `# registry.example/acme/api:1\nimage: registry.example/acme/api:1@${A}\nother: registry.example/acme/api:1@${B}\n`;
    const { compose } = rehomeRelease({ ...manifestOf(ONE), registry: 'registry.example/acme', images }, text, 'mirror.site');
    expect(compose?.text).toBe(text.replace(`registry.example/acme/api:1@${A}`, `mirror.site/api:1@${A}`));
  });
});

test.each([
  ['mirror.site/acme/', 'mirror.site/acme'],
  ['localhost/acme', 'localhost/acme'],
  ['127.0.0.1:5000', '127.0.0.1:5000'],
  [' ', null],
])('%j is the registry %j', (text, registry) => {
  expect(parseSiteRegistry(text, '--registry')).toBe(registry);
});

describe('images.registryVariable', () => {
  const { product } = parseProduct(PRODUCT, 'slipway.yaml');
  if (product === undefined) throw new Error('no product');
  const table = [{ name: 'api', kind: 'own', reference: 'registry.example/acme/acme-api:1.0.0', platforms: [] }] as const;
  const resolved = [
    {
      name: 'api',
      reference: { registry: 'registry.example', repository: 'acme/acme-api', tag: '1.0.0' },
      digest: A as Digest,
      platforms: [],
      size: 1,
    },
  ];
  const render = (compose: string): string => {
    const texts = new Map([['compose.yml', compose]]);
    const wish = { product, table, resolved, texts, templates: [], version: '1.0.0', tag: 'v1.0.0', channel: 'stable' };
    return renderBundle({ ...wish, label: (path) => path }).files.find(({ path }) => path === 'docker-compose.yml')?.text ?? '';
  };
  const expected = `\${ACME_REGISTRY:-registry.example/acme}/acme-api:1.0.0@${A}`;

  test.each(['registry.example/acme/acme-api:dev', `\${ACME_REGISTRY:-registry.example/acme}/acme-api:dev`])(
    'stands in the bundle for the product’s registry, and the compose file as made of %s passes the checks',
    (image) => {
      const text = render(`name: acme\nservices:\n  api:\n    image: ${image}\n`);
      expect(text).toContain(`image: ${expected}\n`);
      const images = [{ name: 'api', reference: 'registry.example/acme/acme-api:1.0.0', digest: A as Digest }];
      expect(checkCompose({ text, file: 'docker-compose.yml', product, images })).toEqual([]);
    },
  );

  test('is in every .env, empty and explained', () => {
    expect(product.env.ACME_REGISTRY?.help).toContain('registry.example/acme');
  });

  test('needs a registry with a host', () => {
    const bare = parseProduct(PRODUCT.replace('registry.example/acme\n', 'acme\n'), 'slipway.yaml').product;
    expect(checkProduct(bare as NonNullable<typeof bare>, {}).map(({ code, path }) => `${code} ${path}`)).toEqual([
      'E_REGISTRY images.registryVariable',
    ]);
  });

  test('comes and goes without a trace', () => {
    const rules = { registry: 'registry.example/acme', registryVariable: 'ACME_REGISTRY' };
    const image = 'registry.example/acme/acme-api:1.0.0';
    expect(withPlainRegistry(withRegistryVariable(image, rules), rules)).toBe(image);
    expect(withRegistryVariable('docker.io/library/x:1', rules)).toBe('docker.io/library/x:1');
  });
});
