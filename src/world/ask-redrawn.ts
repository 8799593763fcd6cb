// One question in a terminal that can redraw: the answer is checked while it is typed, a choice is made with the arrow keys. Rule: only loaded
// when somebody is asked; whatever ends it, the terminal is as it was.
import input from '@inquirer/input';
import password from '@inquirer/password';
import select from '@inquirer/select';
import { ToolError } from '../model/error.ts';
import type { AskParts } from '../model/seams.ts';

export interface Redrawn {
  readonly hidden: boolean;
  readonly colour: boolean;
}

interface Key {
  readonly name?: string;
  readonly ctrl?: boolean;
  readonly sequence?: string;
}

/** Asks on stderr. Escape is the answer `<`; a choice takes the keys `<` and `?`. Rejects with E_INTERRUPTED on Ctrl-C and when the input ends. */
export async function askRedrawn(parts: AskParts, looks: Redrawn): Promise<string> {
  const stop = new AbortController();
  let word: string | undefined;
  const listen = (_text: string | undefined, key: Key): void => {
    word = wordOf(key, parts.choices !== undefined);
    if (word !== undefined || (key.ctrl === true && key.name === 'd')) stop.abort();
  };
  const end = (): void => stop.abort();
  const { stdin } = process;
  stdin.on('keypress', listen).on('end', end);
  const known = stdin.listeners('error');
  const shown = show(parts, looks, stop.signal);
  // readline passes an error of its input on to listeners that nobody sets, which ends the process: a lost terminal is the end of the input, no more.
  for (const listener of stdin.listeners('error')) if (!known.includes(listener)) stdin.off('error', listener as () => void);
  stdin.on('error', end);
  try {
    return await shown;
  } catch (error) {
    if (word !== undefined) return word;
    if (error instanceof Error && /^(Exit|Abort)PromptError$/.test(error.name)) throw interrupted();
    throw error;
  } finally {
    stdin.off('keypress', listen).off('end', end).off('error', end);
  }
}

/** Some keys are answers of their own. */
function wordOf({ name, sequence }: Key, isChoice: boolean): string | undefined {
  if (name === 'escape') return '<';
  return isChoice && (sequence === '<' || sequence === '?') ? sequence : undefined;
}

function show({ text, fallback, choices, misfit }: AskParts, { hidden, colour }: Redrawn, signal: AbortSignal): Promise<string> {
  const context = { input: process.stdin, output: process.stderr, signal };
  const theme = colour ? {} : PLAIN;
  const validate = (line: string): string | true => misfit(line) ?? true;
  if (hidden) return password({ message: text, mask: '*', toggleMask: false, validate, theme }, context);
  const preset = fallback === undefined ? {} : { default: fallback };
  if (choices === undefined) return input({ message: text, validate, theme, ...preset }, context);
  return select(
    { message: text, choices: choices.map((value) => ({ value, name: value })), loop: false, pageSize: 10, theme, ...preset },
    context,
  );
}

function interrupted(): ToolError {
  return new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Nothing was changed.' });
}

const same = (text: string): string => text;

/** Without colours and other emphasis. */
const PLAIN = {
  prefix: { idle: '?', done: '✔' },
  style: {
    answer: same,
    message: same,
    error: (text: string) => `> ${text}`,
    defaultAnswer: (text: string) => `(${text})`,
    help: same,
    highlight: same,
    description: same,
    key: (text: string) => `<${text}>`,
    keysHelpTip: (keys: [string, string][]) => keys.map(([key, action]) => `${key} ${action}`).join(', '),
  },
};
