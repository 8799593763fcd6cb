// The fake engine behind a socket, so that it outlives the programs that talk to it, however they end. Rule: files that a call reads or writes are read and
// written by the caller's own process, as the real docker command leaves them to it.
import { createReadStream, createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Run, RunResult } from '../../src/model/seams.ts';
import type { FakeEngine } from './engine.ts';
import { type ReadyOptions, readyOptions } from './engine-call.ts';

export interface EngineServer {
  /** Where it listens. */
  readonly socket: string;
  /** Resolves when no call is being answered, though its caller may be gone. */
  readonly idle: () => Promise<void>;
  readonly close: () => void;
}

interface Asked {
  readonly argv?: readonly string[];
  readonly options: ReadyOptions;
  /** Milliseconds that pass. */
  readonly wait?: number;
}

interface Answered {
  readonly result: RunResult;
  /** A file that holds what the caller writes where it was told to. */
  readonly written?: string;
}

/** Answers programs in other processes. The folder is for its socket and what it hands over. */
export async function serveEngine(engine: FakeEngine, folder: string): Promise<EngineServer> {
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, 'engine.sock');
  let last: Promise<void> = Promise.resolve();
  let files = 0;
  const answer = async ({ argv, options, wait }: Asked): Promise<Answered> => {
    if (wait !== undefined) engine.wait(wait);
    if (argv === undefined) return { result: { code: 0, stdout: '', stderr: '' } };
    if (options.output === undefined) return { result: await engine.client()(argv, options) };
    files += 1;
    const written = join(folder, `answer-${files}`);
    return { result: await engine.client()(argv, { ...options, output: { ...options.output, file: written } }), written };
  };
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.on('error', () => undefined);
    const call = async (): Promise<void> => {
      const asked = JSON.parse(await textOf(connection)) as Asked;
      const before = last;
      const work = before.then(async () => void connection.end(JSON.stringify(await answer(asked))));
      last = work.catch(() => undefined);
      await work;
    };
    call().catch((error: Error) => void connection.end(JSON.stringify({ trouble: error.message })));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return { socket, idle: () => last, close: () => void server.close(() => rmSync(folder, { recursive: true, force: true })) };
}

/** The engine behind a socket, as a program in another process has it. */
export function distantEngine(socket: string): { readonly run: Run; readonly wait: (milliseconds: number) => Promise<void> } {
  return {
    run: async (argv, options = {}) => {
      const { onLine, stop: _, ...plain } = await readyOptions(options);
      const { result, written } = await ask(socket, { argv, options: plain });
      for (const line of `${result.stdout}${result.stderr}`.split('\n').filter(Boolean)) onLine?.(line);
      if (written !== undefined && options.output !== undefined)
        await pipeline(createReadStream(written), createWriteStream(options.output.file, { mode: 0o600, flush: true }));
      return result;
    },
    wait: async (milliseconds) => void (await ask(socket, { options: {}, wait: milliseconds })),
  };
}

async function ask(socket: string, asked: Asked): Promise<Answered> {
  const connection = createConnection(socket);
  connection.end(JSON.stringify(asked));
  const answered = JSON.parse(await textOf(connection)) as Answered | { readonly trouble: string };
  if ('trouble' in answered) throw new Error(answered.trouble);
  return answered;
}

/** All that comes before the other side has said its last word; the way back stays open. */
function textOf(connection: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  connection.on('data', (chunk: Buffer) => void chunks.push(chunk));
  return new Promise((resolve, reject) => {
    connection.on('error', reject);
    connection.on('end', () => resolve(Buffer.concat(chunks).toString()));
  });
}
