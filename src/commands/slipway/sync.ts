// sync: a branch goes forward to the one before it in the train. Rule: fast-forward only, on the remotes alone; nothing of the checkout is touched.
import type { Digest } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { GitAddress } from '../../model/git-work.ts';
import { type HostAddress, publicLocation } from '../../model/host.ts';
import { refuseOffTrain, type TrainLook, type TrainPair } from '../../model/train.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeCheckoutBranches, observeHeads, observeRemoteUrl, observeTrain } from '../../observe/train.ts';
import { planSync, syncBasis } from '../../plan/sync.ts';
import { resolveRepository } from '../../plan/tag-all.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isSet } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { chooseHosts, PRODUCT_FLAGS, type ProductFile, readProductFile } from './product-file.ts';

export const sync: Command = {
  name: 'sync',
  summary: 'a branch goes forward to the one before it: fast-forward only',
  usage: 'FROM TO',
  flags: { ...PRODUCT_FLAGS, ...CHANGING_FLAGS },
  run: async (context) => {
    const pair = pairOf(context);
    const file = await readProductFile(context);
    const { root, product } = file;
    refuseOffTrain(pair, product.sync, product.release.channels);
    await endEarlier(root, context, 'sync');
    const remotes = await remotesOf(context, file);
    const checkout = await observeCheckoutBranches(root, pair, context.world);
    const looks = await lookAt(context, file, { pair, remotes, checkout });
    const folder = checkout.prefix === '' ? '.' : checkout.prefix;
    const id = context.world.random(16).toString('hex');
    const wanted = { id, ...pair, gate: product.sync.gate, folder, release: product.release };
    const planned = planSync(wanted, { checkout, remotes: looks });
    const recheck = async (): Promise<Digest> => syncBasis(pair, await headsOf(context, pair, remotes));
    const carried = await carryOut(planned, context, { root, recheck, operator: await observeSelf(context.file) });
    return resultOf(carried, context, { pair, looks });
  },
};

function pairOf({ positionals, program }: Context): TrainPair {
  const [from, to, extra] = positionals;
  if (from !== undefined && to !== undefined && extra === undefined) return { from, to };
  const message = extra === undefined ? 'sync which branches?' : `unexpected argument ${JSON.stringify(extra)}`;
  throw new ToolError('E_USAGE', message, { hint: `${program} sync FROM TO, for example ${program} sync develop staging.` });
}

/** A plain name is a remote of the checkout; anything else is a repository, as in `release.repositories`. */
async function remotesOf(context: Context, file: ProductFile): Promise<GitAddress[]> {
  const { sync: rules, release } = file.product;
  const { authority } = chooseHosts(context, file);
  const found: GitAddress[] = [];
  for (const name of rules.remotes) {
    if (/[/:]/.test(name)) found.push(resolveRepository(name, authority, release.hosts));
    else found.push(withToken({ name, url: await observeRemoteUrl(file.root, name, context.world) }, release.hosts));
  }
  return found;
}

/** A remote that is the repository of a release host has that host's token. */
function withToken(remote: GitAddress, hosts: readonly HostAddress[]): GitAddress {
  const plain = (url: string): string => url.replace(/(?:\.git)?\/*$/, '').toLowerCase();
  const host = hosts.find((each) => 'token' in each && plain(publicLocation(each) ?? '') === plain(remote.url));
  return host !== undefined && 'token' in host && host.token !== undefined ? { ...remote, token: host.token } : remote;
}

interface Looking {
  readonly pair: TrainPair;
  readonly remotes: readonly GitAddress[];
  readonly checkout: { readonly prefix: string; readonly branches: ReadonlyMap<string, string> };
}

async function lookAt({ world }: Context, { product }: ProductFile, { pair, remotes, checkout }: Looking): Promise<TrainLook[]> {
  const { base } = product.release;
  const looks: TrainLook[] = [];
  for (const [index, remote] of remotes.entries()) {
    const isFirst = index === 0; // all others must be like it
    const file = base.kind === 'git' || !isFirst ? undefined : `${checkout.prefix}${base.path}`;
    looks.push(await observeTrain({ remote, pair, branches: isFirst ? checkout.branches : new Map(), file }, world));
  }
  return looks;
}

async function headsOf({ world }: Context, pair: TrainPair, remotes: readonly GitAddress[]) {
  return Promise.all(remotes.map(async (remote) => ({ remote, ...(await observeHeads(remote, pair, world)) })));
}

interface Synced {
  readonly pair: TrainPair;
  readonly looks: readonly TrainLook[];
}

async function resultOf(carried: Carried, context: Context, { pair, looks }: Synced): Promise<CommandResult> {
  const { from, to } = pair;
  const commit = looks[0]?.from;
  const about = { from, to, commit };
  if (carried.outcome === 'planned') {
    const exit = isSet(context.flags, 'exit-code') && carried.plan.steps.length > 0 ? { exit: 4 } : {};
    const text = carried.plan.steps.length === 0 ? nothingToDo(pair) : planToText(carried.plan);
    return { fields: { ...about, plan: planToJson(carried.plan) }, text, ...exit };
  }
  const rows = looks.map((look) => ({ name: look.remote.name, before: look.to, commits: look.going.count }));
  if (carried.outcome === 'nothing') {
    return { fields: { ...about, remotes: rows.map((row) => ({ ...row, outcome: 'present' })) }, text: nothingToDo(pair) };
  }
  const now = await headsOf(
    context,
    pair,
    looks.map(({ remote }) => remote),
  ).catch(() => []);
  const remotes = rows.map((row, index) => ({ ...row, outcome: outcomeOf(row.before, commit, now[index]?.to) }));
  if ('cause' in carried && carried.cause !== undefined) throw withRemotes(carried.cause, { ...about, remotes });
  const moved = remotes.map(({ name, commits }) => `${name}: ${to} has everything of ${from} (${commits} new)\n`);
  const later = now.some((heads) => heads.from !== commit) ? `${from} has moved on meanwhile: sync again for the rest\n` : '';
  return { fields: { ...about, remotes }, text: `${moved.join('')}${later}` };
}

function nothingToDo({ from, to }: TrainPair): string {
  return `${to} has everything of ${from}: nothing to do\n`;
}

function outcomeOf(before: string | undefined, commit: string | undefined, now: string | undefined): string {
  if (before === commit) return 'present';
  if (now === commit) return 'moved';
  return now === before ? 'unmoved' : now === undefined ? 'unknown' : 'moved-by-others';
}

/** The same error, which also says where what is. */
function withRemotes(cause: unknown, details: Readonly<Record<string, unknown>>): unknown {
  if (!(cause instanceof ToolError)) return cause;
  const extra = { cause, details: { ...cause.details, ...details } };
  return new ToolError(cause.code, cause.message, cause.hint === undefined ? extra : { ...extra, hint: cause.hint });
}
