import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { launcherFolder, renderLauncher } from '../../src/model/launcher.ts';

describe('the launcher', () => {
  it("starts the install's operator with every word as it is, and gives its exit code", async ({ onTestFinished }) => {
    const root = await mkdtemp(join(tmpdir(), 'launcher-'));
    onTestFinished(() => rm(root, { recursive: true }));
    const folder = join(root, "it's $(id)");
    await mkdir(folder);
    await writeFile(join(folder, 'acmectl'), 'console.log(JSON.stringify(process.argv.slice(1))); process.exit(6)');
    const script = join(root, 'launcher');
    for (const node of [process.execPath, '/no/longer/there']) {
      await writeFile(script, renderLauncher({ cli: 'acmectl', folder, node }));
      const result = spawnSync('sh', [script, 'status', 'a b', ''], { encoding: 'utf8' });
      expect(result).toMatchObject({ status: 6, stderr: '' });
      expect(JSON.parse(result.stdout)).toEqual([join(folder, 'acmectl'), 'status', 'a b', '']);
    }
  });

  it('starts what was kept for recovery when an install was cut off before its program had its place', async ({ onTestFinished }) => {
    const root = await mkdtemp(join(tmpdir(), 'launcher-'));
    onTestFinished(() => rm(root, { recursive: true }));
    await mkdir(join(root, '.slipway/operators'), { recursive: true });
    await writeFile(join(root, '.slipway/operators', 'a'.repeat(64)), 'console.log(process.argv[1]);');
    const text = renderLauncher({ cli: 'acmectl', folder: root, node: process.execPath });
    const result = spawnSync('sh', ['-c', text, 'acmectl', 'recover'], { encoding: 'utf8' });
    expect(result).toMatchObject({ status: 0, stdout: `${join(root, '.slipway/operators', 'a'.repeat(64))}\n` });
  });

  it('says what is missing when there is no Node.js', () => {
    const text = renderLauncher({ cli: 'acmectl', folder: '/opt/acme', node: '/no/node' });
    const result = spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8', env: { PATH: '/nowhere' } });
    expect(result.status).toBe(3);
    expect(result.stderr).toContain('acmectl: Node.js 20.19 or newer is needed');
  });

  it('tells whose it is', () => {
    expect(launcherFolder(renderLauncher({ cli: 'acmectl', folder: '/opt/my acme', node: '/usr/bin/node' }))).toBe('/opt/my acme');
    expect(launcherFolder('#!/bin/sh\nexec other "$@"\n')).toBeUndefined();
    expect(launcherFolder('# install folder: /opt/acme\n')).toBeUndefined();
  });

  it('refuses paths that cannot be in a script', () => {
    expect(() => renderLauncher({ cli: 'acmectl', folder: '/opt/a\nb', node: '/usr/bin/node' })).toThrow('control characters');
    expect(() => renderLauncher({ cli: 'acmectl', folder: 'acme', node: '/usr/bin/node' })).toThrow('not an absolute path');
  });
});
