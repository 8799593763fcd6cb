// Whether a host name resolves on this machine. Rule: it never takes long; what cannot be looked up in time counts as not found.
import { lookup } from 'node:dns/promises';

/** True when the name has an address, asked of this machine's own resolver. */
export async function isResolved(name: string, milliseconds = 2000): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const found = lookup(name).then(
    () => true,
    () => false,
  );
  return Promise.race([found, late]).finally(() => clearTimeout(timer));
}
