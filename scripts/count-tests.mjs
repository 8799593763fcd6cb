// Adds up vitest's JSON reports, names what failed, at first or for good, and prints `N passed, N failed` as the last line. A report that is missing counts as one failure in CI.
import { existsSync, readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let skipped = 0;
for (const file of process.argv.slice(2)) {
  if (!existsSync(file)) {
    if (process.env.CI === 'true') failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  passed += report.numPassedTests;
  failed +=
    report.numFailedTests + report.testResults.filter((each) => each.status === 'failed' && each.assertionResults.length === 0).length;
  for (const { name, assertionResults, message, status } of report.testResults) {
    if (status === 'failed' && assertionResults.length === 0) console.log(`failed: ${name}: ${message}`);
    for (const { fullName, status: ended, failureMessages } of assertionResults)
      if (failureMessages.length > 0)
        console.log(`${ended === 'failed' ? 'failed' : 'right at the second try'}: ${name}: ${fullName}: ${failureMessages[0]}`);
  }
  skipped += report.numPendingTests + report.numTodoTests;
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
