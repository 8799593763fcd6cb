import { describe, expect, test } from 'vitest';
import { printImageRef } from '../../src/model/image.ts';
import { copiesOf, findCollisions, planMirrorNames } from '../../src/model/mirror.ts';
import { parseProduct, readProduct } from '../../src/model/product.ts';
import { checkProduct } from '../../src/plan/check.ts';
import { IMAGE_SET } from '../fakes/image-set-list.ts';

const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\n';
const table = (entries: readonly string[], registry = 'registry.acme.example/acme'): string =>
  `${HEAD}images:\n${registry === '' ? '' : `  registry: ${registry}\n`}  thirdParty:\n    a:\n${entries.map((entry) => `      - ${entry}\n`).join('')}`;
const namesOf = (text: string) => planMirrorNames(readProduct(text, 'slipway.yaml'));
const problemsOf = (text: string) => {
  const { product, problems } = parseProduct(text, 'slipway.yaml');
  return [...problems, ...(product === undefined ? [] : checkProduct(product, {}))].filter(({ code }) => code !== 'W_NO_BUNDLE');
};
/** `from -> to, to` of everything that is copied, given what the registry lists. */
const pairs = (text: string, listed: readonly string[] = []): string[] =>
  namesOf(text).entries.flatMap((entry) =>
    copiesOf(entry, listed).copies.map(
      ({ source, destinations }) => `${printImageRef(source)} -> ${destinations.map(printImageRef).join(', ')}`,
    ),
  );
/** Scenario C-1: upstream, and the short name that it is expected to get. */
const C1_NAMES = [
  ['docker.io/library/postgres', 'postgres'],
  ['docker.io/library/redis', 'redis'],
  ['docker.io/library/alpine', 'alpine'],
  ['docker.io/nocodb/nocodb', 'nocodb'],
  ['docker.io/listmonk/listmonk', 'listmonk'],
  ['docker.io/gitea/gitea', 'gitea'],
  ['docker.io/n8nio/n8n', 'n8n'],
  ['docker.io/vaultwarden/server', 'vaultwarden'],
  ['lscr.io/linuxserver/nginx', 'ls-nginx'],
  ['docker.io/library/nginx', 'nginx'],
  ['docker.io/codercom/code-server', 'code-server'],
  ['docker.io/rocketchat/rocket.chat', 'rocket.chat'],
  ['docker.io/library/mongo', 'mongo'],
  ['docker.io/library/nats', 'nats'],
  ['docker.io/cisti/gancio', 'gancio'],
  ['docker.io/jitsi/web', 'jitsi-web'],
  ['docker.io/jitsi/prosody', 'jitsi-prosody'],
  ['docker.io/jitsi/jicofo', 'jitsi-jicofo'],
  ['docker.io/jitsi/jvb', 'jitsi-jvb'],
  ['docker.io/prom/prometheus', 'prometheus'],
  ['docker.io/grafana/grafana', 'grafana'],
  ['docker.io/prom/alertmanager', 'alertmanager'],
  ['gcr.io/cadvisor/cadvisor', 'cadvisor'],
  ['quay.io/prometheus/node-exporter', 'node-exporter'],
  ['docker.io/oliver006/redis_exporter', 'redis_exporter'],
  ['docker.io/gotify/server', 'gotify'],
] as const;
const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('naming rules of the mirror', () => {
  test('the last path segment is the name, the organisation is dropped, and `as` names it otherwise', () => {
    const rows = ['docker.io/library/postgres:16-alpine', 'nocodb/nocodb:0.301.3', '{ source: docker.io/gotify/server:2.5.0, as: gotify }'];
    expect(pairs(table(rows))).toEqual([
      'docker.io/library/postgres:16-alpine -> registry.acme.example/acme/postgres:16-alpine',
      'docker.io/nocodb/nocodb:0.301.3 -> registry.acme.example/acme/nocodb:0.301.3',
      'docker.io/gotify/server:2.5.0 -> registry.acme.example/acme/gotify:2.5.0',
    ]);
  });

  test('C-1: the 36 images of four groups keep their tags and get the short names', () => {
    const groups = ['core', 'platform', 'communication', 'monitoring'].map((group) => {
      const rows = IMAGE_SET.filter((image) => image.group === group).map(({ source, as }) =>
        as === undefined ? `      - ${source}\n` : `      - { source: "${source}", as: ${as} }\n`,
      );
      return `    ${group}:\n${rows.join('')}`;
    });
    const { entries, problems } = namesOf(`${HEAD}images:\n  registry: git.acme.example/acme\n  thirdParty:\n${groups.join('')}`);
    expect([entries.length, problems]).toEqual([36, []]);
    const short = new Map(
      entries.map(({ source, destinations }) => [
        printImageRef(source),
        destinations.map(printImageRef).map((name) => name.replace('git.acme.example/acme/', '')),
      ]),
    );
    for (const [source, name] of C1_NAMES) expect([source, short.get(source)]).toEqual([source, [name]]);
    expect(new Set([...short.values()].flat()).size).toBe(36);
    expect(groups.map((group) => group.split('\n').length - 2)).toEqual([5, 16, 8, 7]);
    const copies = pairs(`${HEAD}images:\n  registry: git.acme.example/acme\n  thirdParty:\n${groups.join('')}`);
    expect(copies).toContain('docker.io/library/postgres:16-alpine -> git.acme.example/acme/postgres:16-alpine');
    expect(copies).toContain('lscr.io/linuxserver/nginx:1.28.2 -> git.acme.example/acme/ls-nginx:1.28.2');
    expect(copies).toContain('docker.io/jitsi/jvb:stable-9823 -> git.acme.example/acme/jitsi-jvb:stable-9823');
  });

  test('C-1: two images of one name are refused with both lines', () => {
    const text = table(['docker.io/vaultwarden/server:1.34.3', 'docker.io/library/redis:7', 'docker.io/gotify/server:2.5.0']);
    expect(problemsOf(text)).toMatchObject([
      { code: 'E_DUPLICATE_IMAGE', line: 10, message: 'a second image named server (the first: images.thirdParty.a[0], line 8)' },
    ]);
  });

  test('L-4: two sources of one destination are refused with both lines, tag lists and patterns too', () => {
    const literal = table([
      '{ source: quay.io/k3s/k3s, tags: ["1", "2"] }',
      'redis:7',
      '{ source: quay.io/k3d/k3d, as: k3s, tags: ["2"] }',
    ]);
    expect(problemsOf(literal)).toMatchObject([
      {
        code: 'E_MIRROR_COLLISION',
        line: 10,
        message: 'quay.io/k3s/k3s:2 (line 8) and quay.io/k3d/k3d:2 (line 10) would both go to registry.acme.example/acme/k3s:2',
      },
    ]);
    const pattern = table(['{ source: quay.io/k3s/k3s, tags: ["/^v1/"] }', '{ source: quay.io/k3d/k3d, as: k3s, tags: ["v1.2", "v2"] }']);
    expect(problemsOf(pattern)).toMatchObject([
      { code: 'E_MIRROR_COLLISION', message: expect.stringMatching(/k3d:v1\.2 \(line 9\).*k3s:v1\.2 \(line 8\)/) },
    ]);
  });

  test('L-4: what two patterns find is known when the registries have answered', () => {
    const product = readProduct(
      table(['{ source: quay.io/a/x, tags: ["/^1/"] }', '{ source: quay.io/b/x, tags: ["/^./"] }']),
      'slipway.yaml',
    );
    const { entries, problems } = planMirrorNames(product);
    expect(problems).toEqual([]);
    const copies = entries.flatMap((entry) => copiesOf(entry, ['1.0', '2.0']).copies);
    expect(findCollisions(product, copies).map(({ message }) => message)).toEqual([
      'quay.io/a/x:1.0 (line 8) and quay.io/b/x:1.0 (line 9) would both go to registry.acme.example/acme/x:1.0',
    ]);
  });

  test('the place of an image of the product’s own is not filled from elsewhere', () => {
    const text = `${table(['{ source: quay.io/acme/api, as: acme-api, tags: ["*"] }'])}  own:\n    api: { repository: acme-api }\n`;
    expect(problemsOf(text)).toMatchObject([
      { code: 'E_MIRROR_COLLISION', line: 8, message: expect.stringContaining('images.own.api is (line 10)') },
    ]);
  });

  test('one tag may be mirrored by name, and others of the same repository beside it', () => {
    const text = table(['postgres:16', '{ source: postgres, tags: ["14", "15"] }']);
    expect(problemsOf(text)).toEqual([]);
    expect(pairs(text).map((pair) => pair.replace(/^.*-> /, ''))).toEqual(
      ['16', '14', '15'].map((tag) => `registry.acme.example/acme/postgres:${tag}`),
    );
  });
});

describe('what a mirror takes', () => {
  test('L-3: one source, three destinations', () => {
    const [pair] = pairs(table(['{ source: "redis:7", to: [quay.io/acme, "registry.cn.example:5000"] }']));
    expect(pair).toBe(
      'docker.io/library/redis:7 -> registry.acme.example/acme/redis:7, quay.io/acme/redis:7, registry.cn.example:5000/redis:7',
    );
    expect(pairs(table(['{ source: "redis:7", to: [quay.io/acme] }'], ''))).toEqual(['docker.io/library/redis:7 -> quay.io/acme/redis:7']);
  });

  test('L-3: patterns find what they describe, and never signatures or what is no tag', () => {
    const listed = [
      'v1.32.3-k3s1',
      'v1.32.4-k3s1',
      'v1.33.0-k3s1',
      'latest',
      `sha256-${'0'.repeat(64)}.sig`,
      `sha256-${'0'.repeat(64)}`,
      'x'.repeat(200),
      'a b',
    ];
    const text = table(['{ source: quay.io/k3s/k3s, tags: ["/^v1\\\\.32\\\\..*-k3s1$/"], as: k3s }']);
    expect(pairs(text, listed).map((pair) => pair.replace(/ .*/, ''))).toEqual([
      'quay.io/k3s/k3s:v1.32.3-k3s1',
      'quay.io/k3s/k3s:v1.32.4-k3s1',
    ]);
    expect(pairs(table(['{ source: quay.io/k3s/k3s, tags: ["/v\\\\d+\\\\.\\\\d+\\\\.\\\\d+/"] }']), listed)).toHaveLength(3);
    expect(pairs(table(['{ source: quay.io/k3s/k3s, tags: ["*"] }']), listed)).toHaveLength(4);
  });

  test('L-3: tags are renamed in order; digests go without a tag, or get one', () => {
    expect(
      pairs(table([`{ source: x/app, tags: ["1.2", "${DIGEST}", "RELEASE.2025-04-08T15-41-24Z"], asTags: ["old", "pinned", "new"] }`])),
    ).toEqual([
      'docker.io/x/app:1.2 -> registry.acme.example/acme/app:old',
      `docker.io/x/app@${DIGEST} -> registry.acme.example/acme/app:pinned`,
      'docker.io/x/app:RELEASE.2025-04-08T15-41-24Z -> registry.acme.example/acme/app:new',
    ]);
    expect(pairs(table([`{ source: x/app, tags: ["${DIGEST}"] }`]))).toEqual([
      `docker.io/x/app@${DIGEST} -> registry.acme.example/acme/app@${DIGEST}`,
    ]);
  });

  test('each tag once, however many rules find it; patterns that find nothing are named', () => {
    const [entry] = namesOf(table(['{ source: x/app, tags: ["1", "/^1$/", "/^9/"] }'])).entries;
    const { copies, unmatched } = copiesOf(entry as NonNullable<typeof entry>, ['1', '2']);
    expect([copies.length, unmatched]).toEqual([1, ['/^9/']]);
  });

  test.each([
    ['a pattern that does not compile', '{ source: x, tags: ["1", "/(/"] }', 'E_TAG_RULE', 'is not a pattern: Invalid regular expression'],
    ['a pattern with flags', '{ source: x, tags: ["/x/i"] }', 'E_TAG_RULE', 'must end with /'],
    ['an endless pattern', `{ source: x, tags: ["/${'x'.repeat(300)}/"] }`, 'E_TAG_RULE', 'longer than 200'],
    ['no tag at all', '{ source: x, tags: [] }', 'E_TAG_RULE', '`tags` names no tag'],
    ['what is no tag', '{ source: x, tags: ["a b"] }', 'E_TAG_RULE', 'is not a tag'],
    ['what is no digest', '{ source: x, tags: ["sha256:abc"] }', 'E_TAG_RULE', 'expected a digest'],
    ['a tag and a list', '{ source: "x:1", tags: ["2"] }', 'E_TAG_RULE', 'a tag, and a list of tags too'],
    ['L-3: unequal counts', '{ source: x, tags: ["1", "2"], asTags: ["a"] }', 'E_TAG_RULE', '2 tags but 1 in asTags'],
    ['a pattern under one name', '{ source: x, tags: ["/1/"], asTags: ["a"] }', 'E_TAG_RULE', 'stands for several tags'],
    ['names without tags', '{ source: "x:1", asTags: ["a"] }', 'E_TAG_RULE', 'asTags without tags'],
    ['L-4: no destination', '{ source: "x:1", to: [] }', 'E_MIRROR_TARGET', '`to` names no destination'],
    ['L-4: an empty destination', '{ source: "x:1", to: [""] }', 'E_MIRROR_TARGET', 'an empty destination'],
    ['a destination that is none', '{ source: "x:1", to: ["https://quay.io"] }', 'E_MIRROR_TARGET', 'is not an image name'],
    ['a source that is no image', '{ source: "-x:1", as: x }', 'E_IMAGE', 'is not an image name'],
  ])('%s is refused with its line', (_, entry, code, message) => {
    expect(problemsOf(table(['redis:7', entry]))).toMatchObject([
      { code, line: 9, message: expect.stringContaining(message), hint: expect.any(String) },
    ]);
  });

  test('an item of a list in many lines has its own line', () => {
    const text = table(['source: x\n        tags:\n          - "1"\n          - "/(/"']);
    expect(problemsOf(text)).toMatchObject([{ code: 'E_TAG_RULE', line: 11, path: 'images.thirdParty.a[0].tags[1]' }]);
  });
});

test('some platforms alone are kept for the mirror', () => {
  const text = table(['{ source: "redis:7", platforms: [linux/arm64] }']);
  const { product, problems } = parseProduct(text, 'slipway.yaml');
  expect(problems).toEqual([]);
  expect(product?.images.thirdParty[0]?.platforms).toEqual(['linux/arm64']);
});
