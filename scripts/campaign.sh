#!/bin/sh
# The long campaigns, whole: crashes over the real handlers, publishers killed everywhere, an upgrade struck at its system calls, and real upgrades killed
# on a real engine at every boundary of the journal and five hundred times at random.
# Rule: the table that it writes to CAMPAIGN.md is what was printed, with the commit it ran on; any part that fails makes the whole fail.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

install_npm_packages
install_test_packages
npm run --silent build
sh scripts/testbed.sh up
log=.testbed/campaign.log
failed=.testbed/campaign.failed
rm -f "$log" "$failed"

part() { # COMMAND... prints and keeps what it says; a pipe would hide how it ended
  { "$@" 2>&1 || echo "$*" >>"$failed"; } | tee -a "$log"
}

part node scripts/campaign.mjs
export SLIPWAY_CAMPAIGN=1
part node_modules/.bin/vitest run --project core test/scenario/publishers.test.ts
part node_modules/.bin/vitest run --project core --testTimeout=14400000 --hookTimeout=600000 test/scenario/syscalls.test.ts
part sh scripts/testbed.sh exec node_modules/.bin/vitest run --project engine --testTimeout=3600000 test/e2e/kill.test.ts
part sh scripts/testbed.sh exec node_modules/.bin/vitest run --project engine --testTimeout=3600000 test/e2e/postgres-major.test.ts
# Five hundred take an hour or more: what was tried on this commit is kept, and a run that was ended goes on from there.
SLIPWAY_KILL_LOG=.testbed/kills-$(git rev-parse HEAD).ndjson
export SLIPWAY_KILL_LOG
part sh scripts/testbed.sh exec node_modules/.bin/vitest run --project engine --testTimeout=14400000 --hookTimeout=1200000 test/e2e/random-kill.test.ts
node scripts/campaign-table.mjs "$log" "$failed" >CAMPAIGN.md
cat CAMPAIGN.md
[ ! -e "$failed" ]
