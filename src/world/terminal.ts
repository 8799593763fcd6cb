// The real terminal. Rule: whoever reads us may go away at any time (a lost terminal, a closed pipe), and the work goes on.
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { systemCode, ToolError } from '../model/error.ts';
import type { Terminal } from '../model/seams.ts';

/** The terminal of this process. `ask` works only when `interactive`. */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreLostReader);
  return {
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    colour: process.stderr.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
    columns: process.stderr.columns ?? 80,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    ask: askLine,
  };
}

function ignoreLostReader(error: Error): void {
  const code = systemCode(error);
  if (code !== 'EPIPE' && code !== 'EIO') throw error;
}

function askLine(question: string, options: { readonly hidden?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const hidden = options.hidden === true;
    if (hidden) process.stderr.write(question);
    const lines = createInterface({ input: process.stdin, output: hidden ? nowhere() : process.stderr, terminal: true });
    let answered = false;
    lines.on('SIGINT', () => lines.close());
    lines.on('close', () => {
      if (!answered) reject(new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Nothing was changed.' }));
    });
    lines.question(hidden ? '' : question, (answer) => {
      answered = true;
      lines.close();
      if (hidden) process.stderr.write('\n');
      resolve(answer);
    });
  });
}

/** Where the echo of a hidden answer goes. */
function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
