// Mirroring 36 images between two real registries, against skopeo. Rule: the destination is wiped before every cold run, and both sides copy the same images whole.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { progress, ratioOf, run, secondsOf } from './measure.mjs';
import { startRegistry } from './registry.mjs';

const slipway = resolve(import.meta.dirname, '../../dist/slipway.mjs');
const BYTES = 900 * 1024 ** 2;
const PLAIN = ['--src-tls-verify=false', '--dest-tls-verify=false'];

export async function mirrorRows(stage) {
  const program = join(stage, 'image-set.mjs');
  const banner = { js: "import{createRequire as __r}from'node:module';const require=__r(import.meta.url);" };
  const entry = resolve(import.meta.dirname, 'image-set.ts');
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile: program, banner, logLevel: 'warning' });
  const [from, to] = [await startRegistry(join(stage, 'from')), await startRegistry(join(stage, 'to'))];
  try {
    progress(`pushing 36 images of ${BYTES / 1024 ** 2} MB`);
    const set = JSON.parse(await firstLine(start(program, { SET_REGISTRY: from.host, SET_BYTES: String(BYTES) }).stdout));
    const bench = { stage, program, set, from, to, memory: join(stage, 'mirror-memory') };
    const bytes = await bytesRow(bench);
    const rows = [...(await coldRows(bench, '')), ...(await warmRows(bench)), ...(await slowRows(bench))];
    return [...rows, bytes, memoryRow(bench)];
  } finally {
    await from.close();
    await to.close();
  }
}

async function coldRows(bench, how, limit = 0.7, rounds = 3) {
  const rows = [];
  for (const [against, theirs] of [
    ['skopeo sync', () => sync(bench)],
    ['skopeo copy --all, one by one', () => copy(bench, 1)],
    ['skopeo copy --all, eight at a time', () => copy(bench, 8)],
  ]) {
    const cold = (work) => async () => {
      await bench.to.wipe();
      return work();
    };
    rows.push(
      await ratioOf({
        what: `mirror of 36 images, cold${how}`,
        against,
        limit,
        rounds,
        ours: cold(() => mirror(bench)),
        theirs: cold(theirs),
      }),
    );
  }
  return rows;
}

/** The first round of each, which fills the destination, is not counted. */
async function warmRows(bench) {
  const what = 'the same with nothing to do';
  const ours = () => mirror(bench);
  return [
    await ratioOf({ what, against: 'skopeo copy --all, eight at a time', limit: 0.25, rounds: 5, ours, theirs: () => copy(bench, 8) }),
    await ratioOf({ what, against: 'skopeo sync', limit: 1, rounds: 5, ours, theirs: () => sync(bench) }),
  ];
}

/** Both registries behind servers that let every request wait. */
async function slowRows(bench) {
  const proxies = [bench.from, bench.to].map(({ host }) => start(bench.program, { SET_REGISTRY: host, PROXY_DELAY: '20' }));
  try {
    const [from, to] = await Promise.all(proxies.map(async ({ stdout }) => JSON.parse(await firstLine(stdout)).host));
    const slow = { ...bench, fromHost: from, toHost: to };
    return await coldRows(slow, ', 20 ms a request', 0.6, 1);
  } finally {
    for (const proxy of proxies) proxy.kill();
  }
}

function mirror(bench) {
  const { stage, set, memory } = bench;
  const root = join(stage, 'mirror');
  const [from, to] = hostsOf(bench);
  mkdirSync(root, { recursive: true });
  const thirdParty = JSON.parse(JSON.stringify(set.thirdParty).replaceAll(bench.from.host, from));
  const product = { schema: 1, product: 'bench', release: { tag: 'v{version}' }, images: { registry: `${to}/ours`, thirdParty } };
  writeFileSync(join(root, 'slipway.yaml'), JSON.stringify(product));
  const env = { ...process.env, NODE_OPTIONS: `--import ${join(import.meta.dirname, 'peak-memory.mjs')}`, PEAK_MEMORY_FILE: memory };
  return secondsOf([process.execPath, slipway, 'images', 'mirror', '--yes'], { cwd: root, env });
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

/** What the mirror says that it sent, in a first run. */
async function bytesRow(bench) {
  await mirror(bench); // writes the product
  await bench.to.wipe();
  const out = await run([process.execPath, slipway, 'images', 'mirror', '--yes', '--json'], { cwd: join(bench.stage, 'mirror') });
  const { bytesCopied } = JSON.parse(out.trim().split('\n').at(-1));
  const value = Math.round((bytesCopied / bench.set.uniqueBytes) * 100) / 100;
  return { what: 'bytes that the mirror sent', against: 'unique bytes of the set', value, unit: 'times', limit: 1.02 };
}

function memoryRow({ memory }) {
  const peaks = readFileSync(memory, 'utf8').trim().split('\n').map(Number);
  return { what: 'peak memory of the mirror', against: '', value: Math.ceil(Math.max(...peaks) / 1024), unit: 'MB', limit: 200 };
}

function start(program, env) {
  return spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH, ...env } });
}

async function firstLine(stream) {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('a program of the bench ended at once');
}
