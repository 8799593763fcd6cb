// The main job for real: pack, publish, install, upgrade, and a bad release that undoes itself. Rule: every line it prints was observed, none is written in.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '..');
const slipway = [process.execPath, join(repository, 'dist/slipway.mjs')];
const withEngine = !process.argv.includes('--no-engine');
const stage = join(tmpdir(), 'slipway-demo');
const root = join(stage, 'acme');
const releases = join(stage, 'releases');
const HTTP_PORT = 8088;
const begun = Date.now();

process.env.NODE_EXTRA_CA_CERTS = '';
process.env.SLIPWAY_BIN = ''; // this machine's PATH gets no command
process.env.SLIPWAY_RUNTIMES = '';
await main();

async function main() {
  clear();
  mkdirSync(stage, { recursive: true });
  const server = await show(releases);
  const url = `http://127.0.0.1:${server.address().port}`;
  say('A maintainer makes a key pair and packs release 1');
  const key = makeKey();
  await publish('1.0.0', 1, url, key);
  say('A person installs it with one line, answers given beforehand, no terminal');
  await installProduct(url);
  if (withEngine) await upgrades(url, key);
  else left();
  server.close();
  say(`Done in ${Math.round((Date.now() - begun) / 1000)} s`);
}

async function upgrades(url, key) {
  await post('written while release 1 was running');
  note(`rows: ${await rows()}`);
  say('Release 2 changes the schema and the proxy; the install upgrades in place');
  await publish('2.0.0', 2, url, key);
  await run([join(root, 'acmectl'), 'upgrade', '--yes']);
  note(`health: ${await get('/api/health')}`);
  say('Release 3 migrates well and is then never healthy; nobody is asked, it goes back by itself');
  await publish('3.0.0', 3, url, key);
  const bad = await run([join(root, 'acmectl'), 'upgrade', '--yes'], { mayFail: true });
  if (bad === 0) fail('release 3 should have failed');
  const [health, kept] = [await get('/api/health'), await rows()];
  say('What is there now');
  await run([join(root, 'acmectl'), 'status', '--offline']);
  note(`health: ${health}`);
  note(`rows:   ${kept}`);
  if (!health.includes('"version":"2.0.0"')) fail('release 2 should be running');
  if (!kept.includes('written while release 1 was running')) fail("release 1's row should be there");
  note(`look around: sh scripts/testbed.sh exec ${join(root, 'acmectl')} status`);
  note('stop it all: sh scripts/testbed.sh down');
}

function left() {
  say('Left out, because there is no Docker Engine: containers, health, upgrade, and the way back of a bad release');
}

async function publish(version, release, url, key) {
  const tree = join(stage, `source-${version}`);
  execFileSync('sh', [join(repository, 'scripts/reference-product.sh'), String(release), tree], { stdio: 'inherit' });
  const file = join(tree, 'slipway.yaml');
  const host = `local: { type: folder, path: ${releases}, url: "${url}" }`;
  const text = readFileSync(file, 'utf8').replace(/local: \{ type: folder[^}]*\}/, host);
  writeFileSync(file, text.replace('  publishTo:', `  publicKey: ${key.publicKey}\n  publishTo:`));
  const git = ['git', '-c', 'user.name=Maintainer', '-c', 'user.email=maintainer@acme.example'];
  const words = [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    ['commit', '-q', '-m', version],
    ['tag', `bundle-v${version}`],
  ];
  note(`images of ${version}, from Debian and npm packages`);
  if (withEngine) await run(['sh', join(repository, 'bundle/images/build.sh'), version, tree], { cwd: repository });
  if (withEngine) await run([...slipway, 'images', 'lock', '--yes'], { cwd: tree });
  for (const each of words) await run([...git, ...each], { cwd: tree });
  const env = { ...process.env, SLIPWAY_SECRET_KEY: key.secret };
  for (const verb of ['pack', 'publish']) await run([...slipway, verb, '--yes'], { cwd: tree, env });
}

async function installProduct(url) {
  const start = withEngine ? '' : '--no-start';
  const line = `curl -fsS ${url}/install.sh | sh -s -- --dir ${root} --yes ${start} --set DOMAIN=notes.example --set HTTP_PORT=${HTTP_PORT}`;
  note(`$ ${line}`);
  await run(['sh', '-c', line]);
}

/** Keys are made by our own tool, in minisign's format. */
function makeKey() {
  const folder = join(stage, 'keys');
  mkdirSync(folder, { recursive: true });
  const made = execFileSync(slipway[0], [slipway[1], 'keys', 'new', '--json'], { cwd: folder, encoding: 'utf8' });
  const { publicKey } = JSON.parse(made.trim().split('\n').at(-1));
  const secret = readFileSync(join(folder, 'slipway.key'), 'utf8');
  return { secret, publicKey };
}

/** An earlier demo's install goes first: containers, volumes and files. */
function clear() {
  if (withEngine && existsSync(join(root, 'docker-compose.yml'))) {
    spawnSync('docker', ['compose', '--project-directory', root, 'down', '--volumes', '--remove-orphans'], { cwd: root, stdio: 'ignore' });
  }
  rmSync(stage, { recursive: true, force: true });
}

/** Waits for the child without blocking, or the web server in this process could not answer it. */
function run(argv, { mayFail = false, cwd = '/', env = process.env } = {}) {
  return new Promise((done) => {
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'inherit', 'inherit'], cwd, env });
    child.on('close', (code) => {
      if (code !== 0 && !mayFail) fail(`${argv.join(' ')} ended with ${code}`);
      done(code);
    });
  });
}

async function get(path) {
  return (await (await fetch(`http://127.0.0.1:${HTTP_PORT}${path}`)).text()).trim();
}

async function rows() {
  return get('/api/notes');
}

async function post(text) {
  const answer = await fetch(`http://127.0.0.1:${HTTP_PORT}/api/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  if (!answer.ok) fail(`POST /api/notes answered ${answer.status}`);
}

/** A static web server, as any would do. */
function show(folder) {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(new URL(request.url, 'http://x').pathname));
    if (!path.startsWith(folder) || !existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    return createReadStream(path).pipe(response.writeHead(200, { 'content-length': statSync(path).size }));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

function say(text) {
  console.log(`\n=== ${text}`);
}

function note(text) {
  console.log(`    ${text}`);
}

function fail(text) {
  console.error(`\nThe demo failed: ${text}`);
  process.exit(1);
}
