// Backups of a real install on a real engine. Rule: what lies in a volume comes back as it was: owners, modes, times, links, holes and names.
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addNote, freePort, type Installed, install, installedAt, must, openStage, type Stage } from './stage.ts';

let stage: Stage;
let one: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1);
  one = await install(stage, 'one', { project: 'backup-one' });
  await addNote(one, 'before the backup');
});

afterAll(async () => {
  await one?.remove();
  await stage?.close();
});

const docker = (...words: string[]): string => execFileSync('docker', words, { encoding: 'utf8' }).trim();
const placeOf = (volume: string): string => docker('volume', 'inspect', '--format', '{{.Mountpoint}}', volume);
/** Kind, mode, owner, size, time, links and target of everything below, and the sums of the files. */
const pictureOf = (folder: string): string =>
  execFileSync(
    'sh',
    [
      '-c',
      'find . -printf "%P %y %m %U:%G %s %T@ %n %l\\n" | grep -v "^ d" | sed "s/\\.[0-9]* / /" | sort; find . -type f -exec sha256sum {} + | sort',
    ],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );

describe('a stopped copy', () => {
  test('gives back owners, modes, times, hard links, links, empty folders, holes, and odd and long names', async () => {
    const [volume = ''] = docker('volume', 'ls', '--quiet', '--filter', 'label=com.docker.compose.project=backup-one').split('\n');
    const extra = join(placeOf(volume), 'of-the-test');
    const long = 'n'.repeat(200);
    // The database's own user: at its start, the image's entry point takes everything in its volume.
    const script = `mkdir -p "$0/empty" "$0/deep/${long}/${long}" && cd "$0" && printf data > file && ln file hard && ln -s file link && ln -s nowhere broken
      printf x > "deep/${long}/${long}/ü with blanks" && printf y > "$(printf 'new\\nline')" && truncate -s 5M holes && printf end >> holes
      chown -hR 999:999 . && chmod 750 file && chmod 1777 empty && chmod 000 broken 2>/dev/null; touch -d 2001-02-03T04:05:06Z file empty; true`;
    execFileSync('sh', ['-c', script, extra]);
    const before = pictureOf(extra);
    expect((await one.ctl('backup', '--yes')).result).toMatchObject({ ok: true, outcome: 'made' });
    execFileSync('rm', ['-rf', extra]);
    await addNote(one, 'after the backup');
    expect((await one.ctl('restore', '--yes')).result).toMatchObject({ ok: true, outcome: 'restored' });
    expect(pictureOf(join(placeOf(volume), 'of-the-test'))).toBe(before);
    const notes = await (await one.http('/api/notes')).text();
    expect(notes).toContain('before the backup');
    expect(notes).not.toContain('after the backup');
  });
});

describe('a backup that is tried', () => {
  test('is restored into a project without ports and without a way out, its dump too, and nothing of it stays', async () => {
    const before = docker('ps', '--all', '--format', '{{.Names}}');
    const volumes = docker('volume', 'ls', '--quiet');
    const tried = await one.ctl('backup', 'verify', '--restore', '--yes');
    expect(tried.result).toMatchObject({ ok: true, backups: [{ restored: true }] });
    expect(docker('ps', '--all', '--format', '{{.Names}}')).toBe(before);
    expect(docker('volume', 'ls', '--quiet')).toBe(volumes);
    expect(docker('network', 'ls', '--format', '{{.Name}}')).not.toContain('-try-');
  });
});

describe('a backup on a host that has nothing', () => {
  test('comes up with its notes', async () => {
    const folder = join(one.root, '.slipway/backups');
    const name =
      (await readdir(folder))
        .filter((each) => !each.endsWith('-rescue'))
        .sort()
        .at(-1) ?? '';
    const root = join(stage.folder, 'two');
    const port = await freePort();
    const line = `curl -fsS ${stage.url}/install.sh | sh -s -- --dir '${root}' --yes --restore '${join(folder, name)}' --project backup-two --set HTTP_PORT=${port}`;
    try {
      await must(['sh', '-c', line], { env: { SLIPWAY_RELEASES: stage.url } });
      expect(await (await fetch(`http://127.0.0.1:${port}/api/notes`, { headers: { host: 'notes.example' } })).text()).toContain(
        'before the backup',
      );
    } finally {
      await installedAt(root, port, 'backup-two').remove();
    }
  });
});
