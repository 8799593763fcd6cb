// From words to a command. Rule: the table is the product's table of contents; help is made from it; only here and in main is anything printed or exited.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { COMMON_FLAGS, type Command, type CommandResult, type Context, type Flags, type FlagTable, isSet } from './commands/command.ts';
import { diskTrouble } from './model/disk-trouble.ts';
import { exitCodeOf, ToolError } from './model/error.ts';
import { didYouMean } from './model/near.ts';
import type { World } from './model/seams.ts';
import { errorToFields, errorToText } from './show/error.ts';
import { commandHelp, programHelp } from './show/help.ts';

/** One line of the table. A command's code is loaded when it is called, so that starting stays quick. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export interface Program {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly file: string;
  readonly entries: readonly CommandEntry[];
}

/** Runs one command line and gives the exit code. Everything that goes wrong is shown here. */
export async function runCli(program: Program, argv: readonly string[], openWorld: (json: boolean) => World): Promise<number> {
  const json = argv.includes('--json');
  const world = openWorld(json);
  const name = argv.find((word) => !word.startsWith('-'));
  try {
    if (argv[0] === '--version') return say(world, `${program.version}\n`);
    if (name === undefined || name === 'help') return await help(program, argv, world);
    const command = await loadCommand(program, name);
    const { flags, positionals } = parseWords(command, argv.slice(argv.indexOf(name) + 1), argv.slice(0, argv.indexOf(name)));
    if (isSet(flags, 'help')) return say(world, commandHelp(program.name, command, COMMON_FLAGS));
    return await runCommand(command, { world, flags, positionals, program: program.name, file: program.file }, json);
  } catch (error) {
    return fail(diskTrouble(error) ?? error, { world, json, program: program.name, command: name ?? 'help' });
  }
}

async function runCommand(command: Command, context: Context, json: boolean): Promise<number> {
  const result: CommandResult = await command.run(context);
  if (result.handedOver === true) return result.exit ?? 0;
  if (json) context.world.terminal.out(`${JSON.stringify({ type: 'result', command: command.name, ok: true, ...result.fields })}\n`);
  else context.world.terminal.out(result.text);
  return result.exit ?? 0;
}

interface Failure {
  readonly world: World;
  readonly json: boolean;
  readonly program: string;
  readonly command: string;
}

function fail(error: unknown, { world, json, program, command }: Failure): number {
  if (json) world.terminal.out(`${JSON.stringify({ type: 'result', command, ...errorToFields(error) })}\n`);
  world.terminal.err(errorToText(error, program));
  return exitCodeOf(error);
}

async function help(program: Program, argv: readonly string[], world: World): Promise<number> {
  const topic = argv.filter((word) => !word.startsWith('-'))[1];
  if (topic !== undefined) return say(world, commandHelp(program.name, await loadCommand(program, topic), COMMON_FLAGS));
  const bad = argv.find((word) => word.startsWith('-') && word !== '--help' && word !== '--json');
  if (bad !== undefined) throw new ToolError('E_USAGE', `unknown option ${bad}`, { hint: `See \`${program.name} help\`.` });
  return say(world, programHelp(program));
}

async function loadCommand(program: Program, name: string): Promise<Command> {
  const entry = program.entries.find((each) => each.name === name);
  if (entry !== undefined) return entry.load();
  const names = program.entries.map((each) => each.name);
  throw new ToolError('E_USAGE', `there is no command ${JSON.stringify(name)}`, { hint: didYouMean(name, names, 'Commands') });
}

function parseWords(command: Command, words: readonly string[], before: readonly string[]): { flags: Flags; positionals: string[] } {
  const table: FlagTable = { ...COMMON_FLAGS, ...command.flags };
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, flag] of Object.entries(table)) options[name] = { type: flag.type, multiple: flag.multiple ?? false };
  try {
    const { values, positionals } = parseArgs({ args: [...before, ...words], options, allowPositionals: true, strict: true });
    return { flags: values, positionals };
  } catch (error) {
    const message = error instanceof Error ? error.message.split('. ')[0] : String(error);
    throw new ToolError('E_USAGE', `${command.name}: ${message}`, {
      hint: unknownFlagHint(message ?? '', Object.keys(table)),
      cause: error,
    });
  }
}

function unknownFlagHint(message: string, names: readonly string[]): string {
  const flag = /--([a-z-]+)/.exec(message)?.[1];
  const other = 'Its --help lists the options.';
  return flag === undefined
    ? other
    : didYouMean(
        `--${flag}`,
        names.map((name) => `--${name}`),
        'Options',
      );
}

function say(world: World, text: string): number {
  world.terminal.out(text);
  return 0;
}
