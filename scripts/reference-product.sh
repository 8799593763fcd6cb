#!/bin/sh
# Writes the source tree of the reference product's release N (1, 2 or 3) to a folder: bundle/ plus the patches up to N.
# Usage: scripts/reference-product.sh N TARGET      TARGET must be absent or empty; make it a git repository and tag it to pack.
# Rule: release 2 is a good one with a schema change, release 3 migrates well and is then never healthy.
set -eu

main() {
  release=${1:-}
  target=${2:-}
  case $release in [1-3]) ;; *) stop "the first argument is the release: 1, 2 or 3" ;; esac
  [ -n "$target" ] || stop "the second argument is the folder to write"
  [ -z "$(ls -A "$target" 2>/dev/null)" ] || stop "$target is not empty"
  mkdir -p "$target"
  tar -C "$bundle" --exclude=./releases --exclude=./images --exclude=./README.md -cf - . | tar -C "$target" -xf -
  number=2
  while [ "$number" -le "$release" ]; do
    apply_patch "$bundle/releases/$number.0.0.patch"
    number=$((number + 1))
  done
}

# The target may lie inside some other repository, which git must not take for ours.
apply_patch() {
  (cd "$target" && env -u GIT_DIR -u GIT_WORK_TREE GIT_CEILING_DIRECTORIES="$(cd .. && pwd -P)" git apply "$1")
}

stop() {
  echo "reference-product: $*" >&2
  exit 2
}

bundle=$(CDPATH='' cd -- "$(dirname -- "$0")/../bundle" && pwd)
main "$@"
