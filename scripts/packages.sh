# What the scripts need from outside: npm's packages by the lock file, and Debian's by name. Sourced, from the top folder.

# Installs npm's packages unless they are those of the lock file already.
install_npm_packages() {
  if [ node_modules/.package-lock.json -nt package-lock.json ]; then return 0; fi
  npm ci --no-audit --no-fund
}

# Installs Debian's packages for the tests, where this is Debian and we are root; elsewhere tests say what they miss.
install_test_packages() {
  mkdir -p .testbed
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 0
  wanted=
  for pair in minisign:minisign docker-registry:docker-registry dash:dash busybox:busybox-static mksh:mksh zsh:zsh yash:yash shellcheck:shellcheck \
    curl:curl wget:wget openssl:openssl script:bsdutils strace:strace tmux:tmux pigz:pigz git:git psql:postgresql-client nginx:nginx-light python3:python3; do
    command -v "${pair%%:*}" >/dev/null || wanted="$wanted ${pair#*:}"
  done
  [ -n "$wanted" ] || return 0
  apt-get update -qq
  # A service that a package brings must not start by itself.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -t bookworm $wanted >/dev/null
  rm -f /usr/sbin/policy-rc.d
}
