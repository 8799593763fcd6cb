import { describe, expect, test } from 'vitest';
import { type ChannelRelease, parseChannel, parseSignedChannel, printSignedChannel } from '../../src/model/channel.ts';
import { addRelease, type ChannelAddition, nextChannelFile } from '../../src/model/channel-change.ts';
import { digestOf } from '../../src/model/digest.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { parseSecretKey } from '../../src/model/minisign.ts';
import { signStatement } from '../../src/model/trusted-comment.ts';
import { compareVersions, parseVersion } from '../../src/model/version.ts';
import { makeKeys } from '../fakes/release-builder.ts';
import { fc } from '../property.ts';

const keys = makeKeys();
const key = { publicKey: keys.publicKey, secretKey: parseSecretKey(keys.secretKeyText) };

function addition(version: string, parts: Partial<ChannelAddition> = {}): ChannelAddition {
  const release: ChannelRelease = {
    version,
    tag: `v${version}`,
    manifest: digestOf(version),
    operator: digestOf('operator'),
    published: '2026-03-15T10:00:00Z',
    from: '>=1.0.0',
    stop: false,
    assets: [],
    status: 'live',
    reason: null,
    replaced: [],
  };
  const fixed = { product: 'acme', channel: 'stable', hosts: ['https://releases.example'], prereleases: false, release };
  return { ...fixed, replaces: null, issued: '2026-03-15T10:00:00Z', expires: '2027-03-15T10:00:00Z', ...parts };
}

function add(current: string | undefined, version: string, parts: Partial<ChannelAddition> = {}): string {
  return addRelease(current, addition(version, parts))?.payload ?? current ?? '';
}

describe('a release that joins a channel', () => {
  test('gives the golden payload', () => {
    expect(add(undefined, '2.4.0')).toBe(
      '{"channel":"stable","expires":"2027-03-15T10:00:00Z","hosts":["https://releases.example"],"issued":"2026-03-15T10:00:00Z",' +
        '"latest":"2.4.0","moved":null,"product":"acme","releases":[{"assets":[],"from":">=1.0.0",' +
        '"manifest":"sha256:07b7164b80b10ee59f56ad6465e3b6c2cf127bfec26fc2b71638020b19d7f5c8",' +
        '"operator":"sha256:06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23",' +
        '"published":"2026-03-15T10:00:00Z","reason":null,"replaced":[],"status":"live","stop":false,"tag":"v2.4.0","version":"2.4.0"}],' +
        '"runtimes":[],"sequence":1,"type":"slipway/channel@1"}',
    );
  });

  test('takes the next sequence, keeps the former releases, and is the latest when it is the newest', () => {
    const channel = parseChannel(add(add(undefined, '1.0.0'), '1.1.0'), 'test');
    expect(channel).toMatchObject({ sequence: 2, latest: '1.1.0' });
    expect(channel.releases.map(({ version }) => version)).toEqual(['1.1.0', '1.0.0']);
  });

  test('never moves latest back, nor to a prerelease outside a channel of prereleases', () => {
    const versions = fc.array(fc.constantFrom('1.0.0', '1.2.0', '1.10.0', '2.0.0-rc.1', '2.0.0', '1.9.9', '3.0.0-staging.2'), {
      minLength: 1,
    });
    fc.assert(
      fc.property(versions, (all) => {
        let current: string | undefined;
        let before: string | null = null;
        for (const version of all) {
          current = add(current, version);
          const { latest } = parseChannel(current, 'test');
          expect(latest ?? '').not.toContain('-');
          if (before !== null) expect(compareVersions(parseVersion(latest), parseVersion(before))).toBeGreaterThanOrEqual(0);
          before = latest;
        }
      }),
    );
    expect(parseChannel(add(undefined, '1.0.0-staging.2', { prereleases: true }), 'test').latest).toBe('1.0.0-staging.2');
  });

  test('changes nothing when it is there, and is refused when its version is there with other content', () => {
    const current = add(undefined, '1.0.0');
    expect(addRelease(current, addition('1.0.0', { issued: '2026-05-01T00:00:00Z' }))).toBeUndefined();
    const other = { ...addition('1.0.0').release, manifest: digestOf('other') };
    expect(() => addRelease(current, addition('1.0.0', { release: other }))).toThrow(
      expect.objectContaining({ code: 'E_PUBLISHED_DIFFERS' }),
    );
  });

  test('keeps fields that this version does not know', () => {
    const raw = JSON.parse(add(undefined, '1.0.0')) as Record<string, unknown>;
    const [first] = raw.releases as Record<string, unknown>[];
    const newer = canonicalJson({ ...raw, rollout: 20, releases: [{ ...first, notes: 'https://x' }], moved: 'https://elsewhere' });
    const after = JSON.parse(add(newer, '1.1.0')) as Record<string, unknown>;
    expect(after).toMatchObject({ rollout: 20, moved: 'https://elsewhere', sequence: 2 });
    expect((after.releases as unknown[])[1]).toMatchObject({ version: '1.0.0', notes: 'https://x' });
  });

  test('never makes the file older or expire sooner than another publisher made it', () => {
    const current = add(undefined, '1.0.0', { issued: '2026-06-01T00:00:00Z', expires: '2027-06-01T00:00:00Z' });
    expect(parseChannel(add(current, '1.1.0'), 'test')).toMatchObject({ issued: '2026-06-01T00:00:00Z', expires: '2027-06-01T00:00:00Z' });
  });

  test('is refused in the file of another product or channel', () => {
    const current = add(undefined, '1.0.0');
    for (const parts of [{ product: 'other' }, { channel: 'staging' }]) {
      expect(() => add(current, '1.1.0', parts)).toThrow(expect.objectContaining({ code: 'E_WRONG_PRODUCT' }));
    }
  });
});

describe('the next channel file', () => {
  test('is signed, and made from a verified one only', () => {
    const first = nextChannelFile(undefined, addition('1.0.0'), key)?.text ?? '';
    expect(nextChannelFile(first, addition('1.1.0'), key)?.sequence).toBe(2);
    const { payload, minisig } = parseSignedChannel(first, 'test');
    const forged = printSignedChannel(payload.replace('"latest":"1.0.0"', '"latest":"9.9.9"'), minisig);
    expect(() => nextChannelFile(forged, addition('1.1.0'), key)).toThrow(expect.objectContaining({ code: 'E_SIGNATURE' }));
    expect(() => nextChannelFile(printSignedChannel(payload, null), addition('1.1.0'), key)).toThrow(
      expect.objectContaining({ code: 'E_UNSIGNED' }),
    );
    const ours = signStatement({ role: 'channel', product: 'other', subject: 'stable', content: Buffer.from(payload) }, key.secretKey);
    expect(() => nextChannelFile(printSignedChannel(payload, ours), addition('1.1.0'), key)).toThrow(
      expect.objectContaining({ code: 'E_WRONG_PRODUCT' }),
    );
  });

  test('is not signed for an unsigned product, and a signed one never becomes unsigned', () => {
    const none = { publicKey: null, secretKey: null };
    const first = nextChannelFile(undefined, addition('1.0.0'), none)?.text ?? '';
    expect(parseSignedChannel(first, 'test').minisig).toBeNull();
    const signed = nextChannelFile(undefined, addition('1.0.0'), key)?.text ?? '';
    expect(() => nextChannelFile(signed, addition('1.1.0'), none)).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });
});
