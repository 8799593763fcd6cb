// Checks files of a release without installing anything. Rule: the signature first; then everything that it covers, each problem by its name.
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { CHANNEL_MAX_BYTES, parseChannel, parseSignedChannel } from '../model/channel.ts';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { parseKeyStatement, verifyKeyStatement } from '../model/key-statement.ts';
import { type Manifest, type ManifestFile, parseManifest } from '../model/manifest.ts';
import { type PublicKey, parsePublicKey, signerIdOf, verify } from '../model/minisign.ts';
import { parseSums } from '../model/sums.ts';
import { type SignedRole, verifySigned } from '../model/trusted-comment.ts';
import { isThere, measureFile, readBounded } from '../world/folder-files.ts';
import { DEFAULT_LIMITS, TAIL_NAMES } from '../world/tarball.ts';
import { readEntries } from '../world/tarball-read.ts';
import { walkTarball } from '../world/tarball-walk.ts';

const MOST_TEXT_BYTES = 16 * 1024 * 1024;
const MOST_SIGNATURE_BYTES = 4096;
const [MANIFEST = '', SIGNATURE = ''] = TAIL_NAMES;

export interface Verification {
  readonly file: string;
  readonly verified: boolean;
  /** The id of the key that it was checked with. */
  readonly key: string;
  readonly problems: readonly ToolError[];
  /** The key that a genuine key statement names as the next one. */
  readonly leadsTo?: TrustedKey;
}

/** A key to verify with: a person's choice, or one that a statement led to, for that product alone. */
export interface TrustedKey {
  readonly key: PublicKey;
  /** null = any. */
  readonly product: string | null;
}

/** The keys that count, the person's own first. */
export type TrustedKeys = readonly [TrustedKey, ...TrustedKey[]];

/** What is signed, by its own comment; genuine when this exists. */
interface Genuine {
  readonly key: PublicKey;
  readonly signature: string;
  readonly role: SignedRole;
  readonly product: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Verifies a bundle archive, or a bundle.json, SHA256SUMS, key statement or channel file with its signature beside or inside it. The files that
 * SHA256SUMS names are checked where they lie beside it. What is wrong is a problem; a file that cannot be read throws E_USAGE.
 */
export async function verifyFile(file: string, keys: TrustedKeys): Promise<Verification> {
  if (!(await isThere(file))) throw new ToolError('E_USAGE', `there is no file ${file}`, { hint: 'Give the path of a file.' });
  const { genuine, problems } = await check(file, keys);
  const verified = problems.length === 0;
  const found = { file, verified, key: (genuine?.key ?? keys[0].key).keyId, problems };
  return verified && genuine?.role === 'key' ? { ...found, leadsTo: leadOf(genuine, file) } : found;
}

function leadOf({ text, product }: Genuine, file: string): TrustedKey {
  return { key: parsePublicKey(parseKeyStatement(text, file).new), product };
}

interface Checked {
  readonly genuine?: Genuine;
  readonly problems: readonly ToolError[];
}

async function check(file: string, keys: TrustedKeys): Promise<Checked> {
  try {
    if (/\.(tar\.gz|tgz)$/.test(file)) return await checkArchive(file, keys);
    if (file.endsWith('.signed.json')) return await checkChannelFile(file, keys);
    return await checkSigned(file, keys);
  } catch (error) {
    if (error instanceof ToolError) return { problems: [error] }; // a refusal is what was asked for
    throw error;
  }
}

async function checkArchive(file: string, keys: TrustedKeys): Promise<Checked> {
  const entries = await readEntries({ file, names: TAIL_NAMES, maxBytes: MOST_TEXT_BYTES });
  const content = entries.get(MANIFEST);
  if (content === undefined)
    throw new ToolError('E_ARCHIVE', `${file} holds no ${MANIFEST}`, { hint: 'Is it a bundle that `slipway pack` made?' });
  const genuine = authenticate({ file, content, signature: entries.get(SIGNATURE)?.toString(), keys });
  const manifest = manifestOf(genuine, file);
  const found = await walkArchive(file, manifest.product);
  const wanted = new Map(manifest.files.map((entry) => [entry.path, entry]));
  const differing = [...wanted.values()].flatMap((entry) => differenceOf(found.files.get(entry.path), entry));
  const extra = [...found.files.keys()].filter((path) => !wanted.has(path)).map((path) => `${path} is not in the manifest`);
  const tar = found.tarSha256 === manifest.artifact.tarSha256 ? [] : ['the whole archive has another digest'];
  const wrong = [...differing, ...extra, ...tar];
  return { genuine, problems: wrong.map((what) => new ToolError('E_DIGEST', `${file}: ${what}`, { hint: 'Fetch it again.' })) };
}

type Found = Pick<ManifestFile, 'mode' | 'size' | 'sha256'>;

async function walkArchive(file: string, top: string): Promise<{ readonly files: ReadonlyMap<string, Found>; readonly tarSha256: Digest }> {
  const files = new Map<string, Found>();
  const { tarSha256 } = await walkTarball({
    file,
    top,
    limits: DEFAULT_LIMITS,
    visit: async ({ kind, path, mode, size }, content) => {
      if (kind === 'folder' || TAIL_NAMES.includes(path)) return;
      const hash = createHash('sha256');
      for await (const chunk of content) hash.update(chunk);
      files.set(path, { mode: mode === 0o755 ? '0755' : '0644', size, sha256: digestFromHex(hash.digest('hex')) });
    },
  });
  return { files, tarSha256 };
}

function differenceOf(found: Found | undefined, { path, mode, sha256 }: ManifestFile): string[] {
  if (found === undefined) return [`${path} is missing`];
  if (found.sha256 !== sha256) return [`${path} has other content`];
  return found.mode === mode ? [] : [`${path} has the mode ${found.mode}, not ${mode}`];
}

async function checkChannelFile(file: string, keys: TrustedKeys): Promise<Checked> {
  const { payload, minisig } = parseSignedChannel((await readText(file, CHANNEL_MAX_BYTES)).toString(), file);
  const genuine = authenticate({ file, content: Buffer.from(payload), signature: minisig ?? undefined, keys });
  return { genuine, problems: await checkContent(genuine, file) };
}

async function checkSigned(file: string, keys: TrustedKeys): Promise<Checked> {
  const content = await readText(file, MOST_TEXT_BYTES);
  const signature = await readBounded(`${file}.minisig`, MOST_SIGNATURE_BYTES);
  const genuine = authenticate({ file, content, signature: signature?.toString(), keys });
  return { genuine, problems: await checkContent(genuine, file) };
}

interface Claim {
  readonly file: string;
  readonly content: Buffer;
  readonly signature: string | undefined;
  readonly keys: TrustedKeys;
}

/** Verifies the signature; role, product and subject are then those that the signed comment names. */
function authenticate({ file, content, signature, keys }: Claim): Genuine {
  if (signature === undefined) {
    throw new ToolError('E_UNSIGNED', `${file} has no signature`, { hint: 'Its .minisig belongs beside it; get both from the publisher.' });
  }
  const signer = signerIdOf(signature, file);
  const { key, product: only } = keys.find((trusted) => trusted.key.keyId === signer) ?? keys[0];
  const { trustedComment } = verify(content, signature, key, file);
  const [, role = '', product = '', subject = ''] = trustedComment.split(' ');
  verifySigned({ role: role as SignedRole, product, subject, content, signature, publicKey: key });
  const genuine = { key, signature, role: role as SignedRole, product, subject, text: content.toString() };
  if (only === null || only === product) return genuine;
  throw new ToolError('E_WRONG_PRODUCT', `${file}: it is of ${product}, and the statement that led to its key is of ${only}`, {
    hint: 'Verify the files of each product on their own.',
  });
}

/** What the content says about itself must be what it was signed as. */
async function checkContent(genuine: Genuine, file: string): Promise<readonly ToolError[]> {
  if (genuine.role === 'sums') return checkSums(genuine, file);
  if (genuine.role === 'bundle') manifestOf(genuine, file);
  if (genuine.role === 'channel') {
    const { product, channel } = parseChannel(genuine.text, file);
    refuseOther(genuine, { product, subject: channel }, file);
  }
  const { product, key: old, signature: minisig } = genuine;
  if (genuine.role === 'key') verifyKeyStatement(genuine.text, { product, old, minisig, where: file });
  return [];
}

function manifestOf(genuine: Genuine, file: string): Manifest {
  if (genuine.role !== 'bundle') {
    throw new ToolError('E_WRONG_TYPE', `${file}: signed as ${genuine.role}, not as bundle`, {
      hint: 'Take the file and its signature together.',
    });
  }
  const manifest = parseManifest(genuine.text, file);
  refuseOther(genuine, { product: manifest.product, subject: manifest.version }, file);
  return manifest;
}

function refuseOther({ product, subject }: Genuine, found: { readonly product: string; readonly subject: string }, file: string): void {
  if (found.product === product && found.subject === subject) return;
  throw new ToolError('E_WRONG_PRODUCT', `${file}: it is ${found.product} ${found.subject}, and was signed as ${product} ${subject}`, {
    hint: 'Tell the publisher.',
  });
}

async function checkSums(genuine: Genuine, file: string): Promise<readonly ToolError[]> {
  const { product, version, digests } = parseSums(genuine.text, file);
  refuseOther(genuine, { product, subject: version }, file);
  const problems: ToolError[] = [];
  for (const [name, digest] of digests) {
    const path = join(dirname(file), name);
    if (!(await isThere(path)))
      problems.push(new ToolError('E_NOT_FOUND', `${basename(file)}: ${name} is missing`, { hint: 'Fetch it too.' }));
    else if ((await measureFile(path)).sha256 !== digest) {
      problems.push(new ToolError('E_DIGEST', `${basename(file)}: ${name} has other content`, { hint: 'Fetch it again.' }));
    }
  }
  return problems;
}

async function readText(file: string, maxBytes: number): Promise<Buffer> {
  const bytes = await readBounded(file, maxBytes);
  if (bytes === undefined) throw new ToolError('E_USAGE', `${file} is not a file`, { hint: 'Give the path of a file.' });
  return bytes;
}
