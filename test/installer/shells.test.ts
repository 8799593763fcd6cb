import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultServer, serveFiles } from '../fakes/fault-server.ts';
import { isThere, KEY, named, OPERATOR_PATH, RELEASE_FILES, SHELLS, Stage } from './stage.ts';

let server: FaultServer;
beforeAll(async () => {
  server = await serveFiles(RELEASE_FILES);
});
afterAll(() => server.close());

describe.each(SHELLS.map((shell) => [named(shell), shell] as const))('install.sh in %s', (_, shell) => {
  const there = isThere(shell[0] ?? '');

  it.skipIf(!there)('fetches, checks and starts the operator, and passes its exit code on', async (context) => {
    const stage = await Stage.for(context);
    const outcome = await stage.run({ shell, facts: { locations: [server.url] }, env: { FAKE_EXIT: '7' } });
    expect(outcome.code).toBe(7);
    expect(outcome.stdout).toBe('');
    expect(outcome.left).toEqual([]);
    expect(outcome.stderr).toContain(`Signing key: ${KEY.keyId}`);
    expect(outcome.operator).toMatchObject({ terminal: false, folderMode: 0o700, umask: process.umask() });
    const title = ['--title', "Acme's $(touch owned) `Platform`", '--release-version', '2.4.0', '--key', KEY.text];
    expect(outcome.operator?.argv).toEqual(
      ['install', '--releases', server.url, '--product', 'acme', '--channel', 'stable', '--cli', 'acmectl'].concat(title),
    );
    expect(server.requests.at(-1)).toEqual({ path: OPERATOR_PATH, range: undefined });
  });

  it.skipIf(!there)('gives every option to the operator word by word', async (context) => {
    const stage = await Stage.for(context);
    const releases = await stage.releases();
    const answers = join(releases, OPERATOR_PATH);
    const args = ['--set', 'A=x y', '--version', '2.3.0', '--channel=beta', '--dir', '/srv/my acme', `--answers=${answers}`, '--yes'];
    const more = ['--plan', '--set=B=$(id)', '--no-start', '--', '--verbose', '--help', "it's"];
    const whose = ['--project', 'acme-two', '--plain', '--json', '--save-answers=my answers', '--save-secrets', '--accept-expired'];
    const outcome = await stage.run({ shell, args: [...args, ...whose, ...more], env: { SLIPWAY_RELEASES: releases } });
    expect(outcome.stderr).not.toContain('install.sh:');
    expect(outcome.operator?.argv.slice(5)).toEqual(
      [
        '--channel',
        'beta',
        '--cli',
        'acmectl',
        '--title',
        "Acme's $(touch owned) `Platform`",
        '--release-version',
        '2.3.0',
        '--key',
        KEY.text,
      ].concat(
        ['--dir', '/srv/my acme', '--answers', answers, '--yes', '--set', 'A=x y', '--project', 'acme-two', '--plain', '--json'],
        ['--save-answers', 'my answers', '--save-secrets', '--accept-expired', '--plan', '--set', 'B=$(id)', '--no-start'],
        ['--verbose', '--help', "it's"],
      ),
    );
    expect(outcome.code).toBe(0);
  });

  it.skipIf(!there)('refuses what it does not know, and addresses that are not safe, before anything is fetched', async (context) => {
    const stage = await Stage.for(context);
    const cases: readonly [args: readonly string[], releases: string, text: string][] = [
      [['--bogus'], '/x', 'Unknown option: --bogus'],
      [['--set'], '/x', '--set needs a value'],
      [['--dir', '--yes'], '/x', '--dir needs a value, found "--yes"'],
      [['--answers', '/no/such'], '/x', 'answers file /no/such cannot be read'],
      [[], 'http://example.org/acme', 'http://example.org/acme is plain http'],
      [[], 'http://127.0.0.1.example.org', 'is plain http'],
      [[], 'http://127.0.0.1\\.example.org', 'is plain http'],
      [[], 'http://localhost:80@example.org/', 'holds a user name'],
      [[], 'https://me:secret@example.org/', 'holds a user name'],
      [[], 'ftp://example.org', 'is not an address that releases can come from'],
      [[], 'file:///a%20b', 'has a percent sign'],
    ];
    for (const [args, releases, text] of cases) {
      const outcome = await stage.run({ shell, args, env: { SLIPWAY_RELEASES: releases } });
      expect(outcome).toMatchObject({ code: 2, stdout: '', operator: undefined, left: [] });
      expect(outcome.stderr).toContain(text);
      expect(outcome.stderr).not.toContain('me:secret');
    }
  });

  it.skipIf(!there)('refuses bytes that are not those of the release', async (context) => {
    const stage = await Stage.for(context);
    const other = await serveFiles(RELEASE_FILES, 'wrong');
    const outcome = await stage.run({ shell, facts: { locations: [other.url] } });
    await other.close();
    expect(outcome).toMatchObject({ code: 5, stdout: '', operator: undefined, left: [] });
    expect(outcome.stderr).toContain('operator.js is not the one that this installer was made for');
    expect(other.requests).toHaveLength(1);
  });
});
