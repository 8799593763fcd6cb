#!/bin/sh
# What the tests of hosts without Node.js need, made once: `bare-root.sh` prints the folder with root.tar (a Debian with curl and nothing more),
# runtimes/ and qemu/. Rule: it installs nothing on this machine, and whoever calls it again gets what is there.
set -eu
cd "$(dirname "$0")/.."

STATE=${SLIPWAY_TEST_CACHE:-/var/tmp/slipway-test-cache}

main() {
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || { echo 'bare-root.sh: needs root on Debian.' >&2 && exit 3; }
  mkdir -p "$STATE"
  . scripts/testbed/packages.sh
  exec 9>"$STATE/lock"
  flock -w 600 9
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { echo 'bare-root.sh: no Debian mirror is known here.' >&2 && exit 3; }
  node scripts/build-runtime.mjs --out "$STATE/runtimes" >&2
  [ -f "$STATE/root.tar" ] || make_root >&2
  [ -x "$STATE/qemu/usr/bin/qemu-aarch64-static" ] || fetch_emulator >&2
  echo "$STATE"
}

# The smallest Debian that people run containers on: no Node.js, no compiler, curl.
make_root() {
  bootstrap=$(command -v mmdebstrap || :)
  if [ -z "$bootstrap" ]; then
    apt-get install -y -qq --no-install-recommends -t bookworm mmdebstrap >/dev/null
    bootstrap=mmdebstrap
  fi
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" \
    | "$bootstrap" --quiet --variant=essential --include=curl,ca-certificates,libstdc++6 bookworm "$STATE/root.tar.new.tar" -
  mv "$STATE/root.tar.new.tar" "$STATE/root.tar"
}

# An emulator of the other kind of machine, with its libraries, only unpacked.
fetch_emulator() {
  apt=$STATE/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/debs"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >"$apt/sources.list"
  private_apt update
  (cd "$apt/debs" && private_apt download qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross libstdc++6-arm64-cross)
  rm -rf "$STATE/qemu.new"
  for package in "$apt"/debs/*.deb; do dpkg -x "$package" "$STATE/qemu.new"; done
  mv "$STATE/qemu.new" "$STATE/qemu"
  rm -rf "$apt"
}

main "$@"
