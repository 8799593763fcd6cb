// keys rotate: gives the product a new signing key. Rule: the old key names the new one, on every host, and every channel file is signed anew at once.
import { resolve } from 'node:path';
import { CHANNEL_MAX_BYTES, parseSignedChannel } from '../../model/channel.ts';
import type { ChannelEdit } from '../../model/channel-edit.ts';
import { ToolError } from '../../model/error.ts';
import type { HostAddress } from '../../model/host.ts';
import {
  KEY_TYPE,
  parseKeyStatement,
  printKeyStatement,
  STATEMENT_MAX_BYTES,
  statementPath,
  verifyKeyStatement,
} from '../../model/key-statement.ts';
import { type PublicKey, parsePublicKey, type SecretKey, signerIdOf } from '../../model/minisign.ts';
import { momentOf } from '../../model/parse.ts';
import type { Signing, TextToPut } from '../../model/plan.ts';
import { signStatement } from '../../model/trusted-comment.ts';
import { observeHeldKey } from '../../observe/held-key.ts';
import { observeSecretKey, readPublished } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { type MirrorFacts, planRotation, type RotationFacts } from '../../plan/rotate-key.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, type FlagTable, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { chooseHosts, type ProductFile, type ReleaseHosts, readProductFile } from './product-file.ts';

const NEW_VARIABLE = 'SLIPWAY_NEW_SECRET_KEY';

export const ROTATE_FLAGS = {
  'new-key': { type: 'string', value: 'FILE', help: `rotate: the new secret key file (default: $${NEW_VARIABLE})` },
  reason: { type: 'string', value: 'TEXT', help: 'rotate: why; it is published' },
} as const satisfies FlagTable;

interface Rotation {
  readonly file: ProductFile;
  readonly hosts: ReleaseHosts;
  readonly old: PublicKey;
  readonly next: PublicKey;
  readonly signing: Signing;
}

/** Carries the change out; run again, it goes on where it was cut off. */
export async function rotateKey(context: Context): Promise<CommandResult> {
  const file = await readProductFile(context);
  await endEarlier(file.root, context, 'keys rotate');
  const rotation = await prepare(context, file);
  const { old, next, hosts, signing } = rotation;
  const texts = await statementOf(context, rotation);
  const facts = await observeHosts(context, rotation, texts);
  const wanted = { id: context.world.random(16).toString('hex'), from: old.keyId, to: next.keyId, texts, signing };
  const planned = planRotation(wanted, facts);
  const carried = await carryOut(planned, context, { root: file.root, operator: await observeSelf(context.file) });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(planned.plan) }, text: planToText(planned.plan) };
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried);
  const lines = [
    `${next.keyId} follows ${old.keyId} on ${hosts.targets.map(({ name }) => name).join(', ')}.`,
    'Into slipway.yaml, under release:',
    `  publicKey: ${next.text}`,
    'From now on sign with the new key; keep the old one until no install is older than this.',
    '',
  ];
  const outcome = carried.outcome === 'nothing' ? 'unchanged' : 'rotated';
  return { fields: { from: old.keyId, to: next.keyId, publicKey: next.text, outcome }, text: lines.join('\n') };
}

/** Both keys, the old one being the product's. Throws E_CONFIG for keys that do not fit. */
async function prepare(context: Context, file: ProductFile): Promise<Rotation> {
  const { publicKey, nextPublicKey } = file.product.release;
  const { flags, world } = context;
  if (publicKey === undefined) {
    throw new ToolError('E_CONFIG', 'the product has no release.publicKey to change', {
      hint: 'A first key needs no rotation: see `keys new`.',
    });
  }
  const named = textFlag(flags, 'new-key');
  const keyFile = named === undefined ? null : resolve(named);
  const held = await observeHeldKey(keyFile, keyFile === null ? { SLIPWAY_SECRET_KEY: world.env[NEW_VARIABLE] } : world.env);
  if (held === undefined) {
    throw new ToolError('E_CONFIG', 'there is no new secret key', {
      hint: `Make one with \`${context.program} keys new --key new.key\`, and name it with --new-key, or put its contents into $${NEW_VARIABLE}.`,
    });
  }
  const [old, next] = [parsePublicKey(publicKey, 'release.publicKey'), parsePublicKey(held)];
  if (nextPublicKey !== undefined && parsePublicKey(nextPublicKey, 'release.nextPublicKey').text !== next.text) {
    throw new ToolError('E_CONFIG', 'the new secret key is not that of release.nextPublicKey', {
      hint: 'Give the announced one, or change the announcement.',
    });
  }
  if (next.text === old.text) {
    throw new ToolError('E_CONFIG', 'the new key is the old one', {
      hint: 'release.publicKey has to be the old key until this has ended.',
    });
  }
  const signing = { publicKey: next.text, keyFile, variable: NEW_VARIABLE, former: old.text };
  return { file, hosts: chooseHosts(context, file), old, next, signing };
}

/** The statement that the authority has already, when it says the same; else a new one. */
async function statementOf(context: Context, { file, hosts, old, next }: Rotation): Promise<readonly TextToPut[]> {
  const { product } = file.product;
  const path = statementPath(old.keyId);
  const secret = await oldSecret(context, old);
  const [there, theirs] = [await readSmall(context, hosts.authority, path), await readSmall(context, hosts.authority, `${path}.minisig`)];
  if (there !== undefined && theirs !== undefined) verifyKeyStatement(there, { product, old, minisig: theirs, where: path });
  if (there !== undefined) refuseOtherStatement(there, path, next);
  const issued = momentOf(context.world.now());
  const fresh = {
    type: KEY_TYPE,
    product,
    old: old.text,
    new: next.text,
    issued,
    reason: textFlag(context.flags, 'reason') ?? null,
  } as const;
  const text = there ?? printKeyStatement(fresh);
  const minisig = signStatement({ role: 'key', product, subject: old.keyId, content: Buffer.from(text) }, secret);
  verifyKeyStatement(text, { product, old, minisig, where: path });
  return [
    { path, text },
    { path: `${path}.minisig`, text: minisig },
  ];
}

/** A statement is for ever, and only what a statement says is ever signed: nothing that somebody wrote beside it. */
function refuseOtherStatement(text: string, path: string, next: PublicKey): void {
  const found = parseKeyStatement(text, path);
  if (found.new === next.text && printKeyStatement(found) === text) return;
  const named = found.new === next.text ? 'says more than a statement' : `names the next key already: ${found.new}`;
  throw new ToolError('E_PUBLISHED_DIFFERS', `${path} ${named}`, {
    hint: 'Installs may follow it by now, so it stays. Take the key that it names; remove the file only if nobody of yours wrote it.',
  });
}

async function oldSecret(context: Context, old: PublicKey): Promise<SecretKey> {
  const key = textFlag(context.flags, 'key');
  const secret = await observeSecretKey({ publicKey: old.text, keyFile: key === undefined ? null : resolve(key) }, context.world.env);
  if (secret === null) throw new TypeError('a product with a key is signed');
  return secret;
}

async function observeHosts(context: Context, { file, hosts, next }: Rotation, texts: readonly TextToPut[]): Promise<RotationFacts> {
  const { authority, targets } = hosts;
  const { product, release } = file.product;
  const channels = Object.keys(release.channels);
  const now = context.world.now();
  const expires = release.expires === null ? null : momentOf(new Date(now.getTime() + release.expires * 1000));
  const edits = (await signedByAnother(context, authority, { channels, next })).map((channel): ChannelEdit => {
    const prereleases = release.channels[channel]?.prerelease !== undefined;
    return { product, channel, release: null, prereleases, issued: momentOf(now), expires };
  });
  const mirrors: MirrorFacts[] = [];
  for (const host of targets.filter(({ name }) => name !== authority.name)) {
    const behind = await signedByAnother(context, host, { channels, next });
    mirrors.push({ host, informed: await hasTexts(context, host, texts), behind });
  }
  return { authority, mirrors, informed: await hasTexts(context, authority, texts), edits };
}

/** The channels of a host whose files another key than the next one signed. */
async function signedByAnother(
  context: Context,
  host: HostAddress,
  { channels, next }: { readonly channels: readonly string[]; readonly next: PublicKey },
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const channel of channels) {
    const path = `channels/${channel}.signed.json`;
    const text = (await readPublished(host, path, { maxBytes: CHANNEL_MAX_BYTES, world: context.world }))?.toString();
    const minisig = text === undefined ? null : parseSignedChannel(text, path).minisig;
    if (minisig !== null && signerIdOf(minisig, path) !== next.keyId) found.push(channel);
  }
  return found;
}

async function hasTexts(context: Context, host: HostAddress, texts: readonly TextToPut[]): Promise<boolean> {
  for (const { path, text } of texts) if ((await readSmall(context, host, path)) !== text) return false;
  return true;
}

async function readSmall(context: Context, host: HostAddress, path: string): Promise<string | undefined> {
  return (await readPublished(host, path, { maxBytes: STATEMENT_MAX_BYTES, world: context.world }))?.toString();
}
