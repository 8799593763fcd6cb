// SHA256SUMS: the digests of a release's assets, for people. Rule: `sha256sum -c` reads it, and its first line names product and version.
import { type Digest, digestFromHex, hexOf } from './digest.ts';
import { ToolError } from './error.ts';
import { parseFileName } from './manifest.ts';

export const SUMS_ASSET = 'SHA256SUMS';

export interface Sums {
  readonly product: string;
  readonly version: string;
  /** By asset name. */
  readonly digests: ReadonlyMap<string, Digest>;
}

/** The text of the file: `# product version`, then the assets sorted by name. */
export function printSums({ product, version, digests }: Sums): string {
  const lines = [...digests].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, digest]) => `${hexOf(digest)}  ${name}\n`);
  return `# ${product} ${version}\n${lines.join('')}`;
}

/** Parses the text; throws E_FORMAT naming the line. */
export function parseSums(text: string, where: string): Sums {
  const [first = '', ...lines] = text.replace(/\n$/, '').split('\n');
  const [, product, version] = /^# (\S+) (\S+)$/.exec(first) ?? [];
  if (product === undefined || version === undefined) throw refusal(`${where}:1`, '# <product> <version>');
  const digests = new Map<string, Digest>();
  lines.forEach((line, index) => {
    const [, hex, name] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (hex === undefined) throw refusal(`${where}:${index + 2}`, '<sha256 in hex>  <name>');
    digests.set(parseFileName(name, `${where}:${index + 2}`), digestFromHex(hex));
  });
  return { product, version, digests };
}

function refusal(where: string, expected: string): ToolError {
  return new ToolError('E_FORMAT', `${where}: expected ${JSON.stringify(expected)}`, { hint: 'The file may be damaged; fetch it again.' });
}
