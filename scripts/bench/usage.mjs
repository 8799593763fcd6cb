// What a program used, told when it ends. Rule: loaded into it by --import; its figures are read back by who measures.
import { appendFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

if (process.env.USAGE_FILE !== undefined) process.on('exit', () => appendFileSync(process.env.USAGE_FILE, `${JSON.stringify(usage())}\n`));

/** An environment for programs that write what they used into this file, a line each. */
export function withUsage(file, env = process.env) {
  return { ...env, NODE_OPTIONS: `--import ${fileURLToPath(import.meta.url)}`, USAGE_FILE: file };
}

/** What the programs used: `memory` at its peak in MB, `seconds` of processors. */
export function usagesIn(file) {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The row of the highest peak, in MB. */
export function memoryRow(what, file, limit) {
  return { what, against: '', value: Math.max(...usagesIn(file).map(({ memory }) => memory)), unit: 'MB', limit };
}

function usage() {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  return { memory: Math.ceil(maxRSS / 1024), seconds: (userCPUTime + systemCPUTime) / 1e6 };
}
