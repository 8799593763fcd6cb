// Measuring one thing against another. Rule: they take turns, a ratio is made within each turn, and the median of the ratios counts.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

/**
 * The ratios of `ours` to each of `theirs`, by what they are called; all are done once a round, each round in another order. Limits
 * are by the same names, or one for all.
 */
export async function ratiosOf({ what, limit, rounds, ours, theirs }) {
  const works = [['ours', ours], ...Object.entries(theirs)];
  const ratios = Object.fromEntries(Object.keys(theirs).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    const seconds = {};
    for (let turn = 0; turn < works.length; turn += 1) {
      const [name, work] = works[(turn + round) % works.length];
      progress(`${what}, ${name}: round ${round} of ${rounds}`);
      seconds[name] = await work();
    }
    if (round > 0) for (const name of Object.keys(theirs)) ratios[name].push(seconds.ours / seconds[name]);
  }
  return Object.entries(ratios).map(([against, all]) => {
    all.sort((a, b) => a - b);
    return {
      what,
      against,
      limit: limit[against] ?? limit,
      rounds,
      value: medianOf(all),
      spread: [quantileOf(all, 0.25), quantileOf(all, 0.75)],
    };
  });
}

/**
 * The ratio of `ours` to `theirs`, both functions that do the work once and give the seconds that it took. The first round is not counted:
 * it warms the caches. The order changes with every round.
 */
export async function ratioOf({ what, against, limit, rounds, ours, theirs }) {
  const ratios = [];
  for (let round = 0; round <= rounds; round += 1) {
    progress(`${what}: round ${round} of ${rounds}`);
    const first = round % 2 === 0 ? await ours() : await theirs();
    const second = round % 2 === 0 ? await theirs() : await ours();
    if (round > 0) ratios.push(round % 2 === 0 ? first / second : second / first);
  }
  ratios.sort((a, b) => a - b);
  return { what, against, limit, rounds, value: medianOf(ratios), spread: [quantileOf(ratios, 0.25), quantileOf(ratios, 0.75)] };
}

/** Runs a program that must succeed and gives the seconds that it took. */
export async function secondsOf(argv, options) {
  const begun = performance.now();
  await run(argv, options);
  return (performance.now() - begun) / 1000;
}

/** Runs a program that must succeed, without blocking, and gives its stdout. */
export function run(argv, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${argv.join(' ')} ended with ${code}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`));
    });
  });
}

/** One line on stderr, so that whoever waits sees that something happens. */
export function progress(text) {
  console.error(`  ${text}`);
}

export function medianOf(sorted) {
  return quantileOf(sorted, 0.5);
}

/** Between the two nearest where none is exactly there, as R's type 7 and NumPy do: the median of two is their mean. */
function quantileOf(sorted, part) {
  const place = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place - Math.floor(place));
}
