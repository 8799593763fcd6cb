// Running other programs without a shell. Rule: a child has its own session, so that a Ctrl-C meant for us never ends it half-way.
import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { diskTrouble } from '../model/disk-trouble.ts';
import { systemCode, ToolError } from '../model/error.ts';
import type { RunOptions, RunResult } from '../model/seams.ts';
import { seal } from './age.ts';
import { gzip } from './gzip.ts';

/** No more than this of a child's output is kept; the rest is read and dropped. Characters. */
const MAX_KEPT = 64 * 1024 * 1024;

/** Runs a program; the exit code is data. Throws E_COMMAND when it cannot be started or runs out of time. */
export async function runProgram(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...rest] = argv;
  const child = spawn(program, rest, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...(options.env ?? process.env) },
    detached: true,
    stdio: 'pipe',
  });
  const [result] = await Promise.all([resultOf(child, argv, options), feed(child, options), store(child, options)]);
  return result;
}

function resultOf(child: ChildProcess, argv: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const kept = { stdout: '', stderr: '' };
    let late = false;
    const end = (): void => {
      late = true;
      signalAll(child, 'SIGKILL'); // what it started holds its output open, and would be waited for
    };
    const timer = options.timeout === undefined ? undefined : setTimeout(end, options.timeout * 1000);
    if (options.output === undefined) collect(child.stdout, (text) => (kept.stdout = bounded(kept.stdout, text)), options.onLine);
    collect(child.stderr, (text) => (kept.stderr = bounded(kept.stderr, text)), options.onLine);
    const forget = options.stop === undefined ? () => undefined : endWith(child, options.stop);
    child.on('error', (error) => {
      clearTimeout(timer);
      forget();
      reject(cannotStart(argv, error));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      forget();
      if (late) reject(outOfTime(argv, options.timeout ?? 0));
      else resolve({ code: code ?? 128 + (signal === 'SIGKILL' ? 9 : 15), ...kept });
    });
  });
}

/** Seconds that a child has to end when it is asked to. */
const LONGEST_END = 10;

/** Ends the child's whole session with this signal or this process; gives what forgets about it. */
function endWith(child: ChildProcess, stop: AbortSignal): () => void {
  let killer: NodeJS.Timeout | undefined;
  const end = (): void => {
    signalAll(child, 'SIGTERM');
    killer = setTimeout(() => signalAll(child, 'SIGKILL'), LONGEST_END * 1000);
  };
  const leave = (): void => signalAll(child, 'SIGTERM');
  if (leaving.size === 0) process.once('exit', leaveAll);
  leaving.add(leave);
  if (stop.aborted) end();
  else stop.addEventListener('abort', end, { once: true });
  return () => {
    clearTimeout(killer);
    stop.removeEventListener('abort', end);
    leaving.delete(leave);
    if (leaving.size === 0) process.removeListener('exit', leaveAll);
  };
}

/** The child and all that it started. */
function signalAll(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // it has ended already
  }
}

/** What is told to end when this process does. */
const leaving = new Set<() => void>();

function leaveAll(): void {
  for (const leave of leaving) leave();
}

/** Gives the child its input. A child that stops reading early says why itself, by its exit code. */
async function feed(child: ChildProcess, options: RunOptions): Promise<void> {
  const { input } = options;
  const { stdin } = child;
  if (stdin === null) return;
  stdin.on('error', () => undefined);
  if (typeof input !== 'object' || input instanceof Promise) {
    stdin.end((await input) ?? '');
    return;
  }
  const through = input.gunzip === true ? createGunzip() : new PassThrough();
  try {
    await pipeline(createReadStream(input.file), through, stdin);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ECONNRESET') {
      child.kill('SIGKILL'); // a half-read input must not look like a whole one
      throw error;
    }
  }
}

async function store(child: ChildProcess, options: RunOptions): Promise<void> {
  const { output } = options;
  if (output === undefined || child.stdout === null) return;
  const { encryptTo = [] } = output;
  const through = output.gzip === true ? (source: AsyncIterable<Buffer>) => gzip(source, 1) : new PassThrough();
  try {
    const file = createWriteStream(output.file, { mode: 0o600, flush: true });
    if (encryptTo.length === 0) await pipeline(child.stdout, through, file);
    else await pipeline(child.stdout, through, (source: AsyncIterable<Buffer>) => seal(source, encryptTo), file);
  } catch (error) {
    throw diskTrouble(error, output.file) ?? error;
  }
}

function collect(stream: Readable | null, add: (text: string) => void, onLine: ((line: string) => void) | undefined): void {
  if (stream === null) return;
  stream.setEncoding('utf8');
  stream.on('data', add);
  if (onLine !== undefined) createInterface({ input: stream }).on('line', onLine);
}

function bounded(kept: string, text: string): string {
  return kept.length > MAX_KEPT ? kept : kept + text;
}

function cannotStart(argv: readonly string[], error: Error): ToolError {
  const missing = systemCode(error) === 'ENOENT';
  return new ToolError('E_COMMAND', missing ? `${argv[0]} is not installed` : `${argv[0]} cannot be started: ${error.message}`, {
    cause: error,
    hint: `Install ${argv[0]}, or put it on the PATH, and try again.`,
  });
}

function outOfTime(argv: readonly string[], seconds: number): ToolError {
  return new ToolError('E_COMMAND', `${argv.slice(0, 3).join(' ')} took longer than ${seconds} s and was ended`, {
    hint: 'Look at its logs, then try again.',
  });
}
