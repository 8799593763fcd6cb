// A Node.js that says it is another version, for tests of what happens when one follows another. Rule: it runs like this process's own, and only its number differs.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** Writes the program with the last number so much higher; gives its version, undefined where this build holds its version in another way. */
export function makeOtherNode(path: string, higher: number): string | undefined {
  const own = process.versions.node;
  const version = own.replace(/\d+$/, (last) => String(Number(last) + higher).padStart(last.length, '0'));
  const program = readFileSync(process.execPath);
  const at = program.indexOf(`node.js/v${own}\0`);
  if (at < 0 || version.length !== own.length) return undefined;
  program.write(`node.js/v${version}\0`, at, 'latin1');
  writeFileSync(path, program, { mode: 0o755 });
  const said = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();
  return said === version ? version : undefined;
}
