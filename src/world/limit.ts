// So many at a time. Rule: who waits longest goes first.

/** Runs work as soon as fewer than `most` others of it run. */
export type Limit = <T>(work: () => Promise<T>) => Promise<T>;

export function limitTo(most: number): Limit {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
