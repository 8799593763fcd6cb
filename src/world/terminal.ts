// The real terminal. Rule: whoever reads us, or types for us, may go away at any time (a lost terminal, a closed pipe), and the work goes on.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { systemCode } from '../model/error.ts';
import type { Terminal } from '../model/seams.ts';

/** The terminal of this process. `ask` works only when `interactive`. */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreLost);
  const terminals = [0, 1, 2].filter(isatty);
  process.once('exit', () => closeLost(terminals));
  const plain = env.TERM === 'dumb' || env.SLIPWAY_PLAIN === '1';
  const colour = process.stderr.isTTY === true && (env.NO_COLOR ?? '') === '' && !plain;
  return {
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    colour,
    plain,
    columns: process.stderr.columns ?? 80,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ask: async (question, { hidden = false, parts } = {}) => {
      if (!process.stdin.listeners('error').includes(ignoreLost)) process.stdin.on('error', ignoreLost);
      if (plain || parts === undefined) return (await import('./ask-line.ts')).askLine(question, { hidden, plain });
      return (await import('./ask-redrawn.ts')).askRedrawn(parts, { hidden, colour });
    },
  };
}

function ignoreLost(error: Error): void {
  const code = systemCode(error);
  if (code !== 'EPIPE' && code !== 'EIO') throw error;
}

/** At its end Node.js puts back how it found its terminals, and aborts when one of them is gone (node.cc, ResetStdio), unless that is closed. */
function closeLost(handles: readonly number[]): void {
  for (const handle of handles.filter((each) => !isatty(each))) {
    try {
      closeSync(handle);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }
}
