// This process as a world: terminal, signals, exit. Rule: the first Ctrl-C asks a running plan to go back; a second one, or SIGTERM, leaves it to `recover`.
import { setMaxListeners } from 'node:events';
import type { Event } from './model/event.ts';
import type { World } from './model/seams.ts';
import { humanReport, jsonReport } from './show/progress.ts';
import { processTerminal } from './world/terminal.ts';
import { realWorld } from './world/world.ts';

/** The world of this process. Signals are handled from here on. */
export function openProcess(json: boolean): World {
  const terminal = processTerminal(process.argv.includes('--plain') ? { ...process.env, SLIPWAY_PLAIN: '1' } : process.env);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every request of a mirror waits for it
  let applying = false;
  let lookingOn = false;
  const report = json ? jsonReport(terminal) : humanReport(terminal, () => Date.now());
  const watch = (event: Event): void => {
    if (event.type === 'step') applying = true;
    if (event.type === 'seen') lookingOn = true;
    report(event);
  };
  process.on('SIGHUP', () => undefined); // a lost terminal never fails the work
  process.on('SIGTERM', () => process.exit(applying ? 6 : 130));
  process.on('SIGINT', () => {
    if (!applying) {
      terminal.err(lookingOn ? '\nthe work goes on; `attach` shows it again\n' : '\ninterrupted; nothing was changed\n');
      process.exit(130);
    }
    if (stop.signal.aborted) process.exit(6);
    stop.abort();
    terminal.err(
      '\nstopping after this step, and going back unless the point of no return is passed (again Ctrl-C leaves it to `recover`)\n',
    );
  });
  process.on('beforeExit', () => {
    if (process.exitCode !== undefined) return; // the command has ended
    terminal.err(
      `\nstopped in the middle, for nothing is left to wait for: this is a bug, please report it.${applying ? ' Run `recover`.' : ''}\n`,
    );
    process.exit(applying ? 6 : 1);
  });
  return realWorld({ terminal, report: watch, stop: stop.signal });
}
