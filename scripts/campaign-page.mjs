// CAMPAIGN.md: a section for each part of the campaign, with the lines it printed and the commit it ran on. Rule: nothing is added that was not printed, and a
// part that failed says so.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const PAGE = 'CAMPAIGN.md';
const TITLES = {
  worlds: 'Every world that a fault, a crash or a power cut can leave',
  publishers: 'Publishers killed and run again',
  syscalls: 'An upgrade struck at its system calls',
  boundaries: 'Real upgrades killed at every boundary of the journal',
  majors: 'A change of PostgreSQL’s major killed at every boundary of the journal',
  moments: 'Real upgrades struck at random moments',
};

const [part = '', result = '', log = ''] = process.argv.slice(2);
if (TITLES[part] === undefined) throw new Error(`there is no part ${part}`);
const sections = new Map(Object.keys(TITLES).map((name) => [name, sectionOf(name)]));
sections.set(part, describe(part));
writeFileSync(PAGE, pageOf([...sections.values()].filter(Boolean)));

function describe(name) {
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'test', 'scripts', 'package-lock.json') !== '';
  const lines = stripVTControlCharacters(readFileSync(log, 'utf8')).split('\n');
  const tables = lines.filter((line, at) => line.startsWith('|') || (line === '' && lines[at + 1]?.startsWith('|')));
  const counts = lines.filter((line) => /^\S.* campaign: \d+ |^wrong: /.test(line));
  const tests = lines.filter((line) => /^\s+Tests {2}/.test(line)).map((line) => line.trim().replace(/\s+/g, ' '));
  return [
    `## ${TITLES[name]}`,
    '',
    `\`npm run campaign ${name}\` ${result}, ${new Date().toISOString().slice(0, 10)}, commit ${git('rev-parse', 'HEAD')}${changed ? ' with changes that are not committed' : ''}, product ${git('rev-parse', 'HEAD:src')}.`,
    ...tables,
    '',
    ...[...counts, ...tests].map((line) => `- ${line}`),
  ]
    .join('\n')
    .trim();
}

/** What the page says of a part until now. */
function sectionOf(name) {
  const text = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
  return text
    .split(/\n(?=## )/)
    .find((section) => section.startsWith(`## ${TITLES[name]}\n`))
    ?.trim();
}

function pageOf(parts) {
  const products = new Set(parts.map((section) => /, product ([0-9a-f]+)\.$/m.exec(section)?.[1]));
  const same = products.size === 1 ? 'All of them ran on the same product.' : 'Not all of them ran on the same product.';
  const left = Object.keys(TITLES).length - parts.length;
  return `# Campaign

\`npm run campaign\` tries the promises for some hours, in ${Object.keys(TITLES).length} parts; each section is what one of them printed.
The product is the content of \`src/\`, as git names it. ${same}${left === 0 ? '' : ` ${left} of the parts have not run yet.`}

${parts.join('\n\n')}
`;
}

function git(...words) {
  return execFileSync('git', words, { encoding: 'utf8' }).trim();
}
