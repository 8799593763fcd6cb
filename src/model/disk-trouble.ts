// What a disk refuses, told as what it is. Rule: pure; only the system's own codes are understood, and whatever else was thrown stays as it is.
import { systemCode, ToolError } from './error.ts';

/** The system's refusal of a write as an expected error that names the place: E_DISK_FULL, E_DISK; undefined for any other error. `path` is used where the error names none. */
export function diskTrouble(error: unknown, path?: string): ToolError | undefined {
  const code = systemCode(error) ?? '';
  const { dest, path: source, syscall } = (error ?? {}) as NodeJS.ErrnoException & { readonly dest?: string };
  const named = dest ?? source ?? path;
  const disk = named === undefined ? 'a disk' : `the disk that holds ${named}`;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ToolError('E_DISK_FULL', `${disk} is full (${code})`, {
      cause: error,
      hint: 'Make room there (`df -h` shows space, `df -i` the number of files), then try again.',
    });
  // Node.js, refused a folder while it makes a path of them, only says that it is not there (asynchronous `mkdir` with `recursive`).
  if (code === 'ENOENT' && syscall === 'mkdir')
    return new ToolError('E_DISK_FULL', `${disk} takes no new folder: it is full, or may only be read`, {
      cause: error,
      hint: 'Look at `df -h` and `df -i` there, and whether it is mounted for writing, then try again.',
    });
  const reason = REASONS[code];
  if (reason === undefined) return undefined;
  return new ToolError('E_DISK', `${disk} ${reason[0]} (${code})`, { cause: error, hint: reason[1] });
}

const REASONS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  EROFS: ['may only be read', 'Mount it for writing (the system does this by itself when a disk fails: see `dmesg`), then try again.'],
  EIO: ['fails', 'See `dmesg`, and whether the disk is sound, before anything else is written there.'],
};
