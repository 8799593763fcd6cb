// The env files of an install, read. Rule: what Compose could read otherwise than we do, or another caller otherwise than this one, is refused with its line.
import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { EMPTY_ENV, type EnvFile, envCallers, parseEnvFile } from '../model/env-file.ts';
import { ToolError } from '../model/error.ts';
import type { Settings } from '../model/settings.ts';
import { readBytesIfThere } from '../world/disk.ts';
import { isPassedOn } from '../world/docker.ts';

/** Far more than any person writes. Bytes. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Reads those of these env files that are there. Throws E_CONFIG with the line for what nobody should rely on. */
export async function observeSettings(root: string, homes: readonly string[]): Promise<Settings> {
  const found = new Map<string, EnvFile>();
  for (const home of homes) {
    const bytes = await readBytesIfThere(join(root, home), MOST_BYTES);
    if (bytes !== undefined) found.set(home, readEnvFile(bytes, join(root, home)));
  }
  return found;
}

/** One env file that may be absent. */
export async function observeEnvFile(root: string, home: string): Promise<EnvFile> {
  return (await observeSettings(root, [home])).get(home) ?? EMPTY_ENV;
}

function readEnvFile(bytes: Uint8Array, where: string): EnvFile {
  const file = parseEnvFile(decodeText(bytes, where), where);
  const caller = envCallers(file).find(({ name }) => isPassedOn(name));
  if (caller === undefined) return file;
  throw new ToolError(
    'E_CONFIG',
    `${where}:${caller.line}: ${caller.name} is taken from whoever runs the command, so its value would not last`,
    {
      hint: `Write the value itself into line ${caller.line} of ${where}, or another name.`,
    },
  );
}

/** Compose takes any bytes; decoded with replacements they would not be written back as they were. */
function decodeText(bytes: Uint8Array, where: string): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes);
  } catch {
    const line =
      Buffer.from(bytes)
        .toString('latin1')
        .split('\n')
        .findIndex((text) => !isUtf8(Buffer.from(text, 'latin1'))) + 1;
    throw new ToolError('E_CONFIG', `${where}:${line}: this is not UTF-8`, {
      hint: `Save ${where} as UTF-8; line ${line} is the first that is not.`,
    });
  }
}
