// How an install's command is started: its launcher, and a Node.js of its own where the host has none. Rule: what is fetched comes from the verified channel file; a foreign file on PATH is never replaced.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ChannelRelease } from '../../model/channel.ts';
import { keep } from '../../model/description.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallRecord, KeptRuntime } from '../../model/install.ts';
import { launcherFolder, renderLauncher } from '../../model/launcher.ts';
import { stateFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content } from '../../model/plan.ts';
import { chooseRuntime, type Runtime, runtimesOf } from '../../model/runtime.ts';
import type { World } from '../../model/seams.ts';
import { parseVersion, satisfies } from '../../model/version.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { isWritable, readLauncher } from '../../observe/launcher.ts';
import { fetchRuntime, isKept, keptProgram, observeRunning, type RuntimeRequest, startsHere } from '../../observe/runtime.ts';
import type { CommandWish } from '../../plan/command.ts';
import type { Context } from '../command.ts';
import { prepareUnits } from './units.ts';

export interface RuntimeWish extends Pick<RuntimeRequest, 'cache'> {
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
}

/**
 * The Node.js to start the release's operator program with, when this one does not do or ours is older than the channel's. Throws E_PREFLIGHT
 * when the release needs another one and the channel has none for this machine.
 */
export async function changeRuntime({ world }: Context, { fetched, release, cache }: RuntimeWish): Promise<string | undefined> {
  if (world.env.SLIPWAY_HANDED_OVER === '1') return undefined; // whoever handed over to us has chosen
  const offered = runtimesOf(fetched.channel);
  const needs = release.node ?? '*';
  const running = await observeRunning(offered);
  const runtime = chooseRuntime(offered, running, needs);
  const suffices = satisfies(parseVersion(running.node), needs);
  if (runtime !== undefined) {
    const path = await fetchRuntime({ source: fetched.source, runtime, store: runtimeStore(world.env), cache }, world);
    if (await startsHere(path, runtime, world)) return path;
  }
  if (suffices) return undefined;
  throw new ToolError('E_PREFLIGHT', `${release.version} needs Node.js ${needs}, and this is ${running.node}`, {
    hint: 'Install it, or name one: SLIPWAY_NODE=/path/to/node.',
  });
}

export interface LaunchingWish {
  readonly root: string;
  readonly manifest: Manifest;
  readonly project: string;
  readonly fetched: FetchedChannel;
  /** undefined for a first install. */
  readonly record: InstallRecord | undefined;
}

export interface Launching {
  readonly wish: CommandWish;
  readonly contents: readonly (readonly [Digest, Content])[];
  /** What install.json says of it. */
  readonly fields: Pick<InstallRecord, 'launcher' | 'runtime' | 'schedule' | 'units'>;
}

/** The launcher and the Node.js that the install has from now on. */
export async function prepareLaunching(context: Context, { root, manifest, project, fetched, record }: LaunchingWish): Promise<Launching> {
  const { world } = context;
  const offered = [...runtimesOf(fetched.channel), ...(manifest.runtime?.files ?? [])];
  const { runtime: running } = await observeRunning(offered);
  const runtime = running === undefined ? undefined : keptAs(running, world.env);
  const path = await launcherPath(root, manifest.cli, { world, record });
  const former = record?.runtime;
  const node = runtime === undefined ? process.execPath : keptProgram(runtime.store, runtime.program);
  const text = path === undefined ? undefined : renderLauncher({ cli: manifest.cli, folder: root, node });
  const units = await prepareUnits(context, { root, manifest, project, record, launcher: path });
  const isThere = path !== undefined && (await readLauncher(path)) === text;
  return {
    wish: {
      user: root,
      ...(path === undefined || text === undefined || isThere ? {} : { launcher: { path, content: digestOf(text) } }),
      ...(runtime === undefined ? {} : { runtime }),
      ...(former === undefined ? {} : { former }),
      ...{ units: units.steps, notes: units.notes },
    },
    contents: [
      ...(text === undefined ? [] : [[digestOf(text), { text }] as const]),
      ...(runtime === undefined || (await isKept(runtime.store, runtime.program))
        ? []
        : [[runtime.program, { file: process.execPath }] as const]),
      ...units.contents,
    ],
    fields: { ...(path === undefined ? {} : { launcher: path }), ...(runtime === undefined ? {} : { runtime }), ...units.fields },
  };
}

/** What an install has already: for a hop that is only looked at, where the first one has seen to the rest, and from a container of the product, which does not see the machine. */
export function sameLaunching(root: string, { launcher, runtime, schedule, units }: InstallRecord): Launching {
  return { wish: { user: root }, contents: [], fields: keep({ launcher, runtime, schedule, units }) };
}

/** Where the installs of this account keep a Node.js; $SLIPWAY_SHARED names another folder. */
function runtimeStore({ SLIPWAY_SHARED, XDG_DATA_HOME, HOME }: World['env']): string {
  const own = process.getuid?.() === 0 ? '/usr/local/lib' : (XDG_DATA_HOME ?? join(HOME ?? homedir(), '.local/share'));
  return join(SLIPWAY_SHARED ?? join(own, 'slipway'), 'runtime');
}

function keptAs({ node, program }: Runtime, env: World['env']): KeptRuntime {
  return { store: runtimeStore(env), program: program.sha256, node };
}

/** install.sh names the folder in $SLIPWAY_BIN; an install keeps the launcher that it has. Undefined = none is wanted, or the place is taken. */
async function launcherPath(
  root: string,
  cli: string,
  { world, record }: { readonly world: World; readonly record: InstallRecord | undefined },
): Promise<string | undefined> {
  const folder = world.env.SLIPWAY_BIN;
  const path = record === undefined ? (folder ? join(folder, cli) : undefined) : record.launcher;
  if (path === undefined) return undefined;
  const there = await readLauncher(path);
  const owner = there === undefined ? root : launcherFolder(there);
  const free = owner === root || (owner !== undefined && !existsSync(stateFolder(owner)));
  if (free && (await isWritable(path))) return path;
  const whose = owner === undefined ? 'is not ours' : `starts the install at ${owner}`;
  world.report({
    type: 'warning',
    text: free ? `${path} cannot be written` : `${path} ${whose}, and stays`,
    hint: `The command of this install is ${join(root, cli)}. SLIPWAY_BIN names another folder for it.`,
  });
  return undefined;
}
