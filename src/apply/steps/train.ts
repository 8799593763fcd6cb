// Branches that go forward on remotes. Rule: a branch that is not where the plan found it is left alone, and where it ended is read back.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { BranchToMove, CommitToTry } from '../../model/git-work.ts';
import { checkOutCommit, pushBranch } from '../../world/git-history.ts';
import { fetchCommit, listRemote } from '../../world/git-remote.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { workFolder } from '../site.ts';

const tryCommit: Handler<'try-commit'> = {
  done: async () => false, // what went well once may not any more
  run: async (step, site) => {
    const folder = join(workFolder(site.root, site.planId), 'trial');
    try {
      await rm(folder, { recursive: true, force: true });
      await checkOutCommit({ folder, remote: step, world: site.world }, step.commit);
      await tryLines(step, folder, site);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

const moveBranch: Handler<'move-branch'> = {
  done: async (step, site) => (await headOf(step, site)) === step.commit,
  run: async (step, site) => {
    const { name, branch, before, commit } = step;
    const there = await headOf(step, site);
    if (there !== before) throw movedOn(step, there);
    const folder = join(workFolder(site.root, site.planId), 'push');
    await rm(folder, { recursive: true, force: true });
    if (!(await fetchCommit(folder, step, commit, site.world))) throw noCommit(name, commit);
    const refused = await pushBranch({ folder, remote: step, world: site.world }, { branch, before, commit }).then(
      () => undefined,
      (error: unknown) => error,
    );
    const found = await headOf(step, site);
    if (found === commit) return; // whatever the push said: the answer may have been lost on the way
    if (found !== before) throw movedOn(step, found);
    throw refused instanceof ToolError ? notTaken(step, refused) : refused;
  },
};

/** The handlers of the branch train. */
export const trainSteps = { 'try-commit': tryCommit, 'move-branch': moveBranch } satisfies Pick<Handlers, 'try-commit' | 'move-branch'>;

/** Seconds for all lines together. */
const LONGEST_TRIAL = 3600;

async function tryLines({ lines, folder, commit, token }: CommitToTry, top: string, { world }: Site): Promise<void> {
  const env = { ...world.env, SLIPWAY_SECRET_KEY: undefined, ...(token === undefined ? {} : { [token]: undefined }) };
  const script = ['set -eu', ...lines, ''].join('\n');
  const heard: string[] = [];
  const onLine = (line: string): void => {
    heard.push(line);
    if (heard.length > 20) heard.shift();
  };
  const options = { cwd: join(top, folder), env, onLine, stop: world.stop, timeout: LONGEST_TRIAL };
  const { code } = await world.run(['sh', '-c', script], options);
  if (code === 0) return;
  if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Run the same command again.' });
  throw new ToolError('E_PREFLIGHT', `${commit.slice(0, 10)} does not pass \`sync.gate\` (exit code ${code}):\n${heard.join('\n')}`, {
    hint: 'Mend it on the branch that it comes from and push; no branch was moved.',
  });
}

async function headOf(step: BranchToMove, { world }: Site): Promise<string | undefined> {
  const name = `refs/heads/${step.branch}`;
  return (await listRemote(step, [name], world)).get(name);
}

function movedOn({ name, branch }: BranchToMove, there: string | undefined): ToolError {
  const where = there === undefined ? 'is gone' : `is at ${there.slice(0, 10)} by now`;
  return new ToolError('E_PLAN_STALE', `${branch} on ${name} ${where}: somebody else moved it, and it was left alone`, {
    hint: 'Run the same command again and look at the new plan.',
  });
}

function notTaken({ name, branch, token }: BranchToMove, refused: ToolError): ToolError {
  const account = token === undefined ? 'Your account' : `The token in $${token}`;
  return new ToolError(refused.code, `${name} did not take ${branch}: ${refused.message}`, {
    cause: refused,
    hint: `${account} must be allowed to push to ${branch}, and a rule that protects it must let fast-forwards through; otherwise open a pull request with the same commits.`,
  });
}

function noCommit(name: string, commit: string): ToolError {
  return new ToolError('E_PLAN_STALE', `${name} does not have the commit ${commit} any more`, {
    hint: 'Run the same command again and look at the new plan.',
  });
}
