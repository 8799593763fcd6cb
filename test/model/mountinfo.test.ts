// The container that a process is in, as engines mount it. Rule: lines as real engines write them; whatever else names a container says nothing.
import { describe, expect, test } from 'vitest';
import { containerIdOf } from '../../src/model/mountinfo.ts';

const ID = '3f5c1b7a9d2e4f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd';
const OTHER = 'a'.repeat(64);

const DOCKER = `650 545 0:58 / / rw,relatime master:231 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/ABC,upperdir=/var/lib/docker/overlay2/${OTHER}/diff
651 650 0:61 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
655 652 0:63 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
656 650 8:1 /var/lib/docker/containers/${ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/sda1 rw
657 650 8:1 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw
658 650 8:1 /var/lib/docker/containers/${ID}/hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw
659 650 8:1 /opt/acme /opt/acme rw,relatime - ext4 /dev/sda1 rw
660 650 0:25 /docker.sock /run/docker.sock rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw
`;

const PODMAN = `612 590 0:24 /containers/storage/overlay-containers/${ID}/userdata/hosts /etc/hosts rw,nosuid,nodev,relatime - tmpfs tmpfs rw
613 590 0:24 /containers/storage/overlay-containers/${ID}/userdata/resolv.conf /etc/resolv.conf rw,nosuid,nodev,relatime - tmpfs tmpfs rw
614 590 0:24 /containers/storage/overlay-containers/${ID}/userdata/hostname /etc/hostname rw,nosuid,nodev,relatime - tmpfs tmpfs rw
`;

/** A machine sees what its containers have mounted, and whole folders that are named after them. */
const MACHINE = `25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
310 25 0:58 / /var/lib/docker/overlay2/${OTHER}/merged rw,relatime shared:200 - overlay overlay rw
311 25 0:63 / /var/lib/docker/containers/${ID}/mounts/shm rw,nosuid,nodev,noexec,relatime shared:201 - tmpfs shm rw
312 25 8:1 /srv/hosts /etc/hosts rw,relatime shared:1 - ext4 /dev/sda1 rw
`;

describe('the container that a process is in', () => {
  test.each([
    ['Docker', DOCKER],
    ['Docker with remapped users', DOCKER.replaceAll('/var/lib/docker/containers', '/var/lib/docker/100000.100000/containers')],
    ['Podman', PODMAN],
  ])('is known from the files that %s mounts into it', (_, text) => {
    expect(containerIdOf(text)).toBe(ID);
  });

  test.each([
    ['a machine with containers', MACHINE],
    ['nothing', ''],
    ['lines of another kind', 'what\nis / this\n'],
    ['an id that is none', DOCKER.replaceAll(ID, ID.slice(1))],
    [
      'another container’s file at a place of our own',
      `1 2 8:1 /var/lib/docker/containers/${OTHER}/hostname /mnt/hostname rw - ext4 x rw\n`,
    ],
    ['files of two containers', DOCKER + PODMAN.replaceAll(ID, OTHER)],
  ])('is none where the mounts are those of %s', (_, text) => {
    expect(containerIdOf(text)).toBeUndefined();
  });
});
