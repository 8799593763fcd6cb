// The campaign's own lines as a page, with the commit they were printed on. Rule: nothing is added that was not printed.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const [file = ''] = process.argv.slice(2);
const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
const lines = stripVTControlCharacters(readFileSync(file, 'utf8')).split('\n');
const kept = lines.filter((line) => /\|.*\||cases|wrong|Tests {2}|passed|failed/.test(line) && !/^npm|✓/.test(line));
console.log(
  `# Campaign\n\nRun on commit ${commit}, ${new Date().toISOString().slice(0, 10)}, by \`npm run campaign\`. What it printed:\n\n\`\`\`\n${kept.join('\n')}\n\`\`\``,
);
