// The product that the crash campaign installs and upgrades: its programs, and releases of it. Rule: its migrations change data for good and twice is wrong;
// it notices whatever a half-upgraded product would suffer from.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { MANIFEST_TYPE, type Manifest, parseManifest } from '../../src/model/manifest.ts';
import type { Registry } from '../fakes/engine-call.ts';
import type { FakeContainer, FakeImage, Inside, Program, Programs, Work } from '../fakes/engine-state.ts';
import { type FileTree, fileNode } from '../fakes/file-tree.ts';

/** What kind of product it is. */
export interface Shape {
  /** A proxy is the only way in. */
  readonly door: boolean;
  /** A database volume and a folder of uploads. */
  readonly data: boolean;
  /** The second release changes the schema. */
  readonly migrates: boolean;
  /** Where the second release has its database: in a volume of another name, of another major's engine, or both of the same name. */
  readonly moves?: 'rename' | 'major' | 'major in place';
  /** Files that the second release changes, or names otherwise, where the person changed them, too. */
  readonly edited?: true;
}

/** How the second release is broken. */
export type Defect = 'none' | 'restore' | 'short restore' | 'migration' | 'half migration' | 'sick' | 'sick door' | 'invalid files';

export interface Release {
  readonly manifest: Manifest;
  readonly manifestText: string;
  readonly digest: Digest;
  /** Path → text, all files of the bundle. */
  readonly files: ReadonlyMap<string, string>;
}

const PRODUCT = 'acme';

/** All images of both releases and what runs in them. */
export function registryFor(shape: Shape, defect: Defect): Registry {
  const programs: Programs = {
    'db-1': databaseProgram('1', defect),
    ...(hasNewMajor(shape) ? { 'db-2': databaseProgram('2', defect) } : {}),
    'api-1': apiProgram('1.0.0', 1, 'none', shape),
    'api-2': apiProgram('2.0.0', shape.migrates ? 2 : 1, defect, shape),
    'proxy-1': { version: 'proxy', work: checkFiles, exec: () => ({ code: 0, stdout: '', stderr: '' }) },
    'proxy-2': { version: 'proxy', work: checkFiles, exec: () => ({ code: defect === 'sick door' ? 1 : 0, stdout: '', stderr: '' }) },
    'jobs-1': { version: 'jobs', work: (command) => (command.length === 0 ? { parts: [() => undefined], exitCode: 0 } : undefined) },
  };
  return { programs, images: Object.keys(programs).map(imageOfProgram) };
}

/** The first and the second release. */
export function releaseOf(version: '1.0.0' | '2.0.0', shape: Shape): Release {
  const second = version === '2.0.0';
  const files = new Map(
    Object.entries({
      'docker-compose.yml': composeText(second, shape),
      'configs/nginx.conf': `server ${version};\n`,
      'configs/custom.conf': 'shipped\n',
      'configs/linked.conf': 'shipped too\n',
      'scripts/run.sh': '#!/bin/sh\nexit 0\n',
      'content/welcome.txt': `welcome to ${version}\n`,
      ...(second ? { 'docs/new/guide.txt': 'a guide\n' } : { 'docs/extra.txt': 'dropped later\n' }),
      'docs/index.txt': 'shipped, and removed by the person\n',
      ...(shape.edited ? { 'configs/app.conf': settingsText(second ? 4 : 2, 30) } : {}),
      ...(shape.edited ? { [second ? 'configs/renamed.conf' : 'configs/named.conf']: NAMED } : {}),
    }),
  );
  const manifestText = canonicalJson(manifestOf(version, shape, files));
  return { manifest: parseManifest(manifestText), manifestText, digest: digestOf(manifestText), files };
}

/** A file with two lines that matter: the release changes the one, the person the other. */
export function settingsText(workers: number, timeout: number): string {
  return `workers ${workers}\n${'# nothing here\n'.repeat(6)}timeout ${timeout}\n`;
}

/** A file that the second release only names otherwise. */
export const NAMED = 'the same in both releases\n';

/** Names of the services a release runs, with the program in each; jobs end, all others last. */
export function servicesOf(version: '1.0.0' | '2.0.0', shape: Shape, reports: boolean): Readonly<Record<string, string>> {
  const second = version === '2.0.0';
  return {
    ...(shape.data ? { db: second && hasNewMajor(shape) ? 'db-2' : 'db-1' } : {}),
    api: second ? 'api-2' : 'api-1',
    ...(shape.door ? { proxy: second ? 'proxy-2' : 'proxy-1' } : {}),
    ...(second ? { warmup: 'jobs-1' } : { worker: 'api-1' }),
    ...(reports ? { reports: second ? 'api-2' : 'api-1' } : {}),
  };
}

export function imageOfProgram(program: string): FakeImage {
  const [name = '', major = ''] = program.split('-');
  return {
    id: digestOf(`config of ${program}`),
    pinned: `registry.test/${PRODUCT}/${name}:${major}.0.0@${digestOf(`manifest of ${program}`)}`,
    program,
  };
}

/** The rows a database holds, without the mark of the newer schema; undefined while it is between two schemas. */
export function readRows(tree: FileTree, schema: string): readonly string[] | undefined {
  const rows = (tree.get('base/rows')?.content ?? '').split('\n').filter(Boolean);
  const mark = schema === '2' ? '+' : '';
  const isWhole = tree.get('base/schema')?.content === schema && tree.get('base/log')?.content === logOf(schema);
  if (!isWhole || rows.some((row) => row.endsWith('+') !== (mark !== '') || row.endsWith('++'))) return undefined;
  return rows.map((row) => (mark === '' ? row : row.slice(0, -1)));
}

function logOf(schema: string): string {
  return schema === '2' ? 'begin 1\nend 1\nbegin 2\nend 2\n' : 'begin 1\nend 1\n';
}

function apiProgram(version: string, schema: number, defect: Defect, shape: Shape): Program {
  return {
    version,
    healthyAfter: defect === 'sick' ? Infinity : 2,
    ...(shape.data ? { tick: (inside: Inside) => writeRow(inside, version, schema) } : {}),
    work: (command, inside) => (command[0] === 'migrate' ? migration(inside, version === '1.0.0' ? 1 : 2, defect) : undefined),
  };
}

function hasNewMajor({ moves = 'rename' }: Shape): boolean {
  return moves !== 'rename';
}

/** The volume of the second release's database, by its key. */
function volumeOf({ moves }: Shape): string {
  return moves === 'rename' || moves === 'major' ? 'data2' : 'pgdata';
}

/** It never starts on files of another major, as PostgreSQL does not. */
function databaseProgram(major: string, defect: Defect): Program {
  const tick = (inside: Inside): void => {
    const tree = dataOf(inside.me, inside);
    const found = tree?.get('base/major')?.content;
    if (found !== undefined && found !== major) inside.state.violations.push(`the engine of major ${major} opened files of major ${found}`);
    initialise(inside, major);
  };
  return { version: 'db', healthyAfter: 2, tick, exec: runInDatabase, load: (inside, input) => restoreDump(inside, input, defect) };
}

/** A running application keeps a row now and then, by itself. */
function writeRow(inside: Inside, version: string, schema: number): void {
  const { me, state, siblings } = inside;
  if (me.age % 4 !== 1 || me.labels['com.docker.compose.oneoff'] === 'True') return;
  const tree = database(inside);
  const found = tree?.get('base/schema')?.content;
  if (tree === undefined || found === undefined || found === '0') return;
  if (found !== String(schema)) {
    state.violations.push(`${me.name} of ${version} writes to data of schema ${found}`);
    return;
  }
  const id = `${version}#${state.ledger.length}`;
  const door = [me, ...siblings].some((each) => each.publishes && each.state === 'running');
  append(tree, 'base/rows', `${id}${schema === 2 ? '+' : ''}\n`);
  state.ledger.push({ id, version, door });
}

/** The files of the database, when one runs and is healthy. */
function database(inside: Inside): FileTree | undefined {
  const db = inside.siblings.find((each) => inside.programOf(each).version === 'db' && each.state === 'running' && each.age >= 2);
  return db === undefined ? undefined : dataOf(db, inside);
}

function dataOf(db: FakeContainer, { state }: Inside): FileTree | undefined {
  const mount = db.mounts.find((each) => each.target === '/data');
  return state.volumes.get(mount?.source ?? '')?.tree;
}

/** A database on an empty volume makes its files. */
function initialise(inside: Inside, major: string): void {
  const tree = dataOf(inside.me, inside);
  if (tree === undefined || tree.has('base/schema')) return;
  tree.set('', { kind: 'folder', mode: 0o700, uid: 999, gid: 999, content: '' });
  tree.set('base', { kind: 'folder', mode: 0o750, uid: 999, gid: 999, content: '' });
  for (const [name, content] of [
    ['schema', '0'],
    ['major', major],
    ['rows', ''],
    ['log', ''],
  ] as const)
    tree.set(`base/${name}`, fileNode(content, 0o640, 999));
  tree.set('secret.key', fileNode('s3cret', 0o600, 999));
  tree.set('current', { kind: 'link', mode: 0o777, uid: 999, gid: 999, content: 'base' });
}

/** Two parts, neither of which can be done twice. */
function migration(inside: Inside, to: number, defect: Defect): Work {
  const tree = database(inside);
  if (tree === undefined) return { parts: [], exitCode: 1 };
  const { state, siblings } = inside;
  const writers = siblings
    .filter((each) => each.state === 'running' && /^\d/.test(inside.programOf(each).version))
    .map((each) => each.name);
  const halves = [0, 1].map((half) => () => {
    if (writers.length > 0) state.violations.push(`${writers.join(', ')} runs during the migration`);
    changeRows(tree, to, half);
    append(tree, 'base/log', half === 0 ? `begin ${to}\n` : `end ${to}\n`);
    tree.set('base/schema', fileNode(half === 0 ? `${to - 1}>${to}` : String(to), 0o640, 999));
    if (half === 0 && to === 2) changeUploads(inside);
  });
  if (defect === 'half migration') return { parts: halves.slice(0, 1), exitCode: 1 };
  return { parts: halves, exitCode: defect === 'migration' ? 1 : 0 };
}

function changeRows(tree: FileTree, to: number, half: number): void {
  if (to !== 2) return;
  const rows = (tree.get('base/rows')?.content ?? '').split('\n').filter(Boolean);
  const isMine = (index: number): boolean => index < rows.length / 2 === (half === 0);
  tree.set('base/rows', fileNode(rows.map((row, index) => `${row}${isMine(index) ? '+' : ''}\n`).join(''), 0o640, 999));
}

function changeUploads({ me }: Inside): void {
  const folder = me.mounts.find((each) => each.target === '/uploads')?.source ?? '';
  const index = join(folder, 'index');
  writeFileSync(index, `${readFileSync(index, 'utf8')}migrated\n`);
  writeFileSync(join(folder, 'thumbnail'), 'made by the migration\n', { flag: 'a' });
}

function append(tree: FileTree, path: string, text: string): void {
  const node = tree.get(path);
  tree.set(path, fileNode(`${node?.content ?? ''}${text}`, 0o640, 999));
}

/** `rotate-key` keeps the key on its stdin, `count` says what there is; anything else is a dump. */
function runInDatabase(command: readonly string[], inside: Inside, input: string): { code: number; stdout: string; stderr: string } {
  const tree = dataOf(inside.me, inside);
  if (command[0] === 'rotate-key') {
    tree?.set('secret.key', fileNode(input.trim(), 0o600, 999));
    return { code: 0, stdout: '', stderr: '' };
  }
  const rows = tree?.get('base/rows')?.content ?? '';
  if (command.at(-1) === 'count') return { code: 0, stdout: `rows ${rows.split('\n').length}\n`, stderr: '' };
  const dump = DUMPED.map((path) => [path, tree?.get(path)?.content ?? '']);
  return { code: 0, stdout: `dump ${JSON.stringify(dump)}\n`, stderr: '' };
}

const DUMPED = ['base/schema', 'base/log', 'base/rows', 'secret.key'];

/** A dump goes into an empty database, one file after the other. */
function restoreDump(inside: Inside, input: string, defect: Defect): Work {
  const tree = dataOf(inside.me, inside);
  const [, json] = /^dump (.*)\n$/.exec(input) ?? [];
  if (tree === undefined || json === undefined || tree.get('base/schema')?.content !== '0') return { parts: [], exitCode: 1 };
  const files = JSON.parse(json) as [string, string][];
  const parts = files.map(([path, content]) => () => {
    const text = defect === 'short restore' && path === 'base/rows' ? content.slice(content.indexOf('\n') + 1) : content;
    tree.set(path, fileNode(text, path === 'secret.key' ? 0o600 : 0o640, 999));
  });
  return defect === 'restore' ? { parts: parts.slice(0, 2), exitCode: 1 } : { parts, exitCode: 0 };
}

/** `nginx -t`: the files it would serve must be those it sees. */
function checkFiles(command: readonly string[], { me }: Inside): Work | undefined {
  if (command[0] !== 'nginx') return undefined;
  const source = me.mounts.find((each) => each.target === '/etc/nginx.conf')?.source ?? '';
  return { parts: [() => undefined], exitCode: readFileSync(source, 'utf8').startsWith('server') ? 0 : 1 };
}

function composeText(second: boolean, shape: Shape): string {
  const image = (name: string, major = second ? 2 : 1): string => imageOfProgram(`${name}-${major}`).pinned;
  const app = [
    `    image: ${image('api')}`,
    '    restart: unless-stopped',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own interpolation
    '    environment: { LEVEL: "${LOG_LEVEL:-info}", SECRET: "${SECRET:?SECRET is not set}" }',
    ...(shape.data ? ['    volumes: ["./data/uploads:/uploads"]'] : ['    volumes: ["./configs/nginx.conf:/etc/app.conf:ro"]']),
  ];
  const lines = ['services:'];
  const key = second ? volumeOf(shape) : 'pgdata';
  const db = image('db', second && hasNewMajor(shape) ? 2 : 1);
  if (shape.data) lines.push('  db:', `    image: ${db}`, '    restart: unless-stopped', `    volumes: ["${key}:/data"]`);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own interpolation
  const port = '    ports: ["${HTTP_PORT:-8080}:80"]';
  lines.push('  api:', ...app, ...(shape.door ? [] : [port]));
  if (!second) lines.push('  worker:', ...app, '    command: [work]');
  if (second) lines.push('  warmup:', `    image: ${image('jobs', 1)}`, '    volumes: ["cache:/cache"]');
  lines.push('  reports:', ...app, '    profiles: [reports]');
  if (shape.door)
    lines.push(
      '  proxy:',
      `    image: ${image('proxy')}`,
      '    restart: unless-stopped',
      port,
      '    volumes: ["./configs/nginx.conf:/etc/nginx.conf:ro"]',
    );
  lines.push(
    'volumes:',
    ...(shape.data ? [`  ${key}:`] : []),
    ...(second ? ['  cache:'] : []),
    ...(shape.data || second ? [] : ['  none:']),
  );
  return `${lines.join('\n')}\n`;
}

function manifestOf(version: string, shape: Shape, files: ReadonlyMap<string, string>): Manifest {
  const second = version === '2.0.0';
  const programs = new Set(Object.values(servicesOf(second ? '2.0.0' : '1.0.0', shape, false)));
  return {
    type: MANIFEST_TYPE,
    ...{ product: PRODUCT, title: 'Acme', cli: 'acmectl', version, tag: `v${version}`, channel: 'stable', commit: null },
    ...{ made: '2026-03-01T00:00:00Z', project: PRODUCT, hosts: ['https://releases.test'], operator: digestOf('operator') },
    artifact: { name: `acme-${version}.tar.gz`, tarSha256: digestOf(`tar ${version}`) },
    requires: { ports: [], platforms: ['linux/amd64'] },
    files: [...files].map(([path, text]) => ({
      ...{ path, size: text.length, sha256: digestOf(text) },
      mode: path === 'scripts/run.sh' && second ? '0755' : '0644',
      owner: path.startsWith('content/') ? 'user' : 'vendor',
    })),
    folders: [...(shape.data ? ['data/uploads'] : []), ...(second ? ['var/spool'] : [])],
    userOwned: ['content/'],
    hostPaths: [],
    images: [...programs].map((program) => {
      const [reference = '', digest = ''] = imageOfProgram(program).pinned.split('@');
      return { name: program.replace(/-\d$/, ''), reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
    }),
    features: { reports: { profiles: ['reports'], default: false } },
    env: {},
    services: { ...(second ? { warmup: { kind: 'job' } } : {}), reports: { optional: true } },
    data: shape.data
      ? {
          ...databaseItem(second, shape),
          uploads: { path: 'data/uploads' },
          cache: { ephemeral: true },
        }
      : {},
    backup: { keep: 3 },
    upgrade: {
      ...{ from: '>=1.0.0', stop: false, entry: shape.door ? ['proxy'] : [], timeout: 2, probation: 1 },
      migrate:
        shape.data && (shape.migrates || !second)
          ? [{ service: 'api', command: ['migrate'], needs: ['db'], on: ['install', 'upgrade'], timeout: null }]
          : [],
      health: [
        { service: 'api', command: ['healthy'] },
        ...(shape.door ? [{ service: 'proxy', command: ['healthy'], after: 'entry' } as const] : []),
      ],
    },
    validate: shape.door ? [{ service: 'proxy', command: ['nginx', '-t'] }] : [],
  };
}

function databaseItem(second: boolean, shape: Shape): Manifest['data'] {
  const backup = { service: 'db', dump: 'dump', restore: 'restore' };
  if (shape.moves === undefined) return { pgdata: { backup } };
  if (!second) return { pgdata: { engine: 'fake', major: 1, backup } };
  if (shape.moves === 'rename') return { data2: { backup, renamedFrom: 'pgdata' } };
  const migrate = { from: 'pgdata', majors: [1], how: 'dump-restore', compare: 'count', keepOld: true } as const;
  return { [volumeOf(shape)]: { engine: 'fake', major: 2, backup, migrate } };
}
