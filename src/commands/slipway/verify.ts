// verify: are these files what the publisher signed? Rule: only reads; says yes for a file only when nothing about it is wrong.
import { readFile } from 'node:fs/promises';
import { systemCode, ToolError } from '../../model/error.ts';
import { type PublicKey, parsePublicKey } from '../../model/minisign.ts';
import { channelOf } from '../../model/tag.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { compareHosts } from '../../observe/host-comparison.ts';
import { type TrustedKeys, type Verification, verifyFile } from '../../observe/verification.ts';
import { type Command, type CommandResult, type Context, isSet, refusePositionals, textFlag } from '../command.ts';
import { chooseHosts, chooseTag, PRODUCT_FLAGS, readProductFile } from './product-file.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'check the signatures and digests of release files, or that all hosts show the same release',
  usage: 'FILE… | --all-hosts',
  flags: {
    key: { type: 'string', value: 'KEY', help: "the publisher's public key, or its file (default: release.publicKey)" },
    'all-hosts': { type: 'boolean', help: 'download a published release from every host, and compare' },
    tag: { type: 'string', value: 'TAG', help: 'with --all-hosts: the release (default: the tag on HEAD)' },
    ...PRODUCT_FLAGS,
  },
  run: async (context) => {
    if (isSet(context.flags, 'all-hosts')) return verifyHosts(context);
    if (context.positionals.length === 0) {
      throw new ToolError('E_USAGE', 'which file?', { hint: 'Give a bundle, a bundle.json, a SHA256SUMS or a channel file.' });
    }
    return resultOf(await verifyFiles(context.positionals, await chooseKey(context)));
  },
};

/** In this order: a key statement that is genuine lets the files after it be signed by the key that it names. */
async function verifyFiles(files: readonly string[], key: PublicKey): Promise<readonly Verification[]> {
  let keys: TrustedKeys = [{ key, product: null }];
  const found: Verification[] = [];
  for (const file of files) {
    const one = await verifyFile(file, keys);
    found.push(one);
    if (one.leadsTo !== undefined) keys = [...keys, one.leadsTo];
  }
  return found;
}

async function verifyHosts(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const file = await readProductFile(context);
  const { product, root } = file;
  const { tag, version } = chooseTag(context, product, await observeCheckout(root, context.world));
  const channel = channelOf(product.release.channels, version);
  if (channel === undefined) throw new ToolError('E_USAGE', `no channel takes ${version}`, { hint: 'See `release.channels`.' });
  const { authority, targets } = chooseHosts(context, file);
  const publicKey = product.release.publicKey ?? null;
  const request = { authority, hosts: targets, product: product.product, channel, tag, publicKey };
  const hosts = await compareHosts(request, context.world);
  const wrong = hosts.filter(({ verified }) => !verified);
  const fields = { tag, version, verified: wrong.length === 0, hosts, problems: wrong.flatMap(({ problems }) => problems) };
  const text = hosts.map(
    ({ name, location }) => `${name}: ${tag} is the same, read from ${location ?? 'nowhere: installs do not read it'}\n`,
  );
  if (wrong.length === 0) return { fields, text: text.join('') };
  const lines = wrong.flatMap(({ name, problems }) => problems.map((problem) => `\n  ${name}: ${problem}`));
  throw new ToolError('E_DIGEST', `${wrong.length} of ${hosts.length} hosts do not show ${tag} as the authority has it:${lines.join('')}`, {
    hint: `Publish it again to mend what is missing: \`slipway publish --tag ${tag}\`.`,
    details: fields,
  });
}

async function chooseKey(context: Context): Promise<PublicKey> {
  const given = textFlag(context.flags, 'key');
  if (given !== undefined) return parsePublicKey(await textOf(given), '--key');
  const { publicKey } = (await readProductFile(context)).product.release;
  if (publicKey !== undefined) return parsePublicKey(publicKey, 'release.publicKey');
  throw new ToolError('E_UNSIGNED', 'this product has no key, so nothing of it can be verified', {
    hint: 'Give the key with --key, or make one: `slipway keys new`.',
  });
}

/** The key itself, or what the file of this name holds. */
async function textOf(given: string): Promise<string> {
  if (/^RW[A-Za-z0-9+/=]{54}$/.test(given)) return given;
  try {
    return await readFile(given, 'utf8');
  } catch (cause) {
    throw new ToolError('E_USAGE', `--key: ${JSON.stringify(given)} is neither a public key nor a file (${systemCode(cause)})`, {
      cause,
      hint: 'A public key is one line of 56 characters that starts with RW.',
    });
  }
}

/** The first file that is wrong makes the result; every file is in `files`. */
function resultOf(found: readonly Verification[]): CommandResult {
  const files = found.map(fieldsOf);
  const wrong = found.find(({ verified }) => !verified);
  const [shown] = files.filter(({ verified }) => verified === (wrong === undefined));
  const fields = { ...shown, ...(files.length > 1 ? { files } : {}) };
  if (wrong === undefined) {
    const text = found.map(({ file, key }) => `${file}: verified, signed by ${key}\n`).join('');
    return { fields, text };
  }
  const [problem] = wrong.problems;
  const more = wrong.problems.slice(1).map(({ message }) => `\n${message}`);
  throw new ToolError(problem?.code ?? 'E_SIGNATURE', `not verified: ${problem?.message ?? wrong.file}${more.join('')}`, {
    ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
    details: fields,
  });
}

function fieldsOf({ file, verified, key, problems }: Verification): Readonly<Record<string, unknown>> & { readonly verified: boolean } {
  return { file, verified, key, problems: problems.map(({ code, message, hint }) => ({ code, message, hint: hint ?? null })) };
}
