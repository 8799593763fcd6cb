// images mirror: third-party images into the product's registry and further places. Rule: what is there is not sent again; one that fails stops no other, and the exit code tells.
import { resolve } from 'node:path';
import type { ErrorCode } from '../../model/error.ts';
import { ToolError } from '../../model/error.ts';
import type { Event } from '../../model/event.ts';
import { type ImageRef, printImageRef } from '../../model/image.ts';
import type { CopiedImage, CopyOutcome, ImageToCopy } from '../../model/image-copy.ts';
import { findCollisions, type MirrorEntry, planMirrorNames } from '../../model/mirror.ts';
import { type MirrorPlace, type MirrorPlaces, moveEntries, parseMirrorPlace } from '../../model/mirror-places.ts';
import { didYouMean } from '../../model/near.ts';
import type { Planned } from '../../model/plan.ts';
import { problemAt } from '../../model/problem.ts';
import { type ObservedCopy, observeCopies, observeLayout, observeMirror } from '../../observe/mirror.ts';
import { observeSelf } from '../../observe/self.ts';
import { planMirror } from '../../plan/mirror.ts';
import { mirrorToText } from '../../show/images.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type CommandResult, type Context, isPlanOnly, isSet, textFlag, textFlags } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { problemsError } from './problems.ts';
import type { ProductFile } from './product-file.ts';

/** One image at all its destinations, as the result tells it. */
interface MirrorRow {
  readonly name: string;
  readonly source: string;
  readonly destinations: readonly string[];
  readonly digest: string | null;
  readonly outcome: CopyOutcome;
  readonly bytes: number;
  /** Signatures, attestations and what else belongs to it upstream. */
  readonly attached: number;
  readonly error: string | null;
}

/** Copies what is missing. Throws E_STEP_FAILED, with all rows in its details, when an image could not be copied. */
export async function mirrorImages(context: Context, file: ProductFile): Promise<CommandResult> {
  await endEarlier(file.root, context, 'images mirror');
  const places = await choosePlaces(context);
  const entries = chooseEntries(context, file, places);
  const { copies, failed } = await observeCopies(entries, context.world);
  const collisions = findCollisions(file.product, copies);
  if (collisions.length > 0)
    throw problemsError(
      collisions.map((text) => problemAt(file.product.source, text)),
      context,
    );
  const look = { deep: isSet(context.flags, 'deep'), signatures: !isSet(context.flags, 'without-signatures') };
  const observed = await observeMirror(copies, look, context.world);
  const missing = observed.flatMap(({ images }) => images);
  const present = observed.filter(({ images, error }) => images.length === 0 && error === null).length;
  const notes = [...new Set(observed.flatMap((each) => each.notes))];
  const id = context.world.random(16).toString('hex');
  const planned = planMirror({ id, command: 'images mirror', images: missing, present, notes });
  const done: CopiedImage[] = [];
  const collecting = { ...context, world: { ...context.world, report: collect(done, context) } };
  const unknown = [...failed.map(([entry, error]) => unknownRow(entry, error))];
  if (isPlanOnly(context)) {
    const rows = [...observed.map((each) => rowOf(each, [])), ...unknown];
    const text = `${mirrorToText(rows)}${planToText(planned.plan)}`;
    return { fields: { images: rows, bytesCopied: 0, notes, plan: planToJson(planned.plan) }, text, ...exitOf(context, missing.length) };
  }
  const cause = planned.plan.steps.length === 0 ? undefined : await copyMissing(planned, collecting, file.root);
  const rows = [
    ...observed.map((each) =>
      rowOf(
        each,
        done.filter(({ index }) => each.images.includes(missing[index] as ImageToCopy)),
      ),
    ),
    ...unknown,
  ];
  const bytesCopied = done.reduce((sum, { bytes }) => sum + bytes, 0);
  const lost = rows.filter(({ outcome }) => outcome === 'failed');
  if (lost.length === 0) return { fields: { images: rows, bytesCopied, notes }, text: mirrorToText(rows, notes) };
  context.world.terminal.err(mirrorToText(rows, notes));
  if (cause instanceof ToolError && cause.code === 'E_INTERRUPTED') throw cause;
  const first = observed.find(({ error }) => error !== null)?.error ?? failed[0]?.[1];
  const code: ErrorCode = first?.code ?? 'E_STEP_FAILED';
  throw new ToolError(code, `${lost.length} of ${rows.length} images could not be mirrored; the first: ${lost[0]?.error ?? ''}`, {
    hint: 'The others are complete. Run the same command again: it copies only what is missing.',
    details: { images: rows, bytesCopied, notes },
  });
}

/** What --from and --to say; throws E_NOT_FOUND for a folder that holds no images. */
async function choosePlaces({ flags }: Context): Promise<MirrorPlaces> {
  const place = (flag: string): MirrorPlace | undefined => {
    const text = textFlag(flags, flag);
    return text === undefined ? undefined : parseMirrorPlace(text, `--${flag}`, (folder) => resolve(folder));
  };
  const [from, to] = [place('from'), place('to')];
  const destination = to === undefined ? {} : { to };
  if (from === undefined) return destination;
  if (from.kind !== 'folder') {
    throw new ToolError('E_USAGE', '--from takes a folder, oci:DIR', { hint: 'Without it the images come from upstream.' });
  }
  await observeLayout(from.folder);
  return { from, ...destination };
}

/** What ended the copying early, or made some of it fail; loaded when there is something to copy, for most nightly runs have nothing. */
async function copyMissing(planned: Planned, context: Context, root: string): Promise<unknown> {
  const { carryOut } = await import('../carry-out.ts');
  const carried = await carryOut(planned, context, { root, operator: await observeSelf(context.file) });
  return 'cause' in carried ? carried.cause : undefined;
}

/** The entries of the table that were asked for. Throws E_CONFIG for a table with mistakes, and E_USAGE for a group that is not there. */
function chooseEntries(context: Context, { product }: ProductFile, places: MirrorPlaces): readonly MirrorEntry[] {
  const { entries: named, problems } = planMirrorNames(product);
  if (problems.length > 0)
    throw problemsError(
      problems.map((text) => problemAt(product.source, text)),
      context,
    );
  const entries = moveEntries(named, places);
  const homeless = entries.find(({ destinations }) => destinations.length === 0);
  if (homeless !== undefined) {
    throw new ToolError('E_CONFIG', `${printImageRef(homeless.source)} has no destination`, {
      hint: 'Set images.registry, name places with `to`, or give --to.',
    });
  }
  const only = textFlags(context.flags, 'only');
  const known = [...new Set(entries.flatMap(({ group, name }) => [group, name]))];
  for (const wanted of only) {
    if (!known.includes(wanted))
      throw new ToolError('E_USAGE', `there is no group ${JSON.stringify(wanted)}`, { hint: didYouMean(wanted, known, 'There are') });
  }
  return entries.filter(({ group, name }) => only.length === 0 || only.includes(group) || only.includes(name));
}

function collect(done: CopiedImage[], { world }: Context): (event: Event) => void {
  return (event) => {
    if (event.type === 'image') done.push(event);
    world.report(event);
  };
}

function rowOf({ copy, digest, images, attached, error }: ObservedCopy, done: readonly CopiedImage[]): MirrorRow {
  const name = copy.entry.name;
  const row = { name, source: printImageRef(copy.source), destinations: copy.destinations.map(printRef), digest, attached };
  if (error !== null) return { ...row, outcome: 'failed', bytes: 0, error: reasonOf(error) };
  if (images.length === 0) return { ...row, outcome: 'present', bytes: 0, error: null };
  const lost = done.find(({ outcome }) => outcome === 'failed');
  const bytes = done.reduce((sum, each) => sum + each.bytes, 0);
  const cutOff = done.length < images.flatMap(({ destinations }) => destinations).length ? 'not reached' : null;
  const reason = lost?.error ?? cutOff;
  return { ...row, outcome: reason === null ? 'copied' : 'failed', bytes, error: reason };
}

function unknownRow({ name, source, destinations }: MirrorEntry, error: ToolError): MirrorRow {
  const places = destinations.map(printRef);
  return {
    name,
    source: printImageRef(source),
    destinations: places,
    digest: null,
    outcome: 'failed',
    bytes: 0,
    attached: 0,
    error: reasonOf(error),
  };
}

/** What is wrong and what to do, for a row of the report. */
function reasonOf({ message, hint }: ToolError): string {
  return hint === undefined ? message : `${message} (${hint})`;
}

function printRef(ref: ImageRef): string {
  return printImageRef(ref);
}

function exitOf({ flags }: Context, missing: number): { exit?: number } {
  return isSet(flags, 'exit-code') && missing > 0 ? { exit: 4 } : {};
}
