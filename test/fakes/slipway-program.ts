// slipway as a real process, built from the sources. Rule: started as people start it; nothing of this process reaches it but what is given, and unless it
// is killed it leaves no temporary files.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

export interface SlipwayRun {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell line before the program starts, such as `umask 077`. */
  readonly before?: string;
}

export interface SlipwayEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of --json. */
  readonly result: Record<string, unknown>;
}

/** What stands in for the operator program. */
export const OPERATOR_TEXT = '#!/usr/bin/env node\nconsole.log(process.argv.slice(2).join(" "));\n';

/** Builds the program into the folder, with its templates and an operator program beside it; gives its path. */
export async function buildSlipway(folder: string): Promise<string> {
  const repository = join(import.meta.dirname, '../..');
  await build({
    entryPoints: { slipway: join(repository, 'src/main.ts') },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    define: { SLIPWAY_VERSION: '"0.0.0-test"' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  await cp(join(repository, 'templates'), join(folder, 'templates'), { recursive: true });
  await writeFile(join(folder, 'operator.mjs'), OPERATOR_TEXT);
  return join(folder, 'slipway.mjs');
}

/** Starts the program; `ended` tells how it ended. */
export function startSlipway(
  program: string,
  words: readonly string[],
  run: SlipwayRun,
): { readonly pid: number; readonly ended: Promise<SlipwayEnd> } {
  const script = `${run.before ?? ':'}; exec "$@"`;
  const argv = ['-c', script, 'sh', process.execPath, program, ...words, '--json'];
  const temporary = mkdtempSync(join(tmpdir(), 'run-'));
  const child = spawn('sh', argv, {
    cwd: run.cwd,
    env: { PATH: process.env.PATH, HOME: run.cwd, TMPDIR: temporary, ...run.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    out.stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    out.stderr += chunk;
  });
  const ended = new Promise<SlipwayEnd>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const left = code === null ? [] : readdirSync(temporary);
      rmSync(temporary, { recursive: true, force: true });
      if (left.length > 0) reject(new Error(`${words.join(' ')} left temporary files: ${left.join(', ')}`));
      else resolve({ code: code ?? -1, ...out, result: resultOf(out.stdout) });
    });
  });
  return { pid: child.pid ?? 0, ended };
}

/** Runs the program to its end. */
export function runSlipway(program: string, words: readonly string[], run: SlipwayRun): Promise<SlipwayEnd> {
  return startSlipway(program, words, run).ended;
}

function resultOf(stdout: string): Record<string, unknown> {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
}
