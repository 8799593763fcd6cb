// What must hold after whatever struck an upgrade and its recovery. Rule: I1 to I11 in words, each read from the engine, the disk and the database, and only
// then held against what the command says of itself.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../../src/model/digest.ts';
import { parseManifest } from '../../src/model/manifest.ts';
import { filesBelow } from './promises.ts';
import { type Installed, must, run } from './stage.ts';

/** A state in lines, each a fact; two states are the same when their lines are. */
export interface Picture {
  readonly version: string;
  readonly facts: readonly string[];
  /** What the engine runs: service → image by digest. */
  readonly running: Readonly<Record<string, string>>;
  /** Name → value of `.env`, for secrets are compared one by one. */
  readonly values: ReadonlyMap<string, string>;
}

interface Inspected {
  readonly Name: string;
  readonly Config: {
    readonly Image: string;
    readonly Labels: Readonly<Record<string, string>>;
    readonly Env: readonly string[];
    readonly Cmd: readonly string[] | null;
    readonly Entrypoint: readonly string[] | null;
  };
  readonly State: { readonly Status: string };
  readonly HostConfig: { readonly PortBindings: unknown; readonly RestartPolicy: unknown };
  readonly Mounts: readonly { readonly Type: string; readonly Source: string; readonly Destination: string }[];
}

const LABEL = 'com.docker.compose';

/** Looks at files, containers, volumes, networks and the database's schema. */
export async function takePicture(installed: Installed): Promise<Picture> {
  const { root, project } = installed;
  const record = JSON.parse(readFileSync(join(root, '.slipway/install.json'), 'utf8')) as { version: string };
  const [files, containers, volumes, networks] = await Promise.all([
    filesBelow(root),
    inspectAll(project),
    namesOf('volume', project),
    namesOf('network', project),
  ]);
  const env = files['.env'] === undefined ? '' : readFileSync(join(root, '.env'), 'utf8');
  return {
    version: record.version,
    facts: [
      `version ${record.version}`,
      ...Object.entries(files)
        .filter(([path]) => path !== '.env')
        .map(([path, digest]) => `file ${path} ${digest}`),
      ...containers.map((each) => `container ${each.Name} ${each.Config.Image} ${each.State.Status} ${settingsOf(each)}`),
      ...volumes.map((name) => `volume ${name}`),
      ...networks.map((name) => `network ${name}`),
      `schema ${await sql(project, "select string_agg(table_name || '.' || column_name, ' ' order by table_name, column_name) from information_schema.columns where table_schema = 'public'")}`,
    ].sort(),
    running: Object.fromEntries(containers.map(({ Config }) => [Config.Labels[`${LABEL}.service`] ?? '', Config.Image])),
    values: new Map(env.split('\n').flatMap((line) => (/^[A-Z]/.test(line) ? [line.split(/=(.*)/s).slice(0, 2) as [string, string]] : []))),
  };
}

/** I1, I3, I4, I5: the state is one of the two, secrets and the person's files included, and nothing else is there. Words for what is wrong. */
export function judgePicture(found: Picture, ends: { readonly old: Picture; readonly new: Picture }): string[] {
  const wanted = found.version === ends.old.version ? ends.old : ends.new;
  // The new release makes secrets of its own anew each time, and its containers know them.
  const plain = (line: string): string => (wanted === ends.new ? line.replace(/^(container \S+ \S+ \S+) .*$/, '$1') : line);
  const [have, want] = [found.facts.map(plain), wanted.facts.map(plain)];
  const secrets = [...ends.old.values].filter(([name, value]) => found.values.get(name) !== value);
  return [
    ...have.filter((line) => !want.includes(line)).map((line) => `there is ${line}`),
    ...want.filter((line) => !have.includes(line)).map((line) => `there is no ${line}`),
    ...secrets.map(([name]) => `the value of ${name} changed`),
    ...[...wanted.values.keys()].filter((name) => !found.values.has(name)).map((name) => `${name} is not set`),
  ];
}

/** I2: every row whose writing was acknowledged is there. */
export async function lostRows(project: string, acknowledged: readonly string[], prefix: string): Promise<string[]> {
  const there = new Set((await sql(project, `select text from notes where text like '${prefix}%'`)).split('\n'));
  return acknowledged.filter((text) => !there.has(text)).map((text) => `the row ${text} was acknowledged and is lost`);
}

/** I5, I9: no lock, no journal, nothing staged, no half-written file, no container of our own. */
export async function leftBehind({ root, project }: Installed): Promise<string[]> {
  const state = join(root, '.slipway');
  const own = ['lock', 'journal.ndjson', 'journal.reserve'].filter((name) => existsSync(join(state, name)));
  const staged = existsSync(join(state, 'staged')) ? readdirSync(join(state, 'staged')) : [];
  const parts = (readdirSync(root, { recursive: true }) as string[]).filter((path) =>
    /\.slipway-(new|aside)$|\.partial$|\.part-|^\.slipway\/(cache\/incoming-|lock\.)/.test(path),
  );
  const copiers = (await must(['docker', 'ps', '-a', '--format', '{{.Names}} {{.Mounts}}', '--no-trunc'])).stdout.split('\n');
  const foreign = copiers.filter((line) => /^slipway-copy/.test(line) && line.includes(`${project}_`));
  return [...own, ...staged, ...parts, ...foreign].map((name) => `left behind: ${name}`);
}

/** I8, I10: while the operation is open, space for the journal is set aside and, before the point of no return, the old release is there whole. */
export async function wrongsWhileOpen({ root }: Installed, old: Picture): Promise<string[]> {
  const path = join(root, '.slipway/journal.ndjson');
  const journal = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (journal === '' || /"door":true|"end":/.test(journal)) return [];
  const folder = join(root, '.slipway/releases', old.version);
  const manifest = parseManifest(readFileSync(join(folder, 'bundle.json'), 'utf8'));
  const damaged = manifest.files.filter(
    ({ path: name, sha256 }) => !existsSync(join(folder, name)) || digestOf(readFileSync(join(folder, name))) !== sha256,
  );
  const images = Object.values(old.running);
  const { code, stderr } = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', ...images]);
  return [
    ...(existsSync(join(root, '.slipway/journal.reserve')) ? [] : ['no space is set aside for the journal']),
    ...damaged.map(({ path: name }) => `before the point of no return the old release lacks ${name}`),
    ...(code === 0 ? [] : [`before the point of no return: ${stderr}`]),
  ];
}

/** I7: what `status` says is what the engine says. */
export async function wrongStatus(installed: Installed, found: Picture): Promise<string[]> {
  const { code, result } = await installed.ctl('status');
  const services = (result.services ?? []) as readonly { readonly name: string; readonly state: string; readonly digest?: string }[];
  const wrong = services.filter(({ name, state, digest }) => state !== 'running' || !found.running[name]?.endsWith(digest ?? '?'));
  return [
    ...(code === 0 && result.version === found.version ? [] : [`status says ${code}, ${result.version}`]),
    ...(result.openOperation === null ? [] : ['status says that an operation is open']),
    ...wrong.map(({ name, state, digest }) => `status says of ${name}: ${state} ${digest}`),
    ...(services.length === Object.keys(found.running).length ? [] : [`status knows ${services.length} services`]),
  ];
}

/** What the container was given, in one digest. Compose's own hash also tells what else was started with it. */
function settingsOf({ Config, HostConfig, Mounts }: Inspected): string {
  const mounts = Mounts.map(({ Type, Source, Destination }) => `${Type} ${Source} ${Destination}`).sort();
  const labels = Object.entries(Config.Labels).filter(([name]) => !name.startsWith(LABEL));
  const { Cmd, Entrypoint, Env } = Config;
  return digestOf(
    JSON.stringify([[...Env].sort(), Cmd, Entrypoint, mounts, labels.sort(), HostConfig.PortBindings, HostConfig.RestartPolicy]),
  );
}

async function inspectAll(project: string): Promise<readonly Inspected[]> {
  const ids = (await must(['docker', 'ps', '-aq', '--filter', `label=${LABEL}.project=${project}`])).stdout.split('\n').filter(Boolean);
  return ids.length === 0 ? [] : (JSON.parse((await must(['docker', 'inspect', ...ids])).stdout) as Inspected[]);
}

/** Those of the project and of the scratch project in which files are checked. */
async function namesOf(what: 'volume' | 'network', project: string): Promise<string[]> {
  const all = (await must(['docker', what, 'ls', '--format', '{{.Name}}'])).stdout.split('\n');
  return all.filter((name) => name.startsWith(`${project}_`) || name.startsWith(`${project}-`));
}

async function sql(project: string, query: string): Promise<string> {
  return (await must(['docker', 'exec', `${project}-db-1`, 'psql', '-U', 'acme', '-d', 'acme', '-At', '-c', query])).stdout.trim();
}
