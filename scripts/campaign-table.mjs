// The campaign's own lines as a page, with the commit they were printed on. Rule: nothing is added that was not printed.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const [log = '', failed = ''] = process.argv.slice(2);
const git = (...words) => execFileSync('git', words, { encoding: 'utf8' }).trim();
const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes that are not committed';
const lines = stripVTControlCharacters(readFileSync(log, 'utf8')).split('\n');
const tables = lines.filter((line, at) => line.startsWith('|') || (line === '' && lines[at + 1]?.startsWith('|')));
const counts = lines.filter(
  (line) => /^\S.*: \d+ (cases|publishers)|^wrong: /.test(line) && (line.includes('campaign') || line.startsWith('wrong: ')),
);
const tests = lines.filter((line) => /^\s+Tests {2}/.test(line)).map((line) => line.trim());
const end = existsSync(failed) ? `**Failed:** ${readFileSync(failed, 'utf8').trim().split('\n').join('; ')}` : 'Every part passed.';

process.stdout.write(
  [
    '# Campaign',
    '',
    `\`npm run campaign\` on commit ${git('rev-parse', 'HEAD')}${changed}, ${new Date().toISOString().slice(0, 10)}. What it printed:`,
    '',
    ...tables,
    '',
    ...[...counts, ...tests].map((line) => `- ${line}`),
    '',
    end,
    '',
  ].join('\n'),
);
