#!/bin/sh
# The main job for real, narrated. Rule: installs what it needs, touches no engine that it did not start, and says plainly what it leaves out.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

install_npm_packages
npm run --silent build
if sh scripts/testbed.sh up; then
  exec sh scripts/testbed.sh exec node scripts/demo.mjs
fi
printf '%s\n' '' 'No Docker Engine of our own can be started here (see above), so containers are left out:' \
  'the demo packs, signs, publishes, verifies and installs files only.' '' >&2
exec node scripts/demo.mjs --no-engine
