// Builds images one after the other. Rule: one that fails stops only those that need it; every line it said is in its log, and its end is shown.
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { printImageRef } from '../model/image.ts';
import type { Builder, BuiltImage, ImageToBuild } from '../model/image-build.ts';
import type { World } from '../model/seams.ts';
import { type BuildCall, buildImage, taggedNames } from '../world/image-build.ts';

export interface ImageBuilding {
  readonly root: string;
  readonly images: readonly ImageToBuild[];
  readonly builder: Builder;
  readonly push: boolean;
  /** Relative to the root. */
  readonly logs: string;
  /** A private folder for what builds leave for each other. Absolute. */
  readonly work: string;
}

/** An image as those that need it find it. */
interface Made {
  readonly built: BuiltImage;
  /** As a build context; undefined when it could not be handed on. */
  readonly context: string;
  /** As FROM takes it. */
  readonly reference: string;
}

/** What became of each, in the order given. Throws E_INTERRUPTED alone. */
export async function buildImages(building: ImageBuilding, world: World): Promise<readonly BuiltImage[]> {
  await mkdir(join(building.root, building.logs), { recursive: true });
  await mkdir(building.work, { recursive: true, mode: 0o700 });
  const made = new Map<string, Made>();
  const done: BuiltImage[] = [];
  for (const image of building.images) {
    if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted');
    const lost = image.needs.find(({ name, reference }) => reference === undefined && made.get(name) === undefined);
    const built = lost === undefined ? await buildOne(image, made, building, world) : skipped(image, lost.name);
    done.push(built);
    world.report({ type: 'build', ...built });
  }
  return done;
}

async function buildOne(image: ImageToBuild, made: Map<string, Made>, building: ImageBuilding, world: World): Promise<BuiltImage> {
  const log = join(building.logs, `${image.name}.log`);
  const started = world.now().getTime();
  const file = createWriteStream(join(building.root, log), { mode: 0o644 });
  const seconds = (): number => Math.round((world.now().getTime() - started) / 100) / 10;
  const onLine = (line: string): void => {
    file.write(`${line}\n`);
    world.report({ type: 'output', source: image.name, line });
  };
  world.report({ type: 'phase', text: `${image.name}: ${image.why}` });
  try {
    const call = callFor(image, made, building, onLine);
    const digest = await buildImage(call, world);
    const built: BuiltImage = {
      name: image.name,
      outcome: building.push ? 'pushed' : 'built',
      digest,
      seconds: seconds(),
      log,
      error: null,
    };
    made.set(image.name, madeOf(call, built));
    return { ...built, digest: building.push ? digest : null };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { name: image.name, outcome: 'failed', digest: null, seconds: seconds(), log, error: error.message };
  } finally {
    await close(file);
  }
}

function callFor(image: ImageToBuild, made: ReadonlyMap<string, Made>, building: ImageBuilding, onLine: (line: string) => void): BuildCall {
  const { root, builder, push, images, work } = building;
  const needs = image.needs.map(({ name, reference }) => {
    const found = made.get(name);
    return {
      name,
      context: reference === undefined ? (found?.context ?? '') : `docker-image://${reference}`,
      reference: reference ?? found?.reference ?? '',
    };
  });
  const isNeeded = images.some((other) => other.needs.some(({ name }) => name === image.name));
  const isLoaded = builder.kind === 'docker' || builder.driver === 'docker';
  const places = new Map(needs.map(({ name, reference }) => [`{image:${name}}`, reference]));
  const fill = (text: string): string => text.replace(/\{image:[^{}]*\}/g, (place) => places.get(place) ?? place);
  return {
    ...{ root, builder, image, push, onLine },
    args: Object.fromEntries(Object.entries(image.args).map(([name, value]) => [name, fill(value)])),
    contexts: needs.map(({ name, context }) => ({ name, from: context })),
    metadata: join(work, `${image.name}.json`),
    ...(isNeeded && !push && !isLoaded ? { layout: join(work, `${image.name}.oci`) } : {}),
  };
}

/** What was pushed is named by its digest; what stayed here by its local tag, or by the folder that it was put into. */
function madeOf({ image, layout }: BuildCall, built: BuiltImage): Made {
  const local = taggedNames(image)[0] ?? printImageRef(image.image);
  const reference = built.outcome === 'pushed' && built.digest !== null ? printImageRef({ ...image.image, digest: built.digest }) : local;
  const context = layout === undefined ? `docker-image://${reference}` : `oci-layout://${layout}@${built.digest as Digest}`;
  return { built, context, reference };
}

function skipped({ name }: ImageToBuild, need: string): BuiltImage {
  return { name, outcome: 'skipped', digest: null, seconds: 0, log: null, error: `it needs ${need}, which was not built` };
}

async function close(file: WriteStream): Promise<void> {
  file.end();
  await finished(file);
}
