// How a service writes out its data, and takes it in again. Rule: both are lines for a shell inside the service, with its own tools.
import { parseFields, parseText } from './parse.ts';

/** `dump` writes to stdout, `restore` reads stdin and begins with an empty volume. */
export interface DumpRecipe {
  readonly service: string;
  readonly dump: string;
  readonly restore: string;
}

export function parseDumpRecipe(value: unknown, where: string): DumpRecipe {
  const f = parseFields(value, where);
  return {
    service: parseText(f.service, `${where}.service`),
    dump: parseText(f.dump, `${where}.dump`),
    restore: parseText(f.restore, `${where}.restore`),
  };
}
