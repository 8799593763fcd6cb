// tag-all: the same tag on every repository that belongs to the product. Rule: all of them are looked at before the first is written to; one that fails takes the tag from the others again.
import { resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { momentOf } from '../../model/parse.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { observeRemoteTag, observeRepository } from '../../observe/repositories.ts';
import { observeSelf } from '../../observe/self.ts';
import { planTagAll, type RepositoryAddress, type RepositoryFacts, resolveRepository } from '../../plan/tag-all.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isSet, refusePositionals, textFlags } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { chooseHosts, chooseTag, PRODUCT_FLAGS, type ProductFile, readProductFile, type TagAndVersion } from './product-file.ts';

export const tagAll: Command = {
  name: 'tag-all',
  summary: 'one tag on several repositories, or on none',
  flags: {
    tag: { type: 'string', value: 'TAG', help: 'the tag (default: the tag on HEAD)' },
    at: {
      type: 'string',
      value: 'REPOSITORY=COMMIT',
      multiple: true,
      help: 'what is tagged there: a commit id or a branch (default: its default branch)',
    },
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    const { root, product } = file;
    const chosen = chooseTag(context, product, await observeCheckout(root, context.world));
    const addresses = addressesOf(context, file);
    await endEarlier(root, context, 'tag-all');
    const facts = await lookAt(addresses, wishesOf(context, addresses), { context, tag: chosen.tag });
    const id = context.world.random(16).toString('hex');
    const planned = planTagAll({ id, product: product.product, ...chosen, at: momentOf(context.world.now()) }, facts);
    const carried = await carryOut(planned, context, { root, operator: await observeSelf(context.file) });
    return resultOf(carried, context, { ...chosen, facts });
  },
};

function addressesOf(context: Context, file: ProductFile): RepositoryAddress[] {
  const { hosts, repositories } = file.product.release;
  const { authority } = chooseHosts(context, file);
  if (repositories.length === 0) {
    throw new ToolError('E_CONFIG', 'release.repositories names no repository', {
      hint: 'List those that get the same tag, such as acme/web.',
    });
  }
  const found = repositories.map((name) => resolveRepository(name, authority, hosts));
  return found.map((address) => (/^\.{1,2}\//.test(address.url) ? { ...address, url: resolve(file.root, address.url) } : address));
}

/** What --at says, by repository. */
function wishesOf({ flags }: Context, addresses: readonly RepositoryAddress[]): ReadonlyMap<string, string> {
  const wishes = textFlags(flags, 'at').map((text): [string, string] => {
    const at = text.lastIndexOf('=');
    const name = text.slice(0, Math.max(at, 0));
    const what = text.slice(at + 1);
    if (at > 0 && what !== '' && addresses.some((address) => address.name === name)) return [name, what];
    throw new ToolError('E_USAGE', `--at ${text}: ${at > 0 ? `${name} is not in release.repositories` : 'it has no ='}`, {
      hint: `Write REPOSITORY=COMMIT, where REPOSITORY is one of ${addresses.map((address) => address.name).join(', ')}.`,
    });
  });
  return new Map(wishes);
}

async function lookAt(
  addresses: readonly RepositoryAddress[],
  wishes: ReadonlyMap<string, string>,
  { context, tag }: { readonly context: Context; readonly tag: string },
): Promise<readonly RepositoryFacts[]> {
  const facts: RepositoryFacts[] = [];
  for (const address of addresses) {
    const look = await observeRepository({ remote: address, tag, at: wishes.get(address.name) }, context.world);
    facts.push({ address, isNamed: wishes.has(address.name), ...look });
  }
  return facts;
}

interface Tagging extends TagAndVersion {
  readonly facts: readonly RepositoryFacts[];
}

async function resultOf(carried: Carried, context: Context, { tag, version, facts }: Tagging): Promise<CommandResult> {
  const { plan } = carried;
  if (carried.outcome === 'planned') {
    const exit = isSet(context.flags, 'exit-code') && plan.steps.length > 0 ? { exit: 4 } : {};
    return { fields: { version, tag, plan: planToJson(plan) }, text: planToText(plan), ...exit };
  }
  if (carried.outcome !== 'done' && carried.outcome !== 'nothing') await throwUntagged(carried, context, { tag, version, facts });
  const repositories = facts.map(({ address, commit, tagged }) => ({
    ...shown(address),
    commit: tagged ?? commit,
    outcome: tagged === undefined ? 'tagged' : 'present',
  }));
  const text = repositories
    .map(({ name, outcome }) => `${name}: ${outcome === 'tagged' ? `${tag} is there now` : `${tag} was there already`}\n`)
    .join('');
  return { fields: { version, tag, repositories }, text };
}

/** Says what is where after it was taken back. */
async function throwUntagged(carried: Carried, { world }: Context, { tag, version, facts }: Tagging): Promise<void> {
  const repositories: object[] = [];
  for (const { address, commit, tagged } of facts) {
    const now = tagged ?? (await observeRepositoryTag(address, tag, world));
    const outcome = tagged !== undefined ? 'present' : now === undefined ? 'untagged' : now;
    repositories.push({ ...shown(address), commit, outcome });
  }
  const details = { version, tag, repositories };
  const cause = 'cause' in carried ? carried.cause : undefined;
  if (!(cause instanceof ToolError)) return throwUnlessDone(carried, details);
  throw new ToolError(cause.code, `${cause.message}; wherever ${tag} had just been put, it was taken back`, {
    cause,
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    details: { ...cause.details, ...details },
  });
}

/** `unknown` where the repository does not answer. */
async function observeRepositoryTag(address: RepositoryAddress, tag: string, world: Context['world']): Promise<string | undefined> {
  return observeRemoteTag(address, tag, world).then(
    (commit) => (commit === undefined ? undefined : 'tagged-by-others'),
    () => 'unknown',
  );
}

function shown({ name, url }: RepositoryAddress): { readonly name: string; readonly url: string } {
  return { name, url };
}
