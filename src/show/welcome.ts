// What a person reads when the product is installed. Rule: where it is, what comes next, and what must not be lost.
import { join } from 'node:path';
import type { Manifest } from '../model/manifest.ts';

export interface Welcomed {
  readonly root: string;
  readonly start: boolean;
  /** How the command is called. */
  readonly command: string;
}

/** The last words of an install. */
export function welcome(manifest: Manifest, { root, start, command }: Welcomed): string {
  const next = start ? `${command} status` : `docker compose up -d (in ${root})`;
  return `${manifest.title} ${manifest.version} is installed at ${root}\nNext: ${next}\nKeep a copy of ${join(root, '.env')} elsewhere: without its secrets the data cannot be read.\n`;
}
