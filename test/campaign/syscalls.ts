// An upgrade cut off, or refused, at a system call of its own process: strace counts the calls and strikes at the nth. Rule: the points are those of an
// undisturbed run; whether a blow fell is seen from how the process ended, never assumed.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../../src/commands/command.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { ToolError } from '../../src/model/error.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';
import type { DistantStage, Ended } from './distant-stage.ts';

/** What changes a disk. `write` counts only where a file is written. */
const CALLS = ['rename', 'link', 'unlink', 'rmdir', 'mkdir', 'fsync', 'write', 'copy_file_range'] as const;

export type Call = (typeof CALLS)[number];
/** `kill`: it dies before the call. `refuse`: the call fails. `refuse on`: and so do all later ones of its name. */
export type Blow = 'kill' | 'refuse' | 'refuse on';

export interface Strike {
  readonly call: Call;
  /** The nth of its name, from 1. */
  readonly nth: number;
  readonly blow: Blow;
}

export interface Struck extends Strike {
  /** False when the process ended before the nth call. */
  readonly fell: boolean;
  readonly end: 'old' | 'new' | 'neither';
  readonly wrongs: readonly string[];
}

/** A full disk, and one that breaks. */
const REFUSALS: Readonly<Record<Call, string>> = {
  ...{ write: 'ENOSPC', copy_file_range: 'ENOSPC', mkdir: 'ENOSPC', link: 'ENOSPC', rename: 'ENOSPC' },
  ...{ fsync: 'EIO', unlink: 'EIO', rmdir: 'EIO' },
};

/** One traced run: what to strike at. */
export interface Points {
  readonly counts: Readonly<Record<Call, number>>;
  /** The files whose writes count; strace can only be told whole paths, so names made by chance are left out. */
  readonly written: readonly string[];
}

const NAMED_BY_CHANCE = /\/(incoming|slipway-\d+)-|\.part-|\/lock\.\d/;

/** Traces an undisturbed upgrade. One thread does all calls that change files, so that every run makes them in the same order. */
export async function countCalls(stage: DistantStage): Promise<Points> {
  const file = traceFile(stage);
  await stage.reset();
  const traced = ['strace', '-f', '-qq', '-y', '--seccomp-bpf', '-o', file, '-e', `trace=${CALLS.join()}`];
  const ended = await stage.run(['upgrade', '--yes'], traced);
  if (ended.code !== 0) throw new Error(`the traced upgrade ends with ${ended.code}: ${ended.stderr}`);
  const lines = (await readFile(file, 'utf8')).split('\n');
  const paths = lines.flatMap((line) => /^\d+ +write\(\d+<(\/[^>]*)>/.exec(line)?.[1] ?? []);
  const lasting = paths.filter((path) => !NAMED_BY_CHANCE.test(path) && path.startsWith(stage.place));
  const countOf = (call: Call): number => lines.filter((line) => new RegExp(`^\\d+ +${call}\\(`).test(line)).length;
  const counts = Object.fromEntries(CALLS.map((call) => [call, call === 'write' ? lasting.length : countOf(call)])) as Points['counts'];
  return { counts, written: [...new Set(lasting)] };
}

/** Every strike that these points allow, with these blows. */
export function allStrikes({ counts }: Points, blows: readonly Blow[]): Strike[] {
  return CALLS.flatMap((call) =>
    Array.from({ length: counts[call] }, (_, index) => index + 1).flatMap((nth) => blows.map((blow) => ({ call, nth, blow }))),
  );
}

/** Upgrades under a strike, recovers, and says what is wrong with the end; then the same upgrade is run again and must come out right. */
export async function strike(stage: DistantStage, points: Points, one: Strike): Promise<Struck> {
  await stage.reset();
  const ended = await stage.run(['upgrade', '--yes'], straceFor(stage, one, points));
  const fell = one.blow === 'kill' ? ended.code === 137 : ended.code !== 0 || readFileSync(traceFile(stage), 'utf8').includes('INJECTED');
  const open = wrongsWhileOpen(stage, ended.code);
  const wrongs = [...open, ...(one.blow === 'kill' ? [] : wrongsOfRefusal(one, ended)), ...(await recoverAll(stage))];
  const judged = stage.judge();
  return { ...one, fell, end: judged.end, wrongs: [...wrongs, ...judged.wrongs, ...(await runAgain(stage, judged.end))] };
}

function straceFor(stage: DistantStage, { call, nth, blow }: Strike, { written }: Points): string[] {
  const effect = blow === 'kill' ? 'signal=SIGKILL' : `error=${REFUSALS[call]}`;
  const paths = call === 'write' ? written.flatMap((path) => ['-P', path]) : [];
  const inject = `inject=${call}:${effect}:when=${nth}${blow === 'refuse on' ? '+' : ''}`;
  const quick = blow === 'kill' ? [] : ['--seccomp-bpf']; // with it strace 6.1 delivers no signal
  return ['strace', '-f', '-qq', ...quick, '-o', traceFile(stage), ...paths, '-e', `trace=${call}`, '-e', inject];
}

function traceFile(stage: DistantStage): string {
  return join(stage.place, 'trace');
}

/** A refusal is told as one, by its code; whatever ended well or went back by itself is fine. */
function wrongsOfRefusal({ call }: Strike, { code, result, stderr }: Ended): string[] {
  if (code === 0 || code === 6) return [];
  if (code !== 5 && code !== 3) return [`it ends with ${code}: ${stderr.split('\n').slice(-8).join(' ').slice(0, 300)}`];
  const told = `${result.message} ${result.reason} ${result.hint}`;
  return /disk|space|ENOSPC|EIO/i.test(told) ? [] : [`a refused ${call} is told as: ${told}`];
}

/** Until the point of no return the old release is there whole: its pristine files, and its images. */
function wrongsWhileOpen(stage: DistantStage, code: number): string[] {
  const journal = join(stage.root, '.slipway/journal.ndjson');
  const text = existsSync(journal) ? readFileSync(journal, 'utf8') : '';
  if (text === '' || text.includes('{"door":true}')) return [];
  const reserve = existsSync(join(stage.root, '.slipway/journal.reserve'));
  return [...stage.missingOfOld(), ...(reserve || text.includes('"back"') || code === 6 ? [] : ['no space is set aside for the journal'])];
}

async function recoverAll(stage: DistantStage): Promise<string[]> {
  const wrongs: string[] = [];
  for (const wanted of [/^(undone|finished|nothing-open)$/, /^nothing-open$/]) {
    const outcome = await operate(stage, recover, {});
    if (!wanted.test(outcome)) wrongs.push(`recover: ${outcome}`);
  }
  return wrongs;
}

/** The same command once more: a release that was taken back is held, and only asked for by name. */
async function runAgain(stage: DistantStage, end: 'old' | 'new' | 'neither'): Promise<string[]> {
  const outcome = await operate(stage, upgrade, end === 'old' ? { to: '2.0.0' } : {});
  if (outcome !== (end === 'old' ? 'upgraded' : 'up-to-date')) return [`the upgrade once more: ${outcome}`];
  const judged = stage.judge();
  return judged.end === 'new' ? [] : [`after the upgrade once more: ${judged.wrongs.join('; ')}`];
}

/** Runs a command in this process: the outcome that it tells, or its error. */
async function operate(
  { engine, env, program, root }: DistantStage,
  command: Command,
  flags: Readonly<Record<string, string>>,
): Promise<string> {
  const world = quietWorld({
    ...{ env, run: engine.client(), random: randomBytes, terminal: scriptedTerminal() },
    now: () => new Date(engine.state().clock),
    sleep: async (milliseconds) => engine.wait(milliseconds),
  });
  try {
    const { fields } = await command.run({
      world,
      flags: { dir: root, yes: true, ...flags },
      positionals: [],
      program: 'acmectl',
      file: program,
    });
    return String(fields.outcome);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return `${error.message} (${error.details.reason})`;
  }
}
