// "Did you mean": the nearest known word. Rule: a wrong guess is worse than none, so only small slips count.

/** The candidate that differs from `word` by the fewest slips (letters added, dropped, changed or swapped), or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestSlips = Math.min(3, Math.max(1, Math.floor(word.length / 3))) + 1;
  for (const candidate of candidates) {
    const slips = countSlips(wanted, candidate.toLowerCase());
    if (slips < bestSlips) [best, bestSlips] = [candidate, slips];
  }
  return best;
}

/** The sentence "Did you mean X?", or the list of what there is. */
export function didYouMean(word: string, candidates: readonly string[], known = 'Known here'): string {
  const near = nearest(word, candidates);
  if (near !== undefined) return `Did you mean ${near}?`;
  return candidates.length === 0 ? `${known}: nothing.` : `${known}: ${candidates.join(', ')}.`;
}

/** Optimal string alignment distance. */
function countSlips(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(change, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, swap));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
