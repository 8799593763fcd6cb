// What a person reads of an install. Rule: whole screens, so that whoever changes a word sees the whole picture.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findingsToText } from '../../src/show/findings.ts';
import { ageToText, type StatusView, statusToText } from '../../src/show/status.ts';

const view: StatusView = {
  ...{
    product: 'acme',
    title: 'Acme',
    cli: 'acmectl',
    version: '1.0.0',
    channel: 'stable',
    folder: '/opt/acme',
    now: '2026-03-15T12:00:00Z',
  },
  ...{
    available: [],
    standing: null,
    remoteTrouble: undefined,
    openOperation: null,
    localEdits: [],
    held: [],
    lastBackup: null,
    backups: 0,
  },
  services: [
    {
      name: 'api',
      state: 'running',
      health: 'healthy',
      image: 'registry.test:5000/acme/api:1.0.0',
      digest: null,
      since: '2026-03-12T12:00:00Z',
    },
    { name: 'migrate', state: 'exited', health: 'done', image: 'acme/api:1.0.0', digest: null },
  ],
};

describe('status', () => {
  test('of an install that is well is a line and a table', () => {
    expect(statusToText(view)).toBe(
      `Acme 1.0.0 (stable) at /opt/acme: all well

  SERVICE  STATE    HEALTH   SINCE   IMAGE
  api      running  healthy  3 days  acme/api:1.0.0
  migrate  exited   done     -       acme/api:1.0.0
`,
    );
  });

  test('names each trouble with the command that helps, and fits 80 columns', () => {
    const services = [
      ...view.services,
      {
        name: 'a-service-with-quite-a-long-name',
        state: 'restarting',
        health: 'unhealthy',
        image: `registry.test/some/deep/path/${'x'.repeat(40)}:1`,
        digest: null,
      },
    ];
    const text = statusToText({
      ...view,
      services,
      ...{ available: ['2.1.0', '2.0.0'], held: ['1.5.0'], lastBackup: '2026-03-15T10:30:00Z', backups: 3 },
      standing: { status: 'yanked', reason: 'it loses mail' },
      openOperation: null,
      localEdits: [
        { path: 'configs/api.conf', change: 'edited' },
        { path: 'docs/x', change: 'removed' },
      ],
    });
    expect(text.split('\n').slice(0, 1)).toEqual([
      'Acme 1.0.0 (stable) at /opt/acme: not well (a-service-with-quite-a-long-name); `acmectl doctor` says more',
    ]);
    expect(text.slice(text.indexOf('  Told'))).toBe(
      `  Told    1.0.0 was taken back by its maintainer: it loses mail
  Newer   2.1.0 (and 2.0.0): \`acmectl upgrade\` takes the latest
  Held    1.5.0, for it failed here
  Backup  90 minutes ago, 3 are kept
  By you  configs/api.conf (edited)
          docs/x (removed)
`,
    );
    expect(
      text
        .split('\n')
        .slice(1)
        .filter((line) => line.length > 80),
    ).toEqual([]);
  });

  test('says first that an operation is open, and what to do when nothing runs', () => {
    const open = statusToText({ ...view, openOperation: { command: 'upgrade', at: '2026-03-15T11:00:00Z' } });
    expect(open).toContain(': an operation is open\n');
    expect(open).toContain('  Open  the upgrade of 2026-03-15T11:00:00Z was cut off: `acmectl recover` ends it\n');
    expect(statusToText({ ...view, services: [] })).toBe(
      'Acme 1.0.0 (stable) at /opt/acme: stopped\n\n  no containers; `acmectl start` starts them\n',
    );
  });

  test('is in README as it is, at the end of the demo', () => {
    const { now } = view;
    const service = (name: string, health: string, image: string) => ({
      ...{ name, health, state: 'running', digest: null, since: now },
      image: `127.0.0.1:5000/acme/${image}`,
    });
    const demo = statusToText({
      ...view,
      ...{ title: 'Acme Notes', version: '2.0.0', folder: '/tmp/slipway-demo/acme', held: ['3.0.0'], lastBackup: now, backups: 2 },
      services: [
        service('api', 'healthy', 'acme-api:2.0.0'),
        service('db', 'healthy', 'postgres:15'),
        service('proxy', '-', 'nginx:1.22'),
        service('worker', '-', 'acme-api:2.0.0'),
      ],
    });
    expect(readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')).toContain(`=== What is there now\n${demo}\`\`\``);
  });

  test.each([
    ['2026-03-15T11:59:30Z', 'just now'],
    ['2026-03-15T12:00:30Z', 'just now'],
    ['2026-03-15T11:59:00Z', '1 minute'],
    ['2026-03-15T09:59:00Z', '2 hours'],
    ['2026-03-13T12:00:00Z', '2 days'],
    ['0001-01-01T00:00:00Z', /^\d+ days$/],
    ['never', '-'],
  ])('an age since %s is %s', (then, text) => {
    expect(ageToText(then, view.now)).toMatch(text);
  });
});

describe('findings', () => {
  test('come with what helps below them, broken at 80 columns, and summed up', () => {
    const text = findingsToText([
      { severity: 'block', message: 'port 80/tcp is in use by nginx (process 12)', hint: 'Stop that, or choose another port.' },
      { severity: 'warn', message: 'the engine enforces SELinux: containers may be denied files of the install folder', hint: 'Label it.' },
    ]);
    expect(text).toBe(`BLOCKS   port 80/tcp is in use by nginx (process 12)
         → Stop that, or choose another port.
warning  the engine enforces SELinux: containers may be denied files of the
         install folder
         → Label it.
1 in the way of an upgrade, 1 to look at
`);
    expect(findingsToText([])).toBe('all well\n');
  });
});
