// Where a run can be cut off, and how. Rule: a dead run does nothing more: whatever it still awaits never comes.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import type { Handler, Handlers } from '../../src/apply/handler.ts';
import type { Journal } from '../../src/apply/journal.ts';
import { ToolError } from '../../src/model/error.ts';
import { printLine } from '../../src/model/journal.ts';
import { journalPath } from '../../src/model/layout.ts';
import type { Kind } from '../../src/model/plan.ts';
import type { Run } from '../../src/model/seams.ts';
import { type FakeEngine, isEffect } from '../fakes/engine.ts';
import type { Edit } from './disk.ts';
import type { DiskFollower } from './disk-follower.ts';

/** `kill`: the process is gone. `fail`: this one effect fails. `interrupt`: a person presses Ctrl-C. */
export type Blow = 'kill' | 'fail' | 'interrupt';

export interface FusePlan {
  /** Which point it is, counted from 1; none = the run is only counted. */
  readonly at?: number;
  readonly blow?: Blow;
  /** Is told of every change to files and of every sync. */
  readonly disk?: DiskFollower;
  /** Sees every point, with what a death there leaves half-done; false ends the run there. */
  readonly watch?: (where: string, half: readonly Edit[]) => boolean;
}

export class Fuse {
  count = 0;
  dead = false;
  /** What was going on when it blew. */
  where = '';
  /** Every point passed, for those who choose some. */
  readonly passed: string[] = [];
  readonly stop = new AbortController();
  /** Files that the run has open. */
  readonly handles = new Set<FileHandle>();
  readonly death: Promise<'dead'>;
  readonly disk: DiskFollower | undefined;
  readonly #plan: FusePlan;
  #die: (how: 'dead') => void = () => undefined;

  constructor(plan: FusePlan = {}) {
    this.#plan = plan;
    this.disk = plan.disk;
    this.death = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  /** One place where the run can end; `half` is what a death here leaves half-done. */
  async point(where: string, half: () => readonly Edit[] = () => []): Promise<void> {
    if (this.dead) await never();
    this.count += 1;
    this.passed.push(where);
    if (this.#plan.watch?.(where, half()) === false) return this.#end();
    if (this.count !== this.#plan.at) return;
    this.where = where;
    if (this.#plan.blow === 'interrupt') return this.stop.abort();
    for (const edit of half()) putEdit(edit);
    if (this.#plan.blow === 'fail') throw new ToolError('E_COMMAND', `injected at ${where}`);
    await this.#end();
  }

  async #end(): Promise<never> {
    this.dead = true;
    await Promise.all([...this.handles].map((handle) => handle.close().catch(() => undefined))); // as the system does for a dead process
    this.#die('dead');
    return never();
  }
}

function putEdit({ path, content }: Edit): void {
  if (content === null) rmSync(path, { recursive: true });
  else writeFileSync(path, content);
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** The handlers with a point before and after everything they do. */
export function fuseHandlers(handlers: Handlers, fuse: Fuse): Handlers {
  const wrapped = Object.entries(handlers as unknown as Record<string, Handler<Kind>>).map(([kind, handler]) => {
    const around =
      <A extends readonly unknown[], R>(name: string, act: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        await fuse.point(`before ${kind}.${name}`);
        const result = await act(...args);
        await fuse.point(`after ${kind}.${name}`);
        return result;
      };
    return [
      kind,
      {
        done: around('done', handler.done),
        run: around('run', handler.run),
        ...(handler.save === undefined ? {} : { save: around('save', handler.save) }),
        ...(handler.settle === undefined ? {} : { settle: around('settle', handler.settle) }),
        ...(handler.undo === undefined ? {} : { undo: around('undo', handler.undo) }),
      },
    ];
  });
  return Object.fromEntries(wrapped) as unknown as Handlers;
}

/** The journal with points around and in the middle of every line. */
export function fuseJournal(journal: Journal, root: string, fuse: Fuse): Journal {
  const around = async (line: Parameters<typeof printLine>[0], write: () => Promise<void>): Promise<void> => {
    const text = printLine(line);
    const name = Object.keys(line)[0];
    await fuse.point(`before journal ${name}`);
    await fuse.point(`torn journal ${name}`, () => [tornLine(journalPath(root), text)]);
    await write();
    await fuse.point(`after journal ${name}`);
  };
  return {
    state: journal.state,
    append: (line) => around(line, () => journal.append(line)),
    giveRoom: journal.giveRoom,
    end: (how) => around({ end: how }, () => journal.end(how)),
  };
}

function tornLine(path: string, line: string): Edit {
  return { path, content: Buffer.concat([readFileSync(path), Buffer.from(line.slice(0, line.length / 2))]) };
}

/** The engine's client with points before, amid and after every effect. */
export function fuseRun(engine: FakeEngine, fuse: Fuse): Run {
  const client = engine.client((what) => fuse.point(`amid docker ${what}`));
  return async (argv, options) => {
    if (!isEffect(argv)) {
      if (fuse.dead) await never();
      return client(argv, options);
    }
    const name =
      argv[1] === 'compose' ? `compose ${argv.find((word) => ['build', 'up', 'run', 'exec'].includes(word))}` : argv.slice(1, 3).join(' ');
    await fuse.point(`before docker ${name}`);
    const result = await client(argv, options);
    await fuse.point(`after docker ${name}`);
    return result;
  };
}

const running = new AsyncLocalStorage<Fuse>();

/** Runs something with a point before every change it makes to the file system. */
export function withFuse<T>(fuse: Fuse, work: () => Promise<T>): Promise<T | 'dead'> {
  patchFiles();
  return Promise.race([running.run(fuse, work), fuse.death]);
}

let isPatched = false;

/** Every changing call of node:fs/promises asks the fuse of its run, if it is part of one. */
function patchFiles(): void {
  if (isPatched) return;
  isPatched = true;
  const table = fs as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const name of CHANGING) {
    const real = table[name];
    if (real === undefined) throw new Error(`no ${name} in node:fs/promises`);
    table[name] = async (...args) => {
      const fuse = running.getStore();
      if (fuse === undefined || (name === 'open' && args[1] === undefined)) return real(...args);
      if (name === 'open' && args[1] === 'r') return fuseHandle((await real(...args)) as FileHandle, fuse, String(args[0]), 'r');
      const path = String(args[0]);
      await fuse.point(`before ${name}`, halfOf(name, path, args));
      const result = await real(...args);
      if (name === 'rm' && isRecursive(args)) fuse.disk?.empty(path);
      fuse.disk?.follow(name, pathsOf(name, args));
      return name === 'open' ? fuseHandle(result as FileHandle, fuse, path, String(args[1])) : result;
    };
  }
  syncBuiltinESMExports();
}

const CHANGING = ['rename', 'link', 'symlink', 'rm', 'rmdir', 'mkdir', 'copyFile', 'chmod', 'chown', 'truncate', 'open', 'writeFile'];

/** The paths that a call changes. */
function pathsOf(name: string, [first, second]: readonly unknown[]): string[] {
  if (name === 'rename') return [String(first), String(second)];
  return [String(name === 'link' || name === 'symlink' || name === 'copyFile' ? second : first)];
}

function isRecursive(args: readonly unknown[]): boolean {
  return (args[1] as { recursive?: boolean } | undefined)?.recursive === true;
}

/** What a death in the middle of the call leaves. */
function halfOf(name: string, path: string, args: readonly unknown[]): () => readonly Edit[] {
  if (name === 'copyFile') return () => [{ path: String(args[1]), content: firstHalf(readFileSync(path)) }];
  if (name !== 'rm' || !isRecursive(args)) return () => [];
  return () => {
    const names = folderNames(path);
    return names.slice(0, Math.ceil(names.length / 2)).map((each) => ({ path: join(path, each), content: null }));
  };
}

function firstHalf(content: Buffer): Buffer {
  return content.subarray(0, content.length / 2);
}

function folderNames(path: string): string[] {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(path).sort() : [];
}

/** A new file is there before its content is, and neither is safe before it is synced. */
function fuseHandle(handle: FileHandle, fuse: Fuse, path: string, flags: string): FileHandle {
  fuse.handles.add(handle);
  (handle as unknown as EventEmitter).once('close', () => fuse.handles.delete(handle));
  const { disk } = fuse;
  if (disk !== undefined) followHandle(handle, fuse, { path, disk });
  if (flags === 'r' || flags === 'a') return handle;
  const write = handle.writeFile.bind(handle);
  handle.writeFile = async (content, options) => {
    await fuse.point('before write', () => [{ path, content: firstHalf(Buffer.from(content as Uint8Array | string)) }]);
    await write(content, options);
  };
  return handle;
}

function followHandle(handle: FileHandle, fuse: Fuse, { path, disk }: { readonly path: string; readonly disk: DiskFollower }): void {
  const [write, chmod, sync] = [handle.writeFile.bind(handle), handle.chmod.bind(handle), handle.sync.bind(handle)];
  handle.writeFile = async (content, options) => {
    await write(content, options);
    disk.follow('write', [path]);
  };
  handle.chmod = async (mode) => {
    await chmod(mode);
    disk.follow('chmod', [path]);
  };
  handle.sync = async () => {
    await fuse.point('before sync');
    await sync();
    disk.sync(path);
  };
}
