// The images on this machine's engine, and which of them containers have. Rule: a line that is not understood is an error, never an image that nobody uses.
import { ToolError } from '../model/error.ts';
import { parseFields, parseJson, parseText } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { docker } from '../world/docker.ts';

export interface FoundImage {
  readonly id: string;
  readonly reference: string;
  readonly repository: string;
  readonly created: Date | undefined;
}

export interface FoundImages {
  readonly images: readonly FoundImage[];
  /** The ids of images that containers have, running or not. */
  readonly inContainers: ReadonlySet<string>;
}

const NONE = '<none>';

/** Throws E_COMMAND where no engine answers. */
export async function observeFoundImages(root: string, world: World): Promise<FoundImages> {
  const engine = { world, root };
  const listed = await docker(engine, ['image', 'ls', '--digests', '--no-trunc', '--format', '{{json .}}']);
  const containers = (await docker(engine, ['ps', '--all', '--quiet', '--no-trunc'])).split('\n').filter(Boolean);
  const used =
    containers.length === 0 ? '' : await docker(engine, ['inspect', '--type', 'container', '--format', '{{.Image}}', ...containers]);
  const images = listed.split('\n').filter(Boolean).flatMap(imageOf);
  return { images, inContainers: new Set(used.split('\n').filter(Boolean)) };
}

function imageOf(line: string): FoundImage[] {
  const where = 'docker image ls';
  const f = parseFields(parseJson(line, where), where);
  const [repository, tag, digest] = [parseText(f.Repository, where), parseText(f.Tag, where), parseText(f.Digest, where)];
  const id = parseText(f.ID, where);
  if (!/^sha256:[0-9a-f]{64}$/.test(id)) throw new ToolError('E_FORMAT', `${where}: ${id.slice(0, 80)} is not the id of an image`);
  const end = tag !== NONE ? `:${tag}` : digest !== NONE ? `@${digest}` : undefined;
  if (repository === NONE || end === undefined) return [];
  return [{ id, reference: `${repository}${end}`, repository, created: dateOf(parseText(f.CreatedAt, where)) }];
}

/** `2026-07-22 08:23:45 +0000 UTC`. */
function dateOf(text: string): Date | undefined {
  const [, day, time, zone] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d{4})/.exec(text) ?? [];
  const date = new Date(`${day}T${time}${zone?.slice(0, 3)}:${zone?.slice(3)}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
