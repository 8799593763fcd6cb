// The target release's own operator does the work. Rule: an old program reads only the channel file and the new program's digest, never a newer manifest.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runForeground } from '../../apply/foreground.ts';
import type { ChannelRelease } from '../../model/channel.ts';
import { type Digest, hexOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { ReleaseSource } from '../../model/host.ts';
import { cacheFolder, operatorsFolder } from '../../model/layout.ts';
import { fetchOperator } from '../../observe/release.ts';
import { findOperator, observeSelf } from '../../observe/self.ts';
import type { CommandResult, Context } from '../command.ts';

export interface HandOver {
  /** Where operators are kept: an install, or a private folder before there is one. */
  readonly root: string;
  readonly source: ReleaseSource;
  readonly release: ChannelRelease;
  /** The command line for the new program. */
  readonly argv: readonly string[];
  /** The Node.js to run it with, when it is not this one. */
  readonly node?: string | undefined;
  /** The nonce of our lock, for the new program to take over. */
  readonly nonce?: string;
}

/** Runs the release's own operator when it is another program than this one or needs another Node.js, and gives its result; undefined when this is the one. */
export async function handOver(context: Context, wish: HandOver): Promise<CommandResult | undefined> {
  if (wish.node === undefined && (await observeSelf(context.file)) === wish.release.operator) return undefined;
  const path = await keepOperator(wish);
  return runOperator(context, path, wish);
}

/** Runs the kept operator with this digest; throws E_NOT_FOUND when it is gone. */
export async function runKeptOperator(
  context: Context,
  root: string,
  digest: Digest,
  wish: Pick<HandOver, 'argv' | 'nonce'>,
): Promise<CommandResult> {
  const path = await findOperator(root, digest);
  if (path !== undefined) return runOperator(context, path, wish);
  throw new ToolError('E_NOT_FOUND', `the program that began this operation is gone (${digest})`, {
    hint: `Put the operator.js of that release at ${join(operatorsFolder(root), hexOf(digest))}, then run \`recover\`.`,
  });
}

async function keepOperator({ root, source, release }: HandOver): Promise<string> {
  const found = await findOperator(root, release.operator);
  if (found !== undefined) return found;
  await mkdir(operatorsFolder(root), { recursive: true, mode: 0o700 });
  const path = join(operatorsFolder(root), hexOf(release.operator));
  await fetchOperator({ source, release, cache: cacheFolder(root), to: path });
  return path;
}

async function runOperator(context: Context, path: string, wish: Pick<HandOver, 'argv' | 'nonce' | 'node'>): Promise<CommandResult> {
  const env = { ...context.world.env, SLIPWAY_HANDED_OVER: '1', ...(wish.nonce === undefined ? {} : { SLIPWAY_LOCK_NONCE: wish.nonce }) };
  const exit = await runForeground([wish.node ?? process.execPath, path, ...wish.argv], env);
  return { fields: {}, text: '', exit, handedOver: true };
}
