import { describe, expect, test } from 'vitest';
import { diskTrouble } from '../../src/model/disk-trouble.ts';

const refused = (code: string, more: object = {}): Error => Object.assign(new Error(`${code}: write`), { code, ...more });

describe('what a disk refuses', () => {
  test.each([
    ['ENOSPC', 'E_DISK_FULL', 'full'],
    ['EDQUOT', 'E_DISK_FULL', 'full'],
    ['EROFS', 'E_DISK', 'only be read'],
    ['EIO', 'E_DISK', 'fails'],
  ])('%s is told as %s, with the disk and what to do', (code, told, words) => {
    const trouble = diskTrouble(refused(code), '/srv/acme/.env');
    expect(trouble).toMatchObject({ code: told, hint: expect.stringMatching(/.{20}/) });
    expect(trouble?.message).toContain('the disk that holds /srv/acme/.env');
    expect(trouble?.message).toContain(words);
  });

  test('names the file that was to be written, not the one that was read', () => {
    expect(diskTrouble(refused('ENOSPC', { path: '/from', dest: '/to' }), '/elsewhere')?.message).toContain('/to');
    expect(diskTrouble(refused('ENOSPC', { path: '/there' }), '/elsewhere')?.message).toContain('/there');
  });

  test('a folder that cannot be made on the way to another is a disk that takes no more', () => {
    const refusal = diskTrouble(refused('ENOENT', { syscall: 'mkdir', path: '/srv/acme/new/folder' }));
    expect(refusal).toMatchObject({
      code: 'E_DISK_FULL',
      message: expect.stringContaining('the disk that holds /srv/acme/new/folder takes no new folder'),
    });
  });

  test('anything else is not its business', () => {
    expect(diskTrouble(refused('ENOENT'))).toBeUndefined();
    expect(diskTrouble(undefined)).toBeUndefined();
    expect(diskTrouble('text')).toBeUndefined();
  });
});
