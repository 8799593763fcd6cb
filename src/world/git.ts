// Git as a program. Rule: output that people's configuration cannot change, and an error that says what git said.
import { ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';

export type GitWorld = Pick<World, 'run' | 'env'>;

export interface GitOptions {
  readonly cwd: string;
  readonly input?: string;
  /** Exit codes that are answers; [0] by default. */
  readonly codes?: readonly number[];
}

/** Runs git and gives its output; throws E_COMMAND for any other exit code. */
export async function runGit(args: readonly string[], world: GitWorld, { cwd, input, codes = [0] }: GitOptions): Promise<string> {
  const env = { ...world.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' };
  const { code, stdout, stderr } = await world.run(['git', ...args], { cwd, env, ...(input === undefined ? {} : { input }) });
  if (codes.includes(code)) return stdout;
  throw new ToolError('E_COMMAND', `git ${args[0]} failed: ${stderr.trim().split('\n')[0] || `exit code ${code}`}`, {
    hint: `Run git ${args[0]} by hand in ${cwd}.`,
  });
}
