// One question at the real terminal. Rule: a hidden answer is never echoed, and nothing of it is kept here.
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { ToolError } from '../model/error.ts';

/** Asks on stderr and gives the line that was typed; `plain` leaves editing to the terminal itself, and redraws nothing. Rejects with E_INTERRUPTED on Ctrl-C and when the input ends. */
export function askLine(question: string, options: { readonly hidden?: boolean; readonly plain?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const hidden = options.hidden === true;
    if (hidden) process.stderr.write(question);
    const lines = createInterface({
      input: process.stdin,
      output: hidden ? nowhere() : process.stderr,
      terminal: hidden || options.plain !== true,
    });
    let answered = false;
    lines.on('SIGINT', () => lines.close());
    lines.on('error', () => reject(interrupted())); // a lost terminal; closing would only bring the next error
    lines.on('close', () => {
      if (!answered) reject(interrupted());
    });
    lines.question(hidden ? '' : question, (answer) => {
      answered = true;
      lines.close();
      if (hidden) process.stderr.write('\n');
      resolve(answer);
    });
  });
}

function interrupted(): ToolError {
  return new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Nothing was changed.' });
}

/** Where the echo of a hidden answer goes. */
function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
