# shellcheck shell=sh
# The programs of the test bed. Rule: daemons are only unpacked under the folder, never installed, so that no package
# script starts a second engine, database or web server on this machine, and no library of it is upgraded.
# Uses $STATE, say and refuse of testbed.sh, stop_processes of engine.sh.

ENGINE_TREE=$STATE/packages/engine # what runs on this machine
IMAGE_TREE=$STATE/packages/images  # what the reference product's images are made of

# The newer engine runs on this Debian with its runc; the newer runc would need a newer libc.
ENGINE_PACKAGES='docker.io/trixie containerd/trixie docker-cli/trixie docker-compose/trixie runc/bookworm tini/bookworm
  docker-registry/bookworm'
IMAGE_PACKAGES='busybox-static nginx nginx-common postgresql-15 postgresql-client-15 tzdata libc-bin libc6 libgcc-s1 libstdc++6
  libaudit1 libcap-ng0 libcap2 libcom-err2 libcrypt1 libffi8 libgcrypt20 libgmp10 libgnutls30 libgpg-error0 libgssapi-krb5-2
  libhogweed6 libicu72 libidn2-0 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 libldap-2.5-0 liblz4-1 liblzma5 libnettle8
  libp11-kit0 libpam0g libpcre2-8-0 libpq5 libreadline8 libsasl2-2 libselinux1 libssl3 libsystemd0 libtasn1-6 libtinfo6
  libunistring2 libuuid1 libxml2 libxslt1.1 libzstd1 zlib1g'
# What builds images: docker's own plugin, fetched for itself, so that a test bed that has the rest needs no second download of it.
BUILDX=usr/libexec/docker/cli-plugins/docker-buildx
# A newer PostgreSQL, for products that change its major: fetched for itself, too, with the libraries that it was made for.
NEWER_TREE=$STATE/packages/postgres-17
NEWER_PACKAGES='postgresql-17 postgresql-client-17 libc-bin libc6 libgcc-s1 libstdc++6 libaudit1 libcap-ng0 libcap2 libcom-err2 libcrypt1 libffi8
  libgssapi-krb5-2 libicu76 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 libldap2 liblz4-1 liblzma5 libnuma1 libpam0g libpq5 libreadline8t64
  libsasl2-2 libselinux1 libpcre2-8-0 libssl3t64 libsystemd0 libtinfo6 libuuid1 libxml2 libxslt1.1 libxxhash0 libzstd1 zlib1g'
# Plain programs that the scripts and tests call: command:package.
HOST_TOOLS='ip:iproute2 iptables:iptables curl:curl nsenter:util-linux git:git busybox:busybox-static
  minisign:minisign strace:strace tmux:tmux pigz:pigz'

# Installs the plain programs that are missing; they start nothing.
install_tools() {
  missing=
  for tool in $HOST_TOOLS; do
    command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
  done
  [ -n "$missing" ] || return 0
  say "installing$missing"
  install_from_debian || { apt-get -qq update >&2 && install_from_debian; } || refuse "apt-get could not install$missing"
}

install_from_debian() {
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 -t bookworm install $missing \
    >"$STATE/apt.log" 2>&1 9>&-
}

# Downloads and unpacks both trees once; a change of the lists above does it again.
fetch_packages() {
  wanted="$ENGINE_PACKAGES + $IMAGE_PACKAGES"
  [ "$(cat "$STATE/packages/complete" 2>/dev/null)" != "$wanted" ] || return 0
  stop_processes "$ENGINE_PROGRAMS docker-registry"
  rm -rf "$STATE/packages"
  mkdir -p "$ENGINE_TREE" "$IMAGE_TREE"
  say "downloading Debian packages (about 120 MB, once)"
  download_packages
  say "unpacking"
  unpack_into "$ENGINE_TREE" "$STATE/packages/engine-debs"
  unpack_into "$IMAGE_TREE" "$STATE/packages/images-debs"
  rm -rf "$STATE/packages/apt" "$STATE/packages/engine-debs" "$STATE/packages/images-debs"
  link_programs
  printf %s "$wanted" >"$STATE/packages/complete"
}

# Adds docker's buildx plugin to the tree of the engine; the engine itself goes on running.
fetch_buildx() {
  if [ ! -x "$ENGINE_TREE/$BUILDX" ]; then
    say "downloading docker-buildx (about 30 MB, once)"
    debs=$STATE/packages/buildx-debs
    mkdir -p "$debs"
    open_package_lists
    (cd "$debs" && private_apt download docker-buildx/trixie) || refuse "could not download docker-buildx (see $STATE/apt.log)."
    unpack_into "$ENGINE_TREE" "$debs"
    rm -rf "$STATE/packages/apt" "$debs"
  fi
  ln -sfn "$ENGINE_TREE/$BUILDX" "$STATE/docker-config/cli-plugins/docker-buildx"
}

# Unpacks the newer PostgreSQL once. Its packages know no /lib beside /usr/lib.
fetch_newer_postgres() {
  [ "$(cat "$NEWER_TREE/complete" 2>/dev/null)" != "$NEWER_PACKAGES" ] || return 0
  say "downloading PostgreSQL 17 (about 45 MB, once)"
  debs=$STATE/packages/newer-debs
  rm -rf "$NEWER_TREE" "$debs"
  mkdir -p "$NEWER_TREE" "$debs"
  open_package_lists
  # shellcheck disable=SC2046,SC2086
  (cd "$debs" && private_apt download $(printf '%s/trixie ' $NEWER_PACKAGES)) || refuse "could not download PostgreSQL 17 (see $STATE/apt.log)."
  unpack_into "$NEWER_TREE" "$debs"
  for name in lib lib64; do [ -e "$NEWER_TREE/$name" ] || ln -s "usr/$name" "$NEWER_TREE/$name"; done
  rm -rf "$STATE/packages/apt" "$debs"
  printf %s "$NEWER_PACKAGES" >"$NEWER_TREE/complete"
}

download_packages() {
  mkdir -p "$STATE/packages/engine-debs" "$STATE/packages/images-debs"
  open_package_lists
  # shellcheck disable=SC2086
  (cd "$STATE/packages/engine-debs" && private_apt download $ENGINE_PACKAGES) || refuse "could not download the engine (see $STATE/apt.log)."
  # shellcheck disable=SC2046,SC2086
  (cd "$STATE/packages/images-debs" && private_apt download $(printf '%s/bookworm ' $IMAGE_PACKAGES)) || refuse "could not download the images' packages (see $STATE/apt.log)."
}

# Package lists of their own: this machine's sources stay as they are.
open_package_lists() {
  apt=$STATE/packages/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || refuse "no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d."
  for suite in bookworm trixie; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
  done >"$apt/sources.list"
  private_apt update || refuse "could not read the package lists of $mirror (see $STATE/apt.log)."
}

private_apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$apt/lists" \
    -o Dir::Cache="$apt" -o Acquire::Languages=none -o APT::Sandbox::User=root "$@" >"$STATE/apt.log" 2>&1 9>&-
}

# The mirror that this machine uses for Debian itself.
debian_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
    $1 == "deb" { for (i = 2; i < NF; i++) if ($i ~ /^https?:/ && $(i + 1) == "bookworm") { print $i; exit } }
    $1 == "URIs:" { uri = $2 }
    $1 == "Suites:" { for (i = 2; i <= NF; i++) if ($i == "bookworm") { print uri; exit } }'
}

unpack_into() {
  find "$2" -name '*.deb' -print0 | xargs -0 -P 2 -I DEB dpkg -x DEB "$1"
}

# What the tests see of the engine: the docker command and its compose plugin, with a configuration folder of their own.
link_programs() {
  mkdir -p "$STATE/bin" "$STATE/docker-config/cli-plugins"
  ln -sfn tini-static "$ENGINE_TREE/usr/bin/docker-init"
  ln -sfn "$ENGINE_TREE/usr/bin/docker" "$STATE/bin/docker"
  ln -sfn "$ENGINE_TREE/usr/libexec/docker/cli-plugins/docker-compose" "$STATE/docker-config/cli-plugins/docker-compose"
}
