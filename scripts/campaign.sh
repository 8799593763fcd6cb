#!/bin/sh
# The long campaigns, whole: crashes over the real handlers, publishers killed everywhere, an upgrade struck at its system calls, and real upgrades killed
# on a real engine at every boundary of the journal and five hundred times at random.
# Rule: each part writes what it printed into its own section of CAMPAIGN.md, with the commit it ran on; any part that fails makes the whole fail.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

PARTS='worlds publishers syscalls boundaries majors moments'

usage() {
  cat <<TEXT
Usage: scripts/campaign.sh [PART…]

Without a name all parts run, one after the other: $PARTS.
They take some hours: random moments, and worlds, that were tried on the same product are kept, and go on from there.
TEXT
}

for name in "$@"; do
  case " $PARTS " in
    *" $name "*) ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
done

install_npm_packages
install_test_packages
npm run --silent build
export SLIPWAY_CAMPAIGN=1
product=$(git rev-parse HEAD:src)
SLIPWAY_KILL_LOG=.testbed/moments-$product.ndjson
SLIPWAY_WORLDS_LOG=.testbed/worlds-$product.ndjson
export SLIPWAY_KILL_LOG SLIPWAY_WORLDS_LOG
failed=0

core() { node_modules/.bin/vitest run --project core --testTimeout=14400000 --hookTimeout=600000 "$@"; }
engine() { sh scripts/testbed.sh exec node_modules/.bin/vitest run --project engine --testTimeout=14400000 --hookTimeout=1200000 "$@"; }

run_part() {
  case $1 in
    worlds) node scripts/campaign.mjs ;;
    publishers) core test/scenario/publishers.test.ts ;;
    syscalls) core test/scenario/syscalls.test.ts ;;
    boundaries) engine test/e2e/kill.test.ts ;;
    majors) engine test/e2e/postgres-major.test.ts ;;
    moments) engine test/e2e/random-kill.test.ts ;;
  esac
}

[ $# -gt 0 ] || eval "set -- $PARTS"
for name in "$@"; do
  log=.testbed/campaign-$name.log
  result=passed
  { run_part "$name" 2>&1 || : >"$log.failed"; } | tee "$log" # a pipe would hide how it ended
  if [ -e "$log.failed" ]; then
    rm -f "$log.failed"
    result=failed failed=1
  fi
  node scripts/campaign-page.mjs "$name" "$result" "$log"
done
sh scripts/testbed.sh down
exit $failed
