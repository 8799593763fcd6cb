// Every world that crashes can lead to, each recovered from once in either direction. Rule: whatever a run passes through is a world that a crash can leave, and
// so begins a run of its own; a run ends where another one went on from an equal world at the same place. So crashes may follow each other without end.
import { join } from 'node:path';
import { siteOf, undoFolder } from '../../src/apply/site.ts';
import { parseJournal } from '../../src/model/journal.ts';
import { type EngineState, reboot } from '../fakes/engine-state.ts';
import { FAITHFUL, isOpen, judgeEnd, type Mutant, nameOfResult, type Result, recover, start } from './crash.ts';
import { afterPowerCut, copyDisk, type DiskState, diskWith, type Edit, imageOf, isUnsafe, settled } from './disk.ts';
import { DiskFollower, withEdits } from './disk-follower.ts';
import { type FolderImage, putImage, takeImage, textAt } from './folder-image.ts';
import { Fuse } from './fuse.ts';
import { putMoment, type Scenario } from './scenario.ts';
import { digestOfEngine, digestOfWorld, type WorldDigest } from './world-text.ts';

/** What a crash left. */
interface Wreck {
  readonly disk: DiskState;
  readonly engine: EngineState;
  /** How it came to be: one crash after the other. */
  readonly trail: readonly string[];
  /** The process was killed, once, and the machine kept all. */
  readonly isPlain: boolean;
  /** No further crash is tried in its recovery. */
  readonly isLast: boolean;
}

export interface ExploredCase {
  readonly trail: readonly string[];
  readonly direction: 'back' | 'forward';
}

export interface ExploredVerdict {
  readonly case: ExploredCase;
  readonly where: string;
  readonly ended: string;
  readonly wrongs: readonly string[];
}

export interface Explored {
  readonly points: number;
  /** Worlds that the first crash left, those that only a second one left, and of all of them, those after a power cut. */
  readonly first: number;
  readonly second: number;
  readonly powerCuts: number;
  readonly recoveries: number;
  readonly wrong: readonly ExploredVerdict[];
}

export interface ExploreExtent {
  /** Only some points are looked at, and only so many worlds recovered from, drawn by chance; all by default. */
  readonly sample?: { readonly share: number; readonly most: number; readonly draw: () => number };
  /** How many crashes follow each other; 2 by default. */
  readonly depth?: number;
  readonly mutant?: Mutant;
  /** Only first crashes at these points count. */
  readonly where?: RegExp;
}

/** A run, and how it ended; `into` = where another one had gone on before. */
interface Run {
  ended?: Result;
  into?: Run;
}

/** Explores all worlds of a scenario, or some. */
export async function exploreScenario(scenario: Scenario, extent: ExploreExtent = {}): Promise<Explored> {
  const explorer = new Explorer(scenario, extent);
  await explorer.begin();
  await explorer.goOn();
  return explorer.tell();
}

/** A run's files and its world, as the points along it see them. */
interface Watched {
  readonly disk: DiskFollower;
  readonly trail: readonly string[];
  readonly isPlain: boolean;
  readonly isLast: boolean;
}

class Explorer {
  readonly #scenario: Scenario;
  readonly #extent: ExploreExtent;
  readonly #depth: number;
  readonly #waiting: Wreck[] = [];
  readonly #known = new Set<string>();
  /** Worlds in which power cuts were tried. */
  readonly #cut = new Set<string>();
  /** World and place → the run that went on from there. */
  readonly #passed = new Map<string, Run>();
  readonly #wrong: ExploredVerdict[] = [];
  readonly #counts = { points: 0, first: 0, powerCuts: 0, recoveries: 0 };
  #engine: { readonly clock: number; readonly digest: string | undefined } = { clock: -1, digest: undefined };
  #last: { readonly disk?: DiskFollower; readonly version: number; readonly engine: string; readonly digest: WorldDigest } = {
    ...{ version: -1, engine: '', digest: { whole: '', seen: '' } },
  };

  constructor(scenario: Scenario, extent: ExploreExtent) {
    this.#scenario = scenario;
    this.#extent = extent;
    this.#depth = extent.depth ?? DEEPEST;
  }

  /** The undisturbed run: all that a first crash can leave. */
  async begin(): Promise<void> {
    const { stage, before } = this.#scenario;
    putMoment(stage, before);
    const { where: only, mutant = FAITHFUL } = this.#extent;
    const watched = { disk: followerOf(stage.root, diskWith(stage.root, before.folder), mutant), trail: [], isPlain: true, isLast: false };
    const watch = (where: string, half: readonly Edit[]): boolean => {
      this.#follow(watched.disk, where);
      if ((only === undefined || only.test(where)) && this.#isChosen()) this.#see(watched, where, half);
      return true;
    };
    const fuse = new Fuse({ disk: watched.disk, watch });
    await start(this.#scenario, fuse, mutant);
    this.#follow(watched.disk, 'after docker');
    refuseDrift(imageOf(watched.disk.state(), stage.root), takeImage(stage.root));
    this.#counts.points = fuse.count;
    this.#counts.first = this.#waiting.length;
  }

  async goOn(): Promise<void> {
    const { sample } = this.#extent;
    for (let count = 0; count < (sample?.most ?? Number.POSITIVE_INFINITY); count += 1) {
      const wreck = sample === undefined ? this.#waiting[count] : this.#waiting[Math.floor(sample.draw() * this.#waiting.length)];
      if (wreck === undefined) return;
      if (sample === undefined) delete this.#waiting[count]; // it may be large
      for (const direction of directionsFor(wreck.disk, this.#scenario.stage.root)) await this.#recoverFrom(wreck, direction);
    }
  }

  tell(): Explored {
    return { ...this.#counts, second: this.#waiting.length - this.#counts.first, wrong: this.#wrong };
  }

  #isChosen(): boolean {
    const { sample } = this.#extent;
    return sample === undefined || sample.draw() < sample.share;
  }

  async #recoverFrom({ disk: left, engine, trail, isPlain, isLast }: Wreck, direction: 'back' | 'forward'): Promise<void> {
    const { stage } = this.#scenario;
    const { mutant = FAITHFUL } = this.#extent;
    putImage(stage.root, imageOf(left, stage.root));
    stage.engine.restore(engine);
    this.#engine = { clock: -1, digest: undefined };
    this.#counts.recoveries += 1;
    const run: Run = {};
    const watched = { disk: followerOf(stage.root, copyDisk(left), mutant), trail, isPlain: false, isLast };
    const watch = this.#watcher(watched, run, new Place(direction));
    let result = await recover(this.#scenario, new Fuse({ disk: watched.disk, watch }), direction, mutant);
    for (let again = 0; again < 2 && run.into === undefined && isOpen(result); again += 1)
      result = await recover(this.#scenario, new Fuse(), direction, mutant);
    if (run.into === undefined) run.ended = result;
    this.#judge({ trail, isPlain, direction }, run);
  }

  /** Ends the run where another one went on; until then, a further crash may come. What it passes again itself (two steps of a kind, both undone already) is no end. */
  #watcher(watched: Watched, run: Run, place: Place): (where: string, half: readonly Edit[]) => boolean {
    const { isLast } = watched;
    const isSample = this.#extent.sample !== undefined;
    return (where, half) => {
      this.#follow(watched.disk, where);
      if (isSample && !isLast && this.#isChosen()) this.#see(watched, where, half);
      if (isSample) return true;
      const at = place.after(where);
      const { whole, seen } = this.#digest(watched.disk);
      const key = `${at} ${isLast ? seen : whole}`;
      const other = this.#passed.get(key);
      if (other !== undefined && other !== run) {
        run.into = other;
        return false;
      }
      this.#passed.set(key, run);
      if (isLast) return true;
      this.#passed.set(`${at} ${seen}`, this.#passed.get(`${at} ${seen}`) ?? run);
      this.#see(watched, where, half);
      return true;
    };
  }

  /** Every run that has an end of its own is judged by the world it left; one that came into another's way only by its direction. */
  #judge({ trail, isPlain, direction }: ExploredCase & Pick<Wreck, 'isPlain'>, run: Run): void {
    const result = endOf(run);
    const ended = nameOfResult(result);
    const wrongs = run.into === undefined ? [...judgeEnd(this.#scenario, result)] : [];
    const mustFinish = isPlain && direction === 'forward' && this.#scenario.ends === 'done';
    if (mustFinish && ended === 'undone') wrongs.push('it went back although it was to go on');
    if (wrongs.length > 0) this.#wrong.push({ case: { trail, direction }, where: trail.join(', then '), ended, wrongs });
  }

  /** A crash here leaves this world, or this with something half-done, or what a power cut makes of it. */
  #see({ disk, trail, isPlain }: Watched, where: string, half: readonly Edit[]): void {
    const { root, engine } = this.#scenario.stage;
    const { whole, seen } = this.#digest(disk);
    const state = disk.state();
    const broken = half.length > 0 ? withEdits(state, root, half) : state;
    const isLast = trail.length + 1 >= this.#depth;
    const left = (found: DiskState): DiskState => (isLast ? settled(found) : found);
    const how = [...trail, `killed ${where}`];
    if (!this.#known.has(whole)) this.#add({ disk: left(state), trail: how, isPlain, isLast, engine: engine.state() });
    this.#known.add(whole);
    if (!isLast) this.#known.add(seen);
    if (half.length > 0) this.#add({ disk: left(broken), trail: how, isPlain, isLast, engine: engine.state() });
    if (!CUTS.test(where) || (this.#cut.has(whole) && half.length === 0)) return;
    this.#cut.add(whole);
    const after = structuredClone(engine.state());
    reboot(after);
    for (const { what, left } of powerCuts(broken, isLast)) {
      const so = { trail: [...trail, `power cut (${what}) ${where}`], isPlain: false, isLast: isLast || what !== ALL_LOST };
      const isNew = this.#add({ disk: left, ...so, engine: after });
      if (isNew) this.#counts.powerCuts += 1;
    }
  }

  /** True when no crash has led to this world before. */
  #add(found: Wreck): boolean {
    const { whole, seen } = digestOfWorld(found.disk, digestOfEngine(found.engine));
    if (this.#known.has(whole) || (found.trail.length >= this.#depth && this.#known.has(seen))) return false;
    this.#known.add(whole);
    this.#waiting.push({ ...found, disk: copyDisk(found.disk), engine: structuredClone(found.engine) });
    return true;
  }

  /** What streams of ours and the engine write is not seen call by call. */
  #follow(disk: DiskFollower, where: string): void {
    const { stage, planned } = this.#scenario;
    const { root, engine } = stage;
    const { clock } = engine.state();
    const isTouched = clock !== this.#engine.clock || where.includes('docker');
    if (isTouched) this.#engine = { clock, digest: undefined };
    if (isTouched) disk.followTree(join(root, 'data'), 'engine');
    if (isTouched || MARKS.test(where)) disk.followTree(join(root, '.slipway/backups'), 'stream');
    if (isTouched) disk.followTree(undoFolder(siteOf(root, planned.plan.id, stage.world), 'measured'), 'stream');
  }

  /** Reckons anew only what may have changed since it was asked last. */
  #digest(disk: DiskFollower): WorldDigest {
    const engine = this.#engine.digest ?? digestOfEngine(this.#scenario.stage.engine.state());
    this.#engine = { ...this.#engine, digest: engine };
    const last = this.#last;
    if (last.disk !== disk || last.version !== disk.version || last.engine !== engine)
      this.#last = { disk, version: disk.version, engine, digest: digestOfWorld(disk.state(), engine) };
    return this.#last.digest;
  }
}

/** After how many crashes no further one is tried. Power cuts that lose a part only are the last by themselves. */
const DEEPEST = 2;
const ALL_LOST = 'all that was not synced';

/** Where a stream may have written a backup. */
const MARKS = /-(backup|data)\.(run|undo)$|mkdir/;

/** Where a power cut makes a difference: around everything that makes something safe, and every effect on the engine. */
const CUTS = /^(before sync|(after|torn) journal|(amid|after) docker)/;

/** What a power cut can leave: everything, nothing that was not safe, and, the first time, all but one change or all but the others. */
function powerCuts(disk: DiskState, isLast: boolean): { readonly what: string; readonly left: DiskState }[] {
  const all = { what: 'nothing is lost', left: afterPowerCut(disk, () => false, 'kept') };
  if (!isUnsafe(disk)) return [all];
  const none = { what: ALL_LOST, left: afterPowerCut(disk, () => true, 'lost') };
  const contents = { what: 'contents', left: afterPowerCut(disk, () => false, 'lost') };
  if (isLast) return [none, contents];
  const { pending } = disk;
  const last = pending.length - 1;
  return [
    ...[all, none],
    contents,
    { what: 'all but the last change', left: afterPowerCut(disk, (index) => index !== last, 'kept') },
    ...pending.map(({ what }, lost) => ({ what, left: afterPowerCut(disk, (index) => index === lost, 'kept') })),
  ];
}

/** Where in the code a run is: the step's handler or journal line it passed last, and how many points since. */
class Place {
  #last: string;
  #since = 0;

  constructor(direction: string) {
    this.#last = direction;
  }

  after(where: string): string {
    const isMark = /journal|\.(done|save|run|settle|undo)$/.test(where);
    this.#since = isMark ? 0 : this.#since + 1;
    if (isMark) this.#last = `${this.#last.split(' ')[0]} ${where.replaceAll(' ', '-')}`;
    return `${this.#last} ${this.#since} ${where}`;
  }
}

/** What is reckoned of a disk must be what is on it. */
function refuseDrift(reckoned: FolderImage, real: FolderImage): void {
  const linesOf = (image: FolderImage): string[] =>
    (image ?? [])
      .map(({ path, kind, mode, uid, gid }) => `${path} ${kind} ${kind === 'link' ? '' : mode} ${uid}:${gid} ${textAt(image, path)}`)
      .sort();
  const [ours, theirs] = [linesOf(reckoned), linesOf(real)];
  const wrong = [...ours.filter((line) => !theirs.includes(line)), ...theirs.filter((line) => !ours.includes(line))];
  if (wrong.length > 0) throw new Error(`the disk is not as it was reckoned: ${wrong.map((line) => line.slice(0, 200)).join('; ')}`);
}

function followerOf(root: string, state: DiskState, { unsynced }: Mutant): DiskFollower {
  const disk = new DiskFollower(root, state, unsynced);
  disk.bind();
  return disk;
}

/** Which way a recovery goes is a question only before the point of no return, and before the way back was begun. */
function directionsFor(disk: DiskState, root: string): readonly ('back' | 'forward')[] {
  const text = textAt(imageOf(disk, root), '.slipway/journal.ndjson');
  const state = text === undefined ? undefined : parseJournal(text, 'journal');
  const isOpen = state !== undefined && !state.door && !state.goingBack && state.end === undefined;
  return isOpen ? ['back', 'forward'] : ['back'];
}

function endOf(run: Run): Result {
  let last = run;
  while (last.into !== undefined) last = last.into;
  return last.ended ?? 'dead';
}
