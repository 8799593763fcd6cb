// A systemctl for tests, as a program on PATH. Rule: like the real one it knows units as they were at the last daemon-reload, and refuses those that it does not know.
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';

export interface FakeSystemd {
  /** The folder of units; what $SLIPWAY_SYSTEMD names. */
  readonly units: string;
  readonly files: () => Promise<string[]>;
  readonly enabled: () => Promise<string[]>;
  readonly active: () => Promise<string[]>;
  /** Every command line so far. */
  readonly calls: () => Promise<string[]>;
  /** Calls of systemctl go to the program, all others on. */
  readonly around: (run: Run) => Run;
  /** It gives no answer from now on. */
  readonly stop: () => Promise<void>;
}

/** Makes one below this folder. */
export async function makeFakeSystemd(folder: string): Promise<FakeSystemd> {
  const [units, state, bin] = [join(folder, 'units'), join(folder, 'state'), join(folder, 'bin')];
  for (const each of [units, bin, ...['loaded', 'enabled', 'active'].map((name) => join(state, name))])
    await mkdir(each, { recursive: true });
  await writeFile(join(bin, 'systemctl'), script(units, state));
  await chmod(join(bin, 'systemctl'), 0o755);
  const namesIn = async (name: string): Promise<string[]> => (await readdir(join(state, name))).sort();
  return {
    units,
    files: async () => (await readdir(units)).sort(),
    enabled: () => namesIn('enabled'),
    active: () => namesIn('active'),
    calls: async () => (existsSync(join(state, 'calls')) ? (await readFile(join(state, 'calls'), 'utf8')).trim().split('\n') : []),
    around: (run) => (argv, options) =>
      argv[0] === 'systemctl'
        ? runProgram([join(bin, 'systemctl'), ...argv.slice(1)], { ...options, env: { ...options?.env, PATH: process.env.PATH } })
        : run(argv, options),
    stop: () => writeFile(join(state, 'down'), ''),
  };
}

const script = (units: string, state: string): string => `#!/bin/sh
set -eu
units='${units}' state='${state}'
echo "$*" >> "$state/calls"
[ ! -e "$state/down" ] || { echo 'Failed to connect to bus: No such file or directory' >&2; exit 1; }
[ "$1" != --user ] || shift
verb=$1
shift
now=
case "\${1:-}" in --now) now=1; shift ;; --quiet) shift ;; esac
known() { [ -f "$state/loaded/$1" ] || { echo "Failed to $verb unit: Unit file $1 does not exist." >&2; exit 1; }; }
case $verb in
  show)
    case $1 in
      --property=Version) echo Version=252 ;;
      --property=NeedDaemonReload) for unit; do :; done; cmp -s "$units/$unit" "$state/loaded/$unit" && echo no || echo yes ;;
      *) exit 64 ;;
    esac ;;
  daemon-reload) rm -rf "$state/loaded"; cp -R "$units" "$state/loaded" ;;
  is-enabled) [ -e "$state/enabled/$1" ] ;;
  enable)
    known "$1"
    grep -q '^\\[Install\\]' "$state/loaded/$1" || { echo "The unit files have no installation config" >&2; exit 1; }
    : > "$state/enabled/$1"
    [ -z "$now" ] || : > "$state/active/$1" ;;
  disable)
    [ -f "$units/$1" ] || known "$1"
    rm -f "$state/enabled/$1"
    [ -z "$now" ] || rm -f "$state/active/$1" ;;
  *) echo "Unknown command verb $verb." >&2; exit 1 ;;
esac
`;
