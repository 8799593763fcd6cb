// Publishing 20 files of 50 MB: to a fake forge against curl, to a real registry against oras. Rule: both sides send the same files to the same server, and each round gets a new release.
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { progress, ratioOf, run, secondsOf } from './measure.mjs';
import { startRegistry } from './registry.mjs';
import { memoryRow, withUsage } from './usage.mjs';

const FILES = 20;
const BYTES = 50 * 1024 ** 2;
const ROUNDS = 3;
let release = 0;

export async function publishRows(stage) {
  const program = join(stage, 'publisher.mjs');
  const entry = resolve(import.meta.dirname, 'publisher.ts');
  const banner = { js: "import{createRequire as __r}from'node:module';const require=__r(import.meta.url);" };
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile: program, banner, logLevel: 'warning' });
  const folder = join(stage, 'assets');
  makeFiles(folder);
  const bench = { stage, program, folder, memory: join(stage, 'publish-memory') };
  const rows = [await forgeRow(bench), await registryRow(bench)];
  rows.push(memoryRow('peak memory of these publishes', bench.memory, 250));
  rmSync(folder, { recursive: true });
  return rows;
}

async function forgeRow(bench) {
  const forge = spawn(process.execPath, [bench.program], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH } });
  try {
    const { address, commit } = JSON.parse(await firstLine(forge.stdout));
    const against = 'curl, one file after the other';
    const ours = () => publish(bench, { address, commit });
    return await ratioOf({ what: rowName('a forge'), against, rounds: ROUNDS, ours, theirs: () => uploadByCurl(bench, address) });
  } finally {
    forge.kill();
  }
}

async function registryRow(bench) {
  const registry = await startRegistry(join(bench.stage, 'registry'));
  try {
    const against = 'oras push of the same files';
    const address = () => ({ type: 'oci', name: 'oci', repository: `${registry.host}/bench/ours-${release}` });
    const ours = () => publish(bench, { address: address(), commit: null });
    return await ratioOf({ what: rowName('a registry'), against, rounds: ROUNDS, ours, theirs: () => pushByOras(bench, registry.host) });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return { what: rowName('a registry'), against: 'oras', left: `left out: ${error.path ?? 'oras'} is not installed` };
  } finally {
    await registry.close();
  }
}

function publish({ program, folder, memory }, { address, commit }) {
  release += 1;
  const task = { folder, address, commit, tag: `v1.0.${release}` };
  const env = withUsage(memory, { PATH: process.env.PATH, GITHUB_TOKEN: 'good-token', PUBLISH_TASK: JSON.stringify(task) });
  return secondsOf([process.execPath, program], { env });
}

/** What a release script does: a draft, an upload for each file, and the draft published. */
async function uploadByCurl({ folder }, { url, repository }) {
  release += 1;
  const login = ['-sS', '--fail-with-body', '-H', 'Authorization: Bearer good-token'];
  const begun = performance.now();
  const body = JSON.stringify({ tag_name: `v1.0.${release}`, name: 'x', draft: true, prerelease: false });
  const draft = JSON.parse(await run(['curl', ...login, '-d', body, `${url}/repos/${repository}/releases`]));
  const place = draft.upload_url.replace(/\{.*$/, '');
  for (const name of readdirSync(folder)) {
    const type = ['-H', 'Content-Type: application/octet-stream'];
    await run(['curl', ...login, ...type, '-T', join(folder, name), '-X', 'POST', '-o', '/dev/null', `${place}?name=${name}`]);
  }
  await run([
    'curl',
    ...login,
    '-X',
    'PATCH',
    '-d',
    '{"draft":false}',
    '-o',
    '/dev/null',
    `${url}/repos/${repository}/releases/${draft.id}`,
  ]);
  return (performance.now() - begun) / 1000;
}

function pushByOras({ folder }, host) {
  release += 1;
  const words = ['push', '--plain-http', '--disable-path-validation', `${host}/bench/theirs-${release}:v1`];
  return secondsOf(['oras', ...words, ...readdirSync(folder)], { cwd: folder });
}

async function firstLine(stream) {
  for await (const line of createInterface({ input: stream })) return line;
  throw new Error('the forge ended at once');
}

function makeFiles(folder) {
  progress(`making ${FILES} files of ${BYTES / 1024 ** 2} MB`);
  mkdirSync(folder);
  const content = Buffer.alloc(BYTES);
  for (let index = 0; index < FILES; index += 1) {
    randomFillSync(content);
    const file = openSync(join(folder, `asset-${index}.bin`), 'w');
    writeSync(file, content);
    closeSync(file);
  }
  writeFileSync(join(folder, 'bundle.json'), '{}');
}

function rowName(where) {
  return `publishing ${FILES} files of ${BYTES / 1024 ** 2} MB to ${where}`;
}
