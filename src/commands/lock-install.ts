// The lock of an install, taken where others can see it. Rule: whoever holds it says so, so that another terminal can look on.
import { type Lock, takeLock } from '../apply/lock.ts';
import { lockPath } from '../model/layout.ts';
import type { World } from '../model/seams.ts';

/** Takes the lock of an install, or takes it over from the process that handed its work over to this one. Throws E_LOCKED. */
export async function lockInstall(root: string, command: string, world: World, { handedOver = false } = {}): Promise<Lock> {
  const nonce = handedOver ? world.env.SLIPWAY_LOCK_NONCE : undefined;
  const lock = await takeLock({ path: lockPath(root), command, ...(nonce === undefined ? {} : { takeOver: nonce }) }, world);
  const { nonce: _, ...worker } = lock.record;
  world.report({ type: 'begun', folder: root, ...worker });
  return lock;
}
