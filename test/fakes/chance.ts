// Chance that is the same for the same seed.

/** From 0 to `most` - 1. */
export type Chance = (most: number) => number;

/** A row of numbers that a seed decides. */
export function chanceOf(seed: number): Chance {
  let state = seed;
  return (most) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * most);
  };
}
