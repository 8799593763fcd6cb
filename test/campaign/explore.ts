// Every world that crashes can lead to, each recovered from once in either direction. Rule: whatever a run passes through is a world that a crash can leave, and
// so begins a run of its own; a run ends where another one went on from an equal world at the same place. So crashes may follow each other without end.
import { type EngineState, reboot } from '../fakes/engine-state.ts';
import { FAITHFUL, isOpen, judgeEnd, type Mutant, nameOfResult, type Result, recover, start } from './crash.ts';
import { afterPowerCut, copyDisk, type DiskState, diskWith, type Edit, imageOf, isUnsafe } from './disk.ts';
import { DiskFollower, withEdits } from './disk-follower.ts';
import { putImage } from './folder-image.ts';
import { Fuse } from './fuse.ts';
import { putMoment, type Scenario } from './scenario.ts';
import { digestOfWorld, engineText } from './world-text.ts';

/** What a crash left. */
interface Wreck {
  readonly disk: DiskState;
  readonly engine: EngineState;
  /** How it came to be: one crash after the other. */
  readonly trail: readonly string[];
  /** The process was killed, once, and the machine kept all. */
  readonly isPlain: boolean;
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
  /** Worlds that crashes led to; of these, those that the first crash left, and those that a power cut left. */
  readonly worlds: number;
  readonly first: number;
  readonly powerCuts: number;
  readonly recoveries: number;
  readonly deepest: number;
  readonly wrong: readonly ExploredVerdict[];
}

export interface ExploreExtent {
  /** Only so many worlds are recovered from, drawn by chance; all by default. */
  readonly most?: number;
  readonly draw?: () => number;
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

class Explorer {
  readonly #scenario: Scenario;
  readonly #extent: ExploreExtent;
  readonly #waiting: Wreck[] = [];
  readonly #known = new Set<string>();
  /** World and place → the run that went on from there. */
  readonly #passed = new Map<string, Run>();
  readonly #judged = new Map<string, readonly string[]>();
  readonly #wrong: ExploredVerdict[] = [];
  #points = 0;
  #first = 0;
  #powerCuts = 0;
  #recoveries = 0;
  #deepest = 0;

  constructor(scenario: Scenario, extent: ExploreExtent) {
    this.#scenario = scenario;
    this.#extent = extent;
  }

  /** The undisturbed run: all that a first crash can leave. */
  async begin(): Promise<void> {
    const { stage, before } = this.#scenario;
    putMoment(stage, before);
    const disk = followerOf(stage.root, diskWith(stage.root, before.folder));
    const fuse = new Fuse({ disk, watch: (where, half) => this.#see(disk, [where, half], { trail: [], isPlain: true }) });
    await start(this.#scenario, fuse, this.#extent.mutant ?? FAITHFUL);
    this.#points = fuse.count;
    this.#first = this.#waiting.length;
  }

  async goOn(): Promise<void> {
    const { most = Number.POSITIVE_INFINITY, draw = () => 0 } = this.#extent;
    for (let count = 0; count < most; count += 1) {
      const [wreck] = this.#waiting.splice(most === Number.POSITIVE_INFINITY ? 0 : Math.floor(draw() * this.#waiting.length), 1);
      if (wreck === undefined) return;
      for (const direction of ['back', 'forward'] as const) await this.#recoverFrom(wreck, direction);
    }
  }

  tell(): Explored {
    return {
      ...{ points: this.#points, worlds: this.#known.size, first: this.#first, powerCuts: this.#powerCuts },
      ...{ recoveries: this.#recoveries, deepest: this.#deepest, wrong: this.#wrong },
    };
  }

  async #recoverFrom(wreck: Wreck, direction: 'back' | 'forward'): Promise<void> {
    const { stage } = this.#scenario;
    const mutant = this.#extent.mutant ?? FAITHFUL;
    putImage(stage.root, imageOf(wreck.disk, stage.root));
    stage.engine.restore(wreck.engine);
    this.#recoveries += 1;
    const disk = followerOf(stage.root, copyDisk(wreck.disk));
    const run: Run = {};
    const place = new Place(direction);
    const watch = (where: string, half: readonly Edit[]): boolean => {
      const at = place.after(where);
      const world = this.#digest(disk.state());
      const other = this.#passed.get(`${at} ${world}`);
      if (other !== undefined) {
        run.into = other;
        return false;
      }
      this.#passed.set(`${at} ${world}`, run);
      return this.#see(disk, [where, half], { trail: wreck.trail, isPlain: false });
    };
    let result = await recover(this.#scenario, new Fuse({ disk, watch }), direction, mutant);
    if (run.into === undefined) {
      for (let again = 0; again < 2 && isOpen(result); again += 1) result = await recover(this.#scenario, new Fuse(), direction, mutant);
      run.ended = result;
    }
    this.#judge(wreck, direction, run);
  }

  /** Every run that has an end of its own is judged by the world it left; one that came into another's way only by its direction. */
  #judge({ trail, isPlain }: Wreck, direction: 'back' | 'forward', run: Run): void {
    const result = endOf(run);
    const { ends } = this.#scenario;
    const outcome = nameOfResult(result);
    const wrongs = run.into === undefined ? [...this.#judgeWorld(result)] : [];
    if (isPlain && direction === 'forward' && ends === 'done' && outcome === 'undone') wrongs.push('it went back although it was to go on');
    if (wrongs.length > 0)
      this.#wrong.push({ case: { trail, direction }, where: trail.join(', then '), ended: outcome, wrongs });
  }

  #judgeWorld(result: Result): readonly string[] {
    return judgeEnd(this.#scenario, result);
  }

  /** A crash here leaves this world, or this with something half-done, or what a power cut makes of it. */
  #see(disk: DiskFollower, [where, half]: readonly [string, readonly Edit[]], so: Pick<Wreck, 'trail' | 'isPlain'>): boolean {
    const { root, engine } = this.#scenario.stage;
    const { where: only } = this.#extent;
    if (so.trail.length === 0 && only !== undefined && !only.test(where)) return true;
    followOthers(disk, root);
    const state = disk.state();
    const trail = (how: string): readonly string[] => [...so.trail, `${how} ${where}`];
    this.#add({ disk: state, trail: trail('killed'), isPlain: so.isPlain });
    if (half.length > 0) this.#add({ disk: withEdits(state, root, half), trail: trail('killed'), isPlain: so.isPlain });
    if (!CUTS.test(where)) return true;
    const after = structuredClone(engine.state());
    reboot(after);
    for (const { what, left } of powerCuts(half.length > 0 ? withEdits(state, root, half) : state))
      this.#add({ disk: left, trail: trail(`power cut (${what})`), isPlain: false }, after);
    return true;
  }

  #add(found: Omit<Wreck, 'engine'>, rebooted?: EngineState): void {
    const world = this.#digest(found.disk, rebooted);
    if (this.#known.has(world)) return;
    this.#known.add(world);
    if (rebooted !== undefined) this.#powerCuts += 1;
    this.#deepest = Math.max(this.#deepest, found.trail.length);
    this.#waiting.push({ ...found, disk: copyDisk(found.disk), engine: rebooted ?? this.#scenario.stage.engine.snapshot() });
  }

  #digest(disk: DiskState, engine: EngineState = this.#scenario.stage.engine.state()): string {
    return digestOfWorld(disk, engineText(engine));
  }
}

/** Where a power cut makes a difference: around everything that makes something safe, and every effect on the engine. */
const CUTS = /^(before sync|(after|torn) journal|(amid|after) docker)/;

/** What a power cut can leave: everything, nothing that was not safe, and all but one change or all but the others. */
function powerCuts(disk: DiskState): { readonly what: string; readonly left: DiskState }[] {
  const all = { what: 'nothing is lost', left: afterPowerCut(disk, () => false, 'kept') };
  if (!isUnsafe(disk)) return [all];
  const { pending } = disk;
  const last = pending.length - 1;
  return [
    all,
    { what: 'all that was not synced', left: afterPowerCut(disk, () => true, 'lost') },
    { what: 'contents', left: afterPowerCut(disk, () => false, 'lost') },
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
    const isMark = /journal|\.(done|save|run|undo)$/.test(where);
    this.#since = isMark ? 0 : this.#since + 1;
    if (isMark) this.#last = `${this.#last.split(' ')[0]} ${where.replaceAll(' ', '-')}`;
    return `${this.#last} ${this.#since} ${where}`;
  }
}

function followerOf(root: string, state: DiskState): DiskFollower {
  const disk = new DiskFollower(root, state);
  disk.bind();
  return disk;
}

/** What streams of ours and the engine write is not seen call by call. */
function followOthers(disk: DiskFollower, root: string): void {
  disk.followTree(`${root}/.slipway/backups`, 'stream');
  disk.followTree(`${root}/data`, 'engine');
}

function endOf(run: Run): Result {
  let last = run;
  while (last.into !== undefined) last = last.into;
  return last.ended ?? 'dead';
}
