// Products in real git repositories, and the commands that maintainers run in them. Rule: git itself does the work, with nobody's configuration.
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import type { World } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { quietWorld } from './release-builder.ts';

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@acme.example',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@acme.example',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

/** The environment of git in tests. */
export const gitEnvironment = { PATH: process.env.PATH, HOME: '/nonexistent', ...IDENTITY };

/** Runs git in a folder and gives its trimmed output. */
export function git(folder: string, ...words: readonly string[]): string {
  return execFileSync('git', words, { cwd: folder, env: gitEnvironment, stdio: 'pipe' }).toString().trim();
}

/** Writes files and commits all of them; gives the commit. */
export async function commitFiles(root: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(root, { recursive: true });
  git(root, 'init', '-q', '-b', 'main');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '--allow-empty', '-m', 'change');
  return git(root, 'rev-parse', 'HEAD');
}

export interface Calling {
  readonly root: string;
  readonly positionals?: readonly string[];
  readonly world?: Partial<World>;
}

/** Runs a command as a maintainer would in this workspace, confirmed. */
export function runCommand(
  command: Command,
  flags: Readonly<Record<string, string | boolean | readonly string[]>>,
  { root, positionals = [], world = {} }: Calling,
): Promise<CommandResult> {
  const confirmed = 'yes' in command.flags ? { yes: true } : {};
  return command.run({
    world: quietWorld({ env: gitEnvironment, run: runProgram, ...world }),
    flags: { config: join(root, 'slipway.yaml'), ...confirmed, ...flags },
    positionals,
    program: 'slipway',
    file: import.meta.filename,
  });
}
