// The page that is shown while the door is shut: what `check` refuses.
import { expect, test } from 'vitest';
import { parseProduct } from '../../src/model/product.ts';
import { checkProduct } from '../../src/plan/check.ts';
import { checkCompose } from '../../src/plan/compose-check.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\nbundle: {}\n';

function productOf(upgrade: string) {
  const { product, problems } = parseProduct(`${HEAD}upgrade: ${upgrade}\n`, 'slipway.yaml');
  if (product === undefined) throw new Error(JSON.stringify(problems));
  return product;
}

const codes = (upgrade: string): string[] =>
  checkProduct(productOf(upgrade), { services: ['proxy', 'page'] }).map(({ line, code }) => `${line} ${code}`);

function inCompose(profiles: string): string[] {
  const image = `registry.example/acme/api:1@${DIGEST}`;
  const text = `name: acme\nservices:\n  proxy: { image: "${image}", ports: ["8080:80"] }\n  page: { image: "${image}", ports: ["8080:80"]${profiles} }\n`;
  const images = [{ name: 'api', reference: 'registry.example/acme/api:1', digest: DIGEST }];
  const product = productOf('{ entry: [proxy], maintenance: page }');
  return checkCompose({ text, file: 'docker-compose.yml', product, images }).map(({ line, code, hint }) => `${line} ${code} ${hint}`);
}

test('a page needs a door, is not the door itself, and is a service', () => {
  expect(codes('{ entry: [proxy], maintenance: page }')).toEqual([]);
  expect(codes('{ maintenance: page }')).toEqual(['5 E_MAINTENANCE']);
  expect(codes('{ entry: [page], maintenance: page }')).toEqual(['5 E_MAINTENANCE']);
  expect(codes('{ entry: [proxy], maintenance: pge }')).toEqual([expect.stringMatching(/^5 E_/)]);
});

test('a page runs only while it is asked for, and may have the door’s own port', () => {
  expect(inCompose(', profiles: [maintenance]')).toEqual([]);
  expect(inCompose('')).toEqual(['4 E_MAINTENANCE Write `profiles: [maintenance]`, a profile that no feature switches on.']);
});
