// A real terminal for tests: tmux on a socket of its own. Rule: a person's keys go in, the screen comes out, nothing else.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TerminalWish {
  /** For the socket and the command's script; absolute. */
  readonly folder: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly rows?: number;
}

export interface RealTerminal {
  /** Types text, then Enter. */
  readonly type: (text: string) => void;
  /** Presses keys by tmux's names: Down, Escape, C-c. */
  readonly press: (...keys: string[]) => void;
  /** Waits until the text is in the last lines, and gives everything shown so far. */
  readonly until: (text: string | RegExp) => Promise<string>;
  /** Everything shown so far, without trailing blanks. */
  readonly screen: () => string;
  /** The same with colours, as the terminal holds them. */
  readonly coloured: () => string;
  /** Waits for the end of the command; its exit code, and how it left the terminal. */
  readonly ended: () => Promise<{ code: number; cursor: boolean; echo: boolean; screen: string }>;
  /** Everything that was written to the terminal, byte for byte. */
  readonly written: () => string;
  readonly close: () => void;
}

export const HAS_TMUX = spawnSync('tmux', ['-V']).status === 0;

/** Starts the command in a terminal of this size. */
export function openTerminal({ folder, argv, env, columns = 80, rows = 200 }: TerminalWish): RealTerminal {
  const socket = join(folder, 'tmux');
  const script = join(folder, 'line.sh');
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const settings = Object.entries(env).map(([name, value]) => `${name}='${value}'`);
  writeFileSync(
    script,
    `trap : INT\nenv -i ${settings.join(' ')} ${quoted}\ncode=$?\nstty -a | grep -q ' echo ' && echo=yes || echo=no\nprintf '[ended %s echo %s]' $code $echo\nexec sleep 600\n`,
  );
  const tmux = (...words: string[]): string =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...words], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
    });
  const begin = join(folder, 'begin');
  writeFileSync(join(folder, 'written'), '');
  tmux(
    '-u',
    'new-session',
    '-d',
    '-x',
    String(columns),
    '-y',
    String(rows),
    `until [ -e ${begin} ]; do sleep 0.02; done; rm ${begin}; exec sh ${script}`,
  );
  tmux('pipe-pane', `cat > ${join(folder, 'written')}`);
  writeFileSync(begin, '');
  const capture = (...more: string[]): string => tmux('capture-pane', '-p', '-J', '-S', '-', ...more);
  const screen = (): string =>
    `${capture()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd()}\n`;
  const until = async (text: string | RegExp): Promise<string> => {
    for (const end = Date.now() + 50_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 40))) {
      const now = screen();
      const last = now.split('\n').slice(-9).join('\n');
      if (typeof text === 'string' ? last.includes(text) : text.test(last)) return now;
    }
    throw new Error(`${text} never came; the screen is:\n${screen()}`);
  };
  return {
    type: (text) => {
      if (text !== '') tmux('send-keys', '-l', text);
      tmux('send-keys', 'Enter');
    },
    press: (...keys) => void tmux('send-keys', ...keys),
    until,
    screen,
    coloured: () => capture('-e'),
    ended: async () => {
      const shown = await until(/\[ended \d+ echo \w+\]/);
      const [, code = '', echo] = /\[ended (\d+) echo (\w+)\]/.exec(shown) ?? [];
      const cursor = tmux('display-message', '-p', '#{cursor_flag}').trim() === '1';
      return { code: Number(code), cursor, echo: echo === 'yes', screen: shown.replace(/\n?\[ended .*\]/, '') };
    },
    written: () => readFileSync(join(folder, 'written'), 'utf8'),
    close: () => void spawnSync('tmux', ['-S', socket, 'kill-server']),
  };
}
