// Generated secrets that a person is told once. Rule: to the terminal and nowhere else: never in a log, a plan, a journal or a result.
import { homeOf, type Variables } from '../../model/settings.ts';
import { type Context, isSet } from '../command.ts';

/** Shows those of the generated secrets that are marked `reveal`; where nobody looks on, only where they are written. */
export function revealSecrets(context: Context, variables: Variables, generated: ReadonlyMap<string, string>): void {
  const { terminal } = context.world;
  const shown = [...generated].filter(([name]) => variables[name]?.reveal === 'once');
  if (shown.length === 0) return;
  if (!terminal.interactive || isSet(context.flags, 'json')) {
    for (const [name] of shown) terminal.err(`${name} was generated; it is in ${homeOf(variables[name])}\n`);
    return;
  }
  const width = Math.max(...shown.map(([name]) => name.length));
  const lines = shown.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`);
  terminal.err(`\nShown this once; keep a copy where only you can read it:\n${lines.join('')}\n`);
}
