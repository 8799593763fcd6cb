// What goes wrong between a client and a forge, each at a moment that a test names. Rule: deterministic; what was carried out stays carried out.

/** One thing that goes wrong, for requests whose `METHOD /path` fits. */
export interface ForgeFault {
  readonly on: RegExp;
  /** How many matching requests pass before it; 0 by default. */
  readonly after?: number;
  /** How many requests meet it; 1 by default. */
  readonly times?: number;
  /** Whether the request is carried out all the same; a number = only when so many further requests have been answered. */
  readonly effect?: 'none' | 'done' | number;
  /** What others do at this very moment. */
  readonly meanwhile?: () => void;
  /** What comes back: a lost connection, or this answer. */
  readonly answer: 'cut' | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };
}

/** When a fault comes: all that the book asks of one. */
export type FaultMoment = Pick<ForgeFault, 'on' | 'after' | 'times'>;

export interface FaultBook<Fault extends FaultMoment = ForgeFault> {
  readonly add: (fault: Fault) => void;
  /** Cuts the connection at the n-th request from now (1 = the next), before or after it was carried out; every later one too. */
  readonly killAt: (n: number, when: 'before' | 'after') => void;
  readonly clear: () => void;
  /** The fault that this request meets. */
  readonly meet: (line: string) => Fault | ForgeFault | undefined;
}

interface Pending<Fault extends FaultMoment> {
  readonly fault: Fault;
  passed: number;
  met: number;
}

/** An empty book of faults. */
export function newFaultBook<Fault extends FaultMoment = ForgeFault>(): FaultBook<Fault> {
  const pending: Pending<Fault>[] = [];
  let kill: { left: number; readonly when: 'before' | 'after' } | undefined;
  return {
    add: (fault) => pending.push({ fault, passed: 0, met: 0 }),
    killAt: (left, when) => {
      kill = { left, when };
    },
    clear: () => {
      pending.length = 0;
      kill = undefined;
    },
    meet: (line) => {
      if (kill !== undefined) kill.left -= 1;
      if (kill !== undefined && kill.left <= 0) {
        return { on: /./, answer: 'cut', effect: kill.left === 0 && kill.when === 'after' ? 'done' : 'none' };
      }
      return pending.find((each) => meets(each, line))?.fault;
    },
  };
}

function meets(each: Pending<FaultMoment>, line: string): boolean {
  if (!each.fault.on.test(line) || each.met >= (each.fault.times ?? 1)) return false;
  each.passed += 1;
  if (each.passed <= (each.fault.after ?? 0)) return false;
  each.met += 1;
  return true;
}
