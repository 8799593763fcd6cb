// Units as systemd itself reads them. Rule: where systemd-analyze is, it has the last word.
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backupUnits, cronLine, recoverUnit, type Unit, type UnitFacts, unitFolder, unitsName } from '../../src/model/unit.ts';

const FACTS: UnitFacts = { title: 'Acme', name: 'acmectl', folder: '/opt/acme', command: ['/usr/local/bin/acmectl'], scope: 'system' };
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
const all = (facts: UnitFacts): Unit[] => [...backupUnits(facts, 'daily'), recoverUnit(facts)];

describe('units', () => {
  test('name their install, and escape what systemd would read otherwise', () => {
    const facts = {
      ...FACTS,
      folder: '/srv/50% off/a"b\\c$d',
      command: ['/usr/bin/node', '/srv/50% off/acmectl'],
      dockerHost: 'unix:///run/my docker.sock',
    };
    const { text } = recoverUnit(facts);
    expect(unitFolder(text)).toBe(facts.folder);
    expect(text).toContain('ConditionPathExists=/srv/50%% off/a"b\\c$d/.slipway/journal.ndjson\n');
    expect(text).toContain('RequiresMountsFor="/srv/50%% off/a\\"b\\\\c$d"\n');
    expect(text).toContain('Environment="DOCKER_HOST=unix:///run/my docker.sock"\n');
    expect(text).toContain('ExecStart=/usr/bin/node "/srv/50%% off/acmectl" recover --yes --dir "/srv/50%% off/a\\"b\\\\c$$d"\n');
  });

  test('of an account name neither the machine’s own targets nor a user', () => {
    const texts = all({ ...FACTS, scope: 'user' })
      .map(({ text }) => text)
      .join('\n');
    expect(texts).toContain('WantedBy=default.target');
    expect(texts).not.toMatch(/multi-user|docker\.service|User=/);
  });

  test('refuse what cannot be in a line', () => {
    expect(() => recoverUnit({ ...FACTS, folder: '/opt/a\nExecStart=/bin/evil' })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    expect(() => recoverUnit({ ...FACTS, title: 'Acme\n[Service]' })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });

  test('of a second install have names of their own, and names that systemd takes', () => {
    expect(unitsName({ cli: 'zynctl.sh', project: 'zyn', usual: 'zyn' })).toBe('zynctl.sh');
    expect(unitsName({ cli: 'a+ctl', project: 'a2', usual: 'a' })).toBe('a-ctl-a2');
  });

  test('have a line for cron in their place, quoted for a shell and for cron', () => {
    expect(cronLine({ folder: "/srv/it's 5%", command: ['/usr/bin/node', '/srv/x'] }, 'weekly')).toBe(
      "17 3 * * 0 /usr/bin/node /srv/x backup --scheduled --dir '/srv/it'\\''s 5\\%'",
    );
  });

  test.runIf(hasAnalyze).each([['plain'], ['with a space, 50% and $HOME'], ['with "quotes" and \\backslash']])(
    'are taken by systemd-analyze: a folder %s',
    async (name) => {
      const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
      const root = join(folder, name, 'acme');
      await mkdir(root, { recursive: true });
      await writeFile(join(root, 'acmectl'), '#!/bin/sh\n');
      await chmod(join(root, 'acmectl'), 0o755);
      const facts = {
        ...FACTS,
        title: 'Acme 100% "Platform"',
        folder: root,
        command: [join(root, 'acmectl'), 'word'],
        dockerHost: 'unix:///run/d.sock',
      };
      for (const unit of all(facts)) await writeFile(join(folder, unit.name), unit.text);
      const units = all(facts).map((unit) => join(folder, unit.name));
      const found = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' });
      await rm(folder, { recursive: true });
      expect(found.stderr.split('\n').filter((line) => line.includes('acmectl'))).toEqual([]);
      expect(found.status).toBe(0);
    },
  );

  test.runIf(hasAnalyze)('are refused by systemd-analyze when the program is not where they say', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
    await writeFile(join(folder, 'acmectl-recover.service'), recoverUnit({ ...FACTS, command: [join(folder, 'no such program')] }).text);
    const found = spawnSync('systemd-analyze', ['verify', '--man=no', join(folder, 'acmectl-recover.service')], { encoding: 'utf8' });
    await rm(folder, { recursive: true });
    expect(found.stderr).toContain(`${folder}/no such program is not executable`);
  });
});
