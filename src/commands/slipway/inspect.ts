// The product file and everything it names, read once, and what is wrong with it. Rule: all problems of all files come together, before anything is asked
// of the network.
import { dirname, join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { addressOf } from '../../model/host.ts';
import type { ResolvedImage } from '../../model/image.ts';
import { readRef } from '../../model/image.ts';
import { imageTable } from '../../model/image-table.ts';
import { LOCK_FILE_NAME, type LockFile, lockedFor } from '../../model/lock-file.ts';
import { type Problem, problemAt, sortProblems, withoutIgnored } from '../../model/problem.ts';
import { type Product, parseProduct } from '../../model/product.ts';
import type { OperatorProgram, SourceFiles } from '../../model/source-file.ts';
import type { Version } from '../../model/version.ts';
import { observeBuildPaths } from '../../observe/build-paths.ts';
import { type Checkout, observeCheckout } from '../../observe/checkout.ts';
import { observeHeldKey } from '../../observe/held-key.ts';
import { observePrevious } from '../../observe/previous.ts';
import { readLockFile } from '../../observe/product-images.ts';
import { observeSources, readProductText } from '../../observe/workspace.ts';
import { observeIgnored, observeWorktree, type Worktree } from '../../observe/worktree.ts';
import { type Assessment, assessBundle } from '../../plan/assess.ts';
import { buildPaths } from '../../plan/build-check.ts';
import { checkPrevious } from '../../plan/previous-check.ts';
import type { ReleaseName } from '../../plan/render-bundle.ts';
import { checkShippedFile } from '../../plan/shipped-check.ts';
import { type Context, type FlagTable, textFlag } from '../command.ts';
import { ownFolders } from './own-folders.ts';
import { problemsError } from './problems.ts';

export const KEY_FLAGS = {
  key: { type: 'string', value: 'FILE', help: 'the secret key file (default: $SLIPWAY_SECRET_KEY)' },
} as const satisfies FlagTable;

/** A product and its folder as facts. */
export interface Inspection {
  /** The product file's folder, absolute. */
  readonly root: string;
  readonly product: Product;
  /** Those of the product file by itself. */
  readonly problems: readonly Problem[];
  readonly checkout: Checkout;
  /** Undefined outside of git. */
  readonly worktree: Worktree | undefined;
  readonly sources: SourceFiles;
  readonly lock: LockFile;
  /** The public half of the secret key at hand. */
  readonly heldKey: string | undefined;
  /** A file of the product's folder as people find it from here. */
  readonly label: (source: string) => string;
}

/** Reads the product and everything that goes into its bundle; `out` is where packed releases go. Throws when the product file cannot be read at all. */
export async function inspectProduct(context: Context, out: string): Promise<Inspection> {
  const { name, text, root } = await readProductText(productName(context));
  const { product, problems } = parseProduct(text, name);
  if (product === undefined) throw problemsError(problems, context);
  const own = ownFolders(root, out, product);
  const label = (source: string): string => join(dirname(name), source);
  const checkout = await observeCheckout(root, context.world);
  const worktree = checkout.commit === null ? undefined : await observeWorktree(root, context.world, own);
  const { bundle } = product;
  const inspect = ({ path, source }: { path: string; source: string }, content: string): Problem[] =>
    checkShippedFile(path, content, product.env).map((found) => ({ ...found, file: label(source) }));
  const executable = worktree === undefined ? {} : { executable: worktree.executable, lineEnds: worktree.lineEnds };
  const bundled = bundle === undefined ? NO_SOURCES : await observeSources({ root, bundle, skip: own, inspect, ...executable });
  const built = await observeBuildPaths(root, buildPaths(product));
  const sources = { ...bundled, missing: [...bundled.missing, ...built.missing], problems: [...bundled.problems, ...built.problems] };
  const lock = await readLockFile(root, label(LOCK_FILE_NAME));
  const heldKey = await observeHeldKey(keyFileOf(context), context.world.env);
  return { root, product, problems, checkout, worktree, sources, lock, heldKey, label };
}

export interface AssessWish {
  readonly release: ReleaseName & { readonly version: Version };
  readonly operator: OperatorProgram;
  /** The digests from the registries; without them, those of the lock are taken, and images need none. */
  readonly resolved?: readonly ResolvedImage[];
}

/** The bundle and all its problems, those of the product file among them. */
export function assess(inspection: Inspection, { release, operator, resolved }: AssessWish): Assessment {
  const { product, lock } = inspection;
  const table = imageTable(product, release.version);
  const locked = (): ResolvedImage[] =>
    table.flatMap(({ name, reference }) => {
      const ref = readRef(reference);
      const found = ref === undefined ? undefined : lockedFor(lock, name, ref);
      return ref === undefined || found === undefined ? [] : [{ ...found, name, reference: ref }];
    });
  const pinned = resolved !== undefined;
  const { problems, ...assessed } = assessBundle(product, {
    ...inspection,
    release,
    operator,
    table,
    resolved: resolved ?? locked(),
    pinned,
  });
  return { ...assessed, problems: sortProblems([...inspection.problems, ...problems]) };
}

/** Warnings for files that another checkout would not have. */
export async function checkIgnored({ root, product, worktree, sources }: Inspection, context: Context): Promise<Problem[]> {
  if (worktree === undefined) return [];
  const names = [...sources.texts.keys(), ...sources.files.map(({ source }) => source)];
  const ignored = new Set(await observeIgnored(root, [...new Set(names)], context.world));
  const problems = sources.files.flatMap(({ source, at }) => {
    if (!ignored.has(source)) return [];
    const message = `${source} is packed, but git ignores it: another checkout gives another bundle`;
    return [problemAt(product.source, { code: 'W_IGNORED_BY_GIT', path: at, message, hint: 'Name it in exclude, or add it to git.' })];
  });
  return withoutIgnored(problems, product.ignore);
}

/** What changed against the release before, as far as the authority shows it: a host that cannot be read is a warning. */
export async function checkAgainstPrevious(
  { root, product }: Inspection,
  { channel, below }: PreviousWish,
  context: Context,
): Promise<Problem[]> {
  const host = product.release.hosts.find(({ name }) => name === product.release.authority);
  if (host === undefined) return [];
  const address = addressOf(host, root);
  const publicKey = product.release.publicKey ?? null;
  try {
    const previous = await observePrevious({ host: address, product: product.product, channel, below, publicKey }, context.world);
    return previous === undefined ? [] : checkPrevious(product, previous);
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    context.world.report({ type: 'warning', text: `the release before was not looked at: ${error.message}` });
    return [];
  }
}

export interface PreviousWish {
  readonly channel: string;
  readonly below: Version | undefined;
}

/** The folder of the product file, absolute, whether it is there or not. */
export function productRoot(context: Context): string {
  return dirname(resolve(productName(context)));
}

function productName(context: Context): string {
  return textFlag(context.flags, 'config') ?? 'slipway.yaml';
}

/** The file of --key, absolute; null = the environment. */
export function keyFileOf(context: Context): string | null {
  const file = textFlag(context.flags, 'key');
  return file === undefined ? null : resolve(file);
}

const NO_SOURCES: SourceFiles = { files: [], texts: new Map(), missing: [], problems: [], found: [] };
