import { describe, expect, test } from 'vitest';
import type { ChannelRelease } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { standingOf } from '../../src/model/standing.ts';
import { statusToText } from '../../src/show/status.ts';

const installed = { version: '1.0.0', manifest: digestOf('first') };
const release: ChannelRelease = {
  ...{ version: '1.0.0', tag: 'v1.0.0', manifest: digestOf('first'), operator: digestOf('operator'), published: '2026-03-15T10:00:00Z' },
  ...{ from: '*', stop: false, assets: [], status: 'live', reason: null, replaced: [] },
};

describe('an installed release', () => {
  test('of which nothing is said is like any other, and so is one that the channel does not know', () => {
    expect(standingOf({ releases: [release] }, installed)).toBeNull();
    expect(standingOf({ releases: [] }, installed)).toBeNull();
  });

  test('that was yanked or deprecated is told so, with the reason', () => {
    expect(standingOf({ releases: [{ ...release, status: 'yanked', reason: 'loses uploads' }] }, installed)).toEqual({
      status: 'yanked',
      reason: 'loses uploads',
    });
  });

  test('whose version was given other content is told so, with the reason that was given for its own', () => {
    const replaced = [{ manifest: digestOf('first'), reason: 'a wrong port', at: '2026-04-01T00:00:00Z' }];
    const standing = standingOf({ releases: [{ ...release, manifest: digestOf('second'), replaced }] }, installed);
    expect(standing).toEqual({ status: 'replaced', reason: 'a wrong port' });
    const view = { product: 'acme', title: 'Acme', version: '1.0.0', channel: 'stable', folder: '/opt/acme', available: [], services: [] };
    const rest = { cli: 'acmectl', remoteTrouble: undefined, openOperation: null, localEdits: [], held: [], lastBackup: null, backups: 0 };
    const text = statusToText({ ...view, ...rest, standing, now: '2026-04-01T00:00:00Z' });
    expect(text).toContain('1.0.0 was replaced by its maintainer after it was installed here: a wrong port');
  });
});
