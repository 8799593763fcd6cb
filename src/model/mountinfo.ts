// Which container a process runs in, read from its own mounts (proc(5), /proc/PID/mountinfo). Rule: only the files that an engine puts into every container count; what mounts
// of other containers a machine has says nothing.

/** The files that engines mount into each container from a folder that is named after it. */
const PLACES: readonly string[] = ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];
/** Docker: `…/containers/<id>/hostname`. Podman: `…/overlay-containers/<id>/userdata/hostname`. */
const SOURCE = /\/([0-9a-f]{64})\/(?:userdata\/)?(?:hostname|hosts|resolv\.conf)$/;

/** The id of the container with these mounts, or of the one whose network it shares; undefined outside of containers. */
export function containerIdOf(mountinfo: string): string | undefined {
  const ids = mountinfo.split('\n').flatMap((line) => {
    const [, , , source = '', target = ''] = line.split(' ');
    return PLACES.includes(target) ? (SOURCE.exec(source)?.[1] ?? []) : [];
  });
  return new Set(ids).size === 1 ? ids[0] : undefined;
}
