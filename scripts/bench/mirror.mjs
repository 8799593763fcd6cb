// Mirroring 36 images between two real registries, against skopeo. Rule: the destination is wiped before every cold run, and both sides copy the same images whole.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { progress, ratiosOf, run, secondsOf } from './measure.mjs';
import { startRegistry } from './registry.mjs';
import { memoryRow, usagesIn, withUsage } from './usage.mjs';

const slipway = resolve(import.meta.dirname, '../../dist/slipway.mjs');
const BYTES = 900 * 1024 ** 2;
/** So few that the waiting is measured, and not the servers that let every request wait. */
const SLOW_BYTES = 90 * 1024 ** 2;
const SYNC = 'skopeo sync';
const COPY_1 = 'skopeo copy --all, one by one';
const COPY_8 = 'skopeo copy --all, eight at a time';
/** Where skopeo, as root, keeps what it saw at which registry. */
const SKOPEO_CACHE = '/var/lib/containers/cache/blob-info-cache-v1.boltdb';
const PLAIN = ['--src-tls-verify=false', '--dest-tls-verify=false'];

export async function mirrorRows(stage) {
  const program = join(stage, 'image-set.mjs');
  const banner = { js: "import{createRequire as __r}from'node:module';const require=__r(import.meta.url);" };
  const entry = resolve(import.meta.dirname, 'image-set.ts');
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile: program, banner, logLevel: 'warning' });
  const rows = await withSet({ stage: join(stage, 'large'), program, bytes: BYTES }, async (bench) => {
    const whole = await wholeRunRows(bench);
    return [...(await coldRows(bench, '')), ...(await warmRows(bench)), ...whole, memoryRow('peak memory of the mirror', bench.usage, 200)];
  });
  return [...rows, ...(await withSet({ stage: join(stage, 'slow'), program, bytes: SLOW_BYTES }, slowRows))];
}

/** Two registries, of which the first has the images. */
async function withSet({ stage, program, bytes }, measure) {
  const [from, to] = [await startRegistry(join(stage, 'from')), await startRegistry(join(stage, 'to'))];
  try {
    progress(`pushing 36 images of ${bytes / 1024 ** 2} MB`);
    const set = JSON.parse(await firstLine(start(program, { SET_REGISTRY: from.host, SET_BYTES: String(bytes) }).stdout));
    return await measure({ stage, program, set, from, to, usage: join(stage, 'mirror-usage') });
  } finally {
    await from.close();
    await to.close();
  }
}

/** Before each the destination is empty, what skopeo knows of destinations forgotten, and what the one before it wrote is on the disk. */
function coldRows(bench, how, limit = 0.7, rounds = 5) {
  const cold = (work) => async () => {
    await bench.to.wipe();
    rmSync(SKOPEO_CACHE, { force: true });
    await run(['sync']);
    return work();
  };
  const theirs = { [SYNC]: cold(() => sync(bench)), [COPY_1]: cold(() => copy(bench, 1)), [COPY_8]: cold(() => copy(bench, 8)) };
  return ratiosOf({ what: `mirror of 36 images, cold${how}`, limit, rounds, ours: cold(() => mirror(bench)), theirs });
}

/** The first round, which fills the destination, is not counted. */
function warmRows(bench) {
  const theirs = { [COPY_8]: () => copy(bench, 8), [SYNC]: () => sync(bench) };
  const limit = { [COPY_8]: 0.25, [SYNC]: 1 };
  return ratiosOf({ what: 'the same with nothing to do', limit, rounds: 5, ours: () => mirror(bench), theirs });
}

/** Both registries behind servers that let every request wait. */
async function slowRows(bench) {
  const proxies = [bench.from, bench.to].map(({ host }) => start(bench.program, { SET_REGISTRY: host, PROXY_DELAY: '20' }));
  try {
    const [from, to] = await Promise.all(proxies.map(async ({ stdout }) => JSON.parse(await firstLine(stdout)).host));
    const slow = { ...bench, fromHost: from, toHost: to };
    return await coldRows(slow, ' and 20 ms a request', 0.6, 5);
  } finally {
    for (const proxy of proxies) proxy.kill();
  }
}

function mirror(bench) {
  const { stage, set } = bench;
  const root = join(stage, 'mirror');
  const [from, to] = hostsOf(bench);
  mkdirSync(root, { recursive: true });
  const thirdParty = JSON.parse(JSON.stringify(set.thirdParty).replaceAll(bench.from.host, from));
  const product = { schema: 1, product: 'bench', release: { tag: 'v{version}' }, images: { registry: `${to}/ours`, thirdParty } };
  writeFileSync(join(root, 'slipway.yaml'), JSON.stringify(product));
  return secondsOf([process.execPath, slipway, 'images', 'mirror', '--yes'], { cwd: root, env: withUsage(bench.usage) });
}

function copy(bench, atOnce) {
  const [from, to] = hostsOf(bench);
  const lines = bench.set.images.map(
    ({ repository, tag, name }) => `docker://${from}/${repository}:${tag} docker://${to}/theirs/${name}:${tag}`,
  );
  const list = join(bench.stage, 'list');
  writeFileSync(list, `${lines.join('\n')}\n`);
  return secondsOf(['sh', '-c', `xargs -P ${atOnce} -L 1 skopeo copy -q --all ${PLAIN.join(' ')} <'${list}'`]);
}

function sync(bench) {
  const [from, to] = hostsOf(bench);
  const images = Object.fromEntries(bench.set.images.map(({ repository, tag }) => [repository, [tag]]));
  const file = join(bench.stage, 'sync.yaml');
  writeFileSync(file, JSON.stringify({ [from]: { images, 'tls-verify': false } }));
  return secondsOf(['skopeo', 'sync', '--all', ...PLAIN, '--src', 'yaml', '--dest', 'docker', file, `${to}/synced`]);
}

function hostsOf({ from, to, fromHost = from.host, toHost = to.host }) {
  return [fromHost, toHost];
}

/** What the mirror says that it sent, in a first run, and whose time on the processors that run took. */
async function wholeRunRows(bench) {
  const { from, to, stage } = bench;
  await mirror(bench); // writes the product
  await to.wipe();
  const before = [from.seconds(), to.seconds()];
  const env = withUsage(bench.usage);
  const out = await run([process.execPath, slipway, 'images', 'mirror', '--yes', '--json'], { cwd: join(stage, 'mirror'), env });
  const { bytesCopied } = JSON.parse(out.trim().split('\n').at(-1));
  const value = Math.round((bytesCopied / bench.set.uniqueBytes) * 100) / 100;
  const registries = [from.seconds() - before[0], to.seconds() - before[1]];
  const parts = {
    'the mirror itself': usagesIn(bench.usage).at(-1).seconds,
    'the source registry': registries[0],
    'the destination registry': registries[1],
  };
  const whole = Object.values(parts).reduce((sum, part) => sum + part, 0);
  const shares = Object.entries(parts).map(([name, part]) => ({
    what: 'where the processors\u2019 time of a cold mirror goes',
    against: name,
    value: Math.round((part / whole) * 100),
    unit: '%',
  }));
  return [{ what: 'bytes that the mirror sent', against: 'unique bytes of the set', value, unit: 'times', limit: 1.02 }, ...shares];
}

function start(program, env) {
  return spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH, ...env } });
}

async function firstLine(stream) {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('a program of the bench ended at once');
}
