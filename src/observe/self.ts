// This program as a fact. Rule: whoever recovers must run the very program that made the plan, so it is known by its digest.
import { join } from 'node:path';
import { type Digest, hexOf } from '../model/digest.ts';
import { operatorsFolder } from '../model/layout.ts';
import { digestOfFile, statIfThere } from '../world/disk.ts';

/** The digest of the file that this program runs from. */
export async function observeSelf(file: string): Promise<Digest> {
  return digestOfFile(file);
}

/** The path of a kept operator program whose bytes are what its name says, or undefined. */
export async function findOperator(root: string, digest: Digest): Promise<string | undefined> {
  const path = join(operatorsFolder(root), hexOf(digest));
  if ((await statIfThere(path)) === undefined) return undefined;
  return (await digestOfFile(path)) === digest ? path : undefined;
}
