// verify: are these files what the publisher signed? Rule: only reads; says yes for a file only when nothing about it is wrong.
import { readFile } from 'node:fs/promises';
import { systemCode, ToolError } from '../../model/error.ts';
import { type PublicKey, parsePublicKey } from '../../model/minisign.ts';
import { type Verification, verifyFile } from '../../observe/verification.ts';
import { type Command, type CommandResult, type Context, textFlag } from '../command.ts';
import { PRODUCT_FLAGS, readProductFile } from './product-file.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'check the signatures and digests of release files',
  usage: 'FILE…',
  flags: {
    key: { type: 'string', value: 'KEY', help: "the publisher's public key, or its file (default: release.publicKey)" },
    ...PRODUCT_FLAGS,
  },
  run: async (context) => {
    if (context.positionals.length === 0) {
      throw new ToolError('E_USAGE', 'which file?', { hint: 'Give a bundle, a bundle.json, a SHA256SUMS or a channel file.' });
    }
    const key = await chooseKey(context);
    const found: Verification[] = [];
    for (const file of context.positionals) found.push(await verifyFile(file, key));
    return resultOf(found);
  },
};

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
