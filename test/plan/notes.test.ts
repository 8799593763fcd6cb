import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { type Product, readProduct } from '../../src/model/product.ts';
import { parseVersion } from '../../src/model/version.ts';
import { MOST_NOTES, notesOf, planNotes } from '../../src/plan/notes.ts';

const PATH = 'docs/2.4.0.md';

function productOf(more = ''): Product {
  return readProduct(`schema: 1\nproduct: acme\nrelease:\n  tag: v{version}\n  notes: docs/{base}.md\n${more}`, 'slipway.yaml');
}

function manifestOf(parts: Partial<Manifest> = {}): Manifest {
  const upgrade = { from: '*', stop: false, migrate: [], entry: [], health: [], timeout: 1, probation: 1 };
  const nothing = { requires: { ports: [], platforms: [] }, images: [], env: {}, services: {}, data: {}, hostPaths: [], validate: [] };
  return { version: '2.4.0', ...nothing, upgrade, ...parts } as unknown as Manifest;
}

function image(name: string, tag: string): Manifest['images'][number] {
  return { name, reference: `r.example/${name}:${tag}`, digest: digestOf(`${name}:${tag}`), platforms: [], size: 1 };
}

const texts = new Map([[PATH, '# 2.4.0\r\n\r\nFaster.\r\n']]);

describe('the text of a version', () => {
  test('is its changelog file, for prereleases that of their X.Y.Z', () => {
    expect(notesOf(productOf(), texts, { manifest: manifestOf(), previous: undefined })).toEqual({
      markdown: '# 2.4.0\n\nFaster.\n',
      problems: [],
      changes: null,
    });
    const version = parseVersion('2.4.0-staging.3');
    expect(planNotes(productOf(), texts, { version, manifest: undefined, previous: undefined }).markdown).toContain('Faster.');
  });

  test.each([
    ['missing', new Map<string, string>(), 'E_NOTES_MISSING', 'docs/2.4.0.md does not exist: 2.4.0 has no notes'],
    [
      'a stub',
      new Map([[PATH, '# 2.4.0\n\nAdd notable changes for this version.\n']]),
      'E_NOTES_STUB',
      'docs/2.4.0.md says nothing about 2.4.0 yet',
    ],
  ])('that is %s is a problem with its line, unless somebody says why', (_, found, code, message) => {
    const { problems, markdown } = notesOf(productOf(), found, { manifest: manifestOf(), previous: undefined });
    expect(problems).toMatchObject([{ severity: 'error', code, message, file: 'slipway.yaml', line: 5, path: 'release.notes' }]);
    expect(markdown).toBe('');
    const hotfix = notesOf(productOf(), found, { manifest: manifestOf(), previous: undefined, withoutReason: 'hot\nfix <b>' });
    expect(hotfix).toMatchObject({ problems: [], markdown: '_Released without notes: hot fix &lt;b>_\n' });
  });

  test('is not asked for by a product without release.notes', () => {
    const product = readProduct('schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\n', 'slipway.yaml');
    expect(notesOf(product, new Map(), { manifest: manifestOf(), previous: undefined })).toEqual({
      markdown: '',
      problems: [],
      changes: null,
    });
  });

  test('never exceeds what forges take, and says that it was cut', () => {
    const long = new Map([[PATH, `x${'😀'.repeat(MOST_NOTES)}`]]);
    const { markdown } = notesOf(productOf(), long, {
      manifest: manifestOf({ hostPaths: ['/a'] }),
      previous: manifestOf({ version: '2.3.0' }),
    });
    expect(markdown.length).toBeLessThanOrEqual(MOST_NOTES);
    expect(markdown).toMatch(/😀\n\n… \(cut short here\)\n$/u);
    const many = Array.from({ length: 20_000 }, (_, n) => `/host/path/${n}`);
    const changed = notesOf(productOf(), texts, { manifest: manifestOf({ hostPaths: many }), previous: manifestOf() }).markdown;
    expect(changed.length).toBeLessThanOrEqual(MOST_NOTES);
    expect(changed).toContain('Faster.');
  });
});

describe('what changed since the release before', () => {
  const previous = manifestOf({
    version: '2.3.0',
    env: { DOMAIN: { required: true }, OLD: { default: 1 }, BASE_URL: { required: true }, LATER: {} },
    services: { seed: { kind: 'job' } },
    requires: { ports: [{ port: '80', protocol: 'tcp' }], platforms: [] },
    data: { pgdata: {}, files: {} },
    images: [image('api', '2.3.0'), image('db', '16'), image('gone', '1')],
  });
  const manifest = manifestOf({
    env: {
      DOMAIN: { required: true },
      SMTP_HOST: { required: true, ask: 'SMTP server' },
      PUBLIC_URL: { required: true, renamedFrom: 'BASE_URL' },
      LATER: { required: true },
      SECRET: { required: true, secret: 'hex' },
      LEVEL: { required: true, default: 'info' },
    },
    services: { grafana: {} },
    requires: {
      ports: [
        { port: '80', protocol: 'tcp' },
        { port: '10000', protocol: 'udp' },
      ],
      platforms: [],
    },
    data: { pgdata: {}, media: {} },
    hostPaths: ['/var/run/docker.sock'],
    images: [image('api', '2.4.0'), image('db', '16'), image('mail', '1')],
    upgrade: {
      ...manifestOf().upgrade,
      from: '>=2.0.0',
      stop: true,
      migrate: [{ service: 'api', command: ['node', 'migrate.js'], needs: [], on: ['upgrade'], timeout: null }],
    },
  });

  test('names what asks for attention, and nothing that stayed', () => {
    const { changes } = notesOf(productOf(), texts, { manifest, previous });
    expect(changes).toMatchObject({
      required: ['SMTP_HOST', 'LATER'],
      removedVariables: [
        { name: 'OLD', to: null },
        { name: 'BASE_URL', to: 'PUBLIC_URL' },
      ],
      services: { added: ['api', 'grafana'], removed: ['seed'] },
      ports: { added: ['10000/udp'], removed: [] },
      volumes: { added: ['media'], removed: ['files'] },
      hostPaths: { added: ['/var/run/docker.sock'], removed: [] },
      migrations: ['api: node migrate.js'],
      images: [{ name: 'api' }, { name: 'gone', after: null }, { name: 'mail', before: null }],
    });
  });

  test('follows the text, section by section', () => {
    const { markdown } = notesOf(productOf(), texts, { manifest, previous });
    expect(markdown).toMatch(
      /^# 2\.4\.0\n\nFaster\.\n\n## Changes since 2\.3\.0\n\nUpgrades from `>=2\.0\.0`\. No upgrade may skip this release\.\n/,
    );
    expect(markdown).toContain('### New required settings\n\n- `SMTP_HOST`: SMTP server\n- `LATER`\n');
    expect(markdown).toContain('- `BASE_URL` is now `PUBLIC_URL`');
    expect(markdown).toMatch(
      /- `api`: `r\.example\/api:2\.3\.0` → `r\.example\/api:2\.4\.0`, `sha256:[0-9a-f]{12}` → `sha256:[0-9a-f]{12}`/,
    );
    expect(markdown).not.toMatch(/`db`|`DOMAIN`|`SECRET`|`LEVEL`/);
  });

  test('is not mentioned when there is nothing', () => {
    const same = manifestOf({ ...previous, version: '2.4.0' });
    expect(notesOf(productOf(), texts, { manifest: same, previous }).markdown).toBe('# 2.4.0\n\nFaster.\n');
  });
});
