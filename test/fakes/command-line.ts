// slipway's command lines in this process: flags, confirmation, output and exit code as people get them, without waiting between tries. Rule: nothing of a
// command is left out but the start of a process.
import { runCli } from '../../src/cli.ts';
import { images } from '../../src/commands/slipway/images.ts';
import { promote } from '../../src/commands/slipway/promote.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { runProgram } from '../../src/world/run.ts';
import { gitEnvironment } from './git-workspace.ts';
import { quietWorld } from './release-builder.ts';

const PROGRAM = {
  name: 'slipway',
  title: 'Slipway',
  version: '0.0.0-test',
  file: import.meta.filename,
  entries: [images, promote, reserve].map((command) => ({ name: command.name, summary: '', load: async () => command })),
};

export interface LineEnd {
  readonly code: number;
  /** The last line of --json. */
  readonly result: Record<string, unknown>;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds of every wait, in order; none of them was waited. */
  readonly waits: readonly number[];
}

export interface Line {
  /** The folder of slipway.yaml. */
  readonly root: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one command line to its end. */
export async function runLine(words: readonly string[], { root, env = {} }: Line): Promise<LineEnd> {
  const [out, err]: string[][] = [[], []];
  const waits: number[] = [];
  const terminal = {
    interactive: false,
    colour: false,
    columns: 80,
    out: (text: string) => out?.push(text),
    err: (text: string) => err?.push(text),
  };
  const ask = (): never => {
    throw new Error('nobody is asked in this test');
  };
  const world = quietWorld({
    env: { ...gitEnvironment, HOME: root, SLIPWAY_YES: '1', ...env },
    run: runProgram,
    terminal: { ...terminal, ask },
    sleep: async (milliseconds) => void waits.push(milliseconds),
  });
  const code = await runCli(PROGRAM, [...words, '--config', `${root}/slipway.yaml`, '--json'], () => world);
  const [stdout, stderr] = [(out ?? []).join(''), (err ?? []).join('')];
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  return { code, result: last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {}, stdout, stderr, waits };
}
