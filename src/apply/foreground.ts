// A child that takes over this terminal. Rule: it gets our input and output and every signal we get; we end as it ends.
import { spawn } from 'node:child_process';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs a program in our place and gives its exit code. */
export async function runForeground(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const [program = '', ...rest] = argv;
  // The same process group: a Ctrl-C at the terminal reaches the child by itself.
  const child = spawn(program, rest, { stdio: 'inherit', env: { ...env } });
  const forward = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT' || process.stdin.isTTY !== true) child.kill(signal);
  };
  const previous = FORWARDED.map((signal) => [signal, process.listeners(signal)] as const);
  for (const signal of FORWARDED) process.removeAllListeners(signal).on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 6 : 130)));
    });
  } finally {
    for (const [signal, listeners] of previous) {
      process.removeAllListeners(signal);
      for (const listener of listeners) process.on(signal, listener as NodeJS.SignalsListener);
    }
  }
}
