import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { type InstallerFacts, quoteForShell, renderInstaller } from '../../src/model/installer.ts';
import { fc } from '../property.ts';

const FACTS: InstallerFacts = {
  product: 'acme',
  title: 'Acme Platform',
  cli: 'acmectl',
  version: '2.4.0',
  tag: 'bundle-v2.4.0',
  channel: 'stable',
  operator: digestOf(''),
  operatorSize: 12,
  locations: ['https://git.acme.example/acme', '/srv/releases'],
  key: null,
};
const TEMPLATE =
  '@PRODUCT@ @TITLE@ @CLI@ @VERSION@ @CHANNEL@ @TAG@ @OPERATOR_SIZE@ @OPERATOR_SHA256@ @PUBLIC_KEY@ @KEY_ID@ @LOCATIONS@ ' +
  '@RUNTIME_NODE@ @RUNTIME_TAG@ @RUNTIME_LINUX_X64@ @RUNTIME_LINUX_ARM64@';

describe('renderInstaller', () => {
  it('puts every value in as one quoted word', () => {
    const words = "'acme' 'Acme Platform' 'acmectl' '2.4.0' 'stable' 'bundle-v2.4.0' '12'";
    const digest = `'${digestOf('').slice('sha256:'.length)}'`;
    expect(renderInstaller(TEMPLATE, FACTS)).toBe(`${words} ${digest} '' '' 'https://git.acme.example/acme' '/srv/releases' '' '' '' ''`);
  });

  it('describes the Node.js for each kind of machine in one word', () => {
    const file = { name: 'runtime-linux-arm64.gz', size: 40, sha256: digestOf('a') };
    const program = { size: 100, sha256: digestOf('b') };
    const runtime = { node: '24.21.0', os: 'linux', arch: 'arm64', ...file, tag: 'runtime-node-24.21.0', program };
    const hex = (text: string): string => digestOf(text).slice('sha256:'.length);
    const words = `'24.21.0' 'runtime-node-24.21.0' '' 'runtime-linux-arm64.gz 40 ${hex('a')} 100 ${hex('b')}'`;
    expect(renderInstaller(TEMPLATE, { ...FACTS, runtimes: [runtime] })).toContain(words);
    expect(() => renderInstaller(TEMPLATE, { ...FACTS, runtimes: [{ ...runtime, name: '../x y' }] })).toThrow('not a plain file name');
  });

  it('does not look for names inside values', () => {
    expect(renderInstaller(TEMPLATE, { ...FACTS, title: 'a @TAG@ $& $1' })).toContain("'a @TAG@ $& $1'");
  });

  it('refuses a template that asks for more or for less', () => {
    expect(() => renderInstaller(`${TEMPLATE} @EXTRA@`, FACTS)).toThrow('@EXTRA@ has no value');
    expect(() => renderInstaller(TEMPLATE.replace('@KEY_ID@', ''), FACTS)).toThrow('the template lacks @KEY_ID@');
  });

  it.each(['two\nlines', 'bell\u0007', 'escape\u001b[2J', 'right-to-left \u202e', '', '  ', '-title'])('refuses the title %j', (title) => {
    expect(() => renderInstaller(TEMPLATE, { ...FACTS, title })).toThrow();
  });

  it.each([
    'http://git.acme.example/acme',
    'https://user:secret@git.acme.example',
    'http://127.0.0.1@git.acme.example',
    'https://git.acme.example/a b',
    'https://git.acme.example/?a=b',
    'ftp://git.acme.example',
    'file:///srv/my%20releases',
    'releases',
    '',
    '/srv/\nreleases',
  ])('refuses the location %j without telling a password', (location) => {
    const render = (): string => renderInstaller(TEMPLATE, { ...FACTS, locations: [location] });
    expect(render).toThrow(expect.objectContaining({ code: 'E_CONFIG', message: expect.not.stringContaining('secret') }));
  });

  it.each(['http://127.0.0.1:8080/releases', 'http://localhost', 'http://[::1]:80/x', 'file:///srv/releases', "/srv/it's"])(
    'takes the location %s',
    (location) => {
      expect(renderInstaller(TEMPLATE, { ...FACTS, locations: [location] })).toContain(quoteForShell(location, ''));
    },
  );
});

describe('quoteForShell', () => {
  it('gives the shell exactly the value back', () => {
    const printable = fc.string({ unit: fc.constantFrom(...' \'"\\$`!*?[]{}()<>|&;#~=%@aé✓'), maxLength: 30 });
    fc.assert(
      fc.property(fc.array(printable, { minLength: 20, maxLength: 20 }), (values) => {
        const words = values.map((value) => quoteForShell(value, 'value')).join(' ');
        const { stdout } = spawnSync('sh', ['-c', `for word in ${words}; do printf '%s\\n' "$word"; done`], { encoding: 'utf8' });
        expect(stdout).toBe(`${values.join('\n')}\n`);
      }),
      { numRuns: 30 },
    );
  });
});
