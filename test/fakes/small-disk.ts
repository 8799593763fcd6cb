// A small disk in memory, mounted below a test's own folder; only root may. Rule: it is unmounted in any case, with whatever is on it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Only root mounts. */
export const canMount = process.getuid?.() === 0;

export interface SmallDisk {
  /** Fills it but for so many bytes. */
  readonly leave: (bytes: number) => void;
  /** Lets no more than so many further files be made. */
  readonly leaveFiles: (count: number) => void;
  /** All that was filled is free again. */
  readonly free: () => void;
  readonly readOnly: (is: boolean) => void;
}

/** What takes the call that unmounts; a test's own context does. */
export interface Unmounting {
  readonly onTestFinished: (unmount: () => void) => void;
}

/** Mounts it at a folder, which is made; gone when the test has finished. `options` as for mount(8). */
export function mountSmallDisk(folder: string, { onTestFinished }: Unmounting, options = 'size=16m'): SmallDisk {
  mkdirSync(folder, { recursive: true });
  const mount = (...words: string[]): void => void execFileSync('mount', [...words, folder], { stdio: 'pipe' });
  mount('-t', 'tmpfs', '-o', options, 'tmpfs');
  onTestFinished(() => void execFileSync('umount', ['-l', folder], { stdio: 'pipe' }));
  const ballast = join(folder, 'ballast');
  const free = (): void => {
    rmSync(ballast, { force: true });
    mount('-o', 'remount,nr_inodes=100000');
  };
  return {
    leave: (bytes) => {
      rmSync(ballast, { force: true });
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
    },
    leaveFiles: (count) => {
      const { files, ffree } = statfsSync(folder);
      mount('-o', `remount,nr_inodes=${files - ffree + count}`);
    },
    free,
    readOnly: (is) => mount('-o', is ? 'remount,ro' : 'remount,rw'),
  };
}
