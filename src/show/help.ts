// Help, made from the tables of commands and flags. Rule: nothing is said here that the tables do not say.
interface HelpFlag {
  readonly type: 'string' | 'boolean';
  readonly help: string;
  readonly value?: string;
  readonly multiple?: boolean;
}

interface HelpCommand {
  readonly name: string;
  readonly summary: string;
  readonly usage?: string;
  readonly flags: Readonly<Record<string, HelpFlag>>;
}

interface HelpProgram {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly entries: readonly { readonly name: string; readonly summary: string }[];
}

/** The list of commands. */
export function programHelp(program: HelpProgram): string {
  const width = Math.max(...program.entries.map((entry) => entry.name.length));
  const lines = program.entries.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}`);
  return `${program.title}\n\nUsage: ${program.name} COMMAND [OPTIONS]\n\n${lines.join('\n')}\n\n\`${program.name} help COMMAND\` tells more about one.\n`;
}

/** One command with its options. */
export function commandHelp(program: string, command: HelpCommand, common: Readonly<Record<string, HelpFlag>>): string {
  const flags = Object.entries({ ...command.flags, ...common }).map(([name, flag]) => [flagWords(name, flag), flag.help] as const);
  const width = Math.max(...flags.map(([words]) => words.length));
  const lines = flags.map(([words, help]) => `  ${words.padEnd(width)}  ${help}`);
  const usage = command.usage === undefined ? '' : ` ${command.usage}`;
  return `${command.summary}\n\nUsage: ${program} ${command.name}${usage} [OPTIONS]\n\n${lines.join('\n')}\n`;
}

function flagWords(name: string, flag: HelpFlag): string {
  const value = flag.type === 'string' ? ` ${flag.value ?? 'VALUE'}` : '';
  return `--${name}${value}${flag.multiple === true ? ' …' : ''}`;
}
