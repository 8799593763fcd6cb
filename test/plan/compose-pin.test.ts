import { describe, expect, test } from 'vitest';
import { type PinnableImage, pinCompose } from '../../src/plan/compose-pin.ts';

const api: PinnableImage = { reference: 'registry.example/acme/acme-api:2.0.0', kind: 'own', pinned: 'API' };
const postgres: PinnableImage = {
  reference: 'registry.example/acme/postgres:16',
  source: 'docker.io/library/postgres:16',
  kind: 'third-party',
  pinned: 'POSTGRES',
};
const pin = (text: string): string => pinCompose(text, { product: 'acme', images: [api, postgres] });

describe('an image of a plain compose file', () => {
  test.each([
    ['the very reference', 'registry.example/acme/acme-api:2.0.0', 'API'],
    ['an own image under another tag', 'registry.example/acme/acme-api:dev', 'API'],
    ['an own image without a tag', 'registry.example/acme/acme-api', 'API'],
    ['a third-party image by its upstream name', 'docker.io/library/postgres:16', 'POSTGRES'],
    ['a third-party image by its short name', 'postgres:16', 'POSTGRES'],
    ['a third-party image by its name in our registry', 'registry.example/acme/postgres:16', 'POSTGRES'],
    ['a third-party image of another tag', 'postgres:15', 'postgres:15'],
    ['an image of another registry', 'other.example/acme/acme-api:2.0.0', 'other.example/acme/acme-api:2.0.0'],
    ['an image with a digest of its own', `postgres:16@sha256:${'a'.repeat(64)}`, `postgres:16@sha256:${'a'.repeat(64)}`],
    ['an image that a variable names', '$IMAGE', '$IMAGE'],
  ])('%s', (_, written, expected) => {
    expect(pin(`name: acme\nservices:\n  x:\n    image: ${written}\n`)).toBe(`name: acme\nservices:\n  x:\n    image: ${expected}\n`);
  });

  test('is found in anchors, and only what is pinned is not built', () => {
    const text = 'name: acme\nx-app: &app\n  image: postgres:16\n  build: .\nservices:\n  a:\n    <<: *app\n  b:\n    build: .\n';
    expect(pin(text)).toBe('name: acme\nx-app: &app\n  image: POSTGRES\nservices:\n  a:\n    <<: *app\n  b:\n    build: .\n');
  });
});

describe('the text around', () => {
  test('keeps comments, order, quotes and long lines', () => {
    const long = 'word '.repeat(60).trim();
    const text = `name: acme\nservices:\n  # first\n  b: { image: "other:1" } # after\n  a:\n    command: ["x", 'y']\n    label: ${long}\n`;
    expect(pin(text)).toBe(text.replace(`["x", 'y']`, `[ "x", 'y' ]`));
  });

  test('gets the project name first, below what is said of the whole file', () => {
    expect(pin('# ours\nservices: {}\n')).toBe('# ours\nname: acme\nservices: {}\n');
    expect(pin('# ours\n\nservices: {}\n')).toBe('# ours\n\nname: acme\nservices: {}\n');
    expect(pin('services: {}\nname: own\n')).toBe('services: {}\nname: own\n');
  });

  test('that is no YAML map stays as it is', () => {
    expect(pin('a: [b\n')).toBe('a: [b\n');
    expect(pin('- a\n')).toBe('- a\n');
  });
});
