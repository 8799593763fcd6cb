// Repositories that git reaches over the network or as paths. Rule: no prompt, no hook, no setting of the place we are called from; tokens travel in the environment alone.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { ToolError } from '../model/error.ts';
import type { RunResult } from '../model/seams.ts';
import type { GitWorld } from './git.ts';

export interface RemoteAddress {
  /** What git takes: https, ssh, file or an absolute path. */
  readonly url: string;
  /** The name of the environment variable with a token for https. */
  readonly token?: string;
}

/** Seconds for one exchange with a remote. */
const MOST_SECONDS = 600;

/** The refs of the remote that match, by name, annotated tags also as `<name>^{}`. Throws E_NETWORK, E_AUTH or E_NOT_FOUND. */
export async function listRemote(
  remote: RemoteAddress,
  patterns: readonly string[],
  world: GitWorld,
): Promise<ReadonlyMap<string, string>> {
  const text = await exchange(['ls-remote', '--', remote.url, ...patterns], remote, { world, cwd: '/' });
  const refs = text.split('\n').flatMap((line): [string, string][] => {
    const [object = '', name] = line.split('\t');
    return name === undefined ? [] : [[name, object]];
  });
  return new Map(refs);
}

/** A bare repository at `folder` that knows the commit, and of its content as little as the server allows. False when the remote does not have it. */
export async function fetchCommit(folder: string, remote: RemoteAddress, commit: string, world: GitWorld): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const format = commit.length === 64 ? ['--object-format=sha256'] : [];
  const place = { world, cwd: folder };
  await exchange(['init', '-q', '--bare', '--template=', ...format, '.'], remote, place);
  const heads = await listRemote(remote, ['HEAD', 'refs/heads/*'], world);
  const what = [...heads.values()].includes(commit) ? ['--depth=1', remote.url, commit] : [remote.url, '+refs/heads/*:refs/heads/*'];
  await exchange(['fetch', '-q', '--no-tags', '--filter=tree:0', ...what], remote, place);
  const found = await runIn(['cat-file', '-e', `${commit}^{commit}`], remote, place);
  return found.code === 0;
}

/** Throws what a push of this tag would meet, as far as the server says it before: no right to write, a tag that is there. */
export async function tryPush(
  folder: string,
  remote: RemoteAddress,
  { tag, commit }: { readonly tag: string; readonly commit: string },
  world: GitWorld,
): Promise<void> {
  await exchange(['push', '-q', '--dry-run', '--no-verify', remote.url, `${commit}:refs/tags/${tag}`], remote, { world, cwd: folder });
}

/** Writes the tag object, and gives the remote its name; never moves a tag that is there. Who won is read back by the caller. */
export async function pushTag(folder: string, remote: RemoteAddress, { tag, object }: TagObject, world: GitWorld): Promise<void> {
  const place = { world, cwd: folder };
  const id = (await exchange(['hash-object', '-t', 'tag', '-w', '--stdin'], remote, { ...place, input: object })).trim();
  await exchange(['push', '-q', '--no-verify', remote.url, `${id}:refs/tags/${tag}`], remote, place);
}

/** Removes the tag where it is this very object; another's is left alone. */
export async function removeTag(folder: string, remote: RemoteAddress, { tag, object }: TagObject, world: GitWorld): Promise<void> {
  const name = `refs/tags/${tag}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = { world, cwd: folder };
  const id = tagObjectId(object);
  const format = id.length === 64 ? ['--object-format=sha256'] : [];
  await exchange(['init', '-q', '--bare', '--template=', ...format, '.'], remote, place);
  if ((await listRemote(remote, [name], world)).get(name) !== id) return;
  await exchange(['push', '-q', '--no-verify', `--force-with-lease=${name}:${id}`, remote.url, `:${name}`], remote, place);
}

export interface TagObject {
  readonly tag: string;
  /** The text of the annotated tag's object. */
  readonly object: string;
}

/** The object id that git gives to this tag object. */
export function tagObjectId(object: string): string {
  const isLong = /^object [0-9a-f]{64}\n/.test(object);
  const bytes = Buffer.from(object);
  return createHash(isLong ? 'sha256' : 'sha1')
    .update(`tag ${bytes.length}\0`)
    .update(bytes)
    .digest('hex');
}

/** Where git runs. */
export interface Place {
  readonly world: GitWorld;
  readonly cwd: string;
  readonly input?: string;
}

/** Runs git for this remote, and gives its output. Throws E_NETWORK, E_AUTH, E_NOT_FOUND or E_COMMAND. */
export async function exchange(args: readonly string[], remote: RemoteAddress, place: Place): Promise<string> {
  const result = await runIn(args, remote, place);
  if (result.code === 0) return result.stdout;
  throw refusalOf(verbOf(args), remote, result);
}

/** git's own command: the first word that is neither an option nor the value of `-c`. */
function verbOf(args: readonly string[]): string {
  return args.find((word, index) => !word.startsWith('-') && args[index - 1] !== '-c') ?? 'git';
}

function runIn(args: readonly string[], remote: RemoteAddress, { world, cwd, input }: Place): Promise<RunResult> {
  const env = { ...world.env, ...quietEnvironment(world.env), ...authorization(remote, world.env) };
  const fixed = [
    '-c',
    'protocol.ext.allow=never',
    '-c',
    'core.hooksPath=/dev/null',
    '-c',
    'push.gpgSign=false',
    '-c',
    'maintenance.auto=false',
  ];
  return world.run(['git', ...fixed, ...args], { cwd, env, timeout: MOST_SECONDS, ...(input === undefined ? {} : { input }) });
}

function quietEnvironment(env: GitWorld['env']): GitWorld['env'] {
  const elsewhere = { GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined, GIT_OBJECT_DIRECTORY: undefined };
  return { ...elsewhere, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_SSH_COMMAND: env.GIT_SSH_COMMAND ?? 'ssh -o BatchMode=yes' };
}

/** Basic authorization with the token as password, which GitHub and Gitea both take, for the remote's own origin only. */
function authorization({ url, token }: RemoteAddress, env: GitWorld['env']): GitWorld['env'] {
  const value = token === undefined ? undefined : env[token];
  if (value === undefined || value === '' || !/^https?:\/\//.test(url)) return {};
  const count = Number(env.GIT_CONFIG_COUNT ?? 0) || 0;
  const header = `Authorization: Basic ${Buffer.from(`x-access-token:${value}`).toString('base64')}`;
  return {
    GIT_CONFIG_COUNT: String(count + 1),
    [`GIT_CONFIG_KEY_${count}`]: `http.${new URL(url).origin}/.extraHeader`,
    [`GIT_CONFIG_VALUE_${count}`]: header,
  };
}

/** What git said, as one of our codes. Addresses are shown without what may be a password in them. */
function refusalOf(command: string, { url, token }: RemoteAddress, { stderr, code }: RunResult): ToolError {
  const said = withoutPassword(stderr)
    .split('\n')
    .filter((line) => /^(?:fatal|error|remote| ! )/.test(line) && !/^remote:\s*$/.test(line));
  const text = said.slice(0, 3).join('; ').slice(0, 400) || `exit code ${code}`;
  const message = `git ${command} of ${withoutPassword(url)} failed: ${text}`;
  const variable = token === undefined ? 'git’s own credentials' : `the token in $${token}`;
  if (
    /(?:Authentication failed|could not read Username|Permission denied|returned error: 40[13]|access denied|terminal prompts disabled)/i.test(
      stderr,
    )
  ) {
    return new ToolError('E_AUTH', message, { hint: `Check ${variable}: it must be allowed to write contents of that repository.` });
  }
  if (/(?:not found|does not (?:appear to be|exist)|returned error: 404)/i.test(stderr)) {
    return new ToolError('E_NOT_FOUND', message, {
      hint: `Check the address; a private repository looks the same to ${variable} without access.`,
    });
  }
  if (/(?:Could not resolve|Connection (?:refused|timed out|reset)|unable to access|Failed to connect)/i.test(stderr)) {
    return new ToolError('E_NETWORK', message, { hint: 'Check the network and the address, then try again.' });
  }
  return new ToolError('E_COMMAND', message, { hint: 'The server said why; a rule that protects tags there may forbid it.' });
}

/** The text without user and password of the addresses in it. */
export function withoutPassword(text: string): string {
  return text.replace(/(\w:\/\/)[^/@\s]*@/g, '$1');
}
