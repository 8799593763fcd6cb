// An answers file as text. Rule: it may hold secrets, so nothing of it is ever shown.
import { ToolError } from '../model/error.ts';
import { readTextIfThere } from '../world/disk.ts';

/** The file's text; throws E_USAGE when it is not there. */
export async function readAnswersFile(path: string): Promise<string> {
  const text = await readTextIfThere(path, 1024 * 1024);
  if (text !== undefined) return text;
  throw new ToolError('E_USAGE', `the answers file ${path} is not there`, { hint: 'Give the path of a file in .env syntax.' });
}
