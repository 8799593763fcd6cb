// Where releases come from, as a command line says it before there is an install. Rule: whom to trust is said by the caller, never by the files that are to be trusted.
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { parseManifest, parseProductName } from '../../model/manifest.ts';
import { parsePublicKey } from '../../model/minisign.ts';
import type { Trust } from '../../model/trust.ts';
import { readText } from '../../observe/install.ts';
import { type Context, type FlagTable, textFlag, textFlags } from '../command.ts';

export const SOURCE_FLAGS = {
  releases: { type: 'string', value: 'PLACE', multiple: true, help: 'where releases are: a URL or a folder; several are tried in order' },
  product: { type: 'string', value: 'NAME', help: 'the product' },
  channel: { type: 'string', value: 'NAME', help: 'the channel to follow (stable)' },
  key: { type: 'string', value: 'KEY', help: 'the minisign public key of the product' },
  cli: { type: 'string', value: 'NAME', help: 'what this command is called' },
  title: { type: 'string', value: 'TEXT', help: 'what the product is called' },
  'accept-expired': { type: 'boolean', help: 'take a channel file that has expired' },
} as const satisfies FlagTable;

export interface WantedSource {
  readonly product: string;
  readonly locations: readonly string[];
  readonly channel: string;
  readonly trust: Trust;
}

/** The product of the command line. Throws E_USAGE. */
export function wantedProduct({ flags }: Context, command: string): string {
  const product = textFlag(flags, 'product');
  if (product === undefined) throw missingFlag('product', command);
  return parseProductName(product, '--product');
}

/** Where its releases are, and by which key. Throws E_USAGE; a product without a key is told. */
export function wantedSource({ flags, world }: Context, product: string, command: string): WantedSource {
  const locations = textFlags(flags, 'releases');
  if (locations.length === 0) throw missingFlag('releases', command);
  const key = textFlag(flags, 'key') ?? '';
  if (key === '')
    world.report({
      type: 'warning',
      text: 'this product is not signed: nobody can tell who made it',
      hint: 'Ask its maintainer for a key.',
    });
  const trust = { key: key === '' ? null : parsePublicKey(key, '--key').text, signed: key !== '', sequences: {} };
  return { product, locations, channel: textFlag(flags, 'channel') ?? 'stable', trust };
}

/** The same for a folder that holds an unpacked bundle, which says all but the key. Throws E_USAGE. */
export async function wantedOfFolder(context: Context, root: string): Promise<WantedSource> {
  const text = await readText(join(root, 'bundle.json'));
  if (text === undefined) return wantedSource(context, wantedProduct(context, 'adopt'), 'adopt');
  const { product, hosts, channel } = parseManifest(text, join(root, 'bundle.json'));
  const { flags } = context;
  const isSigned = (await readText(join(root, 'bundle.json.minisig'))) !== undefined;
  if (isSigned && textFlag(flags, 'key') === undefined) throw missingFlag('key', 'adopt');
  const given = textFlags(flags, 'releases');
  const told = { ...flags, releases: given.length > 0 ? given : hosts, channel: textFlag(flags, 'channel') ?? channel };
  return wantedSource({ ...context, flags: told }, parseProductName(textFlag(flags, 'product') ?? product, '--product'), 'adopt');
}

function missingFlag(name: string, command: string): ToolError {
  return new ToolError('E_USAGE', `${command}: --${name} is missing`, { hint: 'Use the install.sh of the product: it knows them all.' });
}
