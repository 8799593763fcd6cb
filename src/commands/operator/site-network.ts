// Proxies and certificates of the site: said once, used by every later command. Rule: an environment that says otherwise comes first; what is kept reaches timers that have none.
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemCode, ToolError } from '../../model/error.ts';
import {
  CA_FILE,
  CA_VARIABLE,
  changeNetwork,
  hasLogin,
  networkEnvironment,
  PROXY_NAMES,
  type SiteNetwork,
} from '../../model/site-network.ts';
import { readRecord } from '../../observe/install.ts';
import { type Command, type Context, type FlagTable, textFlag, textFlags } from '../command.ts';
import { givenValues } from './answers.ts';
import { findInstall } from './folder.ts';

export const NETWORK_FLAGS = {
  proxy: { type: 'string', value: 'URL', help: 'the proxy for all fetches, now and later; empty = none' },
  'no-proxy': { type: 'string', value: 'HOSTS', help: 'hosts that are reached without it, with commas' },
  ca: { type: 'string', value: 'FILE', help: 'certificates to trust besides the usual ones; empty = none' },
} as const satisfies FlagTable;

const LARGEST_CA = 256 * 1024;

export interface ChosenNetwork {
  readonly network: SiteNetwork;
  /** In which everything is fetched in that way. */
  readonly context: Context;
}

/** What the site's network is from now on: what was kept, and what is said now by flags, `SLIPWAY_SET_…` or the answers file. */
export async function chooseNetwork(context: Context, kept: SiteNetwork = {}): Promise<ChosenNetwork> {
  refuseArguments(context);
  const { flags, world } = context;
  const given = await givenValues(context);
  const proxy = textFlag(flags, 'proxy');
  const said = new Map(PROXY_NAMES.flatMap((name): [string, string][] => (given.has(name) ? [[name, given.get(name) ?? '']] : [])));
  if (proxy !== undefined) for (const name of ['HTTPS_PROXY', 'HTTP_PROXY']) said.set(name, proxy);
  const without = textFlag(flags, 'no-proxy');
  if (without !== undefined) said.set('NO_PROXY', without);
  const file = textFlag(flags, 'ca') ?? given.get(CA_FILE);
  if (file !== undefined) said.set('CA', file === '' ? '' : await readCertificates(file));
  const network = changeNetwork(kept, said);
  const names = [...said.keys()].flatMap((name) => (name === 'CA' ? [CA_VARIABLE] : [name, name.toLowerCase()]));
  const others = { ...world.env, ...Object.fromEntries(names.map((name) => [name, undefined])) }; // what is said now beats the environment
  return { network, context: { ...context, world: { ...world, env: networkEnvironment(network, others) } } };
}

/** The command in the kept network of the install that it is about. */
export function inKeptNetwork(command: Command): Command {
  return { ...command, run: async (context) => command.run(await withKeptNetwork(context)) };
}

async function withKeptNetwork(context: Context): Promise<Context> {
  const network = await readKept(context);
  if (network === undefined) return context;
  return { ...context, world: { ...context.world, env: networkEnvironment(network, context.world.env) } };
}

/** Whatever is wrong with the install is the command's to say. */
async function readKept(context: Context): Promise<SiteNetwork | undefined> {
  try {
    return (await readRecord(findInstall(context)))?.network;
  } catch (error) {
    if (error instanceof ToolError) return undefined;
    throw error;
  }
}

/** Other users of a machine can read arguments. */
function refuseArguments({ flags }: Context): void {
  const named = textFlags(flags, 'set').flatMap((text) => (/^HTTPS?_PROXY=/.test(text) ? [text.slice(text.indexOf('=') + 1)] : []));
  if (![textFlag(flags, 'proxy') ?? '', ...named].some(hasLogin)) return;
  throw new ToolError('E_USAGE', 'a proxy’s login is no argument: other users of this machine could read it', {
    hint: 'Give the whole address in SLIPWAY_SET_HTTPS_PROXY, or as HTTPS_PROXY in the file of --answers.',
  });
}

async function readCertificates(file: string): Promise<string> {
  try {
    if ((await stat(file)).size <= LARGEST_CA) return await readFile(resolve(file), 'utf8');
  } catch (cause) {
    throw new ToolError('E_USAGE', `cannot read the certificates in ${file} (${systemCode(cause)})`, { cause, hint: 'Check the path.' });
  }
  throw new ToolError('E_USAGE', `${file} is larger than any list of certificates`, {
    hint: 'Name a PEM file of your own authority alone.',
  });
}
