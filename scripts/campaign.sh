#!/bin/sh
# The long campaigns, whole: crashes over the real handlers, a real upgrade killed on a real engine, publishers killed everywhere.
# Rule: the table that it writes to CAMPAIGN.md is what was printed, with the commit it ran on.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

install_npm_packages
install_test_packages
npm run --silent build
sh scripts/testbed.sh up
log=.testbed/campaign.log
failed=0
node scripts/campaign.mjs | tee "$log" || failed=1
export SLIPWAY_CAMPAIGN=1
node_modules/.bin/vitest run --project core test/scenario/publishers.test.ts 2>&1 | tee -a "$log" || failed=1
sh scripts/testbed.sh exec node_modules/.bin/vitest run --project engine --testTimeout=3600000 test/e2e/kill.test.ts 2>&1 | tee -a "$log" || failed=1
node scripts/campaign-table.mjs "$log" >CAMPAIGN.md
cat CAMPAIGN.md
if grep -qE '^(FAIL|.* [1-9][0-9]* wrong end states)' "$log"; then failed=1; fi
exit "$failed"
