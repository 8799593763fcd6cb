// The crash campaign over the real handlers, all of it or (--sample) what `npm test` tries. Rule: prints one table, and fails when anything ended neither old nor new.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url).pathname;
const bundle = `${root}.testbed/campaign.mjs`;
/** Where parts of the whole are kept that were tried on this product, a line each; an interrupted campaign goes on from there. */
const kept = process.env.SLIPWAY_WORLDS_LOG ?? '';

/** Runs the campaign in as many processes as there are processors; true when nothing came out other than it must. */
export async function campaignCrash(full) {
  mkdirSync(`${root}.testbed`, { recursive: true });
  const entry = { entryPoints: [`${root}test/campaign/campaign.ts`], outfile: bundle, logLevel: 'warning' };
  await build({ ...entry, bundle: true, platform: 'node', target: 'node20.19', format: 'esm', packages: 'external' });
  const { PARTS, reportCampaign } = await import(bundle);
  const waiting = [...Array(PARTS).keys()].reverse();
  const tallies = full ? readKept() : [];
  const work = async () => {
    for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) tallies[part] ??= await tallyElsewhere(full, part);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return reportCampaign(tallies.flat(), (line) => process.stdout.write(`${line}\n`));
}

function readKept() {
  const tallies = [];
  const lines = kept !== '' && existsSync(kept) ? readFileSync(kept, 'utf8').split('\n').filter(Boolean) : [];
  for (const { part, tallies: found } of lines.map((line) => JSON.parse(line))) tallies[part] = found;
  return tallies;
}

/** One part in a process of its own. */
function tallyElsewhere(full, part) {
  const child = spawn(process.execPath, [process.argv[1], '--part', String(part), ...(full ? [] : ['--sample'])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`part ${part} of the campaign ended with code ${code}`));
      const tallies = JSON.parse(text);
      for (const { name, once, twice, wrong, explored } of tallies)
        process.stderr.write(`${name}: ${once + twice + (explored?.recoveries ?? 0)} cases, ${wrong.length} wrong\n`);
      if (full && kept !== '' && tallies.every(({ wrong }) => wrong.length === 0))
        appendFileSync(kept, `${JSON.stringify({ part, tallies })}\n`);
      resolve(tallies);
    });
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const full = !process.argv.includes('--sample');
  const part = process.argv.indexOf('--part');
  if (part < 0) process.exitCode = (await campaignCrash(full)) ? 0 : 1;
  else process.stdout.write(JSON.stringify(await (await import(bundle)).tallyPart(full, Number(process.argv[part + 1]))));
}
