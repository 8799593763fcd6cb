// The git checkout of a product. Rule: no repository is a fact, a git that fails is an error; a failed listing is not an empty one.
import { isToolError, ToolError } from '../model/error.ts';
import type { RunResult, World } from '../model/seams.ts';

export interface Checkout {
  /** The commit of HEAD; null where there is no repository, or nothing was committed. */
  readonly commit: string | null;
  /** The tags on exactly that commit. */
  readonly tags: readonly string[];
}

const NONE: Checkout = { commit: null, tags: [] };

/** What git says about the folder. */
export async function observeCheckout(root: string, world: Pick<World, 'run' | 'env'>): Promise<Checkout> {
  const inside = await git(['rev-parse', '--is-inside-work-tree'], root, world);
  if (inside === undefined || (inside.code !== 0 && /not a git repository/i.test(inside.stderr))) return NONE;
  if (inside.code !== 0) throw failed(inside, 'rev-parse');
  const head = await git(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], root, world);
  if (head === undefined || head.code !== 0) return NONE;
  const tags = await git(['tag', '--points-at', 'HEAD'], root, world);
  if (tags === undefined || tags.code !== 0) throw failed(tags, 'tag');
  return { commit: head.stdout.trim(), tags: tags.stdout.split('\n').filter((tag) => tag !== '') };
}

/** undefined when git is not installed. */
async function git(args: readonly string[], cwd: string, world: Pick<World, 'run' | 'env'>): Promise<RunResult | undefined> {
  try {
    return await world.run(['git', ...args], { cwd, env: { ...world.env, LC_ALL: 'C' } });
  } catch (error) {
    if (isToolError(error, 'E_COMMAND')) return undefined;
    throw error;
  }
}

function failed(result: RunResult | undefined, command: string): ToolError {
  const line = result?.stderr.trim().split('\n')[0] ?? '';
  return new ToolError('E_COMMAND', `git ${command} failed: ${line}`, { hint: 'Run that git command by hand in the product’s folder.' });
}
