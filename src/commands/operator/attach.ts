// attach: shows what is being done here, from the beginning, and how it ends. Rule: it only looks on; leaving it leaves the work alone.
import { isStale, liveHolder } from '../../apply/holder.ts';
import { ToolError } from '../../model/error.ts';
import type { Event } from '../../model/event.ts';
import { lockPath } from '../../model/layout.ts';
import type { EndedRun, Worker } from '../../model/progress.ts';
import { openProgress, type ProgressReader } from '../../observe/progress.ts';
import { refuseOpenJournal } from '../carry-out.ts';
import { type Command, type CommandResult, type Context, refusePositionals } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

export const attach: Command = {
  name: 'attach',
  summary: 'Shows what is being done here and how it ends, from any terminal; Ctrl-C leaves the work alone.',
  flags: FOLDER_FLAG,
  run,
};

/** Milliseconds between two looks. */
const EVERY = 200;

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  const reader = await openCurrent(context, root);
  if (reader === undefined) {
    await refuseOpenJournal(root, context.world);
    return { fields: { outcome: 'nothing' }, text: 'nothing is being done here\n' };
  }
  try {
    const seen = await follow(context, root, reader);
    return 'ended' in seen ? resultOf(context, seen.ended) : await cutOff(context, root, seen.worker);
  } finally {
    await reader.close();
  }
}

/** The file of whoever is at work, waiting until there is one; that of the last command where nobody is. */
async function openCurrent({ world }: Context, root: string): Promise<ProgressReader | undefined> {
  for (;;) {
    const holder = await liveHolder(lockPath(root), world);
    const reader = await openProgress(root);
    if (holder === undefined || reader === undefined) {
      if (holder === undefined) return reader;
    } else if (await isOf(root, holder)) return reader;
    await reader?.close();
    await world.sleep(EVERY);
  }
}

/** True when the file is that of this process, or of one that handed its work over to it. */
async function isOf(root: string, { pid, started, pidNamespace }: Worker): Promise<boolean> {
  const reader = await openProgress(root);
  const lines = (await reader?.next()) ?? [];
  await reader?.close();
  const isIt = (begun: Worker): boolean => begun.pid === pid && begun.started === started && begun.pidNamespace === pidNamespace;
  return lines.some((line) => 'begun' in line && isIt(line.begun));
}

/** Shows what is written until there is a result, or nobody is left to write one. A run that ended before is not shown again, only its result is. */
async function follow(
  { world }: Context,
  root: string,
  reader: ProgressReader,
): Promise<{ ended: EndedRun } | { worker: Worker | undefined }> {
  const show = (event: Event): void => world.report({ type: 'seen', event });
  let worker: Worker | undefined;
  for (let isFirst = true; ; isFirst = false) {
    const works = worker === undefined || !(await isStale(worker, { world, root })); // asked first: what was written before the end is then there
    const lines = await reader.next();
    const ended = lines.flatMap((line) => ('ended' in line ? line.ended : []))[0];
    for (const line of lines) {
      if ('begun' in line) worker = line.begun;
      if ('begun' in line && (ended === undefined || !isFirst)) show({ type: 'phase', text: greetingOf(line.begun) });
      if ('event' in line && (ended === undefined || !isFirst)) show(line.event);
    }
    if (ended !== undefined) return { ended };
    if (!works || worker === undefined) return { worker };
    await world.sleep(EVERY);
  }
}

function greetingOf({ command, since, pid }: Worker): string {
  return `${command}, at work since ${since} (process ${pid})`;
}

/** What the command itself told, where it told it, with its exit code, and when it ended: it may be long ago. */
function resultOf({ world, flags }: Context, ended: EndedRun): CommandResult {
  const { command, ok, exit, at, fields } = ended;
  const text = `${ended.text}${command} ended at ${at}\n`;
  if (!ok && flags.json !== true) world.terminal.err(text);
  return { fields: { command, ok, ...fields, exit, at }, text: ok ? text : '', exit };
}

/** Nobody is at work, and no result was written. */
async function cutOff({ world }: Context, root: string, worker: Worker | undefined): Promise<never> {
  await refuseOpenJournal(root, world);
  throw new ToolError(
    'E_INTERRUPTED',
    `${worker?.command ?? 'the last command'} was cut off before it could tell a result; nothing is open`,
    {
      hint: '`status` shows what is here, `history` what was done.',
    },
  );
}
