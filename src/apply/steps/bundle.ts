// Packing: a release's folder, written beside its place and renamed into it. Rule: nobody sees half a release, and what is there whole is not made again.
import { link, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Digest, digestOf } from '../../model/digest.ts';
import { systemCode, ToolError } from '../../model/error.ts';
import { MANIFEST_ASSET } from '../../model/host.ts';
import { parseManifest } from '../../model/manifest.ts';
import { parsePublicKey, type SecretKey } from '../../model/minisign.ts';
import { parseOptional, parseText } from '../../model/parse.ts';
import type { Step } from '../../model/plan.ts';
import { sealManifest, unsealManifest } from '../../model/seal.ts';
import { parseSums, printSums, SUMS_ASSET } from '../../model/sums.ts';
import type { BundleEntry } from '../../model/to-publish.ts';
import { type SignedRole, signStatement, verifySigned } from '../../model/trusted-comment.ts';
import { digestOfFile, readTextIfThere, statIfThere } from '../../world/disk.ts';
import { copyStreamed, makeFolder, syncFolder } from '../../world/folder-files.ts';
import { readSecretKey } from '../../world/secret-key.ts';
import { DEFAULT_LIMITS, type TarEntry } from '../../world/tarball.ts';
import { writeTarball } from '../../world/tarball-write.ts';
import { copyDurably, writeDurably } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';

type WriteBundle = Step<'write-bundle'>;

const writeBundle: Handler<'write-bundle'> = {
  done: (step, site) => isPacked(step, site),
  save: async (step, site) => {
    const { target, out } = placesOf(step, site);
    for (const path of [out, target]) await refuseFile(path);
    return { existed: (await statIfThere(target)) !== undefined, firstMissing: await firstMissing(out) };
  },
  run: async (step, site) => {
    const { out, target, temporary, before } = placesOf(step, site);
    await makeFolder(out);
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    await writeRelease(step, site, temporary);
    await syncFolder(temporary);
    if ((await statIfThere(target)) !== undefined) await rename(target, before);
    await rename(temporary, target);
    await syncFolder(out);
  },
  undo: async (step, saved, site) => {
    const { out, target, temporary, before } = placesOf(step, site);
    await removeAll(temporary);
    const isAside = (await statIfThere(before)) !== undefined;
    if (isAside || saved.existed === false) await removeAll(target);
    if (isAside) await rename(before, target);
    const made = parseOptional(saved.firstMissing, 'saved.firstMissing', parseText);
    if (made !== undefined) await removeEmpty(out, made);
  },
};

/** The handler of packing. */
export const bundleSteps = { 'write-bundle': writeBundle } satisfies Pick<Handlers, 'write-bundle'>;

interface Places {
  readonly out: string;
  readonly target: string;
  readonly temporary: string;
  /** What the new folder replaces, until the plan has ended. */
  readonly before: string;
}

function placesOf({ out, tag }: WriteBundle, { root, planId }: Site): Places {
  const folder = resolve(root, out);
  const temporary = join(folder, `.slipway-tmp-${planId}`);
  return { out: folder, target: join(folder, tag), temporary, before: `${temporary}-before` };
}

/** True when the folder holds this very release, whole, and signed by the product's key. */
async function isPacked(step: WriteBundle, site: Site): Promise<boolean> {
  const { target } = placesOf(step, site);
  const wished = await readTextIfThere(site.content(step.manifest));
  const found = await readTextIfThere(join(target, MANIFEST_ASSET));
  if (wished === undefined || found === undefined) return false;
  try {
    return unsealManifest(found) === wished && (await isWhole(target)) && (await isSigned(step, target, found));
  } catch (error) {
    if (error instanceof ToolError) return false; // damaged: it is made again
    throw error;
  }
}

async function isWhole(target: string): Promise<boolean> {
  const { digests } = parseSums((await readTextIfThere(join(target, SUMS_ASSET))) ?? '', SUMS_ASSET);
  for (const [name, digest] of digests) {
    if ((await statIfThere(join(target, name)))?.isFile() !== true) return false;
    if ((await digestOfFile(join(target, name))) !== digest) return false;
  }
  return digests.has(MANIFEST_ASSET);
}

async function isSigned({ signing, product, version }: WriteBundle, target: string, text: string): Promise<boolean> {
  const signature = await readTextIfThere(join(target, `${MANIFEST_ASSET}.minisig`));
  if (signing.publicKey === null) return signature === undefined;
  const publicKey = parsePublicKey(signing.publicKey);
  const signed = { role: 'bundle', product, subject: version, content: Buffer.from(text), publicKey } as const;
  return signature !== undefined && verifySigned({ ...signed, signature }).keyId === publicKey.keyId;
}

/** Every asset of the release, synced. */
async function writeRelease(step: WriteBundle, site: Site, folder: string): Promise<void> {
  const key = await readSecretKey(step.signing, site.world.env);
  const digests = new Map<string, Digest>();
  const put = async (name: string, text: string): Promise<void> => {
    await writeDurably(join(folder, name), text, 0o644);
    digests.set(name, digestOf(text));
  };
  const { archive, manifest } = await writeArchive(step, site, { file: join(folder, step.artifact), key });
  for (const name of [step.artifact, ...step.aliases]) digests.set(name, archive);
  for (const alias of step.aliases) await linkOrCopy(join(folder, step.artifact), join(folder, alias));
  await put(MANIFEST_ASSET, manifest);
  if (key !== null) await put(`${MANIFEST_ASSET}.minisig`, signed('bundle', manifest, step, key));
  for (const { path, content, mode } of step.extra) {
    await copyDurably(site.content(content), join(folder, path), mode);
    digests.set(path, content);
  }
  const sums = printSums({ product: step.product, version: step.version, digests });
  if (key !== null) await put(`${SUMS_ASSET}.minisig`, signed('sums', sums, step, key));
  await put(SUMS_ASSET, sums);
}

interface Archive {
  readonly file: string;
  readonly key: SecretKey | null;
}

/** The .tar.gz; its manifest comes last, for it names the hash of all before it. */
async function writeArchive(
  step: WriteBundle,
  site: Site,
  { file, key }: Archive,
): Promise<{ readonly archive: Digest; readonly manifest: string }> {
  if (step.original !== undefined) return keepArchive(step, site, { file, original: step.original });
  refuseTooMany(step);
  const unsealed = (await readTextIfThere(site.content(step.manifest))) ?? '';
  const total = step.entries.reduce((sum, { size }) => sum + size, 0);
  let manifest = '';
  const { sha256 } = await writeTarball({
    out: file,
    entries: [...step.entries.map((entry) => tarEntry(entry, step, site)), ...step.folders.map((path) => folderEntry(path, step))],
    mtime: new Date(step.made),
    onBytes: (done) => {
      if (site.interrupted()) throw new ToolError('E_INTERRUPTED', 'interrupted');
      site.world.report({ type: 'progress', text: step.artifact, done: Math.min(done, total), total, unit: 'bytes' });
    },
    tail: async (tarSha256) => {
      manifest = sealManifest(unsealed, tarSha256);
      parseManifest(manifest); // what installs could not read is not written
      const signature: TarEntry[] =
        key === null ? [] : [textEntry(`${MANIFEST_ASSET}.minisig`, signed('bundle', manifest, step, key), step)];
      return [textEntry(MANIFEST_ASSET, manifest, step), ...signature];
    },
  });
  await syncFile(file);
  return { archive: sha256, manifest };
}

/** An archive made elsewhere stays byte for byte what it is; its manifest lies beside it alone. */
async function keepArchive(
  step: WriteBundle,
  site: Site,
  { file, original }: { readonly file: string; readonly original: NonNullable<WriteBundle['original']> },
): Promise<{ readonly archive: Digest; readonly manifest: string }> {
  const copied = await copyStreamed({ from: original.file, to: file, mode: 0o644, maxBytes: original.size });
  if (copied.sha256 !== original.sha256) {
    throw new ToolError('E_DIGEST', `${original.file} changed while it was read`, { hint: 'Run the same command again.' });
  }
  await syncFile(file);
  const manifest = sealManifest((await readTextIfThere(site.content(step.manifest))) ?? '', original.tarSha256);
  parseManifest(manifest);
  return { archive: copied.sha256, manifest };
}

function refuseTooMany({ entries, folders }: WriteBundle): void {
  const count = entries.length + folders.length + 2;
  if (count > DEFAULT_LIMITS.entries) {
    const hint = 'Ship them as one file, or inside of an image.';
    throw new ToolError('E_TOO_LARGE', `a bundle holds at most ${DEFAULT_LIMITS.entries} files, and this one has ${count}`, { hint });
  }
}

function tarEntry({ path, mode, size, sha256, file }: BundleEntry, { product }: WriteBundle, site: Site): TarEntry {
  const from = file === undefined ? site.content(sha256) : resolve(site.root, file);
  return { path: `${product}/${path}`, kind: 'file', mode: mode === 0o755 ? 0o755 : 0o644, source: { file: from, size, sha256 } };
}

function folderEntry(path: string, { product }: WriteBundle): TarEntry {
  return { path: `${product}/${path}`, kind: 'folder' };
}

function textEntry(name: string, text: string, { product }: WriteBundle): TarEntry {
  return { path: `${product}/${name}`, kind: 'file', mode: 0o644, source: { content: Buffer.from(text) } };
}

function signed(role: SignedRole, text: string, { product, version }: WriteBundle, key: SecretKey): string {
  return signStatement({ role, product, subject: version, content: Buffer.from(text) }, key);
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw error;
    await copyDurably(from, to, 0o644); // a file system without links
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.chmod(0o644); // whatever the umask says
    await file.sync();
  } finally {
    await file.close();
  }
}

async function refuseFile(path: string): Promise<void> {
  const stats = await statIfThere(path);
  if (stats === undefined || stats.isDirectory() || stats.isSymbolicLink()) return;
  throw new ToolError('E_CONFLICT', `${path} is a file, and a folder is needed there`, { hint: 'Move it away, or choose another --out.' });
}

/** Removes what is there; below a file there is nothing. */
async function removeAll(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (systemCode(error) !== 'ENOTDIR') throw error;
  }
}

/** The topmost folder of the path that does not exist yet; null when it does. */
async function firstMissing(path: string): Promise<string | null> {
  if ((await statIfThere(path)) !== undefined) return null;
  return (await firstMissing(join(path, '..'))) ?? path;
}

/** Removes the folder and its parents up to `top`, as far as they are empty. */
async function removeEmpty(folder: string, top: string): Promise<void> {
  try {
    for (let path = folder; path.startsWith(top); path = join(path, '..')) await rmdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
}
