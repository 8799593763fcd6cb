// Docker as far as it builds and pushes images, behind the `Run` seam; what it pushes goes to a registry over HTTP. Rule: it refuses what docker refuses: unknown
// options, a cache or several platforms that its driver cannot do, a base image that is nowhere.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run, RunOptions, RunResult } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { entryOf, pushImage, pushIndex } from './registry-push.ts';

export interface FakeBuilderOptions {
  /** False = docker without the plugin. */
  readonly buildx?: boolean;
  readonly driver?: 'docker' | 'docker-container';
  /** Dockerfiles with this word in them fail. */
  readonly failsOn?: string;
  /** Builds wait until they are asked to stop. */
  readonly hangs?: boolean;
  /** The Authorization header for a registry, as a login gave it. */
  readonly authorization?: (host: string) => string | undefined;
}

export interface FakeBuild {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tags: readonly string[];
  readonly args: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, string>>;
}

export interface FakeBuilder {
  readonly run: Run;
  readonly builds: readonly FakeBuild[];
  /** What is in the engine, by tag. */
  readonly local: ReadonlyMap<string, string>;
  /** Builds that ended because they were asked to. */
  readonly stopped: () => number;
}

const ONE_VALUE = ['--builder', '--progress', '--file', '--target', '--platform', '--metadata-file', '--output'];
const MANY_VALUES = ['--build-arg', '--label', '--tag', '--build-context', '--cache-from', '--cache-to'];
const ALONE = ['--push', '--load', '--provenance=false', '--sbom=false'];
const CLASSIC = ['--file', '--target', '--platform', '--build-arg', '--label', '--tag'];

/** A docker that builds; git and everything else is really run. */
export function fakeBuilder(options: FakeBuilderOptions = {}): FakeBuilder {
  const builds: FakeBuild[] = [];
  const local = new Map<string, string>();
  let stopped = 0;
  const state = { options, builds, local, onStopped: () => (stopped += 1) };
  const run: Run = async (argv, runOptions = {}) => {
    if (argv[0] !== 'docker') return runProgram(argv, runOptions);
    const result = await runDocker(argv.slice(1), runOptions, state);
    for (const line of `${result.stdout}${result.stderr}`.split('\n').filter(Boolean)) runOptions.onLine?.(line);
    return result;
  };
  return { run, builds, local, stopped: () => stopped };
}

interface State {
  readonly options: FakeBuilderOptions;
  readonly builds: FakeBuild[];
  /** Tag → what is in the image. */
  readonly local: Map<string, string>;
  readonly onStopped: () => void;
}

async function runDocker(words: readonly string[], runOptions: RunOptions, state: State): Promise<RunResult> {
  const { buildx = true, driver = 'docker' } = state.options;
  const line = words.join(' ');
  if (line.startsWith('version')) return said('linux/amd64\n');
  if (line.startsWith('info')) return said('[["Storage Driver","overlay2"]]\n');
  if (words[0] === 'buildx' && !buildx) return failed("docker: 'buildx' is not a docker command.");
  if (line === 'buildx version') return said('github.com/docker/buildx 0.13.1\n');
  if (line.startsWith('buildx inspect')) {
    return words[2] === undefined || words[2] === 'mine'
      ? said(`Name: x\nDriver: ${driver}\n`)
      : failed(`ERROR: no builder "${words[2]}" found`);
  }
  if (words[0] === 'push') return pushLocal(words[1] ?? '', state);
  if (words[0] === 'buildx' && words[1] === 'build') return build(words.slice(2), runOptions, state);
  if (words[0] === 'build' && !buildx) return build(words.slice(1), runOptions, state);
  throw new Error(`the fake docker does not know: docker ${line}`);
}

async function build(words: readonly string[], runOptions: RunOptions, state: State): Promise<RunResult> {
  const { buildx = true, driver = 'docker', failsOn, hangs = false } = state.options;
  const parsed = parse(words, buildx);
  if (typeof parsed === 'string') return failed(parsed);
  const { single, many, alone, context } = parsed;
  const file = single.get('--file') ?? join(context, 'Dockerfile');
  const platforms = (single.get('--platform') ?? 'linux/amd64').split(',');
  if (!existsSync(context) || !existsSync(file)) return failed(`ERROR: unable to prepare context: ${file} not found`);
  if (driver === 'docker' && platforms.length > 1) return failed('ERROR: Multi-platform build is not supported for the docker driver.');
  if (driver === 'docker' && (many.get('--cache-to') ?? []).length > 0)
    return failed('ERROR: Cache export is not supported for the docker driver.');
  if (driver === 'docker' && single.has('--output')) return failed('ERROR: OCI exporter is not supported for the docker driver.');
  const tags = many.get('--tag') ?? [];
  const args = pairs(many.get('--build-arg'));
  const contexts = pairs(many.get('--build-context'));
  state.builds.push({ argv: ['docker', ...words], env: runOptions.env ?? {}, tags, args, contexts });
  if (hangs) await untilStopped(runOptions, state);
  if (runOptions.stop?.aborted === true) return { code: 130, stdout: '', stderr: 'ERROR: canceled\n' };
  for (const from of Object.values(contexts)) {
    if (!(await isThere(from, state))) return failed(`ERROR: failed to solve: ${from}: not found`);
  }
  const text = readFileSync(file, 'utf8');
  const lines = text.split('\n').map((line, index) => `#${index + 1} ${line}`);
  if (failsOn !== undefined && text.includes(failsOn))
    return { code: 1, stdout: '', stderr: `${lines.join('\n')}\nERROR: failed to solve: exit code 1\n` };
  const content = JSON.stringify([text, args, contexts, pairs(many.get('--label'))]);
  const digest = alone.has('--push') ? await pushAll(tags, content, platforms, state.options) : undefined;
  if (!alone.has('--push') && (!buildx || alone.has('--load'))) for (const tag of tags) state.local.set(tag, content);
  const layout = /type=oci,dest=([^,]*)/.exec(single.get('--output') ?? '')?.[1];
  if (layout !== undefined) mkdirSync(layout, { recursive: true });
  const metadata = single.get('--metadata-file');
  const known = digest ?? (layout === undefined ? undefined : `sha256:${'0'.repeat(64)}`);
  if (metadata !== undefined) writeFileSync(metadata, JSON.stringify(known === undefined ? {} : { 'containerimage.digest': known }));
  return said(`${lines.join('\n')}\n#9 DONE\n`);
}

interface Parsed {
  readonly single: ReadonlyMap<string, string>;
  readonly many: ReadonlyMap<string, string[]>;
  readonly alone: ReadonlySet<string>;
  readonly context: string;
}

function parse(words: readonly string[], buildx: boolean): Parsed | string {
  const single = new Map<string, string>();
  const many = new Map<string, string[]>();
  const alone = new Set<string>();
  const rest: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!buildx && word.startsWith('-') && !CLASSIC.includes(word)) return `unknown flag: ${word}`;
    if (ONE_VALUE.includes(word)) single.set(word, words[++at] ?? '');
    else if (MANY_VALUES.includes(word)) many.set(word, [...(many.get(word) ?? []), words[++at] ?? '']);
    else if (ALONE.includes(word)) alone.add(word);
    else if (word.startsWith('-')) return `unknown flag: ${word}`;
    else rest.push(word);
  }
  return rest.length === 1 ? { single, many, alone, context: rest[0] ?? '' } : '"docker build" requires exactly 1 argument.';
}

/** The same image under every tag; an index where it is for several platforms. */
async function pushAll(
  tags: readonly string[],
  content: string,
  platforms: readonly string[],
  options: FakeBuilderOptions = {},
): Promise<string> {
  let digest = '';
  for (const name of tags) {
    const [host = '', ...path] = name.split('/');
    const [repository = '', tag = 'latest'] = path.join('/').split(':');
    const authorization = options.authorization?.(host);
    const target = { host, ...(authorization === undefined ? {} : { authorization }) };
    const labels = (JSON.parse(content) as [string, object, object, Record<string, string>])[3];
    const images = [];
    for (const platform of platforms) {
      const [, architecture = ''] = platform.split('/');
      const only = platforms.length === 1 ? { tag } : {};
      images.push(await pushImage(target, repository, { architecture, layers: [`${content}${architecture}`], labels, ...only }));
    }
    const entries = images.map((image, index) => entryOf(image, { os: 'linux', architecture: platforms[index]?.split('/')[1] ?? '' }));
    digest = platforms.length === 1 ? (images[0]?.digest ?? '') : (await pushIndex(target, repository, { tag, entries })).digest;
  }
  return digest;
}

async function pushLocal(name: string, { local }: State): Promise<RunResult> {
  const content = local.get(name);
  if (content === undefined) return failed(`An image does not exist locally with the tag: ${name}`);
  const digest = await pushAll([name], content, ['linux/amd64']);
  return said(`The push refers to repository [${name.replace(/:[^:/]*$/, '')}]\n${name.split(':').at(-1)}: digest: ${digest} size: 527\n`);
}

async function isThere(from: string, { local, options }: State): Promise<boolean> {
  if (from.startsWith('oci-layout://')) return existsSync(from.slice('oci-layout://'.length).split('@')[0] ?? '');
  const name = from.replace('docker-image://', '');
  if (local.has(name)) return true;
  const [host = '', ...path] = name.split('/');
  const rest = path.join('/');
  const [repository, reference] = rest.includes('@') ? rest.split('@') : rest.split(':');
  const authorization = options.authorization?.(host);
  const login = authorization === undefined ? {} : { authorization };
  const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
  return (await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, { method: 'HEAD', headers: { accept, ...login } })).ok;
}

function untilStopped({ stop }: RunOptions, { onStopped }: State): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      onStopped();
      resolve();
    };
    if (stop?.aborted === true) end();
    else stop?.addEventListener('abort', end, { once: true });
  });
}

function pairs(words: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
}

function said(stdout: string): RunResult {
  return { code: 0, stdout, stderr: '' };
}

function failed(message: string): RunResult {
  return { code: 1, stdout: '', stderr: `${message}\n` };
}
