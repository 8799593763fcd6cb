// Does a registry ask for a login before it gives a release's images? Rule: asked with what docker holds, or with a login that is only tried; nothing is stored.
import { createReadStream } from 'node:fs';
import { ToolError } from '../model/error.ts';
import { parseImageRef } from '../model/image.ts';
import type { RegistryLogin } from '../model/registry-login.ts';
import type { World } from '../model/seams.ts';
import { imageId } from '../world/containers.ts';
import { openDockerConfig } from '../world/docker-config.ts';
import { observeRegistries } from './network.ts';

/** Bytes; no token is longer. */
const LARGEST_TOKEN = 64 * 1024;

export interface LoginNeed {
  /** The host that asks, with its port. */
  readonly registry: string;
  readonly images: readonly string[];
  /** Docker holds a login for it, which does not suffice. */
  readonly held: boolean;
}

export interface LoginWish {
  readonly root: string;
  /** Pinned images of the release, all of one registry. */
  readonly images: readonly string[];
}

/** What a registry hides from docker's present login; undefined when all images are here or given. */
export async function observeLoginNeed(world: World, { root, images }: LoginWish): Promise<LoginNeed | undefined> {
  const missing: string[] = [];
  for (const image of images) if (!(await isHere(world, root, image))) missing.push(image);
  const [first] = missing;
  if (first === undefined) return undefined;
  const ref = parseImageRef(first, 'image');
  const held = (await openDockerConfig(world).find(ref)).kind !== 'none';
  const hidden = (await observeRegistries(world, missing)).filter(({ trouble }) => trouble === 'login' || (trouble === 'missing' && !held));
  return hidden.length === 0 ? undefined : { registry: ref.registry, images: hidden.map(({ image }) => image), held };
}

/** True when the registry gives these images to this login; one that does not answer may still give them to the engine. */
export async function suffices(world: World, { images }: LoginNeed, login: RegistryLogin): Promise<boolean> {
  const facts = await observeRegistries(world, images, login);
  return facts.every(({ trouble }) => trouble !== 'login');
}

/** The text of a file, or of this program's input (`-`), without the line's end. Throws E_USAGE. */
export async function readToken(path: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of path === '-' ? createReadStream('', { fd: 0, autoClose: false }) : createReadStream(path)) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > LARGEST_TOKEN) break;
    }
  } catch (cause) {
    throw new ToolError('E_USAGE', `cannot read the token in ${path}`, { cause, hint: 'Check the path given with --registry-token-file.' });
  }
  const text = Buffer.concat(chunks).toString('utf8').trim();
  if (text !== '' && size <= LARGEST_TOKEN && !/[\r\n]/.test(text)) return text;
  throw new ToolError('E_USAGE', `${path === '-' ? 'the input' : path} holds no token`, {
    hint: 'It is one line: the token or password, and nothing else.',
  });
}

/** An engine that does not answer is told of elsewhere. */
async function isHere(world: World, root: string, image: string): Promise<boolean> {
  try {
    return (await imageId({ world, root }, image)) !== undefined;
  } catch (error) {
    if (error instanceof ToolError) return true;
    throw error;
  }
}
