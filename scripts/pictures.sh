#!/bin/sh
# Makes the screens and the pictures of the README anew, from the real wizard in a real terminal (tmux). Touches no network.
set -eu
cd "$(dirname "$0")/.."
UPDATE_SCREENS=1 npx vitest run --project core test/terminal/wizard.test.ts
