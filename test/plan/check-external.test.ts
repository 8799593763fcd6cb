// Services that a site may replace: what `check` refuses, and what becomes of them in the manifest.
import { describe, expect, test } from 'vitest';
import { parseProduct } from '../../src/model/product.ts';
import { checkProduct } from '../../src/plan/check.ts';
import { checkCompose } from '../../src/plan/compose-check.ts';
import { renderBundle } from '../../src/plan/render-bundle.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\nbundle: {}\n';
const PRODUCT = `${HEAD}services:
  db: { external: { ask: "Use your own PostgreSQL?", variables: [DATABASE_URL] } }
env:
  DATABASE_URL: { ask: Address, type: url, sensitive: true }
`;

function productOf(text: string) {
  const { product, problems } = parseProduct(text, 'slipway.yaml');
  if (product === undefined) throw new Error(JSON.stringify(problems));
  return product;
}

function found(text: string): string[] {
  return checkProduct(productOf(text), { services: ['db', 'api', 'Db.1'] }).map(({ line, code, message }) => `${line} ${code} ${message}`);
}

function composeProblems(services: string): string[] {
  const image = `registry.example/acme/api:1@${DIGEST}`;
  const text = `name: acme\nservices:\n${services.replaceAll('IMAGE', image)}`;
  const images = [{ name: 'api', reference: 'registry.example/acme/api:1', digest: DIGEST }];
  return checkCompose({ text, file: 'docker-compose.yml', product: productOf(PRODUCT), images }).map(
    ({ line, code, hint }) => `${line} ${code} ${hint}`,
  );
}

describe('`external` in slipway.yaml', () => {
  test('becomes a choice with the question, and a variable that is required when the server is the site’s own', () => {
    const product = productOf(PRODUCT);
    expect(found(PRODUCT)).toEqual([]);
    expect(product.features.db).toEqual({
      ...{ ask: 'Use your own PostgreSQL?', profiles: [], default: 'container' },
      choices: { container: ['db'], own: [] },
    });
    expect(product.env.DATABASE_URL).toEqual({
      ...{ ask: 'Address', type: 'url', sensitive: true, required: true },
      when: 'features.db=own',
    });
  });

  test('asks for a variable that is declared nowhere else, and does not show it', () => {
    const { env } = productOf(`${HEAD}services: { db: { external: { variables: [DATABASE_URL] } } }\n`);
    expect(env.DATABASE_URL).toEqual({ ask: 'DATABASE_URL', required: true, sensitive: true, when: 'features.db=own' });
  });

  test.each([
    ['a default', 'default: "postgres://db/acme"', "8 E_EXTERNAL env.DATABASE_URL names the site's own db"],
    ['a generated secret', 'secret: hex', "8 E_EXTERNAL env.DATABASE_URL names the site's own db"],
  ])('refuses %s for the address of a server that only the site knows', (_, rule, problem) => {
    const text = `${HEAD}services:\n  db:\n    external:\n      variables: [DATABASE_URL]\nenv: { DATABASE_URL: { ${rule} } }\n`;
    expect(found(text).join('\n')).toContain(problem);
  });

  test('refuses a feature of the same name, and a name that no feature can have', () => {
    expect(found(`${PRODUCT}features: { db: {} }\n`)).toEqual([
      '6 E_EXTERNAL services.db.external makes a choice named db, and there is a feature of that name',
    ]);
    expect(found(PRODUCT.replace('  db:', '  Db.1:')).join('\n')).toContain('6 E_EXTERNAL services.Db.1.external: the choice has');
  });
});

describe('the compose file of a product with an external service', () => {
  test('is sound when the service has a profile of its own name and nobody demands it', () => {
    const api = '  api:\n    image: IMAGE\n    depends_on: { db: { condition: service_healthy, required: false } }\n';
    expect(composeProblems(`  db:\n    image: IMAGE\n    profiles: [db]\n${api}`)).toEqual([]);
  });

  test('is refused when the container would start all the same, or others would not start without it', () => {
    const api = '  api:\n    image: IMAGE\n    depends_on: [db]\n';
    expect(composeProblems(`  db:\n    image: IMAGE\n${api}`)).toEqual([
      '3 E_EXTERNAL Write `profiles: [db]`; it is switched on unless the site has its own.',
      '7 E_EXTERNAL Write `depends_on: { db: { condition: service_started, required: false } }` (Compose 2.20 or newer).',
    ]);
  });

  test('starts the container by hand, for .env.example switches its profile on', () => {
    const wish = { product: productOf(`${PRODUCT}features: { chat: { default: true } }\n`), texts: new Map(), templates: [], table: [] };
    const { files } = renderBundle({ ...wish, resolved: [], label: (path) => path, version: '1.0.0', tag: 'v1.0.0', channel: 'stable' });
    expect(files.find(({ path }) => path === '.env.example')?.text).toContain('\nCOMPOSE_PROFILES=chat,db\n');
  });
});
