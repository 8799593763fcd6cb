// What an install believes, and the checks of what it fetches. Rule: a signature is verified before a byte of its content is parsed; each refusal has its name.
import { type Channel, type ChannelRelease, parseChannel, parseSignedChannel } from './channel.ts';
import { type Digest, digestOf } from './digest.ts';
import { ToolError } from './error.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { parsePublicKey, signerIdOf } from './minisign.ts';
import { verifySigned } from './trusted-comment.ts';

/** What an install remembers (contract: install.json, `trust`). */
export interface Trust {
  /** The minisign public key; null for a product that is not signed. */
  readonly key: string | null;
  /** The keys that led to this one, the first first: releases of that time are signed by them. */
  readonly former?: readonly string[];
  /** True once a signature was seen; unsigned files are refused from then on. */
  readonly signed: boolean;
  /** The highest sequence seen, by `<key id>/<channel>`. */
  readonly sequences: Readonly<Record<string, number>>;
  /** The digest of the payload that had it, by the same names. */
  readonly payloads?: Readonly<Record<string, Digest>>;
}

export interface ChannelExpectation {
  readonly product: string;
  readonly channel: string;
  readonly trust: Trust;
  readonly now: Date;
  /** Where the text came from, for messages. */
  readonly where: string;
  /** Takes an expired file, and says so in `expired`. */
  readonly acceptExpired?: boolean;
}

export interface VerifiedChannel {
  readonly channel: Channel;
  readonly payload: string;
  /** null when it is not signed. */
  readonly keyId: string | null;
  readonly expired: boolean;
  /** What to remember once this file was acted upon. */
  readonly trust: Trust;
}

export interface ManifestExpectation {
  readonly product: string;
  readonly release: ChannelRelease;
  readonly trust: Pick<Trust, 'key' | 'signed' | 'former'>;
}

/**
 * Verifies the text of a channel file. Throws E_UNSIGNED, E_SIGNATURE, E_WRONG_TYPE, E_WRONG_PRODUCT, E_OLDER_SEQUENCE, E_EQUIVOCATION,
 * E_EXPIRED or E_FORMAT; design §5.
 */
export function verifyChannel(text: string, expected: ChannelExpectation): VerifiedChannel {
  const { product, channel: name, trust, where } = expected;
  const { payload, minisig } = parseSignedChannel(text, where);
  const statement = { role: 'channel', product, subject: name, content: Buffer.from(payload) } as const;
  const keyId = checkSignature(statement, minisig, trust, where);
  const channel = parseChannel(payload, where);
  if (channel.product !== product || channel.channel !== name) {
    throw wrongProduct(where, `${channel.product} ${channel.channel}`, `${product} ${name}`);
  }
  const [remembered = '', ...former] = namesOf(keyId, name, trust);
  refuseOlder({ channel, payload, names: [remembered, ...former] }, trust, where);
  const expired = channel.expires !== null && Date.parse(channel.expires) <= expected.now.getTime();
  if (expired && expected.acceptExpired !== true) throw expiredError(channel, expected.now, where);
  return { channel, payload, keyId, expired, trust: remember(trust, remembered, { channel, payload, keyId }) };
}

/** Verifies a bundle.json against its signature and the channel file's entry. Throws E_UNSIGNED, E_SIGNATURE, E_WRONG_PRODUCT, E_DIGEST, E_FORMAT. */
export function verifyManifest(content: Uint8Array, minisig: string | null, expected: ManifestExpectation): Manifest {
  const { product, release, trust } = expected;
  const where = `bundle.json of ${release.tag}`;
  checkSignature({ role: 'bundle', product, subject: release.version, content }, minisig, signerOf(minisig, trust, where), where);
  if (digestOf(content) !== release.manifest) throw mixed(where, 'manifest');
  const manifest = parseManifest(Buffer.from(content).toString(), where);
  if (manifest.product !== product) throw wrongProduct(where, manifest.product, product);
  if (manifest.version !== release.version) throw mixed(where, 'version');
  if (manifest.operator !== release.operator) throw mixed(where, 'operator program');
  return manifest;
}

type Statement = Parameters<typeof verifySigned>[0];

/** The id of the key that signed, or null when nothing is signed and nothing has to be. */
function checkSignature(
  statement: Omit<Statement, 'signature' | 'publicKey'>,
  signature: string | null,
  trust: Pick<Trust, 'key' | 'signed'>,
  where: string,
): string | null {
  if (trust.key === null && !trust.signed) return null;
  if (signature === null) {
    throw new ToolError('E_UNSIGNED', `${where}: it is not signed, and ${statement.product} is`, {
      hint: 'Somebody may have replaced it. Ask the vendor; nothing unsigned is taken again.',
    });
  }
  if (trust.key === null) {
    throw new ToolError('E_SIGNATURE', `${where}: there is no key to check its signature with`, {
      hint: 'Give the key of the vendor with `trust --key`.',
    });
  }
  return verifySigned({ ...statement, signature, publicKey: parsePublicKey(trust.key, 'trusted key') }).keyId;
}

/** The key of the chain that a file of this time is signed with; the present one where none fits. */
function signerOf(minisig: string | null, trust: Pick<Trust, 'key' | 'signed' | 'former'>, where: string): Pick<Trust, 'key' | 'signed'> {
  if (minisig === null || trust.key === null) return trust;
  const id = signerIdOf(minisig, where);
  const key = trust.former?.find((each) => parsePublicKey(each, 'former key').keyId === id) ?? trust.key;
  return { key, signed: trust.signed };
}

/** What sequences of this file are remembered as, by the present key first. A change of keys goes on counting, so an older state by a newer key is a rollback too. */
function namesOf(keyId: string | null, channel: string, { former = [] }: Trust): readonly string[] {
  const formerIds = keyId === null ? [] : former.map((key) => parsePublicKey(key, 'former key').keyId);
  return [keyId ?? 'unsigned', ...formerIds].map((id) => `${id}/${channel}`);
}

interface Seen {
  readonly channel: Channel;
  readonly payload: string;
  readonly names: readonly string[];
}

function refuseOlder({ channel, payload, names }: Seen, trust: Trust, where: string): void {
  const highest = Math.max(...names.map((name) => trust.sequences[name] ?? -1));
  if (channel.sequence > highest) return;
  if (channel.sequence < highest) {
    throw new ToolError('E_OLDER_SEQUENCE', `${where}: its sequence is ${channel.sequence}, and ${highest} was seen before`, {
      hint: 'This host shows an old state: a mirror that lags, or somebody who hides a release. Try another host.',
      details: { sequence: channel.sequence, seen: highest },
    });
  }
  const known = names.filter((name) => trust.sequences[name] === highest).map((name) => trust.payloads?.[name]);
  if (known.every((digest) => digest === undefined || digest === digestOf(payload))) return;
  throw new ToolError('E_EQUIVOCATION', `${where}: its sequence ${channel.sequence} was seen before with other content`, {
    hint: 'Two files claim to be the same state. Do not install from here; tell the vendor.',
    details: { sequence: channel.sequence },
  });
}

function remember(trust: Trust, name: string, seen: Pick<VerifiedChannel, 'channel' | 'payload' | 'keyId'>): Trust {
  return {
    ...trust,
    signed: trust.signed || seen.keyId !== null,
    sequences: { ...trust.sequences, [name]: seen.channel.sequence },
    payloads: { ...trust.payloads, [name]: digestOf(seen.payload) },
  };
}

function expiredError(channel: Channel, now: Date, where: string): ToolError {
  const days = Math.floor((now.getTime() - Date.parse(channel.expires ?? '')) / 86_400_000);
  const age = days === 0 ? 'today' : days === 1 ? 'a day ago' : `${days} days ago`;
  return new ToolError('E_EXPIRED', `${where}: it expired ${age} (${channel.expires}; issued ${channel.issued})`, {
    hint: "Check this machine's clock. Otherwise the vendor has to renew it, or somebody hides newer releases; --accept-expired takes it all the same.",
    details: { issued: channel.issued, expires: channel.expires, expiredDays: days },
  });
}

function wrongProduct(where: string, found: string, expected: string): ToolError {
  return new ToolError('E_WRONG_PRODUCT', `${where}: it is ${found}, expected ${expected}`, {
    hint: 'Is the release location that of this product?',
  });
}

function mixed(where: string, what: string): ToolError {
  return new ToolError('E_DIGEST', `${where}: its ${what} is not the one the channel file names`, {
    hint: 'Files of different releases are mixed on this host. Try another host, or tell the vendor.',
  });
}
