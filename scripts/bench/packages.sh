# shellcheck shell=sh
# The programs that Slipway is measured against. Rule: Debian's own where this Debian has it; what is newer is only unpacked, under .testbed/.

# Installs skopeo and unpacks oras, and puts it on PATH. Without Debian or root the rows that need them are left out.
install_bench_packages() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then return 0; fi
  command -v skopeo >/dev/null \
    || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -t bookworm skopeo >/dev/null
  bench_tree=$PWD/.testbed/bench
  [ -x "$bench_tree/usr/bin/oras" ] || unpack_newer "$bench_tree" oras || echo 'oras could not be had: its rows are left out.' >&2
  PATH=$PATH:$bench_tree/usr/bin
  export PATH
}

# Unpacks packages of the next Debian without installing them: its libraries stay out of this system.
unpack_newer() (
  tree=$1
  shift
  STATE=$tree
  . scripts/testbed/packages.sh
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || return 1
  apt=$tree/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$tree/debs"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
  exec 9>/dev/null
  private_apt update && (cd "$tree/debs" && private_apt download "$@") && unpack_into "$tree" "$tree/debs" && rm -rf "$apt" "$tree/debs"
)
