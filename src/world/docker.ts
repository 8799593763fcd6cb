// Docker and Docker Compose through their command lines. Rule: argv are built as data, and the environment is scrubbed: measured, a shell's
// LOG_LEVEL or DB_PASSWORD would beat the person's `.env`.
import { join, resolve } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { ComposeProject } from '../model/plan.ts';
import type { RunOptions, RunResult, World } from '../model/seams.ts';

/** The environment variable by which children of a run are known, should the run be killed. */
export const RUN_MARK = 'SLIPWAY_RUN';

const PASSED_ON =
  /^(PATH|HOME|USER|TMPDIR|XDG_RUNTIME_DIR|DOCKER_.*|SSH_AUTH_SOCK|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR))$/;

/** True for a name that docker gets from whoever calls us, so that it beats `.env`. */
export function isPassedOn(name: string): boolean {
  return PASSED_ON.test(name);
}

/** The environment for docker: only what finds the engine, the network and the home folder. `mark` is the lock's path. */
export function dockerEnvironment(env: World['env'], mark?: string): Record<string, string> {
  const kept = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && isPassedOn(entry[0]));
  return { ...Object.fromEntries(kept), ...(mark === undefined ? {} : { [RUN_MARK]: mark }) };
}

/** `docker compose` for a project, the same as a person's own call in its folder: project name, folder, files, `.env`. Without a name Compose finds one. */
export function composeArgv(root: string, project: ComposeProject, args: readonly string[]): string[] {
  const folder = resolve(root, project.folder);
  const files = project.files.flatMap((file) => ['--file', file === '-' ? file : resolve(folder, file)]);
  const environment = resolve(folder, project.environment ?? '.env');
  const name = project.name === '' ? [] : ['--project-name', project.name];
  return ['docker', 'compose', ...name, '--project-directory', folder, '--env-file', environment, ...files, ...args];
}

/** Where a command runs and how it is marked. */
export interface Engine {
  readonly world: World;
  /** The install's folder; also marks the children of this run. */
  readonly root: string;
}

/** Runs docker and gives its stdout; throws E_COMMAND with the end of what it said when it fails. */
export async function docker(engine: Engine, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return expectSuccess(await runDocker(engine, ['docker', ...args], { ...patienceFor(args), ...options }), ['docker', ...args]);
}

/** What the engine itself says to a GET, see `AskEngine`: quicker than docker, which must be asked where this is undefined. */
export async function askEngine({ world }: Engine, path: string): Promise<unknown> {
  return world.askEngine?.(path, dockerEnvironment(world.env));
}

/** Runs `docker compose` on a project and gives its stdout. */
export async function compose(engine: Engine, project: ComposeProject, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return expectSuccess(await runCompose(engine, project, args, options), ['docker', 'compose', ...args]);
}

/** Runs `docker compose` on a project; a failure is data. */
export async function runCompose(
  engine: Engine,
  project: ComposeProject,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return runDocker(engine, composeArgv(engine.root, project, args), { ...patienceFor(args), ...options });
}

/** Runs docker where failing is an answer: `undefined` when it fails because the thing does not exist. */
export async function dockerIfThere(engine: Engine, args: readonly string[]): Promise<string | undefined> {
  const result = await runDocker(engine, ['docker', ...args], patienceFor(args));
  if (result.code === 0) return result.stdout;
  if (/no such|not found/i.test(result.stderr)) return undefined;
  return expectSuccess(result, ['docker', ...args]);
}

/** Runs docker on several things, some of which may not exist: what it says of the others. */
export async function dockerForSome(engine: Engine, args: readonly string[]): Promise<string> {
  const result = await runDocker(engine, ['docker', ...args], patienceFor(args));
  const isKnown = (line: string): boolean => /no such|not found/i.test(line);
  if (result.code === 0 || result.stderr.split('\n').filter(Boolean).every(isKnown)) return result.stdout;
  return expectSuccess(result, ['docker', ...args]);
}

function runDocker(engine: Engine, argv: readonly string[], options: RunOptions): Promise<RunResult> {
  return engine.world.run(argv, { ...options, env: dockerEnvironment(engine.world.env, join(engine.root, '.slipway', 'lock')) });
}

/** Seconds until an engine that does not answer is given up; more than a busy one needs for what only reads. */
const READING = 300;
/** Seconds for what changes something: each container that is stopped has its own grace time, which a product may set to many minutes. */
const CHANGING = 3600;
const READERS = ['ps', 'inspect', 'info', 'version', 'logs', 'config', 'ls', 'df'];
/** As long as data comes and goes, or a program of the product works. */
const ENDLESS = ['pull', 'push', 'build', 'cp', 'run', 'exec'];

/** How long a call may take; nothing for those whose length is not the engine's. */
function patienceFor([verb = '', object = '']: readonly string[]): RunOptions {
  if (ENDLESS.includes(verb)) return {};
  return { timeout: READERS.includes(verb) || READERS.includes(object) ? READING : CHANGING };
}

function expectSuccess(result: RunResult, argv: readonly string[]): string {
  if (result.code === 0) return result.stdout;
  throw new ToolError('E_COMMAND', `${describe(argv)} failed: ${lastWords(result.stderr || result.stdout)}`, {
    hint: hintFor(result.stderr),
    details: { exitCode: result.code },
  });
}

/** The verb and its object; never whole command lines, which may be long, nor filters, which tell a person nothing. */
function describe(argv: readonly string[]): string {
  return argv
    .filter((word) => !word.startsWith('-') && !word.includes('='))
    .slice(0, 4)
    .join(' ');
}

function lastWords(text: string): string {
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.slice(-3).join(' | ').slice(0, 600) || 'it said nothing';
}

/** What engines and registries say, and what to do then. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/port is already allocated|address already in use/i, 'Another program holds this port: stop it, or take another port with `configure`.'],
  [/toomanyrequests|429|rate limit/i, 'The registry lets no more through for now: log in to it (`docker login`), or try again in an hour.'],
  [
    /unauthorized|authentication required|access denied|denied:/i,
    'The registry wants another login: give --registry-user, or run `docker login`.',
  ],
  [/no matching manifest/i, 'The image is not made for the processor of this machine: choose another release, or another machine.'],
  [
    /failed to verify|digest (mismatch|did not match)|unexpected digest/i,
    'The registry sent other bytes than were signed: a proxy on the way, or a damaged registry. Try again.',
  ],
  [
    /timeout|received unexpected HTTP status: 5|i\/o|connection re/i,
    'The registry or the network failed: try again later; what was pulled by then is kept.',
  ],
];

function hintFor(stderr: string): string {
  if (/permission denied/i.test(stderr) && /docker\.sock/.test(stderr)) return 'Run as root, or add this user to the docker group.';
  if (/cannot connect to the docker daemon|is the docker daemon running/i.test(stderr)) return 'Start the Docker Engine, then try again.';
  if (/no space left/i.test(stderr)) return 'The disk is full: free some space, then try again.';
  const known = HINTS.find(([pattern]) => pattern.test(stderr));
  if (known !== undefined) return known[1];
  return 'See the message above; the logs of the services may say more.';
}
