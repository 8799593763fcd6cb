// What slipway writes below a product's folder. Rule: it is never packed, and never a change of the product.
import { relative, resolve } from 'node:path';
import type { Product } from '../../model/product.ts';

/** Where packed releases go, below the product's folder. */
export const DEFAULT_OUT = 'dist';

/** What we write ourselves below the product's folder: never packed, and never a change. */
export function ownFolders(root: string, out: string, { release }: Product): string[] {
  const hosts = release.hosts.flatMap((host) => (host.type === 'folder' ? [host.path] : []));
  const inside = [out, DEFAULT_OUT, ...hosts].map((path) => relative(root, resolve(root, path)));
  return ['.slipway', ...inside.filter((path) => path !== '' && !path.startsWith('..') && !path.startsWith('/'))];
}
