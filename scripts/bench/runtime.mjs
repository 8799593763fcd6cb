// The Node.js that hosts without one fetch: what it weighs, and how it starts, against this machine's own. Rule: the files that `npm run build:runtime` makes.
import { chmodSync, createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { progress, ratioOf, run, secondsOf } from './measure.mjs';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const BUILT = join(REPOSITORY, '.testbed/runtimes');
const OPERATOR = join(REPOSITORY, 'dist/operator.mjs');
const ROUNDS = 15;

export async function runtimeRows(stage) {
  if (!existsSync(join(BUILT, 'bundle.json'))) {
    progress('building the runtimes, once');
    await run([process.execPath, join(REPOSITORY, 'scripts/build-runtime.mjs'), '--out', BUILT]);
  }
  const { node, files } = JSON.parse(readFileSync(join(BUILT, 'bundle.json'), 'utf8'));
  const own = files.find(({ os, arch }) => os === process.platform && arch === process.arch);
  const weights = files.flatMap((file) => weightRows(node, file));
  return own === undefined ? weights : [...weights, ...(await startRows(stage, own)), await fetchRow(stage, own)];
}

function weightRows(node, { os, arch, size, program }) {
  const mib = (bytes) => Math.round(bytes / 1024 / 1024);
  return [
    { what: `Node.js ${node} for ${os}-${arch}, stripped`, against: '', value: mib(program.size), unit: 'MiB' },
    { what: `the same, to be fetched`, against: '', value: mib(size), unit: 'MiB', limit: 45 },
  ];
}

async function startRows(stage, { name }) {
  const ours = join(stage, 'node');
  writeFileSync(ours, gunzipSync(readFileSync(join(BUILT, name))));
  chmodSync(ours, 0o755);
  const against = `the same on this machine's Node.js ${process.versions.node}`;
  const pair = (what, ...words) =>
    ratioOf({
      what,
      against,
      rounds: ROUNDS,
      ours: () => secondsOf([ours, ...words]),
      theirs: () => secondsOf([process.execPath, ...words]),
    });
  return [
    await pair('an empty program on the fetched Node.js', '-e', '0'),
    await pair('the operator command --version on it', OPERATOR, '--version'),
    await pair('the operator command help on it', OPERATOR, 'help'),
  ];
}

/** What install.sh does with it, from a server of this machine: fetch, check, unpack, check. */
async function fetchRow(stage, { name }) {
  const server = createServer((_, response) => createReadStream(join(BUILT, name)).pipe(response));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const to = join(stage, 'fetched');
  const fetched = [
    'sh',
    '-c',
    `curl -fsS -o '${to}' ${url} && sha256sum '${to}' && gzip -dc '${to}' >'${to}-node' && sha256sum '${to}-node'`,
  ];
  const theirs = () => secondsOf(['sh', '-c', `curl -fsS -o '${to}' ${url}`]);
  const row = await ratioOf({
    ...{ what: 'fetching it, checked and unpacked', against: 'curl of the same bytes, loopback', rounds: 5 },
    ...{ ours: () => secondsOf(fetched), theirs },
  });
  server.close();
  return row;
}
