// The reference product on the test bed: packed, published to a folder, shown by a web server, installed. Rule: only real programs, as a person would run them.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '../..');
const SLIPWAY = join(REPOSITORY, 'dist/slipway.mjs');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last JSON line, for commands run with --json. */
  readonly result: Record<string, unknown>;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
}

/** Runs a program to its end; never throws for an exit code. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolveRan) => {
    const [program = '', ...rest] = argv;
    // Nothing is written outside the test's own folder, and no release brings a Node.js, unless a test asks for it.
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, SLIPWAY_BIN: '', SLIPWAY_RUNTIMES: '', ...options.env };
    const child = execFile(program, rest, { cwd: options.cwd, env, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
      resolveRan({ code, stdout, stderr, result: lastJson(stdout) });
    });
    child.stdin?.on('error', () => undefined); // a program that does not read its input
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a program that must succeed. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await run(argv, options);
  if (ran.code !== 0) throw new Error(`${argv.join(' ')} ended with ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  return ran;
}

export interface Stage {
  readonly folder: string;
  /** The folder host's directory. */
  readonly releases: string;
  /** Where the web server shows it. */
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes, commits and tags the source tree of a version; `release` is the reference product's 1, 2 or 3. */
  readonly source: (version: string, release: 1 | 2 | 3, edit?: (folder: string) => Promise<void>) => Promise<string>;
  /** Packs and publishes a version. */
  readonly publish: (version: string, release: 1 | 2 | 3, edit?: (folder: string) => Promise<void>) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** A fresh stage: a key pair, an empty folder host and a web server that shows it. `more` is for packing and publishing. */
export async function openStage(more: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'));
  const releases = join(folder, 'releases');
  const server = await showFolder(releases);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const keys = await makeKeys(folder);
  const env = { SLIPWAY_SECRET_KEY: keys.secret, ...more };
  const source: Stage['source'] = async (version, release, edit) => {
    const tree = join(folder, `source-${version}`);
    await must(['sh', join(REPOSITORY, 'scripts/reference-product.sh'), String(release), tree]);
    const file = join(tree, 'slipway.yaml');
    const text = await readFile(file, 'utf8');
    const host = `local: { type: folder, path: ${releases}, url: "${url}" }`;
    await writeFile(
      file,
      text.replace(/local: \{ type: folder[^}]*\}/, host).replace('  publishTo:', `  publicKey: ${keys.publicKey}\n  publishTo:`),
    );
    await edit?.(tree);
    await commit(tree, `bundle-v${version}`);
    await must(['sh', join(REPOSITORY, 'bundle/images/build.sh'), version, tree], { cwd: REPOSITORY });
    return tree;
  };
  const publish: Stage['publish'] = async (version, release, edit) => {
    const tree = await source(version, release, edit);
    // Every release brings an operator of its own, so that each upgrade is handed over to another program.
    const operator = join(folder, `operator-${version}.mjs`);
    await writeFile(operator, `${await readFile(join(REPOSITORY, 'dist/operator.mjs'), 'utf8')}\n// ${version}\n`);
    await must([process.execPath, SLIPWAY, 'pack', '--yes'], { cwd: tree, env: { ...env, SLIPWAY_OPERATOR: operator } });
    await must([process.execPath, SLIPWAY, 'publish', '--yes'], { cwd: tree, env });
    return tree;
  };
  const close = async (): Promise<void> => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, releases, url, env, source, publish, close };
}

export interface Installed {
  readonly root: string;
  readonly port: number;
  readonly project: string;
  readonly http: (path: string, init?: RequestInit) => Promise<Response>;
  /** Runs the installed operator command. */
  readonly ctl: (...args: string[]) => Promise<Ran>;
  /** Starts it without waiting. */
  readonly spawnCtl: (...args: string[]) => ChildProcess;
  readonly compose: (...args: string[]) => Promise<Ran>;
  readonly sql: (query: string) => Promise<string>;
  readonly dump: () => Promise<string>;
  readonly remove: () => Promise<void>;
}

export interface InstallOptions {
  readonly workers?: number;
  readonly set?: readonly string[];
  readonly project?: string;
  readonly port?: number;
}

/** Installs with the one-liner, `curl … | sh`, without a terminal. */
export async function install(stage: Stage, name: string, options: InstallOptions = {}): Promise<Installed> {
  const root = join(stage.folder, name);
  const port = options.port ?? (await freePort());
  const set = [`DOMAIN=notes.example`, `HTTP_PORT=${port}`, `WORKERS=${options.workers ?? 0}`, ...(options.set ?? [])]
    .map((each) => `--set '${each}'`)
    .join(' ');
  const more = options.project === undefined ? '' : `-- --project ${options.project}`;
  await must(['sh', '-c', `curl -fsS ${stage.url}/install.sh | sh -s -- --dir '${root}' --yes ${set} ${more}`], {
    env: { SLIPWAY_RELEASES: stage.url },
  });
  return installedAt(root, port, options.project ?? 'acme');
}

/** The handle of an install that is there. */
export function installedAt(root: string, port: number, project: string): Installed {
  const cli = join(root, 'acmectl');
  const compose = (...args: string[]): Promise<Ran> => run(['docker', 'compose', '--project-directory', root, ...args], { cwd: root });
  const database = (...args: string[]): Promise<Ran> =>
    must(['docker', 'compose', '--project-directory', root, 'exec', '-T', 'db', ...args], { cwd: root });
  return {
    root,
    port,
    project,
    http: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, { ...init, signal: AbortSignal.timeout(10_000) }),
    ctl: (...args) => run([cli, ...args, '--json'], { cwd: '/' }),
    spawnCtl: (...args) => spawn(cli, args, { cwd: '/', stdio: 'ignore', env: { ...process.env, NODE_EXTRA_CA_CERTS: '' } }),
    compose,
    sql: async (query) => (await database('psql', '-U', 'acme', '-d', 'acme', '-At', '-c', query)).stdout.trim(),
    dump: async () => (await database('pg_dump', '-U', 'acme', 'acme')).stdout.replace(/^\\(un)?restrict .*$/gm, ''),
    remove: async () => {
      await run(['docker', 'compose', '--project-directory', root, 'down', '--volumes', '--remove-orphans'], {
        cwd: existsSync(root) ? root : '/',
      });
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Writes a note through the door and gives its text back. */
export async function addNote(installed: Installed, text: string): Promise<void> {
  const answer = await installed.http('/api/notes', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  if (!answer.ok) throw new Error(`POST /api/notes: ${answer.status} ${await answer.text()}`);
}

/** The running services of an install with the digests that they run. */
export async function runningImages(project: string): Promise<Record<string, string>> {
  const ids = (await must(['docker', 'ps', '-q', '--filter', `label=com.docker.compose.project=${project}`])).stdout
    .split('\n')
    .filter(Boolean);
  const images: Record<string, string> = {};
  for (const id of ids) {
    const line = (
      await must(['docker', 'inspect', '--format', '{{index .Config.Labels "com.docker.compose.service"}} {{.Config.Image}}', id])
    ).stdout.trim();
    const [service = '', image = ''] = line.split(' ');
    images[service] = image;
  }
  return images;
}

/** A TCP port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function makeKeys(folder: string): Promise<{ secret: string; publicKey: string }> {
  await must(['minisign', '-G', '-W', '-f', '-p', join(folder, 'key.pub'), '-s', join(folder, 'key.sec')]);
  const publicKey = (await readFile(join(folder, 'key.pub'), 'utf8')).split('\n')[1] ?? '';
  return { secret: await readFile(join(folder, 'key.sec'), 'utf8'), publicKey };
}

async function commit(tree: string, tag: string): Promise<void> {
  const git = (...args: string[]): Promise<Ran> =>
    must(['git', '-c', 'user.name=Maintainer', '-c', 'user.email=maintainer@acme.example', ...args], { cwd: tree });
  await git('init', '-q', '-b', 'main');
  await git('add', '-A');
  await git('commit', '-q', '-m', tag);
  await git('tag', tag);
}

/** A plain static web server over a folder, as nginx or any other would be. */
function showFolder(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    void stat(path).then(
      (stats) => {
        if (!path.startsWith(folder) || !stats.isFile()) return response.writeHead(404).end();
        response.writeHead(200, { 'content-length': stats.size });
        return createReadStream(path).pipe(response);
      },
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

function lastJson(stdout: string): Record<string, unknown> {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : {};
}
