#!/bin/sh
# What Slipway costs, as ratios measured in one run. Rule: installs what it needs, and touches no engine that it did not start.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/bench/packages.sh

install_npm_packages
install_test_packages
install_bench_packages
npm run --silent build
export SLIPWAY_BIN='' SLIPWAY_RUNTIMES='' # nothing outside a folder of our own, and no Node.js in the releases
unset NODE_EXTRA_CA_CERTS # Node.js 20 reads it at every start, which would hide what we cost
if sh scripts/testbed.sh up; then
  exec sh scripts/testbed.sh exec node scripts/bench.mjs "$@"
fi
echo 'No Docker Engine of our own can be started here (see above): the upgrade is left out.' >&2
exec node scripts/bench.mjs --no-engine "$@"
