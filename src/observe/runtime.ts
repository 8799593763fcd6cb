// The Node.js that this program runs on, and another one from a channel. Rule: known by its digest; what is fetched is checked before it is unpacked, and again after.
import { chmod, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, hexOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { ReleaseSource } from '../model/host.ts';
import type { Running, Runtime } from '../model/runtime.ts';
import type { World } from '../model/seams.ts';
import { digestOfFile, statIfThere } from '../world/disk.ts';
import { openGunzip } from '../world/gunzip.ts';
import { inIncoming } from './incoming.ts';

const CHUNK = 1024 * 1024;

/** This process's Node.js; one of these runtimes when its bytes are. */
export async function observeRunning(offered: readonly Runtime[]): Promise<Running> {
  const { size } = await stat(process.execPath);
  const alike = offered.filter(({ program }) => program.size === size);
  const digest = alike.length === 0 ? undefined : await digestOfFile(process.execPath); // a hundred megabytes: not without need
  const runtime = alike.find(({ program }) => program.sha256 === digest);
  return { os: process.platform, arch: process.arch, node: process.versions.node, runtime };
}

/** Where installs keep a Node.js. */
export function keptProgram(store: string, program: Digest): string {
  return join(store, hexOf(program), 'node');
}

/** True when this very program is kept there. */
export async function isKept(store: string, program: Digest): Promise<boolean> {
  const path = keptProgram(store, program);
  return (await statIfThere(path))?.isFile() === true && (await digestOfFile(path)) === program;
}

export interface RuntimeRequest {
  readonly source: ReleaseSource;
  readonly runtime: Runtime;
  /** Where installs keep theirs: one that is there is not fetched again. */
  readonly store: string;
  /** A private folder for downloads. */
  readonly cache: string;
}

/** The path of the program; fetched unless it is kept. Throws what downloads throw, and E_DIGEST. */
export async function fetchRuntime({ source, runtime, store, cache }: RuntimeRequest, world: World): Promise<string> {
  const { program, tag, name, size, sha256, node } = runtime;
  if (await isKept(store, program.sha256)) return keptProgram(store, program.sha256);
  const path = keptProgram(join(cache, 'runtime'), program.sha256);
  if (await isKept(join(cache, 'runtime'), program.sha256)) return path;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const onBytes = (done: number): void => world.report({ type: 'progress', text: `Node.js ${node}`, done, total: size, unit: 'bytes' });
  await inIncoming(cache, async (incoming) => {
    const [packed, unpacked] = [join(incoming, 'node.gz'), join(incoming, 'node')];
    await source.download(tag, name, { to: packed, maxBytes: size, sha256, onBytes });
    await unpack(packed, unpacked, program.size);
    if ((await digestOfFile(unpacked)) !== program.sha256) throw otherProgram(runtime);
    await chmod(unpacked, 0o700);
    await rename(unpacked, path);
  });
  return path;
}

/** True when the program starts on this machine and says that it is this version. */
export async function startsHere(path: string, { node }: Runtime, world: World): Promise<boolean> {
  try {
    const { code, stdout } = await world.run([path, '--version'], { timeout: 30 });
    return code === 0 && stdout.trim() === `v${node}`;
  } catch {
    return false; // whatever stops it, it does not start
  }
}

async function unpack(from: string, to: string, most: number): Promise<void> {
  const reader = await openGunzip(from, most);
  const file = await open(to, 'w', 0o600);
  try {
    for (let chunk = await reader.upTo(CHUNK); chunk.length > 0; chunk = await reader.upTo(CHUNK)) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
    await reader.close();
  }
}

function otherProgram({ name }: Runtime): ToolError {
  return new ToolError('E_DIGEST', `${name} unpacks to something else than the channel file says`, { hint: 'Tell the vendor.' });
}
