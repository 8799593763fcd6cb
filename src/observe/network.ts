// What this machine sees of the network a release comes from: the clock of its host, and whether its images may be had. Rule: asks quickly, once; who does not answer in time is not known.
import { type ErrorCode, isToolError, ToolError } from '../model/error.ts';
import type { RegistryFact } from '../model/facts.ts';
import { parseImageRef } from '../model/image.ts';
import type { Registry } from '../model/registry.ts';
import type { RegistryLogin } from '../model/registry-login.ts';
import type { World } from '../model/seams.ts';
import { startDeadline } from '../world/deadline.ts';
import { openHttp } from '../world/http.ts';
import { registriesOf } from '../world/registries.ts';

/** Seconds for all questions together. */
const PATIENCE = 10;

/** Seconds that this machine's clock is ahead of the first of these hosts that tells the time; undefined = none does. */
export async function observeClock(world: World, locations: readonly string[]): Promise<number | undefined> {
  for (const location of locations.filter((each) => /^https?:/.test(each))) {
    const date = await dateOf(world, location);
    if (date !== undefined && !Number.isNaN(date)) return Math.round((world.now().getTime() - date) / 1000);
  }
  return undefined;
}

async function dateOf(world: World, url: string): Promise<number | undefined> {
  const http = openHttp(world);
  const deadline = startDeadline(PATIENCE, world.stop);
  try {
    const answer = await http.open({ url, signal: deadline.signal });
    if ('error' in answer) return undefined;
    answer.body.on('error', () => undefined).destroy(); // what follows the headers is of no use

    return Date.parse(answer.headers.date ?? '');
  } catch (error) {
    if (!(error instanceof ToolError) || world.stop.aborted) throw error;
    return undefined;
  } finally {
    deadline.clear();
    await http.close();
  }
}

/** Images among these that their registries do not give to this user, with docker's own logins; `login` is tried for its registry instead. */
export async function observeRegistries(world: World, images: readonly string[], login?: RegistryLogin): Promise<RegistryFact[]> {
  const deadline = startDeadline(PATIENCE, world.stop);
  const registries = registriesOf({ ...world, stop: deadline.signal }, login);
  try {
    const found = await Promise.all(images.map((image) => observeRegistry(image, registries, world.stop)));
    return found.flat();
  } finally {
    deadline.clear();
  }
}

async function observeRegistry(image: string, registries: Registry, stop: AbortSignal): Promise<RegistryFact[]> {
  const ref = parseImageRef(image, 'image');
  const trouble = await troubleOf(async () => (await registries.headManifest(ref)) !== undefined, stop);
  return trouble === undefined ? [] : [{ registry: ref.registry, image, trouble }];
}

const UNREACHABLE: readonly ErrorCode[] = ['E_NETWORK', 'E_INTERRUPTED'];

async function troubleOf(isThere: () => Promise<boolean>, stop: AbortSignal): Promise<RegistryFact['trouble'] | undefined> {
  try {
    return (await isThere()) ? undefined : 'missing';
  } catch (error) {
    if (stop.aborted) throw error; // a person's wish, and no answer of a registry
    if (isToolError(error, 'E_AUTH')) return 'login';
    if (isToolError(error, 'E_NOT_FOUND')) return 'missing';
    if (error instanceof ToolError) return UNREACHABLE.includes(error.code) ? 'unreachable' : 'strange';
    throw error;
  }
}
