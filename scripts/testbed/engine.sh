# shellcheck shell=sh
# Starts and stops the engine and the registry of the test bed. Rule: a process is ours when its program lies in our package
# tree or it sits in our control group; no pid file is ever believed.
# Uses $STATE, $NETNS, $SOCKET, $REGISTRY, $ENGINE_TREE, say and refuse.

# shellcheck disable=SC2034 # testbed.sh names them to stop_processes
ENGINE_PROGRAMS='dockerd docker-proxy containerd containerd-shim-runc-v2 runc'
CGROUP=$NETNS

engine_answers() {
  [ -S "$SOCKET" ] && curl -fs -o /dev/null --max-time 5 --unix-socket "$SOCKET" http://docker/_ping
}

engine_version() {
  curl -fs --max-time 5 --unix-socket "$SOCKET" http://docker/version | sed 's/.*"Version":"\([^"]*\)","Details":{"ApiVersion.*/\1/; s/+.*//'
}

registry_answers() {
  inside curl -fs -o /dev/null --noproxy '*' --max-time 5 "http://$REGISTRY/v2/" 2>/dev/null
}

inside() {
  nsenter --net="/run/netns/$NETNS" -- "$@"
}

# A namespace that a killed run left behind is used again; a name without a namespace is made anew.
start_namespace() {
  if ! inside true 2>/dev/null; then
    delete_namespace
    ip netns add "$NETNS"
  fi
  ip -n "$NETNS" link set lo up
}

delete_namespace() {
  [ ! -e "/run/netns/$NETNS" ] || ip netns delete "$NETNS" 2>/dev/null || rm -f "/run/netns/$NETNS"
}

# launch NAME PROGRAM…: a daemon in the namespace that outlives this script and holds no file of it or of its caller, locks above all.
launch() {
  log=$STATE/run/$1.log
  shift
  (
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- </dev/null >>"$log" 2>&1
    exec nsenter --net="/run/netns/$NETNS" -- setsid env -i HOME=/root \
      PATH="$ENGINE_TREE/usr/sbin:$ENGINE_TREE/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
  ) &
}

# await NAME COMMAND…: until the command succeeds, at most 30 seconds.
await() {
  name=$1
  shift
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
      tail -n 20 "$STATE/run/$name.log" >&2
      refuse "$name did not start within 30 seconds; its log is $STATE/run/$name.log."
    fi
    sleep 0.05
  done
}

start_registry() {
  mkdir -p "$STATE/run" "$STATE/registry"
  cat >"$STATE/run/registry.yml" <<YAML
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $STATE/registry }, delete: { enabled: true }, maintenance: { uploadpurging: { enabled: false } } }
http: { addr: "$REGISTRY" }
YAML
  launch docker-registry docker-registry serve "$STATE/run/registry.yml"
  await docker-registry registry_answers
}

# Its own containerd: dockerd would otherwise join one of this machine.
start_engine() {
  mkdir -p "$STATE/run" "$STATE/data"
  cat >"$STATE/run/containerd.toml" <<TOML
version = 2
root = "$STATE/data/containerd"
state = "$STATE/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[grpc]
address = "$STATE/run/containerd.sock"
TOML
  cat >"$STATE/run/daemon.json" <<JSON
{ "hosts": ["unix://$SOCKET"], "data-root": "$STATE/data/docker", "exec-root": "$STATE/run/docker", "pidfile": "$STATE/run/docker.pid",
  "containerd": "$STATE/run/containerd.sock", "cgroup-parent": "/$CGROUP", "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "default-address-pools": [{ "base": "10.213.0.0/16", "size": 24 }], "shutdown-timeout": 2 }
JSON
  launch containerd containerd --config "$STATE/run/containerd.toml"
  await containerd test -S "$STATE/run/containerd.sock"
  launch dockerd dockerd --config-file "$STATE/run/daemon.json"
  await dockerd engine_answers
}

# stop_processes PROGRAMS: SIGKILL to those programs and, when the engine is among them, to all its containers.
stop_processes() {
  tries=0
  while pids=$(program_pids "$1" && container_pids) && [ -n "$pids" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 200 ] || refuse "these processes do not end: $pids"
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.05
  done
}

program_pids() {
  find /proc/[0-9]* -maxdepth 1 -name exe -lname "$ENGINE_TREE/*" -printf '%h %l\n' 2>/dev/null | while read -r process program _; do
    case " $1 " in *" ${program##*/} "*) echo "${process#/proc/}" ;; esac
  done
}

container_pids() {
  find /sys/fs/cgroup/"$CGROUP" /sys/fs/cgroup/*/"$CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u
}

# What a power cut leaves: mounts and control groups of ours, sockets of dead processes.
sweep_leftovers() {
  awk -v at="$STATE/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do
    umount -l "$mount" 2>/dev/null || true
  done
  find "$STATE/run/containerd" -name address -exec sed -n 's,^unix://,,p' {} + 2>/dev/null | while read -r address; do
    rm -f "$address"
  done
  rm -rf "$STATE/run/containerd" "$STATE/run/docker" "$STATE/run/containerd.sock" "$STATE/run/containerd.sock.ttrpc" "$STATE/run/docker.pid" "$SOCKET"
  find /sys/fs/cgroup/"$CGROUP" /sys/fs/cgroup/*/"$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
