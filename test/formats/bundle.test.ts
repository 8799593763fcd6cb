// What pack writes for the field, byte for byte. Rule: a change that makes one of these fail breaks installs out there.
import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { parseImageRef } from '../../src/model/image.ts';
import { parseManifest } from '../../src/model/manifest.ts';
import { readProduct } from '../../src/model/product.ts';
import { printUnsealed, sealManifest, unsealManifest } from '../../src/model/seal.ts';
import { parseSums, printSums } from '../../src/model/sums.ts';
import { trustedCommentFor } from '../../src/model/trusted-comment.ts';
import { manifestOf } from '../../src/plan/pack.ts';

const digest = (character: string): Digest => `sha256:${character.repeat(64)}` as Digest;

const PRODUCT = `schema: 1
product: acme
title: Acme Platform
cli: acmectl
release:
  tag: bundle-v{version}
  artifact: acme-bundle-{version}.tar.gz
  hosts:
    web: { type: folder, path: dist/releases, url: "https://acme.example/releases" }
    disk: { type: folder, path: /srv/releases }
    here: { type: folder, path: dist/local }
bundle:
  folders: [backups/]
  userOwned: [content/]
  hostPaths: [/var/run/docker.sock]
  validate: [{ service: proxy, command: [nginx, -t] }]
images:
  registry: registry.acme.example/acme
  own: { api: { repository: acme-api, platforms: [linux/amd64] } }
features: { mail: { ask: "Send e-mail?", memory: 512MiB } }
env:
  DOMAIN: { group: Site, ask: Public host name, type: hostname, required: true }
  DB_PASSWORD: { secret: password, length: 32, immutable: true }
requires: { docker: ">=20.10", compose: ">=2.20", memory: 2GiB, disk: 5GiB, ports: ["{{HTTP_PORT}}"], platforms: [linux/amd64] }
services: { seed: { kind: job } }
data:
  pgdata: { engine: postgres, major: 16, backup: { service: db, dump: pg_dump acme, restore: pg_restore -d acme } }
  cache: { ephemeral: true }
backup: { keep: 5 }
upgrade:
  from: ">=2.0.0"
  migrate: [{ service: api, command: [node, migrate.js], needs: [db] }]
  entry: [proxy]
  health: [{ http: "http://127.0.0.1:{{HTTP_PORT}}/api/health", status: 200, json: { status: ok }, after: entry }]
`;

const MANIFEST =
  `{"artifact":{"name":"acme-bundle-2.4.0.tar.gz","tarSha256":"${digest('a')}"},"backup":{"keep":5},"channel":"stable","cli":"acmectl","commit":"9f8c",` +
  `"data":{"cache":{"ephemeral":true},"pgdata":{"backup":{"dump":"pg_dump acme","restore":"pg_restore -d acme","service":"db"},"engine":"postgres","major":16}},` +
  `"env":{"DB_PASSWORD":{"immutable":true,"length":32,"secret":"password"},"DOMAIN":{"ask":"Public host name","group":"Site","required":true,"type":"hostname"}},` +
  `"features":{"mail":{"ask":"Send e-mail?","default":false,"memory":536870912,"profiles":["mail"]}},` +
  `"files":[{"mode":"0644","owner":"vendor","path":"VERSION","sha256":"${digestOf('2.4.0\n')}","size":6},{"mode":"0755","owner":"vendor","path":"acmectl","sha256":"${digest('c')}","size":1834},` +
  `{"mode":"0644","owner":"user","path":"content/index.html","sha256":"${digest('d')}","size":5}],` +
  `"folders":["backups"],"hostPaths":["/var/run/docker.sock"],"hosts":["https://acme.example/releases","/srv/releases"],` +
  `"images":[{"digest":"${digest('b')}","name":"api","platforms":["linux/amd64"],"reference":"registry.acme.example/acme/acme-api:2.4.0","size":48211933}],` +
  `"made":"2026-03-15T10:00:00Z","operator":"${digest('c')}","order":{"env":["DOMAIN","DB_PASSWORD"]},"product":"acme","project":"acme",` +
  `"requires":{"compose":">=2.20","disk":5368709120,"docker":">=20.10","memory":2147483648,"platforms":["linux/amd64"],"ports":[{"port":"{{HTTP_PORT}}","protocol":"tcp"}]},` +
  `"services":{"seed":{"kind":"job"}},"tag":"bundle-v2.4.0","title":"Acme Platform","type":"slipway/bundle@1",` +
  `"upgrade":{"entry":["proxy"],"from":">=2.0.0","health":[{"after":"entry","http":"http://127.0.0.1:{{HTTP_PORT}}/api/health","json":{"status":"ok"},"status":200}],` +
  `"migrate":[{"command":["node","migrate.js"],"needs":["db"],"on":["install","upgrade"],"service":"api","timeout":null}],"probation":30,"stop":false,"timeout":120},` +
  `"userOwned":["content/"],"validate":[{"command":["nginx","-t"],"service":"proxy"}],"version":"2.4.0"}`;

test('bundle.json is canonical, normalised, and the same wherever the product lies', () => {
  const item = { executable: false, at: [] };
  const release = { version: '2.4.0', tag: 'bundle-v2.4.0', channel: 'stable' };
  const manifest = manifestOf(release, {
    product: readProduct(PRODUCT, 'slipway.yaml'),
    commit: '9f8c',
    made: '2026-03-15T10:00:00Z',
    operator: { file: '/anywhere/operator.mjs', size: 1834, sha256: digest('c') },
    installer: '',
    packed: undefined,
    images: [
      {
        name: 'api',
        reference: parseImageRef('registry.acme.example/acme/acme-api:2.4.0', 'test'),
        digest: digest('b'),
        platforms: ['linux/amd64'],
        size: 48_211_933,
      },
    ],
    items: [
      { ...item, path: 'VERSION', size: 6, sha256: digestOf('2.4.0\n'), from: { text: '2.4.0\n' } },
      { ...item, path: 'acmectl', executable: true, size: 1834, sha256: digest('c'), from: { program: '/anywhere/operator.mjs' } },
      { ...item, path: 'content/index.html', size: 5, sha256: digest('d'), from: { file: 'files/content/index.html' } },
    ],
  });
  expect(sealManifest(printUnsealed(manifest), digest('a'))).toBe(MANIFEST);
});

test('bundle.json is read back without losing anything', () => {
  const { artifact, ...rest } = parseManifest(MANIFEST);
  expect(sealManifest(printUnsealed({ ...rest, artifact }), artifact.tarSha256)).toBe(MANIFEST);
});

test('a sealed manifest without its hash is the unsealed one, fields of a newer tool included', () => {
  const newer = MANIFEST.replace('"version":"2.4.0"}', '"version":"2.4.0","zz":{"kept":1}}');
  expect(sealManifest(unsealManifest(newer), digest('a'))).toBe(newer);
});

test('bundle.json and SHA256SUMS are signed for one product, one version and these bytes', () => {
  const statement = { product: 'acme', subject: '2.4.0', content: Buffer.from('x') };
  const hex = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881';
  expect(trustedCommentFor({ ...statement, role: 'bundle' })).toBe(`slipway bundle acme 2.4.0 ${hex}`);
  expect(trustedCommentFor({ ...statement, role: 'sums' })).toBe(`slipway sums acme 2.4.0 ${hex}`);
});

test('SHA256SUMS names product and version, then the assets by name', () => {
  const digests = new Map([
    ['install.sh', digest('b')],
    ['acme-bundle-2.4.0.tar.gz', digest('a')],
    ['SHA', digest('c')],
  ]);
  const text = `# acme 2.4.0\n${'c'.repeat(64)}  SHA\n${'a'.repeat(64)}  acme-bundle-2.4.0.tar.gz\n${'b'.repeat(64)}  install.sh\n`;
  expect(printSums({ product: 'acme', version: '2.4.0', digests })).toBe(text);
  expect(parseSums(text, 'SHA256SUMS')).toEqual({ product: 'acme', version: '2.4.0', digests: new Map([...digests].sort()) });
});
