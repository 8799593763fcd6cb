// The values of an install's `.env`, as Compose reads them. Rule: secrets are among them; they stay in memory.
import { envValues, parseEnvFile } from '../model/env-file.ts';
import { readTextIfThere } from './disk.ts';

export type EnvironmentValues = ReadonlyMap<string, string>;

/** Reads an `.env`; an absent file has no values. */
export async function readValues(path: string): Promise<EnvironmentValues> {
  return envValues(parseEnvFile((await readTextIfThere(path)) ?? ''));
}
