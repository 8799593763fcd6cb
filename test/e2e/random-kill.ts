// Real upgrades on the real engine, struck at a random moment (as ostree tests its own: measure the length first, then strike anywhere in it), recovered and
// judged. Rule: a case is its seed and index alone, so that it can be tried again; rows are written through the door all the while.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { judgePicture, leftBehind, lostRows, type Picture, takePicture, wrongStatus, wrongsWhileOpen } from './invariants.ts';
import { addNote, type Installed, must } from './stage.ts';

/** `all`: the command, its operator and every docker command of theirs. `parent`, `operator`: one of the two alone. */
export type Way = 'both' | 'all' | 'parent' | 'operator' | 'pause' | 'hangup' | 'pipe';

export interface Moment {
  readonly way: Way;
  /** Of the upgrade's length; a little more than 1 is after its end. */
  readonly share: number;
}

export interface Verdict extends Moment {
  readonly index: number;
  readonly end: 'old' | 'new';
  /** What recover said. */
  readonly outcome: string;
  /** Until the product answered again, from the beginning of the recovery. Milliseconds. */
  readonly backAfter: number;
  readonly wrongs: readonly string[];
}

export interface Target {
  readonly installed: Installed;
  /** Where copies of the install and its volumes lie. */
  readonly kept: string;
  readonly old: Picture;
  readonly new: Picture;
  /** Milliseconds of an undisturbed upgrade. */
  readonly length: number;
}

/** The longest that the product may be away once the recovery has begun. Milliseconds. */
const LONGEST_AWAY = 120_000;

/** Measures both ends and the length of the upgrade; the install is back at the old release afterwards. */
export async function measure(installed: Installed, kept: string): Promise<Target> {
  await addNote(installed, 'written before all of it');
  const old = await takePicture(installed);
  await keepAll(installed, kept);
  const began = Date.now();
  const { result, stderr } = await installed.ctl('upgrade', '--yes');
  if (result.outcome !== 'upgraded') throw new Error(`the upgrade to be measured: ${stderr}`);
  const length = Date.now() - began;
  const target = { installed, kept, old, new: await takePicture(installed), length };
  await putBack(target);
  return target;
}

/** What strikes, and when: mostly a SIGKILL, somewhere in the upgrade's length or just after it. */
export function drawMoment(draw: () => number): Moment {
  const of = draw();
  const way: Way =
    of < 0.6
      ? 'both'
      : of < 0.75
        ? 'all'
        : of < 0.85
          ? 'operator'
          : of < 0.95
            ? 'parent'
            : of < 0.97
              ? 'pause'
              : of < 0.985
                ? 'hangup'
                : 'pipe';
  return { way, share: draw() * 1.05 };
}

/** Strikes one upgrade, recovers, and holds what is left against the invariants; afterwards the old release runs again. */
export async function tryMoment(target: Target, index: number, { way, share }: Moment): Promise<Verdict> {
  const { installed, old } = target;
  const prefix = `case ${index} `;
  const writer = writeRows(installed, prefix);
  const child = spawnUpgrade(installed, target.kept);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await Promise.race([ended, pause(share * target.length)]);
  strikeTree(child, way);
  await ended;
  await orphansEnd(installed);
  const open = await wrongsWhileOpen(installed, old);
  const began = Date.now();
  const recovered = await installed.ctl('recover');
  const backAfter = await answersAgain(installed, began);
  const acknowledged = await writer.end();
  const found = await takePicture(installed);
  const outcome = String(recovered.result.outcome);
  const wrongs = [
    ...open,
    ...(recovered.code === 0 ? [] : [`recover ends with ${recovered.code}: ${recovered.stderr}`]),
    ...wrongOutcome(outcome, found, target),
    ...judgePicture(found, target),
    ...(await lostRows(installed.project, acknowledged, prefix)),
    ...(await leftBehind(installed)),
    ...(await wrongStatus(installed, found)),
    ...(await wrongsOfSecondRun(target, found)),
    ...(backAfter > LONGEST_AWAY ? [`the product was away for ${backAfter} ms`] : []),
  ];
  const end = found.version === old.version ? 'old' : 'new';
  if (end === 'new' || wrongs.length > 0) await putBack(target);
  return { index, way, share, end, outcome, backAfter, wrongs };
}

export interface Race {
  /** Exit codes, the smaller first. */
  readonly codes: readonly number[];
  /** What the one that was refused said. */
  readonly refusals: readonly unknown[];
  readonly wrongs: readonly string[];
}

/** Runs two commands at the same time; afterwards the old release runs again. */
export async function race(target: Target, one: readonly string[], other: readonly string[]): Promise<Race> {
  const { installed } = target;
  const prefix = `race ${one[0]} ${other[0]} `;
  const writer = writeRows(installed, prefix);
  const ran = await Promise.all([installed.ctl(...one), installed.ctl(...other)]);
  await answersAgain(installed, Date.now());
  await writer.end();
  const found = await takePicture(installed);
  const wrongs = [...judgePicture(found, target), ...(await leftBehind(installed)), ...(await wrongStatus(installed, found))];
  await putBack(target);
  return {
    codes: ran.map(({ code }) => code).sort(),
    refusals: ran.flatMap(({ code, result }) => (code === 0 ? [] : [result.code])),
    wrongs,
  };
}

/** I7 and I11 of what `recover` said. */
function wrongOutcome(outcome: string, { version }: Picture, { old }: Target): string[] {
  if (outcome === 'nothing-open') return [];
  const wanted = version === old.version ? 'undone' : 'finished';
  return outcome === wanted ? [] : [`recover says ${outcome}, and ${version} runs`];
}

/** I6: once more is nothing, and says so. */
async function wrongsOfSecondRun({ installed, old }: Target, found: Picture): Promise<string[]> {
  const words = found.version === old.version ? ['recover'] : ['upgrade', '--yes'];
  const { code, result } = await installed.ctl(...words);
  const wanted = found.version === old.version ? 'nothing-open' : 'up-to-date';
  const again = await takePicture(installed);
  const changed = again.facts.filter((line) => !found.facts.includes(line));
  return [
    ...(code === 0 && result.outcome === wanted ? [] : [`${words[0]} once more: ${code}, ${result.outcome}`]),
    ...changed.map((line) => `${words[0]} once more changed ${line}`),
  ];
}

/** Writes numbered rows through the door until it is ended; gives those whose writing was acknowledged. */
function writeRows(installed: Installed, prefix: string): { readonly end: () => Promise<readonly string[]> } {
  const acknowledged: string[] = [];
  let going = true;
  const work = (async () => {
    for (let number = 1; going; number += 1) {
      const text = `${prefix}${number}`;
      const written = await addNote(installed, text).then(
        () => true,
        () => false,
      );
      if (written) acknowledged.push(text);
      await pause(50);
    }
  })();
  return {
    end: async () => {
      going = false;
      await work;
      return acknowledged;
    },
  };
}

function spawnUpgrade({ root }: Installed, temporary: string): ChildProcess {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', TMPDIR: temporary };
  const child = spawn(join(root, 'acmectl'), ['upgrade', '--yes'], { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout?.resume();
  child.stderr?.resume();
  return child;
}

function strikeTree(child: ChildProcess, way: Way): void {
  const [parent = 0, ...others] = treeOf(child.pid ?? 0);
  const operators = others.filter((pid) => commandOf(pid).includes('/operators/'));
  if (way === 'pipe') {
    child.stdout?.destroy();
    child.stderr?.destroy();
  } else if (way === 'pause') {
    signal([parent, ...operators], 'SIGSTOP');
    setTimeout(() => signal([parent, ...operators], 'SIGCONT'), 1500);
  } else {
    const struck = {
      all: [parent, ...others],
      parent: [parent],
      operator: operators,
      both: [parent, ...operators],
      hangup: [parent, ...operators],
    };
    signal(struck[way], way === 'hangup' ? 'SIGHUP' : 'SIGKILL');
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** A process and all its descendants. */
function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** An operator whose parent was killed goes on by itself, and holds the lock until it has ended. */
async function orphansEnd({ root }: Installed): Promise<void> {
  const isOurs = (pid: string): boolean => commandOf(Number(pid)).includes(`${root}/.slipway/operators/`);
  while (readdirSync('/proc').some((name) => /^\d+$/.test(name) && isOurs(name))) await pause(100);
}

/** How long it takes until the product answers at its door. */
async function answersAgain(installed: Installed, since: number): Promise<number> {
  while (Date.now() - since < LONGEST_AWAY) {
    if (
      await installed.http('/api/health').then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    await pause(100);
  }
  return Date.now() - since;
}

/** The install as it was, without installing again: its folder and its volumes are put back, and it is started. */
async function putBack({ installed, kept }: Target): Promise<void> {
  const { root, project } = installed;
  const ids = (await must(['docker', 'ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`])).stdout
    .split('\n')
    .filter(Boolean);
  if (ids.length > 0) await must(['docker', 'rm', '-f', ...ids]);
  await rm(root, { recursive: true, force: true });
  await cp(join(kept, 'install'), root, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  for (const name of await volumesOf(project)) await copyTree(join(kept, name), await mountpointOf(name));
  await must([join(root, 'acmectl'), 'start', '--json'], { cwd: '/' });
}

/** Copies of the install's folder and of its stopped volumes. */
async function keepAll(installed: Installed, kept: string): Promise<void> {
  await must([join(installed.root, 'acmectl'), 'stop', '--json'], { cwd: '/' });
  await cp(installed.root, join(kept, 'install'), { recursive: true, verbatimSymlinks: true });
  for (const name of await volumesOf(installed.project)) await copyTree(await mountpointOf(name), join(kept, name));
  await must([join(installed.root, 'acmectl'), 'start', '--json'], { cwd: '/' });
}

async function volumesOf(project: string): Promise<string[]> {
  return (await must(['docker', 'volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${project}`])).stdout
    .split('\n')
    .filter(Boolean);
}

async function mountpointOf(volume: string): Promise<string> {
  return (await must(['docker', 'volume', 'inspect', '--format', '{{.Mountpoint}}', volume])).stdout.trim();
}

/** Owners, modes and times are part of it: a database looks at them. */
async function copyTree(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await promisify(execFile)('cp', ['-a', from, to]);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
