// reserve: takes a version before there is anything to publish. Rule: the authority decides who has it, and the same identity has it again.
import { ToolError } from '../../model/error.ts';
import type { HostProblem } from '../../model/host.ts';
import { momentOf } from '../../model/parse.ts';
import { judgeReservation, RESERVATION_TYPE } from '../../model/reservation.ts';
import { tagOf } from '../../model/tag.ts';
import type { Version } from '../../model/version.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeReservation } from '../../observe/published.ts';
import { observeReserving } from '../../observe/release-tags.ts';
import { observeSelf } from '../../observe/self.ts';
import { versionAfter } from '../../plan/next-version.ts';
import { planReserve, type ReserveFacts, type ReserveWanted, refuseTaken } from '../../plan/reserve.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isPlanOnly, isSet, refusePositionals } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { chooseHosts, PRODUCT_FLAGS, readProductFile } from './product-file.ts';
import { chooseVersion, type Reserver } from './reserve-choice.ts';

/** How many versions are tried when others are always first. */
const MOST_ATTEMPTS = 20;

export const reserve: Command = {
  name: 'reserve',
  summary: 'reserve a version',
  flags: {
    version: { type: 'string', value: 'V', help: 'the version' },
    tag: { type: 'string', value: 'TAG', help: 'the same, as a tag' },
    channel: { type: 'string', value: 'C', help: 'the channel it is for; without --version, its next version' },
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    const { authority } = chooseHosts(context, file);
    await endEarlier(file.root, context, 'reserve');
    const { commit } = await observeCheckout(file.root, context.world);
    const by = await observeIdentity(file.root, context.world, isPlanOnly(context));
    const reserver = { file, authority, commit, by };
    const { version, counted } = await chooseVersion(context, reserver);
    return counted ? reserveFree(context, reserver, version) : resultOf(await reserveOne(context, reserver, { version, counted }));
  },
};

/** Takes the version, or the next one that nobody else has. */
async function reserveFree(context: Context, reserver: Reserver, first: Version): Promise<CommandResult> {
  let version = first;
  for (let attempt = 1; ; attempt++) {
    const found = await reserveOne(context, reserver, { version, counted: true });
    const next = versionAfter(version, reserver.file.product.release.versions);
    if (!(found instanceof ToolError) || next === undefined || attempt === MOST_ATTEMPTS) return resultOf(found);
    context.world.report({ type: 'note', text: `${found.message}. Going on to ${next}.` });
    version = next;
  }
}

/** The result, or the refusal when the version is another's. */
async function reserveOne(
  context: Context,
  { file, authority, commit, by }: Reserver,
  { version, counted }: { readonly version: Version; readonly counted: boolean },
): Promise<CommandResult | ToolError> {
  const { product, release } = file.product;
  const tag = tagOf(release.tag, version);
  const nonce = context.world.random(16).toString('hex');
  const reservation = { type: RESERVATION_TYPE, product, version, tag, commit, by, nonce, at: momentOf(context.world.now()) } as const;
  const wanted: ReserveWanted = { id: nonce, host: authority, reservation, counted };
  const facts = await observeReservation(authority, tag, context.world);
  const taken = refuseTaken(wanted, facts);
  if (taken !== undefined) return taken;
  const planned = planReserve(wanted, facts);
  if (planned.plan.steps.length > 0)
    refuseUnfit(await observeReserving(authority, { tag, commit }, context.world), authority.name, context);
  const carried = await carryOut(planned, context, { root: file.root, operator: await observeSelf(context.file) });
  if (carried.outcome === 'planned') {
    const exit = isSet(context.flags, 'exit-code') && planned.plan.steps.length > 0 ? { exit: 4 } : {};
    return { fields: { version, tag, commit, plan: planToJson(planned.plan) }, text: planToText(planned.plan), ...exit };
  }
  return afterwards(carried, wanted, await observeReservation(authority, tag, context.world));
}

/** Warnings are said; errors stop before the first write. */
function refuseUnfit(problems: readonly HostProblem[], host: string, { world }: Context): void {
  for (const { severity, message, hint } of problems)
    if (severity === 'warning') world.report({ type: 'warning', text: `${host}: ${message}`, hint });
  const errors = problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  const message = errors.map((problem) => `${host}: ${problem.message}`).join('\n  ');
  throw new ToolError('E_PREFLIGHT', message, { hint: first.hint, details: { problems: errors } });
}

/** Who has it is read back from the host. */
function afterwards(carried: Carried, wanted: ReserveWanted, facts: ReserveFacts): CommandResult | ToolError {
  const { version, tag, commit } = wanted.reservation;
  const taken = refuseTaken(wanted, facts);
  if (taken !== undefined) return taken;
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried, { version, tag });
  const isNew = facts.reservation !== undefined && judgeReservation(wanted.reservation, facts.reservation) === 'reserved';
  const outcome = isNew ? 'reserved' : 'already-yours';
  return { fields: { version, tag, commit, outcome }, text: `${tag} is ${isNew ? 'reserved' : 'yours already'}.\n` };
}

function resultOf(found: CommandResult | ToolError): CommandResult {
  if (found instanceof ToolError) throw found;
  return found;
}
