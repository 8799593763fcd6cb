import { describe, expect, test } from 'vitest';
import { type Channel, parseChannel } from '../../src/model/channel.ts';
import { addRelease } from '../../src/model/channel-change.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { type Manifest, parseManifest } from '../../src/model/manifest.ts';
import type { Planned } from '../../src/model/plan.ts';
import { RESERVATION_TYPE, type Reservation } from '../../src/model/reservation.ts';
import type { HostState, PublishFacts, PublishWanted } from '../../src/plan/announce.ts';
import { planPublish } from '../../src/plan/publish.ts';
import { planReserve } from '../../src/plan/reserve.ts';

const host = { type: 'folder', name: 'local', path: '/srv/releases' } as const;

const wanted: PublishWanted = {
  id: 'p1',
  at: '2026-03-15T10:00:00Z',
  draft: 'v1.1.0-n1',
  notes: '',
  reserver: { by: 'id:me', nonce: 'n1' },
  signing: { publicKey: 'RWkey', keyFile: null },
  expires: 86_400,
  prereleases: false,
  including: [],
  main: true,
  draftOnly: false,
  replace: null,
};

const asset = (name: string, text = name): { name: string; size: number; sha256: Digest } => ({
  name,
  size: text.length,
  sha256: digestOf(text),
});
const assets = [asset('acme-1.1.0.tar.gz'), asset('bundle.json'), asset('install.sh'), asset('operator.js')];

const manifest = parseManifest(
  JSON.stringify({
    ...{ type: 'slipway/bundle@1', product: 'acme', title: 'Acme', cli: 'acmectl', version: '1.1.0', tag: 'v1.1.0', channel: 'stable' },
    ...{
      commit: '9f8c',
      made: '2026-03-15T10:00:00Z',
      project: 'acme',
      hosts: ['https://releases.example'],
      operator: digestOf('operator.js'),
    },
    ...{
      artifact: { name: 'acme-1.1.0.tar.gz', tarSha256: digestOf('tar') },
      requires: { ports: [], platforms: [] },
      files: [],
      folders: [],
    },
    ...{ userOwned: [], hostPaths: [], images: [], features: {}, env: {}, services: {}, data: {}, backup: { keep: 5 }, validate: [] },
    upgrade: { from: '>=1.0.0', stop: false, migrate: [], entry: [], health: [], timeout: 120, probation: 0 },
  }),
);

function state(parts: Partial<HostState> = {}): HostState {
  return {
    host,
    reservation: undefined,
    published: undefined,
    channel: undefined,
    copied: true,
    including: new Map(),
    root: new Map(),
    ...parts,
  };
}

/** One host, which decides. */
function facts(
  parts: Partial<HostState> = {},
  ours: Partial<Pick<PublishFacts, 'manifest' | 'manifestDigest' | 'assets'>> = {},
): PublishFacts {
  const packed = { from: 'dist/v1.1.0', manifest, manifestDigest: digestOf('bundle.json'), assets, ...ours };
  return { ...packed, authority: state(parts), targets: [state(parts)] };
}

function kinds(planned: Planned): string[] {
  return planned.plan.steps.map(({ kind }) => kind);
}

/** The channel file that a finished plan leads to. */
function channelAfter(planned: Planned, before?: string): Channel {
  const put = planned.plan.steps.find((step) => step.kind === 'put-channel');
  if (put === undefined) throw new Error('no put-channel');
  return parseChannel(addRelease(before, put.addition)?.payload ?? '', 'test');
}

describe('a first publication', () => {
  test('reserves, drafts, uploads, publishes, checks, then announces, in this order', () => {
    expect(kinds(planPublish(wanted, facts()))).toEqual([
      'reserve-tag',
      'draft-release',
      'upload-assets',
      'publish-release',
      'check-published',
      'put-channel',
      'put-files',
    ]);
  });

  test('can be taken back until the release appears, and no longer', () => {
    const { plan } = planPublish(wanted, facts());
    expect(plan.steps[plan.commitAfter]?.kind).toBe('upload-assets');
    expect(plan.steps[plan.commitAfter + 1]?.kind).toBe('publish-release');
  });

  test('holds the commit, the identity and the nonce in the reservation, and no secret anywhere', () => {
    const { plan } = planPublish(wanted, facts());
    expect(plan.steps[0]).toMatchObject({ reservation: { commit: '9f8c', by: 'id:me', nonce: 'n1', version: '1.1.0' } });
    expect(plan.steps[5]).toMatchObject({ signing: { publicKey: 'RWkey', keyFile: null } });
  });

  test('puts the whole list of assets into the channel, the bundle first, and lets the file expire', () => {
    const channel = channelAfter(planPublish(wanted, facts()));
    expect(channel).toMatchObject({ latest: '1.1.0', expires: '2026-03-16T10:00:00Z', hosts: ['https://releases.example'] });
    expect(channel.releases[0]?.assets).toEqual(assets);
    expect(channelAfter(planPublish({ ...wanted, expires: null }, facts())).expires).toBeNull();
  });

  test('says loudly that an unsigned product is unsigned', () => {
    const { plan } = planPublish({ ...wanted, signing: { publicKey: null, keyFile: null } }, facts());
    expect(plan.notes[0]).toContain('NOT SIGNED');
  });

  test('of a backport leaves latest and install.sh alone', () => {
    const newer = addRelease(undefined, channelAdditionOf('2.0.0'))?.payload ?? '';
    const planned = planPublish(wanted, facts({ channel: parseChannel(newer, 'test') }));
    expect(kinds(planned)).not.toContain('put-files');
    expect(channelAfter(planned, newer).latest).toBe('2.0.0');
  });

  test('outside the main channel leaves install.sh alone', () => {
    expect(kinds(planPublish({ ...wanted, main: false }, facts()))).not.toContain('put-files');
  });
});

describe('a publication of what is there', () => {
  const channel = channelAfter(planPublish(wanted, facts()));
  const root = new Map([['install.sh', digestOf('install.sh')]]);

  test('needs nothing when the host has it all: a plan made where a plan led to is empty', () => {
    expect(planPublish(wanted, facts({ published: assets, channel, root })).plan.steps).toEqual([]);
  });

  test('does only what is missing after a crash', () => {
    const withoutChannel = planPublish(wanted, facts({ published: assets }));
    expect(kinds(withoutChannel)).toEqual(['check-published', 'put-channel', 'put-files']);
    expect(withoutChannel.plan.commitAfter).toBe(-1);
    expect(kinds(planPublish(wanted, facts({ published: assets, channel })))).toEqual(['check-published', 'put-files']);
    expect(kinds(planPublish(wanted, facts({ published: assets, channel, root, copied: false })))).toEqual([
      'check-published',
      'put-channel',
    ]);
  });

  test('announces the published artifact, not ours, when both have the same manifest', () => {
    const theirs = [asset('bundle.json'), asset('acme-1.1.0.tar.gz', 'other compressed bytes'), asset('operator.js')];
    const planned = planPublish(wanted, facts({ published: theirs }));
    expect(channelAfter(planned).releases[0]?.assets[0]).toEqual(theirs[1]);
  });

  test('with another manifest is refused with both digests', () => {
    const published = [asset('bundle.json', 'another')];
    expect(() => planPublish(wanted, facts({ published }))).toThrow(
      expect.objectContaining({
        code: 'E_PUBLISHED_DIFFERS',
        details: { tag: 'v1.1.0', published: digestOf('another'), ours: digestOf('bundle.json') },
      }),
    );
  });

  test('that the channel knows with another manifest is refused too', () => {
    const other = { manifestDigest: digestOf('another'), assets: [asset('bundle.json', 'another')] };
    expect(() => planPublish(wanted, facts({ channel }, other))).toThrow(expect.objectContaining({ code: 'E_PUBLISHED_DIFFERS' }));
  });
});

describe('several hosts', () => {
  const mirror = { type: 'folder', name: 'mirror', path: '/srv/mirror' } as const;
  const both = (here: Partial<HostState> = {}, there: Partial<HostState> = {}): PublishFacts => {
    const authority = state(here);
    return { ...facts(), authority, targets: [authority, state({ host: mirror, ...there })] };
  };
  const where = (planned: Planned): string[] => planned.plan.steps.map((step) => `${step.kind} ${'host' in step ? step.host.name : ''}`);

  test('get the same bytes: the authority first, channel files last, and the mirror copies the authority’s', () => {
    expect(where(planPublish(wanted, both()))).toEqual([
      'reserve-tag local',
      'draft-release local',
      'upload-assets local',
      'draft-release mirror',
      'upload-assets mirror',
      'publish-release local',
      'publish-release mirror',
      'check-published local',
      'check-published mirror',
      'put-channel local',
      'mirror-channel mirror',
      'put-files local',
      'put-files mirror',
    ]);
  });

  test('of which one has it all: only the other gets it', () => {
    const channel = channelAfter(planPublish(wanted, facts()));
    const root = new Map([['install.sh', digestOf('install.sh')]]);
    const planned = planPublish(wanted, both({ published: assets, channel, root }));
    expect(where(planned).filter((step) => step.endsWith(' local'))).toEqual(['check-published local']);
    expect(where(planned).filter((step) => step.startsWith('publish-release'))).toEqual(['publish-release mirror']);
  });

  test('a mirror is never ahead of its authority', () => {
    const alone = { ...facts(), authority: state(), targets: [state({ host: mirror })] };
    expect(() => planPublish(wanted, alone)).toThrow(expect.objectContaining({ code: 'E_POLICY' }));
    const other = { ...alone, authority: state({ published: [asset('bundle.json', 'another')] }) };
    expect(() => planPublish(wanted, other)).toThrow(expect.objectContaining({ code: 'E_POLICY' }));
    expect(kinds(planPublish(wanted, { ...alone, authority: state({ published: assets }) }))).toContain('mirror-channel');
  });

  test('that are forges get the tag on the commit, too, and one that another holds there stops everything', () => {
    const github = { type: 'github', name: 'github', repository: 'acme/acme' } as const;
    const planned = planPublish(wanted, both({}, { host: github }));
    expect(where(planned).slice(0, 2)).toEqual(['reserve-tag local', 'reserve-tag github']);
    const theirs: Reservation = {
      ...{ type: RESERVATION_TYPE, product: 'acme', version: '1.1.0', tag: 'v1.1.0', commit: 'aaaa' },
      ...{ by: 'git tag 1', nonce: 'x', at: '2026-03-14T10:00:00Z' },
    };
    expect(() => planPublish(wanted, both({}, { host: github, reservation: theirs }))).toThrow(
      expect.objectContaining({ code: 'E_RESERVED_ELSEWHERE' }),
    );
  });

  test('a git remote decides, and holds no release', () => {
    const git = state({ host: { type: 'git', name: 'origin', url: '/srv/acme.git' } });
    const planned = planPublish(wanted, { ...facts(), authority: git, targets: [git, state({ host: mirror })] });
    expect(where(planned).filter((step) => step.endsWith(' origin'))).toEqual(['reserve-tag origin', 'put-channel origin']);
  });
});

describe('a draft', () => {
  test('is reserved and uploaded, and nothing appears', () => {
    const { plan } = planPublish({ ...wanted, draftOnly: true }, facts());
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['reserve-tag', 'draft-release', 'upload-assets']);
  });

  test('is known by what is in it', () => {
    const draftOf = (planned: Planned): unknown => planned.plan.steps.find((step) => step.kind === 'draft-release')?.draft.contents;
    const ours = draftOf(planPublish(wanted, facts()));
    expect(draftOf(planPublish({ ...wanted, draft: 'another-attempt' }, facts()))).toBe(ours);
    expect(draftOf(planPublish(wanted, facts({}, { assets: [...assets, asset('more')] })))).not.toBe(ours);
  });
});

describe('replacing a published version', () => {
  const published = [asset('bundle.json', 'another')];

  test('takes a reason, names what it replaces, and reserves nothing', () => {
    const channel = { ...channelAfter(planPublish(wanted, facts())) };
    const known = { ...channel, releases: channel.releases.map((release) => ({ ...release, manifest: digestOf('another') })) };
    const { plan } = planPublish({ ...wanted, replace: 'a wrong port' }, facts({ published, channel: known }));
    expect(plan.steps.map(({ kind }) => kind)).not.toContain('reserve-tag');
    expect(plan.steps.find((step) => step.kind === 'publish-release')?.publication.replaces).toBe(digestOf('another'));
    expect(plan.steps.find((step) => step.kind === 'put-channel')?.addition.replaces).toEqual({
      manifest: digestOf('another'),
      reason: 'a wrong port',
    });
  });

  test('changes nothing when the content is the same', () => {
    const { plan } = planPublish({ ...wanted, replace: 'a wrong port' }, facts({ published: assets }));
    expect(plan.steps.map(({ kind }) => kind)).not.toContain('publish-release');
  });
});

describe('what a forge shows as latest', () => {
  const latestOf = (parts: Partial<PublishWanted>, here: Partial<HostState> = {}): boolean | undefined =>
    planPublish({ ...wanted, ...parts }, facts(here)).plan.steps.find((step) => step.kind === 'publish-release')?.publication.latest;

  test('is the newest release of the main channel', () => {
    expect(latestOf({})).toBe(true);
  });

  test('is never a backport, nor a release of another channel', () => {
    const newer = addRelease(undefined, channelAdditionOf('2.0.0'))?.payload ?? '';
    expect(latestOf({}, { channel: parseChannel(newer, 'test') })).toBe(false);
    expect(latestOf({ main: false })).toBe(false);
  });
});

describe('a reserved tag', () => {
  const theirs: Reservation = {
    ...{ type: RESERVATION_TYPE, product: 'acme', version: '1.1.0', tag: 'v1.1.0', commit: 'aaaa' },
    ...{ by: 'ci:github:acme/acme:run:7', nonce: 'x', at: '2026-03-14T10:00:00Z' },
  };

  test('of somebody else is refused, saying whose it is', () => {
    expect(() => planPublish(wanted, facts({ reservation: theirs }))).toThrow(
      expect.objectContaining({ code: 'E_RESERVED_ELSEWHERE', message: expect.stringContaining('ci:github:acme/acme:run:7') }),
    );
  });

  test('that was published counts as published: other content is refused as that', () => {
    const published = [asset('bundle.json', 'another')];
    expect(() => planPublish(wanted, facts({ reservation: theirs, published }))).toThrow(
      expect.objectContaining({ code: 'E_PUBLISHED_DIFFERS' }),
    );
  });

  test('for the same commit is joined', () => {
    expect(kinds(planPublish(wanted, facts({ reservation: { ...theirs, commit: '9f8c' } })))).toContain('publish-release');
  });

  test('can be reserved once, again by the same identity, and not by another', () => {
    const mine: Reservation = { ...theirs, by: 'id:me', nonce: 'n1', commit: '9f8c' };
    const reserve = (reservation: Reservation | undefined, isPublished = false): Planned =>
      planReserve({ id: 'p1', host, reservation: mine }, { reservation, isPublished });
    expect(kinds(reserve(undefined))).toEqual(['reserve-tag']);
    expect(kinds(reserve({ ...mine, nonce: 'earlier' }))).toEqual([]);
    expect(() => reserve(theirs)).toThrow(expect.objectContaining({ code: 'E_RESERVED_ELSEWHERE' }));
    expect(() => reserve(undefined, true)).toThrow(expect.objectContaining({ code: 'E_RESERVED_ELSEWHERE' }));
  });
});

function channelAdditionOf(version: string): Parameters<typeof addRelease>[1] {
  const put = planPublish(wanted, facts({}, { manifest: { ...manifest, version, tag: `v${version}` } satisfies Manifest })).plan.steps[5];
  if (put?.kind !== 'put-channel') throw new Error('no put-channel');
  return put.addition;
}
