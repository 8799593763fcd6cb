#!/bin/sh
# Everything: installs what the tests need, builds, checks, runs the core tests and then the engine tests. The last line is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

say() { printf '%s\n' "== $*" >&2; }

say "packages"
install_npm_packages
install_test_packages

say "build and static checks"
npm run --silent build
node_modules/.bin/biome ci .
node_modules/.bin/tsc --noEmit

core=0 engine=0
say "core tests"
node_modules/.bin/vitest run --project core --reporter=default --reporter=json --outputFile.json=.testbed/core.json || core=$?

say "engine tests"
sh scripts/bare-root.sh >/dev/null || say "left out: the tests of hosts without Node.js, for their Debian cannot be made here (see above)"
sh scripts/testbed.sh down >/dev/null 2>&1 || true # the tests begin with an empty engine: a demo that is still up holds the product's name
if sh scripts/testbed.sh up; then
  sh scripts/testbed.sh exec node_modules/.bin/vitest run --project engine --reporter=default --reporter=json --outputFile.json=.testbed/engine.json || engine=$?
  sh scripts/testbed.sh down
elif [ "${CI:-}" = true ]; then
  say "the test bed cannot be brought up, and in CI that is a failure"
  engine=1
else
  say "left out: all tests of test/e2e, for they need a Docker Engine of their own (see above)"
fi

node scripts/count-tests.mjs .testbed/core.json .testbed/engine.json
[ "$core" -eq 0 ] && [ "$engine" -eq 0 ]
