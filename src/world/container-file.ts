// Small files of containers, whether they run or not. Rule: nothing is run inside; a file that is not there is undefined.
import { isToolError } from '../model/error.ts';
import { docker, type Engine } from './docker.ts';

const HEADER = 512;
const MOST_BYTES = 4096;

/** The text of a small file of a container (`docker cp` gives it as a tar archive); undefined when there is none, or it is large. */
export async function readInContainer(engine: Engine, id: string, path: string): Promise<string | undefined> {
  try {
    const tar = await docker(engine, ['cp', `${id}:${path}`, '-']);
    const size = Number.parseInt(tar.slice(124, 136), 8);
    return Number.isNaN(size) || size > MOST_BYTES ? undefined : tar.slice(HEADER, HEADER + size);
  } catch (error) {
    if (isToolError(error, 'E_COMMAND') && /could not find|no such|not found/i.test(error.message)) return undefined;
    throw error;
  }
}
