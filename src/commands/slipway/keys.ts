// keys: makes the key that signs releases, and shows its public half. Rule: the secret half is written once, for its owner alone, and never shown.
import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { createDurably } from '../../apply/durable.ts';
import { systemCode, ToolError } from '../../model/error.ts';
import { generateKeyPair, type PublicKey, parsePublicKey, parseSecretKey } from '../../model/minisign.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isSet, textFlag } from '../command.ts';
import { ROTATE_FLAGS, rotateKey } from './keys-rotate.ts';
import { HOST_FLAGS, PRODUCT_FLAGS } from './product-file.ts';

const DEFAULT_FILE = 'slipway.key';

export const keys: Command = {
  name: 'keys',
  summary: 'make the signing key, show its public half, or change it',
  usage: 'new | show | rotate',
  flags: {
    key: { type: 'string', value: 'FILE', help: `the secret key file (default ${DEFAULT_FILE})` },
    ...ROTATE_FLAGS,
    ...HOST_FLAGS,
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    const [verb, ...rest] = context.positionals;
    if (rest.length === 0 && verb === 'new') return newKey(context);
    if (rest.length === 0 && verb === 'show') return showKey(context);
    if (rest.length === 0 && verb === 'rotate') return rotateKey(context);
    throw new ToolError('E_USAGE', 'keys new, keys show, or keys rotate?', { hint: `See \`${context.program} keys --help\`.` });
  },
};

async function newKey(context: Context): Promise<CommandResult> {
  const named = textFlag(context.flags, 'key') ?? DEFAULT_FILE;
  if (isSet(context.flags, 'plan') || isSet(context.flags, 'dry-run')) {
    const steps = [{ kind: 'write-file', why: 'a new secret key, for its owner alone', path: named, mode: 0o600 }];
    return { fields: { plan: { command: 'keys new', steps, notes: [] } }, text: `writes ${named} (0600)\n` };
  }
  const pair = generateKeyPair(context.world.random);
  const { text: publicKey, keyId } = parsePublicKey(pair.publicKeyText);
  if (!(await createKeyFile(named, pair.secretKeyText, context))) {
    throw new ToolError('E_CONFLICT', `${named} exists already`, {
      hint: 'A secret key is never overwritten: installs trust it. Name another file with --key FILE.',
    });
  }
  const lines = [
    `The secret key is in ${named}. Keep it out of the repository and make a copy: without it nobody can sign for your installs.`,
    `In CI: put its contents into $SLIPWAY_SECRET_KEY.`,
    `Into slipway.yaml, under release:`,
    `  publicKey: ${publicKey}`,
    '',
  ];
  return { fields: { file: relative('', resolve(named)), publicKey, keyId }, text: lines.join('\n') };
}

async function createKeyFile(named: string, text: string, context: Context): Promise<boolean> {
  try {
    return await createDurably(resolve(named), text, context.world.random(6).toString('hex'));
  } catch (cause) {
    throw new ToolError('E_USAGE', `cannot write ${named} (${systemCode(cause)})`, { cause, hint: 'Name a file in a folder that exists.' });
  }
}

async function showKey(context: Context): Promise<CommandResult> {
  const { text, keyId } = await readPublicKey(context);
  return { fields: { publicKey: text, keyId }, text: `${text}\n` };
}

async function readPublicKey(context: Context): Promise<PublicKey> {
  const named = textFlag(context.flags, 'key');
  const fromEnvironment = context.world.env.SLIPWAY_SECRET_KEY;
  if (named === undefined && fromEnvironment !== undefined && fromEnvironment.trim() !== '') {
    return parseSecretKey(fromEnvironment, '$SLIPWAY_SECRET_KEY').publicKey;
  }
  const file = named ?? DEFAULT_FILE;
  try {
    return parseSecretKey(await readFile(file, 'utf8'), file).publicKey;
  } catch (cause) {
    if (cause instanceof ToolError) throw cause;
    throw new ToolError('E_CONFIG', `cannot read ${file} (${systemCode(cause)})`, {
      cause,
      hint: 'Name the file with --key, or make one: `slipway keys new`.',
    });
  }
}
