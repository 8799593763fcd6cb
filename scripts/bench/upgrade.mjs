// An upgrade of a small product, against plain Docker Compose making the same change. Rule: the real programs, a real engine; every round swaps in an image
// that this engine has never pulled, on both sides.
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { progress, ratioOf, run, secondsOf } from './measure.mjs';

const repository = resolve(import.meta.dirname, '../..');
const slipway = join(repository, 'dist/slipway.mjs');
const registry = `${process.env.SLIPWAY_TESTBED_REGISTRY}/acme`;
const ROUNDS = 5;
const PROJECTS = ['bench', 'bench-plain'];

export async function upgradeRows(stage) {
  const place = join(stage, 'upgrade');
  mkdirSync(place);
  const server = await showFolder(join(place, 'releases'));
  try {
    await clear();
    return [await measure(place, `http://127.0.0.1:${server.address().port}`)];
  } finally {
    server.close();
    await clear();
  }
}

async function measure(place, url) {
  const images = await makeImages(place);
  const product = await makeProduct(place, url);
  const plain = join(place, 'plain');
  mkdirSync(plain);
  const install = join(place, 'install');
  await release(product, images.ours.shift());
  await run(['sh', '-c', `curl -fsS ${url}/install.sh | sh -s -- --dir '${install}' --yes`]);
  await composeUp(plain, images.theirs.shift());
  return ratioOf({
    what: 'upgrade that swaps one image',
    against: 'docker compose pull && up -d --wait of the same',
    rounds: ROUNDS,
    ours: async () => {
      await release(product, images.ours.shift());
      return secondsOf([join(install, 'benchctl'), 'upgrade', '--yes'], { cwd: '/' });
    },
    theirs: () => composeUp(plain, images.theirs.shift()),
  });
}

/** Two sets of versions of one image, which differ in nothing but their configuration, so that a pull is a question and no download. */
async function makeImages(place) {
  const source = join(place, 'source');
  await run(['sh', join(repository, 'scripts/reference-product.sh'), '1', source]);
  const versions = (major) => Array.from({ length: ROUNDS + 2 }, (_, index) => `${major}.${index}.0`);
  const images = { ours: versions(8), theirs: versions(9) };
  progress('making images');
  for (const version of [...images.ours, ...images.theirs]) await run(['sh', join(repository, 'bundle/images/build.sh'), version, source]);
  return images;
}

async function makeProduct(place, url) {
  const root = join(place, 'product');
  mkdirSync(root);
  const keys = lastJson(await run([process.execPath, slipway, 'keys', 'new', '--json'], { cwd: place }));
  const env = { ...process.env, SLIPWAY_SECRET_KEY: readFileSync(join(place, 'slipway.key'), 'utf8') };
  writeFileSync(join(root, 'slipway.yaml'), productFile({ publicKey: keys.publicKey, releases: join(place, 'releases'), url }));
  writeFileSync(join(root, 'compose.yml.hbs'), `name: {{product}}\n${composeServices('{{image "web"}}')}`);
  await git(root, ['init', '-q', '-b', 'main']);
  return { root, env };
}

/** Packs and publishes a version; nothing but the version's image changes. */
async function release({ root, env }, version) {
  await git(root, ['add', '-A']);
  await git(root, ['commit', '-q', '--allow-empty', '-m', version]);
  await git(root, ['tag', `v${version}`]);
  for (const verb of ['pack', 'publish']) await run([process.execPath, slipway, verb, '--yes'], { cwd: root, env });
}

/** Seconds of the change by hand: the tag in the file, then what everybody types. */
function composeUp(folder, version) {
  writeFileSync(join(folder, 'docker-compose.yml'), `name: bench-plain\n${composeServices(`${registry}/acme-api:${version}`)}`);
  return secondsOf(['sh', '-c', 'docker compose pull --quiet && docker compose up --detach --wait'], { cwd: folder });
}

function composeServices(image) {
  const server = "process.on('SIGTERM', () => process.exit()); require('http').createServer((_, answer) => answer.end()).listen(3000)";
  return `services:
  web:
    image: ${image}
    command: [node, -e, ${JSON.stringify(server)}]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:3000/"], interval: 1s, timeout: 3s }
`;
}

function productFile({ publicKey, releases, url }) {
  return `schema: 1
product: bench
cli: benchctl
release:
  tag: v{version}
  artifact: bench-{version}.tar.gz
  channels: { stable: {} }
  publicKey: ${publicKey}
  hosts: { local: { type: folder, path: ${releases}, url: "${url}" } }
  publishTo: [local]
  authority: local
bundle:
  compose: compose.yml.hbs
images:
  registry: ${registry}
  own: { web: { repository: acme-api, tag: "{version}" } }
upgrade: { timeout: 30s, probation: 0s }
`;
}

/** What this or an earlier run left on the engine. */
async function clear() {
  const remove = (list, verb) => run(['sh', '-c', `${list} | sort -u | xargs -r docker ${verb}`]);
  for (const project of PROJECTS) {
    await remove(`docker ps -aq --filter label=com.docker.compose.project=${project}`, 'rm -f');
    await remove(`docker network ls -q --filter label=com.docker.compose.project=${project}`, 'network rm');
  }
  await remove(
    `docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^(slipway.local/bench/|${registry}/acme-api:[89]\\.)'`,
    'image rm -f',
  );
  await remove(
    `docker image ls --filter dangling=true --format '{{.Repository}} {{.ID}}' | sed -n 's,^${registry}/acme-api ,,p'`,
    'image rm -f',
  );
}

function git(cwd, words) {
  return run(['git', '-c', 'user.name=Bench', '-c', 'user.email=bench@acme.example', ...words], { cwd });
}

function lastJson(stdout) {
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** A static web server, as any would do. */
function showFolder(folder) {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(new URL(request.url, 'http://x').pathname));
    if (!path.startsWith(folder) || !existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    return createReadStream(path).pipe(response.writeHead(200, { 'content-length': statSync(path).size }));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}
