// trust: whose signature this install believes, decided by a person. Rule: only a person's own word replaces a key that was lost or stolen; every other change is followed by itself.
import { type Digest, digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { printInstall, withOperation } from '../../model/install.ts';
import { parsePublicKey } from '../../model/minisign.ts';
import { momentOf } from '../../model/parse.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeSelf } from '../../observe/self.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, refusePositionals, textFlag } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { planRecord } from './hold.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  key: { type: 'string', value: 'K', help: 'the public key to trust from now on, as the vendor published it' },
  ...CHANGING_FLAGS,
} as const satisfies FlagTable;

export const trust: Command = {
  name: 'trust',
  summary: 'Shows whose signature is trusted, or trusts another key from now on.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  const { record } = await observeInstall(root);
  const given = textFlag(context.flags, 'key');
  const old = record.trust.key === null ? null : parsePublicKey(record.trust.key, 'trusted key');
  if (given === undefined) {
    const text = old === null ? 'no key is trusted: this product is not signed\n' : `${old.keyId}  ${old.text}\n`;
    return { fields: { key: old?.text ?? null, keyId: old?.keyId ?? null }, text };
  }
  const next = parseGiven(given);
  if (next.text === old?.text)
    return { fields: { key: next.text, keyId: next.keyId, outcome: 'unchanged' }, text: 'that key is trusted already\n' };
  await refuseOpenJournal(root, context.world);
  const id = `trust-${context.world.random(8).toString('hex')}`;
  const operation = {
    id,
    command: 'trust',
    from: record.version,
    to: record.version,
    outcome: 'trusted',
    at: momentOf(context.world.now()),
  };
  const changed = { ...record, trust: { ...record.trust, key: next.text, former: [], signed: true } };
  const planned = planRecord(withOperation(changed, operation), {
    id,
    command: 'trust',
    basedOn: digestOf(printInstall(record)),
    why: `${next.keyId} takes the place of ${old?.keyId ?? 'no key'}: nothing that the former signed is taken from now on`,
  });
  const recheck = async (): Promise<Digest> => digestOf(printInstall((await observeInstall(root)).record));
  const carried = await carryOut(planned, context, { root, recheck, operator: await observeSelf(context.file), program: context.file });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(planned.plan) }, text: planToText(planned.plan) };
  throwUnlessDone(carried);
  return { fields: { key: next.text, keyId: next.keyId, outcome: 'trusted' }, text: `${next.keyId} is trusted from now on\n` };
}

function parseGiven(text: string): ReturnType<typeof parsePublicKey> {
  try {
    return parsePublicKey(text, '--key');
  } catch (cause) {
    if (!(cause instanceof ToolError)) throw cause;
    throw new ToolError('E_USAGE', cause.message, { cause, ...(cause.hint === undefined ? {} : { hint: cause.hint }) });
  }
}
