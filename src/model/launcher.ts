// The small command in /usr/local/bin that starts an install's operator program. Rule: it names its folder, so that one's own can be told from another's.
import { ToolError } from './error.ts';
import { quoteForShell } from './installer.ts';
import { parseFileName } from './manifest.ts';

export interface LauncherFacts {
  readonly cli: string;
  /** The install folder; absolute. The operator program is `<folder>/<cli>`. */
  readonly folder: string;
  /** The Node.js that installed it; absolute. Another one on PATH serves when it is gone. */
  readonly node: string;
}

const MARK = '# install folder: ';

/** The text of the launcher (mode 0755). Throws E_CONFIG for a path that cannot be in a script. */
export function renderLauncher(facts: LauncherFacts): string {
  const cli = parseFileName(facts.cli, 'cli');
  const folder = absolute(facts.folder, 'install folder');
  return `#!/bin/sh
# Starts ${cli}. Written by the installer, removed by uninstall.
${installMark(facts.folder)}
set -eu
node=\${SLIPWAY_NODE:-${absolute(facts.node, 'Node.js')}}
[ -x "$node" ] || node=$(command -v node || command -v nodejs) || {
  printf '%s\\n' '${cli}: Node.js 20.19 or newer is needed, and there is none on PATH.' '  Install it, or name one: SLIPWAY_NODE=/path/to/node' >&2
  exit 3
}
program=${folder}/${cli}
# An install that was cut off early has the program only where recovery finds it.
[ -f "$program" ] || for program in ${folder}/.slipway/operators/*; do :; done
exec "$node" "$program" "$@"
`;
}

/** The line that says whose a file outside of an install is. */
export function installMark(folder: string): string {
  return `${MARK}${folder}`;
}

/** The install folder that a launcher starts, or undefined when the text is not a launcher of ours. */
export function launcherFolder(text: string): string | undefined {
  const line = text.split('\n', 4).find((candidate) => candidate.startsWith(MARK));
  return text.startsWith('#!/bin/sh\n') ? line?.slice(MARK.length) : undefined;
}

function absolute(path: string, where: string): string {
  if (path.startsWith('/')) return quoteForShell(path, where);
  throw new ToolError('E_CONFIG', `${where}: ${JSON.stringify(path)} is not an absolute path`, { hint: 'Give the whole path.' });
}
