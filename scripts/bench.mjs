// What Slipway costs, as ratios. Rule: both sides of a ratio are measured in turns in the same run; a stated limit that is broken makes the exit code 1.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mirrorRows } from './bench/mirror.mjs';
import { packRows } from './bench/pack.mjs';
import { publishRows } from './bench/publish.mjs';
import { runtimeRows } from './bench/runtime.mjs';
import { startRows } from './bench/start.mjs';
import { upgradeRows } from './bench/upgrade.mjs';

/** `node scripts/bench.mjs [start] [runtime] [pack] [publish] [mirror] [upgrade] [--no-engine]`: without a name, all. */
const named = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const parts = {
  start: startRows,
  runtime: runtimeRows,
  pack: packRows,
  publish: publishRows,
  mirror: mirrorRows,
  upgrade: process.argv.includes('--no-engine') ? leftOut : upgradeRows,
};
const stage = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
process.on('exit', () => rmSync(stage, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const rows = [];
for (const [name, measure] of Object.entries(parts)) {
  if (named.length === 0 || named.includes(name)) rows.push(...(await measure(stage)));
}
printTable(rows);
process.exit(rows.some(isBroken) ? 1 : 0);

function leftOut() {
  return [{ what: 'an upgrade', against: 'docker compose pull && up -d --wait', left: 'left out: no engine' }];
}

function isBroken({ value, limit }) {
  return limit !== undefined && value > limit;
}

function printTable(rows) {
  const cells = rows.map((row) => [row.what, row.against, valueText(row), limitText(row)]);
  const table = [['what', 'against', 'measured', 'limit'], ...cells];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  console.log('');
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
}

function valueText({ value, unit, rounds, spread, left }) {
  if (left !== undefined) return left;
  if (unit !== undefined) return `${value} ${unit}`;
  return `${value.toFixed(2)} times (${rounds} rounds, ${spread.map((each) => each.toFixed(2)).join(' to ')})`;
}

function limitText(row) {
  if (row.limit === undefined) return 'reported';
  return `${row.limit}${row.unit === undefined ? '' : ` ${row.unit}`}${isBroken(row) ? '  BROKEN' : ''}`;
}
