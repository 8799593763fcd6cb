// How long the programs take to start, against an empty Node.js.
import { resolve } from 'node:path';
import { ratioOf, secondsOf } from './measure.mjs';

const dist = resolve(import.meta.dirname, '../../dist');
const ROUNDS = 41;

export async function startRows() {
  const node = (...words) => secondsOf([process.execPath, ...words]);
  const common = { against: 'node -e 0', rounds: ROUNDS, theirs: () => node('-e', '0') };
  return [
    await ratioOf({ ...common, what: 'slipway --version', limit: 2, ours: () => node(`${dist}/slipway.mjs`, '--version') }),
    await ratioOf({ ...common, what: 'the operator command --version', limit: 5, ours: () => node(`${dist}/operator.mjs`, '--version') }),
  ];
}
