#!/bin/sh
# Installs one release of the product named below: fetches its operator program, checks it against the digest that is
# built in, and hands over to it. Everything is inside functions, and only the last line starts them: a download of this
# file that was cut short runs nothing. `sh install.sh --help` lists the options.

built_in() {
  built_product=@PRODUCT@
  built_title=@TITLE@
  built_cli=@CLI@
  built_version=@VERSION@
  built_channel=@CHANNEL@
  built_tag=@TAG@
  built_size=@OPERATOR_SIZE@
  built_sha256=@OPERATOR_SHA256@
  built_key=@PUBLIC_KEY@
  built_key_id=@KEY_ID@
  # The Node.js for hosts without a suitable one: file, size and sha256, then size and sha256 of what it unpacks to.
  built_runtime_node=@RUNTIME_NODE@
  built_runtime_tag=@RUNTIME_TAG@
  built_runtime_linux_x64=@RUNTIME_LINUX_X64@
  built_runtime_linux_arm64=@RUNTIME_LINUX_ARM64@
}

main() {
  set -eu
  built_in
  take_environment
  expecting=''
  for word do # turns "$@" into what the operator gets as it is
    shift
    case $expecting in
      rest)
        set -- "$@" "$word"
        continue
        ;;
      --set | --project | --save-answers | --restore | --identity)
        check_value "$expecting" "$word"
        set -- "$@" "$expecting" "$word"
        expecting=''
        continue
        ;;
      ?*)
        take "$expecting" "$word"
        expecting=''
        continue
        ;;
    esac
    case $word in
      -h | --help)
        usage
        exit 0
        ;;
      -y | --yes) wanted_yes=yes ;;
      --plan | --no-start | --plain | --json | --save-secrets | --accept-expired) set -- "$@" "$word" ;;
      --recover) wanted_verb=recover ;;
      --version | --channel | --dir | --answers | --set | --project | --save-answers | --restore | --identity) expecting=$word ;;
      --set=* | --project=* | --save-answers=* | --restore=* | --identity=*)
        check_value "${word%%=*}" "${word#*=}"
        set -- "$@" "${word%%=*}" "${word#*=}"
        ;;
      --version=* | --channel=* | --dir=* | --answers=*) take "${word%%=*}" "${word#*=}" ;;
      --) expecting=rest ;;
      *) fail 2 "Unknown option: $word" 'See --help. Options for the operator program itself go after "--".' ;;
    esac
  done
  case $expecting in '' | rest) ;; *) fail 2 "$expecting needs a value." 'See --help.' ;; esac
  carry_out "$@"
}

usage() {
  printf '%s\n' \
    "Installs $built_title $built_version (channel $built_channel)." \
    '' \
    'Usage: curl -fsSL https://.../install.sh | sh -s -- [options]' \
    '       sh install.sh [options] [-- options of the operator program]' \
    '' \
    '  --version V       this version instead (SLIPWAY_VERSION)' \
    '  --channel C       the newest version of this channel instead (SLIPWAY_CHANNEL)' \
    "  --dir D           install here; default /opt/$built_product as root, else ~/$built_product (SLIPWAY_DIR)" \
    '  --answers F       answers from a file of NAME=VALUE lines (SLIPWAY_ANSWERS)' \
    '  --set NAME=VALUE  one answer; may be repeated' \
    '  --save-answers F  write the answers into a new file, for --answers elsewhere; --save-secrets: passwords too' \
    '  --project NAME    the compose project name, for a second install on one machine (with --dir)' \
    '  --restore PATH    bring up this backup here: its folder, or a tar file of it; --identity FILE: the key of an encrypted one' \
    '  --plain           lines only, without colour and redrawing: for screen readers' \
    '  --yes             do not ask for confirmation (SLIPWAY_YES=1)' \
    '  --plan            only show what would be done' \
    '  --no-start        install everything, start nothing' \
    '  --accept-expired  take a channel file that has expired' \
    '  --json            events and the result as lines of JSON on stdout' \
    '  --recover         end an operation that was cut off in the folder, instead of installing' \
    '' \
    'Environment:' \
    '  SLIPWAY_RELEASES  take releases from here: an https address or a folder' \
    '  SLIPWAY_KEY       take only releases signed with this public key, or with one that it named as the next' \
    '  SLIPWAY_NODE      the Node.js to use; default: node on PATH, else one that is fetched' \
    '  SLIPWAY_BIN       the folder for the command; default /usr/local/bin as root, else ~/.local/bin; empty = none' \
    '  SLIPWAY_TIMEOUT   seconds without data before a download is tried again; default 30' \
    '  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE are honoured.' \
    '' \
    "Afterwards \"$built_cli\" looks after the install."
}

take_environment() {
  wanted_version='' wanted_channel='' wanted_dir='' wanted_answers='' wanted_yes='' wanted_verb=install workspace='' runtime_folder=''
  if [ -n "${SLIPWAY_VERSION:-}" ]; then take --version "$SLIPWAY_VERSION"; fi
  if [ -n "${SLIPWAY_CHANNEL:-}" ]; then take --channel "$SLIPWAY_CHANNEL"; fi
  if [ -n "${SLIPWAY_DIR:-}" ]; then take --dir "$SLIPWAY_DIR"; fi
  if [ -n "${SLIPWAY_ANSWERS:-}" ]; then take --answers "$SLIPWAY_ANSWERS"; fi
  case ${SLIPWAY_YES:-} in 1 | yes | true) wanted_yes=yes ;; esac
  stall_seconds=${SLIPWAY_TIMEOUT:-30}
  case $stall_seconds in
    0* | *[!0-9]* | ?????*) fail 2 "SLIPWAY_TIMEOUT is not a number of seconds: $stall_seconds" 'Leave it out for 30 seconds.' ;;
  esac
}

take() { # OPTION VALUE
  check_value "$1" "$2"
  case $1 in
    --version) wanted_version=$2 ;;
    --channel) wanted_channel=$2 ;;
    --dir) wanted_dir=$2 ;;
    --answers) wanted_answers=$2 ;;
  esac
}

check_value() { # OPTION VALUE
  case $2 in '' | -*) fail 2 "$1 needs a value, found \"$2\"." 'See --help.' ;; esac
}

carry_out() { # further options for the operator
  if [ -n "$wanted_answers" ] && [ ! -r "$wanted_answers" ]; then
    fail 2 "The answers file $wanted_answers cannot be read." 'Give --answers a file of NAME=VALUE lines.'
  fi
  check_key
  check_host
  umask_before=$(umask)
  umask 077
  trap 'remove_workspace' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  claim_workspace
  printf '{"type":"module"}\n' >"$workspace/package.json" # or one in a folder above would say how operator.js is read
  get_operator
  if [ -z "$node_program" ]; then get_runtime; fi
  hand_over "$@"
}

check_key() {
  say "$built_title $built_version"
  pinned_key=${SLIPWAY_KEY:-$built_key}
  if [ -n "$pinned_key" ] && [ "${#pinned_key}" -ne 56 ]; then
    fail 2 "SLIPWAY_KEY is not a public key: $pinned_key" 'It is one line of 56 characters that starts with RW.'
  fi
  if [ -n "$pinned_key" ] && [ -z "$built_key" ]; then
    fail 5 'This installer is of an unsigned release, and SLIPWAY_KEY names a key.' \
      'Do not go on before the publisher has told you which key is right.'
  fi
  if [ -n "$built_key" ]; then
    say "Signing key: $built_key_id ($built_key)"
    if [ "$pinned_key" != "$built_key" ]; then say "Taken only if the key in SLIPWAY_KEY leads to it: $pinned_key"; fi
  else
    say 'Not signed: nothing but this installer proves who made this release.'
  fi
}

check_host() {
  case $(uname -s) in
    Linux | Darwin) ;;
    *) fail 3 "This system ($(uname -s)) is not supported." 'Linux or macOS is needed; on Windows use WSL 2.' ;;
  esac
  choose_node
  if has sha256sum; then
    digest_program=sha256sum
  elif has shasum; then
    digest_program=shasum
  elif has openssl; then
    digest_program=openssl
  else
    fail 3 'Downloads cannot be checked: there is no sha256sum, shasum or openssl.' 'Install one of them and start again.'
  fi
}

choose_node() { # sets `node_program`; empty = one has to be fetched
  node_hint="Install it from your system's packages or https://nodejs.org, or name one: SLIPWAY_NODE=/path/to/node.
  With sudo, keep PATH: sudo env \"PATH=\$PATH\" sh"
  node_program=${SLIPWAY_NODE:-}
  if [ -z "$node_program" ]; then node_program=$(command -v node || command -v nodejs || :); fi
  if [ -n "$node_program" ]; then
    judge_node
    if [ -z "$node_problem" ]; then return; fi
  else
    node_problem='Node.js 20.19 or newer is needed, and there is none on PATH.'
  fi
  choose_runtime
  if [ -n "${SLIPWAY_NODE:-}" ] || [ -z "$runtime_words" ]; then fail 3 "$node_problem" "$node_hint"; fi
  node_program=''
}

judge_node() { # sets `node_problem`
  node_problem=''
  if ! node_version=$("$node_program" --version 2>/dev/null </dev/null); then
    node_problem="$node_program does not start."
    return
  fi
  node_major=${node_version#v}
  node_minor=${node_major#*.}
  node_major=${node_major%%.*}
  node_minor=${node_minor%%.*}
  case $node_version in
    v[0-9]*.[0-9]*.[0-9]*) ;;
    *)
      node_problem="$node_program is not Node.js."
      return
      ;;
  esac
  if [ "$node_major" -lt 20 ] || { [ "$node_major" -eq 20 ] && [ "$node_minor" -lt 19 ]; }; then
    node_problem="Node.js 20.19 or newer is needed; $node_program is $node_version."
  fi
}

choose_runtime() { # sets `runtime_words`; empty = there is none for this machine
  case "$(uname -s) $(uname -m)" in
    'Linux x86_64' | 'Linux amd64') runtime_words=$built_runtime_linux_x64 ;;
    'Linux aarch64' | 'Linux arm64') runtime_words=$built_runtime_linux_arm64 ;;
    *) runtime_words='' ;;
  esac
}

get_runtime() { # the one that an earlier install keeps, else a fetched one that the operator is to keep; sets `node_program`
  name_runtime_parts
  if is_root; then kept=/usr/local/lib; else kept=${XDG_DATA_HOME:-${HOME:-/nonexistent}/.local/share}; fi
  node_program=${SLIPWAY_SHARED:-$kept/slipway}/runtime/$runtime_program_sha256/node
  if is_runtime && runs_here; then return; fi
  for unpacker in gzip gunzip pigz ''; do if has "$unpacker"; then break; fi; done
  if [ -z "$unpacker" ]; then fail 3 'There is no gzip to unpack Node.js with.' 'Install gzip, or Node.js 20.19 or newer, and start again.'; fi
  releases=$location
  get_asset "$runtime_name" "$built_runtime_tag" "$runtime_size" "$runtime_sha256" "Node.js $built_runtime_node"
  location=$releases
  for runtime_parent in "$workspace" /var/tmp "${HOME:-/var/tmp}"; do # some of them may not allow programs to run
    runtime_folder=$(mktemp -d "$runtime_parent/runtime-$built_product.XXXXXX" 2>/dev/null) || continue
    node_program=$runtime_folder/node
    if "$unpacker" -dc <"$workspace/$runtime_name" >"$node_program" 2>"$workspace/problem" && is_runtime; then
      chmod 700 "$node_program"
      if runs_here; then
        rm -f "$workspace/$runtime_name"
        return
      fi
    fi
    rm -rf "$runtime_folder"
  done
  fail 3 "The Node.js that was fetched does not run here: $(cat "$workspace/problem")" "$node_hint"
}

name_runtime_parts() {
  runtime_name=${runtime_words%% *}
  runtime_program_sha256=${runtime_words##* }
  rest=${runtime_words#* }
  rest=${rest% *}
  runtime_program_size=${rest##* }
  rest=${rest% *}
  runtime_size=${rest%% *}
  runtime_sha256=${rest##* }
}

is_runtime() {
  [ "$(bytes_of "$node_program")" -eq "$runtime_program_size" ] && [ "$(hex_of "$node_program")" = "$runtime_program_sha256" ]
}

runs_here() {
  [ "$("$node_program" --version 2>"$workspace/problem" </dev/null)" = "v$built_runtime_node" ]
}

claim_workspace() { # a private folder; it need not allow programs to run
  for workspace_parent in "${TMPDIR:-/tmp}" /tmp /var/tmp "${HOME:-/tmp}"; do
    if workspace=$(mktemp -d "$workspace_parent/install-$built_product.XXXXXX" 2>/dev/null); then return; fi
    workspace=''
    if mkdir "$workspace_parent/install-$built_product.$$" 2>/dev/null; then
      workspace=$workspace_parent/install-$built_product.$$
      return
    fi
  done
  fail 5 'There is no folder for temporary files.' 'Name one that can be written to: TMPDIR=/path'
}

# shellcheck disable=SC2317,SC2329 # the EXIT trap calls it
remove_workspace() {
  if [ -n "$workspace" ]; then rm -rf "$workspace"; fi
  if [ -n "$runtime_folder" ]; then rm -rf "$runtime_folder"; fi
}

get_operator() {
  get_asset operator.js "$built_tag" "$built_size" "$built_sha256" "$built_cli"
}

get_asset() { # FILE TAG SIZE SHA256 TITLE; into the workspace; sets `location` to where it came from
  asset_name=$1 asset_tag=$2 asset_size=$3 asset_sha256=$4 asset_title=$5
  set -- @LOCATIONS@
  if [ -n "${SLIPWAY_RELEASES:-}" ]; then set -- "$SLIPWAY_RELEASES"; fi
  if [ $# -eq 0 ]; then fail 2 'This installer does not know where releases are.' 'Name the place: SLIPWAY_RELEASES=https://... or a folder.'; fi
  for candidate do # the loop's own name is local in some shells
    location=${candidate%/}
    case $location in
      https://* | http://*)
        check_address "$location"
        # A repository's page on a forge has the releases of its tags below releases/download/.
        case ${location#http*://} in
          */*/*/*) places="releases/$asset_tag" ;;
          github.com/*/*) places="releases/download/$asset_tag" ;;
          */*/*) places="releases/$asset_tag releases/download/$asset_tag" ;;
          *) places="releases/$asset_tag" ;;
        esac
        for place in $places; do
          if download_from "$location/$place"; then return; fi
        done
        ;;
      file:///*%*) fail 2 "$location has a percent sign." 'Give the path of the folder instead.' ;;
      file:///*) if copy_from "${location#file://}"; then return; fi ;;
      *://*) fail 2 "$location is not an address that releases can come from." 'Use https://..., file:///... or a folder.' ;;
      *)
        case $location in /*) ;; *) location=$(pwd)/$location ;; esac
        if copy_from "$location"; then return; fi
        ;;
    esac
  done
  if [ "$asset_name" != operator.js ]; then
    fail 5 "$asset_title could not be had; nothing was changed." "Check the network, the proxy and SSL_CERT_FILE. $node_hint"
  fi
  fail 5 "The operator program of $built_version could not be had; nothing was changed." \
    'Check the network, the proxy and SSL_CERT_FILE, or get a fresh install.sh.'
}

check_address() { # URL; plain http is only for this very host
  authority=${1#*://}
  authority=${authority%%[/?#]*}
  case $authority in
    *@*) fail 2 'The address of the releases holds a user name or password.' 'Give the address without them.' ;;
    '[::1]' | '[::1]:'*) return ;;
  esac
  case $1 in https://*) return ;; esac
  case ${authority%%:*} in
    localhost) return ;;
    *[!0-9.]*) ;;
    127.*) return ;;
  esac
  fail 2 "$1 is plain http." 'Use https; http is accepted only for 127.0.0.1, [::1] and localhost.'
}

copy_from() { # FOLDER
  asset_source=$1/releases/$asset_tag/$asset_name
  if [ ! -f "$asset_source" ]; then
    say "There is no $asset_source."
    return 1
  fi
  if ! is_expected "$asset_source"; then return 1; fi
  cp "$asset_source" "$workspace/$asset_name" && is_expected "$workspace/$asset_name"
}

download_from() { # ADDRESS of the release; three attempts, going on where the one before stopped
  choose_fetcher
  asset_file=$workspace/$asset_name
  say "Fetching $asset_title ($(((asset_size + 1023) / 1024)) KiB) from $1"
  for attempt in 1 2 3; do
    resumed_at=$(bytes_of "$asset_file")
    if download "$1/$asset_name" "$asset_file" 2>"$workspace/problem" </dev/null; then
      complete=yes
    else
      say "Attempt $attempt of 3 failed: $(cat "$workspace/problem")"
      complete=no
      if [ "$(bytes_of "$asset_file")" -eq "$resumed_at" ]; then rm -f "$asset_file"; fi # going on may not work here
    fi
    if [ "$complete" = yes ] || [ "$(bytes_of "$asset_file")" -ge "$asset_size" ]; then
      if is_expected "$asset_file"; then return 0; fi
      rm -f "$asset_file"
      if [ "$resumed_at" -eq 0 ]; then return 1; fi
    fi
    if [ "$attempt" -lt 3 ]; then sleep 1; fi
  done
  rm -f "$asset_file"
  return 1
}

choose_fetcher() {
  case $(command -v curl || :) in
    '' | /snap/*) ;; # a snap's curl has a /tmp of its own
    *) fetcher=curl && return ;;
  esac
  if ! has wget; then fail 3 'Neither curl nor wget was found (a snap of curl does not do).' 'Install one of them and start again.'; fi
  case $(wget --version 2>/dev/null </dev/null || :) in
    'GNU Wget'*) fetcher=gnu-wget ;;
    *) fetcher=wget ;;
  esac
}

# No more than the expected size is ever written, whatever the other side sends; the rest is left to the digest.
download() ( # URL FILE
  trap '' XFSZ
  ulimit -f $((asset_size / 512 + 2)) 2>/dev/null || :
  use_proxies "$1"
  case $fetcher in
    curl)
      set -- -fsSL -g --proto '=https,http' --proto-redir '=https' --tlsv1.2 --connect-timeout "$stall_seconds" \
        --speed-limit 100 --speed-time "$stall_seconds" --max-time 1800 -C - -o "$2" "$1"
      if [ -n "${SSL_CERT_FILE:-}" ]; then set -- --cacert "$SSL_CERT_FILE" "$@"; fi
      curl "$@"
      ;;
    gnu-wget)
      set -- -nv --tries=1 --timeout="$stall_seconds" -c -O "$2" "$1"
      if [ -n "${SSL_CERT_FILE:-}" ]; then set -- --ca-certificate="$SSL_CERT_FILE" "$@"; fi
      wget "$@"
      ;;
    *) quiet_wget "$1" "$2" ;;
  esac
)

# Not every wget has a timeout, and that of some busybox builds crashes: it is ended from outside when no more data comes.
quiet_wget() ( # URL FILE
  wget -q -c -O "$2" "$1" &
  watched=$!
  trap 'kill "$watched" 2>/dev/null || :' EXIT
  trap 'exit 130' HUP INT TERM
  seen_size=0
  silent_seconds=0
  while kill -0 "$watched" 2>/dev/null; do
    if [ "$silent_seconds" -gt "$stall_seconds" ]; then
      say "no data for $stall_seconds seconds"
      exit 1
    fi
    sleep 1
    silent_seconds=$((silent_seconds + 1))
    if [ "$(bytes_of "$2")" -ne "$seen_size" ]; then
      seen_size=$(bytes_of "$2")
      silent_seconds=0
    fi
  done
  wait "$watched"
)

use_proxies() { # URL; wget reads only the lower-case names, and nothing on this host is asked through a proxy
  case $1 in
    http://*) unset http_proxy HTTP_PROXY all_proxy ALL_PROXY || : ;;
    *)
      https_proxy=${https_proxy:-${HTTPS_PROXY:-}}
      no_proxy=${no_proxy:-${NO_PROXY:-}}
      export https_proxy no_proxy
      ;;
  esac
}

is_expected() { # FILE
  found_size=$(bytes_of "$1")
  if [ "$found_size" -ne "$asset_size" ]; then
    say "Refused: $asset_name has $found_size bytes instead of $asset_size."
    return 1
  fi
  found_sha256=$(hex_of "$1") || found_sha256=unknown
  if [ "$found_sha256" = "$asset_sha256" ]; then return 0; fi
  say "Refused: $asset_name is not the one that this installer was made for (sha256 $found_sha256, expected $asset_sha256)."
  return 1
}

bytes_of() { # FILE
  if [ -f "$1" ]; then
    printf '%s\n' "$(($(wc -c <"$1")))"
  else
    printf '0\n'
  fi
}

hex_of() { # FILE
  case $digest_program in
    sha256sum) digest_line=$(sha256sum <"$1") ;;
    shasum) digest_line=$(shasum -a 256 <"$1") ;;
    openssl) digest_line=$(openssl dgst -sha256 <"$1") && digest_line=${digest_line##* } ;;
  esac
  printf '%s\n' "${digest_line%% *}"
}

hand_over() { # further options for the operator
  if [ "$wanted_verb" = recover ]; then
    if is_root; then own_folder=/opt/$built_product; else own_folder=${HOME:-}/$built_product; fi
    start_operator recover --dir "${wanted_dir:-$own_folder}" "$@"
  fi
  if [ -n "$wanted_yes" ]; then set -- --yes "$@"; fi
  if [ -n "$wanted_answers" ]; then set -- --answers "$wanted_answers" "$@"; fi
  if [ -n "$wanted_dir" ]; then set -- --dir "$wanted_dir" "$@"; fi
  if [ -n "$pinned_key" ]; then set -- --key "$pinned_key" "$@"; fi
  if [ -z "$wanted_version$wanted_channel" ] || [ "$wanted_channel" = "$built_channel" ]; then
    wanted_version=${wanted_version:-$built_version}
  fi
  if [ -n "$wanted_version" ]; then set -- --release-version "$wanted_version" "$@"; fi
  set -- install --releases "$location" --product "$built_product" --channel "${wanted_channel:-$built_channel}" \
    --cli "$built_cli" --title "$built_title" "$@"
  start_operator "$@"
}

start_operator() { # its words; does not come back
  if is_root; then bin_folder=/usr/local/bin; else bin_folder=${HOME:+$HOME/.local/bin}; fi
  export SLIPWAY_BIN="${SLIPWAY_BIN-$bin_folder}"
  umask "$umask_before"
  trap : HUP INT PIPE TERM # what a signal means is the operator's to decide, and its exit code is passed on
  outcome=0
  if [ -t 0 ]; then
    "$node_program" "$workspace/operator.js" "$@" || outcome=$?
  elif (: </dev/tty) 2>/dev/null; then
    "$node_program" "$workspace/operator.js" "$@" </dev/tty || outcome=$?
  else
    "$node_program" "$workspace/operator.js" "$@" </dev/null || outcome=$?
  fi
  exit "$outcome"
}

is_root() { [ "$(id -u 2>/dev/null)" = 0 ]; }

has() { command -v "$1" >/dev/null 2>&1; }

say() { printf '%s\n' "$*" >&2; }

fail() { # EXIT-CODE MESSAGE HINT
  printf 'install.sh: %s\n  %s\n' "$2" "$3" >&2
  exit "$1"
}

{ main "$@"; }
