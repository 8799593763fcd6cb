// Upgrades of products of three sizes, against plain Docker Compose making the same change. Rule: the real programs, a real engine; every round swaps in
// images that this engine has never pulled, on both sides, and the door of each product is asked all the while.
import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { medianOf, progress, run, secondsOf } from './measure.mjs';

const repository = resolve(import.meta.dirname, '../..');
const slipway = join(repository, 'dist/slipway.mjs');
const registry = `${process.env.SLIPWAY_TESTBED_REGISTRY}/acme`;
const PLAIN = 'docker compose pull && up -d --wait of the same';
const SIZES = [
  { services: 3, rounds: 7 },
  { services: 10, rounds: 5 },
  { services: 40, rounds: 2 },
];
const DATA_MIB = 512;
const DATA_ROUNDS = 2;
const VERSIONS = SIZES.reduce((sum, { rounds }) => sum + rounds + 2, 0) + DATA_ROUNDS + 3;
const PORTS = { ours: 18080, theirs: 18081 };

export async function upgradeRows(stage) {
  const place = join(stage, 'upgrade');
  mkdirSync(place);
  try {
    await clear();
    const images = await makeImages(place);
    const rows = [];
    for (const size of SIZES) rows.push(...(await compareSize(place, images, size)));
    return [...rows, await backupRow(place, images)];
  } finally {
    await clear();
  }
}

/** Time and downtime of a product of so many services, all of which change. */
async function compareSize(place, images, { services, rounds }) {
  const name = `bench${services}`;
  const ours = await makeOurs(join(place, name), { name, services, images: images.ours });
  const theirs = await makeTheirs(join(place, `${name}-plain`), { name: `${name}-plain`, services, images: images.theirs });
  const found = { ratios: [], more: [] };
  for (let round = 0; round <= rounds; round += 1) {
    progress(`an upgrade of ${services} services: round ${round} of ${rounds}`);
    const works = round % 2 === 0 ? [ours, theirs] : [theirs, ours];
    const times = new Map();
    for (const work of works) times.set(work, await alone(name, work));
    if (round === 0) continue; // it warms the caches
    found.ratios.push(times.get(ours).seconds / times.get(theirs).seconds);
    found.more.push(times.get(ours).shut - 1.1 * times.get(theirs).shut);
  }
  await Promise.all([ours.close(), theirs.close()]);
  const ratios = found.ratios.sort((a, b) => a - b);
  const more = found.more.sort((a, b) => a - b);
  const spread = [ratios[Math.floor((ratios.length - 1) / 4)], ratios[Math.ceil(((ratios.length - 1) * 3) / 4)]];
  return [
    { what: `an upgrade of ${services} services`, against: PLAIN, limit: 1.25, rounds, value: medianOf(ratios), spread },
    {
      what: `its door is shut for`,
      against: '1.1 times as long as with that',
      limit: 1,
      value: Number(medianOf(more).toFixed(2)),
      unit: 's more',
    },
  ];
}

/** The other project stands still meanwhile: its health checks would take time from the one that is measured. */
async function alone(name, work) {
  const others = async (verb, filter) => {
    const label = `--filter label=com.docker.compose.project=${work.name === name ? `${name}-plain` : name}`;
    await run(['sh', '-c', `docker ps -q ${filter} ${label} | xargs -r docker ${verb}`]);
  };
  await others('pause', '');
  try {
    return await work.change();
  } finally {
    await others('unpause', '--filter status=paused');
  }
}

/** What a backup of data adds to an upgrade, for each part of the time that tar needs for the same data. */
async function backupRow(place, images) {
  const name = 'benchdata';
  const product = await makeOurs(join(place, name), { name, services: 1, images: images.ours, data: true });
  const ratios = [];
  const volume = (await run(['docker', 'volume', 'inspect', '--format', '{{.Mountpoint}}', `${name}_data`])).trim();
  const without = (await product.change()).seconds;
  for (let part = 0; part < DATA_MIB / 64; part += 1) writeFileSync(join(volume, `part-${part}`), randomBytes(64 << 20));
  for (let round = 1; round <= DATA_ROUNDS; round += 1) {
    progress(`a backup of ${DATA_MIB} MiB: round ${round} of ${DATA_ROUNDS}`);
    const copied = await secondsOf([
      'sh',
      '-c',
      `tar -C '${volume}' -cf '${join(place, 'data.tar')}' . && sync '${join(place, 'data.tar')}'`,
    ]);
    ratios.push(((await product.change()).seconds - without) / copied);
  }
  await product.close();
  ratios.sort((a, b) => a - b);
  return {
    what: 'what a backup adds to an upgrade, per GB',
    against: 'tar of the same data',
    rounds: DATA_ROUNDS,
    value: medianOf(ratios),
    spread: [ratios[0], ratios.at(-1)],
  };
}

/** An install made by the one-liner; `change` releases and takes the next version. */
async function makeOurs(place, wish) {
  mkdirSync(place);
  const server = await showFolder(join(place, 'releases'));
  const url = `http://127.0.0.1:${server.address().port}`;
  const product = await makeProduct(place, { ...wish, url });
  const install = join(place, 'install');
  await release(product, wish.images.shift());
  await run(['sh', '-c', `curl -fsS ${url}/install.sh | sh -s -- --dir '${install}' --yes`]);
  return {
    name: wish.name,
    change: async () => {
      await release(product, wish.images.shift());
      return whileAsking(PORTS.ours, () => secondsOf([join(install, 'benchctl'), 'upgrade', '--yes'], { cwd: '/' }));
    },
    close: async () => {
      await run(['docker', 'compose', '--project-name', wish.name, 'down', '--volumes', '--timeout', '1']);
      server.close();
    },
  };
}

/** The same project by hand: the tag in the file, then what everybody types. */
async function makeTheirs(place, { name, services, images }) {
  mkdirSync(place);
  const change = () => {
    const image = `${registry}/acme-api:${images.shift()}`;
    writeFileSync(join(place, 'docker-compose.yml'), `name: ${name}\n${composeServices({ image, services, port: PORTS.theirs })}`);
    const words = ['sh', '-c', 'docker compose pull --quiet && docker compose up --detach --wait'];
    return whileAsking(PORTS.theirs, () => secondsOf(words, { cwd: place }));
  };
  await change();
  return { name, change, close: () => run(['docker', 'compose', '--project-name', name, 'down', '--timeout', '1']) };
}

/** Does the work and gives its seconds, and the longest time for which the door did not answer meanwhile. */
async function whileAsking(port, work) {
  let shut = 0;
  let last = performance.now();
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      if (await answers(port)) {
        const now = performance.now();
        shut = Math.max(shut, now - last);
        last = now;
      }
      await new Promise((done) => setTimeout(done, 10));
    }
  })();
  const seconds = await work();
  isOver = true;
  await asking;
  return { seconds, shut: shut / 1000 };
}

function answers(port) {
  return new Promise((done) => {
    const request = get({ host: '127.0.0.1', port, agent: false, timeout: 500 }, (response) => {
      response.resume();
      response.on('end', () => done(true));
      response.on('error', () => done(false));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => done(false));
  });
}

/** Two sets of versions of one image, which differ in nothing but their configuration, so that a pull is a question and no download. */
async function makeImages(place) {
  const source = join(place, 'source');
  await run(['sh', join(repository, 'scripts/reference-product.sh'), '1', source]);
  const versions = (major) => Array.from({ length: VERSIONS }, (_, index) => `${major}.${index}.0`);
  const images = { ours: versions(8), theirs: versions(9) };
  progress('making images');
  for (const version of [...images.ours, ...images.theirs]) await run(['sh', join(repository, 'bundle/images/build.sh'), version, source]);
  return images;
}

async function makeProduct(place, { name, services, data, url }) {
  const root = join(place, 'product');
  mkdirSync(root);
  const keys = lastJson(await run([process.execPath, slipway, 'keys', 'new', '--json'], { cwd: place }));
  const env = { ...process.env, SLIPWAY_SECRET_KEY: readFileSync(join(place, 'slipway.key'), 'utf8') };
  writeFileSync(join(root, 'slipway.yaml'), productFile({ name, data, publicKey: keys.publicKey, releases: join(place, 'releases'), url }));
  const compose = composeServices({ image: '{{image "web"}}', services, port: PORTS.ours, data });
  writeFileSync(join(root, 'compose.yml.hbs'), `name: {{product}}\n${compose}`);
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

function composeServices({ image, services, port, data }) {
  const server = "process.on('SIGTERM', () => process.exit()); require('http').createServer((_, answer) => answer.end()).listen(3000)";
  const parts = Array.from(
    { length: services },
    (_, index) => `  web${index}:
    image: ${image}
    command: [node, -e, ${JSON.stringify(server)}]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:3000/"], interval: 30s, timeout: 3s, start_period: 60s, start_interval: 1s }
${index === 0 ? `    ports: ["127.0.0.1:${port}:3000"]\n` : ''}${data ? '    volumes: ["data:/data"]\n' : ''}`,
  );
  return `services:\n${parts.join('')}${data ? 'volumes:\n  data:\n' : ''}`;
}

function productFile({ name, data, publicKey, releases, url }) {
  return `schema: 1
product: ${name}
cli: benchctl
release:
  tag: v{version}
  artifact: ${name}-{version}.tar.gz
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
${data ? 'data: { data: {} }\n' : ''}upgrade: { timeout: 120s, probation: 0s }
`;
}

/** What this or an earlier run left on the engine. */
async function clear() {
  const remove = (list, verb) => run(['sh', '-c', `${list} | sort -u | xargs -r docker ${verb}`]);
  for (const name of [...SIZES.map(({ services }) => `bench${services}`), 'benchdata'])
    for (const project of [name, `${name}-plain`]) {
      const label = `--filter label=com.docker.compose.project=${project}`;
      await remove(`docker ps -aq ${label}`, 'rm -f');
      await remove(`docker network ls -q ${label}`, 'network rm');
      await remove(`docker volume ls -q ${label}`, 'volume rm');
    }
  await remove(
    `docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -E '^(slipway.local/bench[0-9a-z]*/|${registry}/acme-api:[89]\\.)'`,
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
