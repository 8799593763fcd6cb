// install.sh, rendered for one release. Rule: every value becomes one quoted shell word, and what a terminal or a shell could misread is refused.
import { parseTag } from './channel.ts';
import { type Digest, hexOf, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { parseFileName, parseProductName } from './manifest.ts';
import type { PublicKey } from './minisign.ts';
import { parseCount } from './parse.ts';
import type { Runtime } from './runtime.ts';

/** What is built into an install.sh. The first six fields and `operator` are those of the release's manifest. */
export interface InstallerFacts {
  readonly product: string;
  readonly title: string;
  readonly cli: string;
  readonly version: string;
  readonly tag: string;
  readonly channel: string;
  /** The digest of operator.js. */
  readonly operator: Digest;
  /** The bytes of operator.js. */
  readonly operatorSize: number;
  /** Where releases are, tried in this order: https addresses, http ones of this very host, file:// addresses, absolute folders. */
  readonly locations: readonly string[];
  /** As `parsePublicKey` gives it; null for an unsigned product. */
  readonly key: Pick<PublicKey, 'text' | 'keyId'> | null;
  /** What hosts without a suitable Node.js fetch; none = they are told what is missing. All of one Node.js version. */
  readonly runtimes?: readonly Runtime[];
}

/**
 * The text of install.sh: every `@NAME@` of the template replaced once by its quoted value. Throws E_CONFIG naming the value that cannot
 * be in a script, and E_TEMPLATE when the template and the values do not match.
 */
export function renderInstaller(template: string, facts: InstallerFacts): string {
  const values = installerValues(facts);
  const unused = new Set(Object.keys(values));
  const text = template.replace(/@([A-Z][A-Z0-9_]*)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined)
      throw new ToolError('E_TEMPLATE', `install.sh: @${name}@ has no value`, { hint: 'Remove it from the template.' });
    unused.delete(name);
    return value;
  });
  if (unused.size === 0) return text;
  throw new ToolError('E_TEMPLATE', `install.sh: the template lacks @${[...unused].join('@, @')}@`, {
    hint: 'Take the template that belongs to this tool.',
  });
}

/** The value as one word of a POSIX shell. Throws E_CONFIG when it holds control characters; `where` names it in the error. */
export function quoteForShell(value: string, where: string): string {
  // Besides control characters: lone surrogates, line separators and the marks that make text read in another order than it is.
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(value)) {
    throw new ToolError('E_CONFIG', `${where}: ${JSON.stringify(value)} holds control characters`, {
      hint: 'Use printable text on one line.',
    });
  }
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function installerValues(facts: InstallerFacts): Readonly<Record<string, string>> {
  const plain = {
    PRODUCT: parseProductName(facts.product, 'product'),
    TITLE: parseTitle(facts.title),
    CLI: parseFileName(facts.cli, 'cli'),
    VERSION: parseFileName(facts.version, 'version'),
    CHANNEL: parseFileName(facts.channel, 'channel'),
    TAG: parseTag(facts.tag, 'tag'),
    OPERATOR_SIZE: String(parseCount(facts.operatorSize, 'operatorSize')),
    OPERATOR_SHA256: hexOf(parseDigest(facts.operator, 'operator')),
    PUBLIC_KEY: facts.key?.text ?? '',
    KEY_ID: facts.key?.keyId ?? '',
    ...runtimeValues(facts.runtimes ?? []),
  };
  const quoted = Object.entries(plain).map(([name, value]) => [name, quoteForShell(value, name)]);
  const locations = facts.locations.map((location) => quoteForShell(parseLocation(location), 'release location'));
  return { ...Object.fromEntries(quoted), LOCATIONS: locations.join(' ') };
}

/** Each kind of machine has one word: name, size and digest of what is fetched, size and digest of what it unpacks to. */
function runtimeValues(runtimes: readonly Runtime[]): Readonly<Record<string, string>> {
  const wordsOf = (os: string, arch: string): string => {
    const found = runtimes.find((each) => each.os === os && each.arch === arch);
    if (found === undefined) return '';
    return [parseFileName(found.name, 'runtime'), found.size, hexOf(found.sha256), found.program.size, hexOf(found.program.sha256)].join(
      ' ',
    );
  };
  const [first] = runtimes;
  return {
    RUNTIME_NODE: first === undefined ? '' : parseFileName(first.node, 'runtime'),
    RUNTIME_TAG: first === undefined ? '' : parseTag(first.tag, 'runtime'),
    RUNTIME_LINUX_X64: wordsOf('linux', 'x64'),
    RUNTIME_LINUX_ARM64: wordsOf('linux', 'arm64'),
  };
}

/** A title is an argument of the operator program, so it must not look like an option. */
function parseTitle(title: string): string {
  if (title.trim() !== '' && !title.startsWith('-')) return title;
  throw new ToolError('E_CONFIG', `title: ${JSON.stringify(title)} cannot be a title`, { hint: 'Start it with a letter or a digit.' });
}

function parseLocation(location: string): string {
  if (/^(\/|file:\/\/\/)/.test(location) && !/^file:.*%/.test(location)) return location;
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url?.hostname ?? '');
  const scheme = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback);
  const bare = /^https?:\/\/[^\s?#\\@]+$/.test(location);
  if (scheme && bare) return location;
  throw new ToolError('E_CONFIG', `release location: install.sh cannot fetch from ${JSON.stringify(withoutUser(location))}`, {
    hint: 'Use an https address without user, password, query or fragment (plain http only for this very host), or an absolute folder.',
  });
}

function withoutUser(location: string): string {
  return location.replace(/\/\/[^/]*@/, '//…@');
}
