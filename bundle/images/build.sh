#!/bin/sh
# Makes the reference product's images for the test bed from Debian packages and this machine's Node.js, and pushes them
# to its registry: acme-api:VERSION, postgres:15, postgres:17 and nginx:1.22. No registry on the internet is asked; products that people
# run use the upstream images and api/Dockerfile instead.
#
# Usage, inside the test bed: scripts/testbed.sh exec bundle/images/build.sh VERSION [SOURCE]
#   SOURCE is the product's source tree; by default the reference product's release that VERSION's first number names.
# Rule: what is already pushed from the same contents is left alone.
set -eu

main() {
  version=${1:-}
  case $version in [0-9]*.[0-9]*.[0-9]*) ;; *) stop "the first argument is the version, such as 1.0.0" ;; esac
  [ -n "${SLIPWAY_TESTBED:-}" ] || stop "not inside the test bed; run it as: scripts/testbed.sh exec $0 $version"
  exec 9>"$CACHE/lock"
  flock 9
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  build_postgres
  build_nginx
  build_api "${2:-}"
}

stop() {
  echo "images: $*" >&2
  exit 2
}

build_postgres() {
  push_postgres 15 postgres
  older=$TREE
  TREE=$SLIPWAY_TESTBED/packages/postgres-17
  push_postgres 17 postgres-17 "$TREE/complete"
  TREE=$older
}

# push_postgres MAJOR LAYER [FILE…]: from the packages in $TREE.
push_postgres() {
  major=$1
  name=$2
  shift 2
  root_layer "$name" postgres_root "$here/postgres.sh" "$@"
  push postgres "$major" "$LAYER" '"Env": ["PATH=/usr/lib/postgresql/'"$major"'/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PGDATA=/var/lib/postgresql/data"],
    "Entrypoint": ["/usr/bin/start-postgres"], "Cmd": ["postgres"], "StopSignal": "SIGINT",
    "Volumes": { "/var/lib/postgresql/data": {} }, "ExposedPorts": { "5432/tcp": {} }'
}

build_nginx() {
  root_layer nginx nginx_root
  push nginx 1.22 "$LAYER" '"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["nginx", "-g", "daemon off;"], "StopSignal": "SIGQUIT",
    "ExposedPorts": { "80/tcp": {} }'
}

build_api() {
  source=$1
  if [ -z "$source" ]; then
    source=$work/source
    "$repository/scripts/reference-product.sh" "${version%%.*}" "$source"
  fi
  node=$(readlink -f "$(command -v node)")
  stat -c '%n %s %Y' "$node" >"$work/node.id"
  root_layer node node_root "$work/node.id"
  node_layer=$LAYER
  # shellcheck disable=SC2046
  layer api "$(content_hash "$0" $(find "$source/api" -type f | sort) "$repository/package-lock.json")" api_root
  push acme-api "$version" "$node_layer $LAYER" '"User": "node", "WorkingDir": "/app", "Cmd": ["node", "server.js"],
    "Env": ["PATH=/usr/bin:/bin", "NODE_ENV=production", "ACME_VERSION='"$version"'"], "ExposedPorts": { "3000/tcp": {} }'
}

# --- what is in the images ---------------------------------------------------------------------------------------

postgres_root() {
  small_system
  cp "$here/postgres.sh" "$root/usr/bin/start-postgres"
  for name in postgres initdb pg_ctl pg_dump pg_dumpall pg_restore pg_isready psql; do
    copy_program "usr/lib/postgresql/$major/bin/$name"
  done
  for library in "$TREE"/usr/lib/postgresql/"$major"/lib/*.so; do
    case $library in *llvmjit*) ;; *) copy_program "${library#"$TREE"/}" ;; esac
  done
  copy_tree "usr/share/postgresql/$major" usr/lib/locale
  tar -C "$SYSTEM" -cf - usr/share/zoneinfo | tar -C "$root" -xf -
  mkdir -p "$root/var/lib/postgresql/data" "$root/run/postgresql"
  ln -s /run "$root/var/run"
  chmod 700 "$root/var/lib/postgresql/data"
  chown -R 999:999 "$root/var/lib/postgresql" "$root/run/postgresql"
}

nginx_root() {
  small_system
  copy_program usr/sbin/nginx
  copy_tree etc/nginx
  mkdir -p "$root/var/lib/nginx" "$root/var/log/nginx" "$root/run" "$root/var/lock" "$root/etc/nginx/custom"
  ln -s /dev/stdout "$root/var/log/nginx/access.log"
  ln -s /dev/stderr "$root/var/log/nginx/error.log"
}

node_root() {
  small_system
  copy_program "$node" usr/bin/node
}

# The app with its one dependency in each file, so that the image needs no node_modules.
api_root() {
  mkdir -p "$root/app" "$root/uploads" "$root/content"
  NODE_PATH=$repository/node_modules${NODE_PATH:+:$NODE_PATH} "$repository/node_modules/.bin/esbuild" \
    "$source/api/server.js" "$source/api/migrate.js" "$source/api/worker.js" "$source/api/reports.js" "$source/api/healthcheck.js" \
    --bundle --splitting --platform=node --format=esm --target=node20 --external:pg-native --log-level=warning --outdir="$root/app" \
    --banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
  cp -R "$source/api/migrations" "$root/app/migrations"
  echo '{ "type": "module" }' >"$root/app/package.json"
  chown 1000:1000 "$root/uploads"
}

# A shell with the usual commands, and the people files of Debian; made once a run and copied.
small_system() {
  [ -d "$work/system" ] || make_small_system "$work/system"
  cp -a "$work/system/." "$root"
}

make_small_system() {
  mkdir -p "$1/bin" "$1/etc" "$1/usr/bin" "$1/tmp"
  chmod 1777 "$1/tmp"
  cp "$SYSTEM/bin/busybox" "$1/bin/busybox"
  for name in $("$SYSTEM/bin/busybox" --list); do
    [ -e "$1/bin/$name" ] || ln -s busybox "$1/bin/$name"
  done
  printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' 'node:x:1000:1000::/app:/bin/sh' \
    'nobody:x:65534:65534:nobody:/nonexistent:/bin/false' >"$1/etc/passwd"
  printf '%s\n' 'root:x:0:' 'postgres:x:999:' 'node:x:1000:' 'nogroup:x:65534:' 'nobody:x:65533:' >"$1/etc/group"
  echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
}

copy_tree() {
  for folder in "$@"; do [ -d "$TREE/$folder" ] || stop "the packages hold no $folder"; done
  tar -C "$TREE" -cf - "$@" | tar -C "$root" -xf -
}

# copy_program FILE [TARGET]: a program or library of the package tree (or an absolute FILE of this machine), with every
# library that it loads, taken from the tree.
copy_program() {
  case $1 in /*) file=$1 ;; *) file=$TREE/$1 ;; esac
  install -D "$file" "$root/${2:-$1}"
  for loader in lib64/ld-linux-x86-64.so.2 lib/ld-linux-aarch64.so.1; do
    [ ! -e "$TREE/$loader" ] || break
  done
  "$TREE/$loader" --library-path "$TREE/lib/$MULTIARCH:$TREE/usr/lib/$MULTIARCH" --list "$file" >"$work/libraries" ||
    stop "$file needs a library that is not in the package list of scripts/testbed/packages.sh"
  foreign=$(grep '=> ' "$work/libraries" | grep -v "=> $TREE/" || true) # a library of this machine is not in the image
  [ -z "$foreign" ] || stop "$file needs libraries that are not in the package list of scripts/testbed/packages.sh: $foreign"
  for library in $loader $(sed -n "s,.*=> $TREE/\([^ ]*\).*,\1,p" "$work/libraries"); do
    [ -e "$root/$library" ] || install -D "$TREE/$library" "$root/$library"
  done
}

# --- layers and the registry's protocol ----------------------------------------------------------------------------

# root_layer NAME FUNCTION [FILE…]: a whole system; made again when this script, the packages or those files change.
root_layer() {
  name=$1
  fill=$2
  shift 2
  layer "$name" "$(content_hash "$0" "$SLIPWAY_TESTBED/packages/complete" "$@")" "$fill"
}

# layer NAME HASH FUNCTION: sets LAYER to a compressed tar of the folder that FUNCTION fills, kept for the next time with
# its descriptor (.json) and the digest of the tar within (.diff).
layer() {
  LAYER=$CACHE/$1-$2.tar.gz
  [ ! -e "$LAYER" ] || return 0
  echo "images: making the $1 layer" >&2
  root=$work/$1
  mkdir -p "$root"
  "$3"
  tar -C "$root" --sort=name --mtime=@0 --numeric-owner -cf "$work/$1.tar" .
  sha256sum "$work/$1.tar" | cut -d' ' -f1 >"$LAYER.diff"
  pigz -1 -n -c "$work/$1.tar" >"$LAYER.part"
  describe "$LAYER.part" application/vnd.oci.image.layer.v1.tar+gzip >"$LAYER.json"
  mv "$LAYER.part" "$LAYER"
  rm -rf "$root" "$work/$1.tar"
}

content_hash() {
  cat "$@" | sha256sum | cut -c1-16
}

# push REPOSITORY TAG "LAYER…" CONFIG: one image for this machine's platform; says nothing when the registry has it.
push() {
  url=$REGISTRY/v2/acme/$1
  layers=
  diffs=
  for file in $3; do
    layers="$layers${layers:+, }$(cat "$file.json")"
    diffs="$diffs${diffs:+, }\"sha256:$(cat "$file.diff")\""
  done
  echo "{ \"architecture\": \"$ARCHITECTURE\", \"os\": \"linux\", \"created\": \"1980-01-01T00:00:00Z\", \"config\": { $4 },
  \"rootfs\": { \"type\": \"layers\", \"diff_ids\": [$diffs] } }" >"$work/config.json"
  echo "{ \"schemaVersion\": 2, \"mediaType\": \"$MANIFEST\", \"layers\": [$layers],
  \"config\": $(describe "$work/config.json" application/vnd.oci.image.config.v1+json) }" >"$work/manifest.json"
  if pushed "$url/manifests/$2" "$work/manifest.json"; then return; fi
  for file in $3 "$work/config.json"; do push_blob "$file"; done
  curl -fsS -o /dev/null -T "$work/manifest.json" -H "Content-Type: $MANIFEST" "$url/manifests/$2"
  echo "images: pushed ${REGISTRY#http://}/acme/$1:$2" >&2
}

pushed() {
  curl -fs -H "Accept: $MANIFEST" "$1" | cmp -s - "$2"
}

# describe FILE TYPE: its descriptor, as manifests hold it.
describe() {
  echo "{ \"mediaType\": \"$2\", \"size\": $(stat -c %s "$1"), \"digest\": \"$(digest_of "$1")\" }"
}

digest_of() {
  echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"
}

push_blob() {
  digest=$(digest_of "$1")
  if curl -fsI -o /dev/null "$url/blobs/$digest"; then return; fi
  upload=$(curl -fsS -D - -o /dev/null -X POST -H 'Content-Length: 0' "$url/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  curl -fsS -o /dev/null -T "$1" -H 'Content-Type: application/octet-stream' "$upload&digest=$digest"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repository=$(CDPATH='' cd -- "$here/../.." && pwd)
SYSTEM=${SLIPWAY_TESTBED:-}/packages/images
TREE=$SYSTEM
CACHE=${SLIPWAY_TESTBED:-}/layers
REGISTRY=http://${SLIPWAY_TESTBED_REGISTRY:-127.0.0.1:5000}
MANIFEST=application/vnd.oci.image.manifest.v1+json
ARCHITECTURE=$(dpkg --print-architecture)
MULTIARCH=$(uname -m)-linux-gnu
[ -z "${SLIPWAY_TESTBED:-}" ] || mkdir -p "$CACHE"
main "$@"
