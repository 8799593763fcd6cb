#!/bin/sh
# A private Docker Engine, Docker Compose and registry for the engine tests, in a network namespace of their own.
# Rule: everything it makes lies under one folder, and it stops nothing that was not started from that folder.
set -eu

usage() {
  cat <<'TEXT'
Usage: scripts/testbed.sh up | down [--purge] | status | env | exec COMMAND… | restart-engine

  up              install what is missing and start engine and registry; nothing to do when they run
  down            stop them and drop the engine's data; packages and pushed images stay. --purge removes all
  status          what runs; exit 0 when the test bed is up, 1 when not
  env             shell lines to use it: eval "$(scripts/testbed.sh env)"; the engine answers, published ports do not
  exec COMMAND…   run a command inside the namespace, where published ports and the registry answer on 127.0.0.1
  restart-engine  as a power cut: kill the engine and every container at once, then start it again

The folder is $SLIPWAY_TESTBED, by default /var/tmp/slipway-testbed. Needs root on Debian 12; leaves any other engine alone.
TEXT
}

say() { echo "testbed: $*" >&2; }

# refuse MESSAGE: this machine or this use cannot have a test bed.
refuse() {
  say "$*"
  exit 3
}

main() {
  verb=${1:-help}
  [ $# -eq 0 ] || shift
  case $verb in
    up | down | exec | restart-engine) check_machine ;;
  esac
  case $verb in
    up) with_lock bring_up ;;
    down) with_lock bring_down "$@" ;;
    status) show_status ;;
    env) print_environment ;;
    exec)
      with_lock bring_up
      run_inside "$@"
      ;;
    restart-engine) with_lock restart_engine ;;
    help | --help | -h) usage ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
}

check_machine() {
  [ "$(uname -s)" = Linux ] || refuse "needs Linux; this is $(uname -s)."
  [ "$(id -u)" = 0 ] || refuse "needs root: it makes a network namespace and starts a Docker Engine. Run it with sudo."
  release=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_CODENAME:-unknown}") || release=unknown
  [ "$release" = "debian bookworm" ] || refuse "needs Debian 12 (bookworm), whose packages it uses; this is $release."
  case $STATE in *[!A-Za-z0-9._/-]*) refuse "the folder $STATE may hold only letters, digits and . _ - /" ;; esac
  [ ${#STATE} -le 70 ] || refuse "the folder $STATE is too long for a socket's path; choose a shorter SLIPWAY_TESTBED."
  own_folder
}

# Takes the folder when it is new or empty; refuses one that holds something else, for `down --purge` removes it.
own_folder() {
  [ -e "$STATE/.slipway-testbed" ] && return
  [ -z "$(ls -A "$STATE" 2>/dev/null)" ] || refuse "$STATE holds something else; choose another SLIPWAY_TESTBED."
  mkdir -p "$STATE"
  : >"$STATE/.slipway-testbed"
}

# One `up`, `down` or `restart-engine` at a time; what they start does not inherit the lock.
with_lock() {
  command -v flock >/dev/null || refuse "needs flock (package util-linux)."
  exec 9>"$STATE/lock"
  flock -w 600 9 || refuse "another run of this script has held $STATE/lock for ten minutes."
  "$@"
  exec 9>&-
}

bring_up() {
  install_tools
  fetch_packages
  fetch_buildx
  fetch_newer_postgres
  if engine_answers && registry_answers; then return; fi
  stop_processes "$ENGINE_PROGRAMS docker-registry"
  sweep_leftovers
  start_namespace
  start_registry
  start_engine
  say "up: Docker Engine $(engine_version), registry $REGISTRY, namespace $NETNS"
}

bring_down() {
  stop_processes "$ENGINE_PROGRAMS docker-registry"
  sweep_leftovers
  delete_namespace
  rm -rf "$STATE/data" "$STATE/run"
  [ "${1:-}" != --purge ] || rm -rf "$STATE"
  say "down${1:+ $1}"
}

restart_engine() {
  [ -e "$STATE/run/daemon.json" ] || refuse "the test bed is not up."
  stop_processes "$ENGINE_PROGRAMS"
  sweep_leftovers
  start_engine
}

show_status() {
  if engine_answers && registry_answers; then
    echo "up: Docker Engine $(engine_version), registry $REGISTRY, namespace $NETNS, folder $STATE"
  else
    echo "down: folder $STATE"
    return 1
  fi
}

print_environment() {
  echo "export SLIPWAY_TESTBED='$STATE'"
  echo "export SLIPWAY_TESTBED_NETNS='$NETNS'"
  echo "export SLIPWAY_TESTBED_REGISTRY='$REGISTRY'"
  echo "export DOCKER_HOST='unix://$SOCKET'"
  echo "export DOCKER_CONFIG='$STATE/docker-config'"
  case :$PATH: in *":$STATE/bin:"*) ;; *) echo "export PATH='$STATE/bin':\"\$PATH\"" ;; esac
  echo "unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH"
}

# The namespace has no way out, so a proxy could only be in the way.
run_inside() {
  if [ $# -eq 0 ]; then
    usage >&2
    exit 2
  fi
  eval "$(print_environment)"
  unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
  exec nsenter --net="/run/netns/$NETNS" -- "$@"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
STATE=$(readlink -m -- "${SLIPWAY_TESTBED:-/var/tmp/slipway-testbed}")
NETNS=slipway-$(printf %s "$STATE" | cksum | cut -d' ' -f1)
REGISTRY=127.0.0.1:5000
SOCKET=$STATE/run/docker.sock
. "$here/testbed/packages.sh"
. "$here/testbed/engine.sh"
main "$@"
