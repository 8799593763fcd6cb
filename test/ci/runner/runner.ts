// A small runner of generated workflows: it reads the file itself, and really runs every shell step, each job in a folder and a HOME of its own.
// Rule: a key, an action, an input or an expression that it does not know is an error, so that nothing is passed over.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Contexts, holds, interpolate, type Value } from './expression.ts';

/** What started a run, as the forge tells it. */
export interface RunEvent {
  readonly name: 'push' | 'pull_request' | 'workflow_dispatch' | 'schedule';
  readonly ref: string;
  readonly sha: string;
  readonly inputs?: Readonly<Record<string, string>>;
  /** The number of the run that is tried again. */
  readonly run?: number;
  /** The paths that changed; undefined = any. */
  readonly changed?: readonly string[];
  /** Of a pull request: the commit of its base, its number, the branch it is for, and the fork that it comes from. */
  readonly pull?: { readonly base: string; readonly number: number; readonly into?: string; readonly fork?: string };
}

export interface Forge {
  readonly kind: 'github' | 'gitea';
  /** Where git finds `owner/name`, and what its jobs may do there. */
  readonly serverUrl: string;
  readonly apiUrl: string;
  readonly repository: string;
  readonly token: string;
  readonly secrets: Readonly<Record<string, string>>;
}

export interface RunnerWorld {
  readonly folder: string;
  readonly forge: Forge;
  /** Folders before the system's PATH. */
  readonly path: readonly string[];
  /** The number of the run. */
  readonly run: number;
}

export interface StepEnd {
  readonly name: string;
  readonly result: 'success' | 'failure' | 'skipped';
  readonly log: string;
}

export interface JobEnd {
  /** Its id, with the value of the matrix where it has one: `build api`. */
  readonly name: string;
  readonly result: 'success' | 'failure' | 'skipped';
  readonly steps: readonly StepEnd[];
  readonly outputs: Readonly<Record<string, string>>;
  /** What the job left in its HOME of docker's logins. */
  readonly logins: readonly string[];
}

interface Step {
  readonly name: string;
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface Job {
  readonly needs?: readonly string[];
  readonly if?: string;
  readonly strategy?: { readonly matrix: { readonly image: readonly string[] } };
  readonly outputs?: Readonly<Record<string, string>>;
  readonly defaults?: { readonly run: { readonly 'working-directory': string } };
  readonly steps: readonly Step[];
}

interface Filters {
  readonly branches?: readonly string[];
  readonly tags?: readonly string[];
  readonly paths?: readonly string[];
}

interface File {
  readonly on: Readonly<Record<string, Filters | null>>;
  readonly defaults: { readonly run: { readonly shell: string; readonly 'working-directory'?: string } };
  readonly jobs: Readonly<Record<string, Job>>;
}

const KNOWN = {
  file: ['name', 'on', 'permissions', 'concurrency', 'defaults', 'jobs'],
  job: ['name', 'needs', 'if', 'runs-on', 'permissions', 'strategy', 'outputs', 'defaults', 'steps'],
  step: ['name', 'id', 'if', 'uses', 'with', 'env', 'run'],
};

/** True when the event starts the workflow of this text. */
export function startsWorkflow(text: string, event: RunEvent): boolean {
  return isStarted((parse(text) as File).on, event);
}

function isStarted(on: File['on'], { name, ref, changed }: RunEvent): boolean {
  if (!Object.hasOwn(on, name)) return false;
  const { branches, tags, paths } = (name === 'schedule' ? undefined : on[name]) ?? {};
  const tag = /^refs\/tags\/(.+)$/.exec(ref)?.[1];
  if (name === 'push' && tag !== undefined) return tags !== undefined && passes(tags, tag);
  if (name === 'push' && (branches === undefined || !passes(branches, ref.replace('refs/heads/', '')))) return false;
  return paths === undefined || changed === undefined || changed.some((path) => passes(paths, path));
}

/** The last pattern that fits decides, as forges have it. */
function passes(patterns: readonly string[], text: string): boolean {
  const last = patterns.findLast((pattern) => filterOf(pattern.replace(/^!/, '')).test(text));
  return last !== undefined && !last.startsWith('!');
}

/** A filter pattern: `*` within a folder, `**` across, `[0-9]`, and a backslash before what is meant as it is. */
function filterOf(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*|\*|\[0-9\]|\\.)/);
  const known: Record<string, string> = { '**': '.*', '*': '[^/]*', '[0-9]': '[0-9]' };
  return new RegExp(
    `^${parts.map((part) => known[part] ?? (part.startsWith('\\') ? part : part.replace(/[.+?^${}()|[\]/]/g, '\\$&'))).join('')}$`,
  );
}

/** Runs all jobs in order. A secret that is printed anywhere is an error. */
export async function runWorkflow(text: string, event: RunEvent, world: RunnerWorld): Promise<JobEnd[]> {
  const file = parse(text) as File;
  refuseUnknown(file, KNOWN.file, 'the file');
  if (!isStarted(file.on, event)) throw new Error(`${event.name} of ${event.ref} does not start it`);
  const ends = new Map<string, JobEnd[]>();
  for (const [id, job] of Object.entries(file.jobs)) {
    refuseUnknown(job, KNOWN.job, id);
    ends.set(id, await runJob({ id, job, file, event, world }, ends));
  }
  const all = [...ends.values()].flat();
  refusePrinted(all, world.forge);
  return all;
}

interface JobCall {
  readonly id: string;
  readonly job: Job;
  readonly file: File;
  readonly event: RunEvent;
  readonly world: RunnerWorld;
}

async function runJob(call: JobCall, ends: ReadonlyMap<string, JobEnd[]>): Promise<JobEnd[]> {
  const { id, job, event, world } = call;
  const needed = (job.needs ?? []).map((name): [string, JobEnd[]] => {
    const found = ends.get(name);
    if (found === undefined) throw new Error(`${id} needs ${name}, which is not before it`);
    return [name, found];
  });
  const results = needed.flatMap(([, found]) => found.map(({ result }) => result));
  const wasSkipped = results.includes('skipped') && !/\b(always|failure)\(\)/.test(job.if ?? '');
  const needs = Object.fromEntries(needed.map(([name, found]): [string, Value] => [name, { outputs: found.at(-1)?.outputs ?? {} }]));
  const contexts = { github: githubOf(event, world), secrets: secretsOf(world.forge), needs };
  if (wasSkipped || !holds(job.if, contexts, { failed: results.includes('failure') })) {
    return [{ name: id, result: 'skipped', steps: [], outputs: {}, logins: [] }];
  }
  const images = job.strategy?.matrix.image;
  if (images === undefined) return [await runInstance(call, id, contexts)];
  return Promise.all(images.map((image) => runInstance(call, `${id} ${image}`, { ...contexts, matrix: { image } })));
}

async function runInstance({ job, file, event, world }: JobCall, name: string, outer: Contexts): Promise<JobEnd> {
  const machine = await newMachine(world, event);
  const steps: StepEnd[] = [];
  const outputs: Record<string, Value> = {};
  let failed = false;
  for (const step of job.steps) {
    refuseUnknown(step, KNOWN.step, `${name}: ${step.name}`);
    const contexts = { ...outer, steps: outputs };
    if (!holds(step.if, contexts, { failed })) {
      steps.push({ name: step.name, result: 'skipped', log: '' });
      continue;
    }
    const inside = job.defaults?.run['working-directory'] ?? file.defaults.run['working-directory'] ?? '';
    const { end, written } = await runStep(step, { contexts, machine, shell: file.defaults.run.shell, inside });
    steps.push(end);
    if (step.id !== undefined) outputs[step.id] = { outputs: written };
    failed ||= end.result === 'failure';
  }
  const made = failed ? [] : Object.entries(job.outputs ?? {}).map(([key, text]) => [key, interpolate(text, { ...outer, steps: outputs })]);
  return { name, result: failed ? 'failure' : 'success', steps, outputs: Object.fromEntries(made), logins: loginsIn(machine.home) };
}

interface Machine {
  readonly home: string;
  readonly workspace: string;
  readonly temp: string;
  readonly event: RunEvent;
  readonly world: RunnerWorld;
  /** Of all steps to come. */
  readonly env: Record<string, string>;
  readonly path: string[];
}

async function newMachine(world: RunnerWorld, event: RunEvent): Promise<Machine> {
  const folder = await mkdtemp(join(world.folder, 'job-'));
  const machine = {
    home: join(folder, 'home'),
    workspace: join(folder, 'work'),
    temp: join(folder, 'temp'),
    event,
    world,
    env: {},
    path: [...world.path],
  };
  for (const each of [machine.home, machine.workspace, machine.temp]) await mkdir(each);
  return machine;
}

interface StepCall {
  readonly contexts: Contexts;
  readonly machine: Machine;
  readonly shell: string;
  readonly inside: string;
}

async function runStep(
  step: Step,
  { contexts, machine, shell, inside }: StepCall,
): Promise<{ end: StepEnd; written: Record<string, string> }> {
  if (step.uses !== undefined) {
    const log = await useAction(step, contexts, machine);
    return { end: { name: step.name, result: 'success', log }, written: {} };
  }
  const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([key, text]) => [key, interpolate(String(text), contexts)]));
  const files = {
    GITHUB_OUTPUT: join(machine.temp, 'output'),
    GITHUB_ENV: join(machine.temp, 'env'),
    GITHUB_PATH: join(machine.temp, 'path'),
  };
  for (const each of Object.values(files)) writeFileSync(each, '');
  if (shell !== 'bash') throw new Error('another shell');
  const script = join(machine.temp, 'step.sh');
  writeFileSync(script, step.run ?? '');
  const cwd = join(machine.workspace, inside);
  const all = { ...defaultEnvironment(machine), ...machine.env, ...env, ...files };
  const { code, output } = await execute(['bash', '--noprofile', '--norc', '-eo', 'pipefail', script], cwd, all);
  Object.assign(machine.env, readPairs(files.GITHUB_ENV));
  machine.path.unshift(...readFileSync(files.GITHUB_PATH, 'utf8').split('\n').filter(Boolean));
  return { end: { name: step.name, result: code === 0 ? 'success' : 'failure', log: output }, written: readPairs(files.GITHUB_OUTPUT) };
}

/** The few actions that generated files use, each as what it does to a machine. */
async function useAction({ uses = '', with: inputs = {} }: Step, contexts: Contexts, machine: Machine): Promise<string> {
  const [action = ''] = uses.replace('https://github.com/', '').split('@');
  const known: Record<string, readonly string[]> = {
    'actions/checkout': ['ref', 'fetch-depth', 'persist-credentials'],
    'actions/setup-node': ['node-version'],
    'docker/setup-qemu-action': [],
    'actions/github-script': ['script'],
  };
  const allowed = known[action];
  if (allowed === undefined) throw new Error(`unknown action ${uses}`);
  refuseUnknown(inputs, allowed, uses);
  if (action === 'actions/checkout') return checkOut(inputs.ref === undefined ? '' : interpolate(String(inputs.ref), contexts), machine);
  if (action === 'actions/setup-node') evaluateVersion(String(inputs['node-version']));
  return action;
}

function evaluateVersion(version: string): void {
  if (!/^\d{2}(\.\d+)*$/.test(version)) throw new Error(`no version of Node.js: ${version}`);
}

/** As actions/checkout does with a whole history: nothing of the token stays in the folder. */
async function checkOut(ref: string, { workspace, event, world, home }: Machine): Promise<string> {
  const { serverUrl, repository, token } = world.forge;
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'http.extraheader',
    GIT_CONFIG_VALUE_0: `AUTHORIZATION: basic ${basic}`,
  };
  const git = async (...words: string[]): Promise<string> => {
    const { code, output } = await execute(['git', ...words], workspace, env);
    if (code !== 0) throw new Error(`git ${words.join(' ')}: ${output}`);
    return output;
  };
  await git('init', '-q', '-b', 'nothing');
  await git('remote', 'add', 'origin', `${serverUrl}/${repository}.git`);
  await git(
    'fetch',
    '-q',
    '--no-tags',
    'origin',
    '+refs/heads/*:refs/remotes/origin/*',
    '+refs/tags/*:refs/tags/*',
    '+refs/pull/*:refs/remotes/pull/*',
  );
  const branch = ref === '' ? /^refs\/heads\/(.+)$/.exec(event.ref)?.[1] : undefined;
  if (branch !== undefined) return git('checkout', '-q', '-B', branch, event.sha);
  return git('checkout', '-q', '--detach', ref === '' || ref === event.ref ? event.sha : ref);
}

function githubOf({ name, ref, sha, inputs, pull }: RunEvent, { forge }: RunnerWorld): Value {
  const base = { sha: pull?.base ?? '', ref: pull?.into ?? 'main' };
  const request = { base, number: pull?.number ?? 0, head: { repo: { full_name: pull?.fork ?? forge.repository } } };
  return {
    event_name: name,
    ref,
    ref_name: ref.replace(/^refs\/(heads|tags|pull)\//, ''),
    sha,
    actor: 'a-person',
    repository: forge.repository,
    workflow: 'workflow',
    event: {
      inputs: name === 'workflow_dispatch' ? { version: '', tag: '', stage: '', ...inputs } : null,
      pull_request: name === 'pull_request' ? request : null,
    },
  };
}

function secretsOf({ kind, token, secrets }: Forge): Value {
  return { ...secrets, [kind === 'github' ? 'GITHUB_TOKEN' : 'GITEA_TOKEN']: token };
}

function defaultEnvironment({ home, workspace, temp, event, world, path }: Machine): Record<string, string> {
  const { forge, run } = world;
  return {
    ...{ PATH: [...path, process.env.PATH].join(':'), HOME: home, CI: 'true', GITHUB_ACTIONS: 'true' },
    ...(forge.kind === 'gitea' ? { GITEA_ACTIONS: 'true' } : {}),
    ...{ GITHUB_SERVER_URL: forge.serverUrl, GITHUB_API_URL: forge.apiUrl, GITHUB_REPOSITORY: forge.repository },
    ...{ GITHUB_RUN_ID: String(1000 + run), GITHUB_RUN_NUMBER: String(run), GITHUB_RUN_ATTEMPT: '1' },
    ...{ GITHUB_EVENT_NAME: event.name, GITHUB_REF: event.ref, GITHUB_SHA: event.sha, GITHUB_WORKSPACE: workspace, RUNNER_TEMP: temp },
  };
}

function execute(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const [program = '', ...words] = argv;
    const child = spawn(program, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

function readPairs(file: string): Record<string, string> {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=');
      if (at < 1) throw new Error(`no NAME=value: ${line}`);
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

function loginsIn(home: string): string[] {
  const file = join(home, '.docker/config.json');
  return existsSync(file) ? Object.keys((JSON.parse(readFileSync(file, 'utf8')) as { auths: object }).auths) : [];
}

function refuseUnknown(value: object, known: readonly string[], where: string): void {
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Error(`${where} has ${unknown.join(', ')}, which this runner does not know`);
}

function refusePrinted(ends: readonly JobEnd[], { token, secrets }: Forge): void {
  const hidden = [
    token,
    ...Object.entries(secrets).flatMap(([name, value]) => (name.endsWith('_USERNAME') ? [] : value.trim().split('\n'))),
  ];
  for (const { name, steps } of ends) {
    for (const { name: step, log } of steps) {
      if (hidden.some((value) => log.includes(value))) throw new Error(`${name}: ${step} printed a secret`);
    }
  }
}
