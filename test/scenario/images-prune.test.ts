// images prune as maintainers run it: old builds go; what a release, a lock, or a tag that stays still names does not.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { images } from '../../src/commands/slipway/images.ts';
import type { Event } from '../../src/model/event.ts';
import type { World } from '../../src/model/seams.ts';
import { commitFiles, runCommand } from '../fakes/git-workspace.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { entryOf, type Pushed, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { buildRelease, makeKeys, publishRelease } from '../fakes/release-builder.ts';

const NOW = new Date('2026-07-22T08:00:00Z');
const REPOSITORY = 'acme/acme-api';
let registry: FakeRegistry;
let folder: string;
let root: string;

async function open(deletes: 'nothing' | 'manifests' = 'manifests'): Promise<void> {
  registry = await startFakeRegistry({ deletes });
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  root = join(folder, 'workspace');
  await describeProduct();
}

async function describeProduct(publicKey = ''): Promise<void> {
  const release = `release:\n  tag: "v{version}"\n${publicKey}  hosts: { local: { type: folder, path: ${folder}/host } }\n`;
  const own = '    api: { repository: acme-api, context: api }\n    web: { repository: acme-web, context: api }\n';
  const tags = '  tags: { main: [latest, "1.{run}", "{sha}"] }\n';
  await commitFiles(root, {
    'slipway.yaml': `schema: 1\nproduct: acme\n${release}images:\n  registry: ${registry.host}/acme\n${tags}  own:\n${own}`,
    'api/Dockerfile': 'FROM scratch\n',
  });
}

beforeEach(() => open());
afterEach(() => registry.close());

/** A build of so many days ago, under its tags. */
async function push(days: number, tags: readonly string[], { repository = REPOSITORY, undated = false } = {}): Promise<Pushed> {
  const created = undated ? {} : { created: new Date(NOW.getTime() - days * 86_400_000).toISOString() };
  let pushed: Pushed | undefined;
  for (const tag of tags) pushed = await pushImage(registry, repository, { architecture: 'amd64', layers: [tags.join()], ...created, tag });
  if (pushed === undefined) throw new Error('no tag');
  return pushed;
}

async function pushBoth(
  tag: string,
  layers: readonly string[] = [tag],
): Promise<{ readonly digest: string; readonly children: readonly string[] }> {
  const created = new Date(NOW.getTime() - 90 * 86_400_000).toISOString();
  const parts: Pushed[] = [];
  for (const architecture of ['amd64', 'arm64'])
    parts.push(await pushImage(registry, REPOSITORY, { architecture, layers: [...layers, architecture], created }));
  const entries = parts.map((part, index) => entryOf(part, { os: 'linux', architecture: ['amd64', 'arm64'][index] ?? '' }));
  return { digest: (await pushIndex(registry, REPOSITORY, { tag, entries })).digest, children: parts.map(({ digest }) => digest) };
}

const prune = (flags: Record<string, string | boolean | readonly string[]>, world: Partial<World> = {}): Promise<CommandResult> =>
  runCommand(images, flags, { root, positionals: ['prune'], world: { now: () => NOW, ...world } });
const tagsOf = (repository = REPOSITORY): string[] => [...(registry.repositories.get(repository)?.tags.keys() ?? [])].sort();
const manifests = (): ReadonlyMap<string, unknown> => registry.repositories.get(REPOSITORY)?.manifests ?? new Map();
const deletes = (): readonly string[] => registry.requests.map(({ line }) => line).filter((line) => line.startsWith('DELETE'));

describe('images prune', () => {
  test('takes old builds by age or count, and nothing that is no build', async () => {
    await push(90, ['aaaaaaa', '1.40']);
    await push(60, ['bbbbbbb', '1.41']);
    await push(10, ['ccccccc', '1.42']);
    await push(1, ['ddddddd', '1.43', 'latest']);
    await push(90, ['2026.0423.0800-eeeeeee']);
    await push(500, ['1.0.0', '1.0', '1']);
    await push(500, ['nightly', 'buildcache']);
    await prune({ 'older-than': '30d' });
    const stay = ['1', '1.0', '1.0.0', '1.42', '1.43', 'buildcache', 'ccccccc', 'ddddddd', 'latest', 'nightly'];
    expect(tagsOf()).toEqual(stay);
    await prune({ keep: '1' });
    expect(tagsOf()).toEqual(stay);
    await prune({ keep: '0' });
    expect(tagsOf()).toEqual(stay.filter((tag) => tag !== 'ccccccc' && tag !== '1.42'));
  });

  test('--keep and --older-than both have to allow it', async () => {
    for (const [days, tag] of [
      [90, 'aaaaaaa'],
      [60, 'bbbbbbb'],
      [40, 'ccccccc'],
      [1, 'ddddddd'],
    ] as const)
      await push(days, [tag]);
    await prune({ keep: '2', 'older-than': '70d' });
    expect(tagsOf()).toEqual(['bbbbbbb', 'ccccccc', 'ddddddd']);
  });

  test('a digest that a tag which stays also names stays with all its tags', async () => {
    await push(90, ['aaaaaaa', '1.2.0']);
    await push(90, ['bbbbbbb', 'stable']);
    expect((await prune({ keep: '0' })).text).toBe('nothing to delete\n');
    expect(tagsOf()).toEqual(['1.2.0', 'aaaaaaa', 'bbbbbbb', 'stable']);
  });

  test('1.5 is a release’s once there is a 1.5.0, and a run’s before', async () => {
    await push(90, ['1.5']);
    await push(80, ['1.6', '1.6.0']);
    await prune({ keep: '0' });
    expect(tagsOf()).toEqual(['1.6', '1.6.0']);
  });

  test('nobody can date it, so it stays, and is told of', async () => {
    await push(0, ['aaaaaaa'], { undated: true });
    const { text } = await prune({ keep: '0', plan: true });
    expect(text).toContain('aaaaaaa stay, for nothing says when they were made');
    await prune({ keep: '0' });
    expect(tagsOf()).toEqual(['aaaaaaa']);
  });

  test('an index goes with what is below it alone; what something that stays names is left', async () => {
    const old = await pushBoth('aaaaaaa');
    const kept = await pushBoth('1.2.0');
    const [shared = ''] = kept.children;
    const entries = [shared, old.children[1] ?? ''].map((digest) => ({
      digest,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      size: sizeOf(digest),
    }));
    const mixed = await pushIndex(registry, REPOSITORY, { tag: 'bbbbbbb', entries });
    const signature = await push(80, [`${old.digest.replace(':', '-')}.sig`]);
    await prune({ 'older-than': '30d' });
    expect([...manifests().keys()].sort()).toEqual([kept.digest, ...kept.children].sort());
    expect([old.digest, mixed.digest, signature.digest, ...old.children].filter((digest) => manifests().has(digest))).toEqual([]);
  });

  test('a build that lies below a newer one stays with it', async () => {
    const newer = await pushBoth('1.2.0');
    registry.repositories.get(REPOSITORY)?.tags.set('aaaaaaa', newer.children[0] ?? '');
    await prune({ keep: '0' });
    expect(manifests().size).toBe(3);
    registry.repositories.get(REPOSITORY)?.tags.delete('1.2.0');
    registry.repositories.get(REPOSITORY)?.tags.set('bbbbbbb', newer.digest);
    registry.repositories.get(REPOSITORY)?.tags.set('latest', newer.digest);
    await prune({ keep: '0' });
    expect(manifests().size).toBe(3);
  });

  test('never what a published release names, nor what is below it', async () => {
    const used = await pushBoth('aaaaaaa');
    const free = await pushBoth('bbbbbbb');
    registry.repositories.get(REPOSITORY)?.tags.set('ccccccc', used.children[1] ?? '');
    const keys = makeKeys();
    await describeProduct(`  publicKey: ${keys.publicKey}\n`);
    const image = {
      name: 'api',
      reference: `mirror.example/${REPOSITORY}:2.0.0`,
      digest: used.digest,
      platforms: ['linux/amd64'],
      size: 1,
    };
    const built = await buildRelease({ workspace: join(folder, 'other'), version: '2.0.0', keys, manifest: { images: [image] as never } });
    await publishRelease(built, join(folder, 'host'));
    await prune({ keep: '0' });
    expect(tagsOf()).toEqual(['aaaaaaa', 'ccccccc']);
    expect([used.digest, ...used.children].every((digest) => manifests().has(digest))).toBe(true);
    expect(manifests().has(free.digest)).toBe(false);
  });

  test('never what the lock, or a release that is only packed, names', async () => {
    const locked = await push(90, ['aaaaaaa']);
    const packed = await push(90, ['bbbbbbb']);
    await push(90, ['ccccccc']);
    const lock = {
      reference: `${registry.host}/${REPOSITORY}:aaaaaaa`,
      digest: locked.digest,
      platforms: [],
      size: 1,
      resolved: '2026-01-01T00:00:00Z',
    };
    await writeFile(join(root, 'slipway.lock.json'), JSON.stringify({ type: 'slipway/lock@1', images: { api: lock } }));
    const image = { name: 'api', reference: `${registry.host}/${REPOSITORY}:2.0.0`, digest: packed.digest, platforms: [], size: 1 };
    await buildRelease({ workspace: root, version: '2.0.0', keys: null, manifest: { images: [image] as never } });
    await prune({ keep: '0' });
    expect(tagsOf()).toEqual(['aaaaaaa', 'bbbbbbb']);
  });

  test('a host whose releases cannot be read stops everything', async () => {
    await push(90, ['aaaaaaa']);
    await mkdir(join(folder, 'host/channels'), { recursive: true });
    await writeFile(join(folder, 'host/channels/stable.signed.json'), '{ "payload": "cut');
    await expect(prune({ keep: '0' })).rejects.toMatchObject({ code: expect.stringMatching(/^E_/) });
    expect(deletes()).toEqual([]);
  });

  test('--plan shows all of it and deletes nothing; nothing is deleted without being asked', async () => {
    await push(90, ['aaaaaaa']);
    const { text, fields } = await prune({ keep: '0', plan: true });
    expect(text).toContain(`${registry.host}/${REPOSITORY}: aaaaaaa`);
    expect(fields.plan).toMatchObject({ command: 'images prune', steps: [{ kind: 'delete-manifests' }] });
    await expect(prune({ keep: '0', yes: false })).rejects.toMatchObject({ code: 'E_NOT_CONFIRMED' });
    await expect(prune({})).rejects.toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('--keep') });
    expect(deletes()).toEqual([]);
  });

  test('a tag that moved while the plan was looked at makes the plan stale', async () => {
    await push(90, ['aaaaaaa']);
    const other = await push(1, ['latest']);
    const ask = async (): Promise<string> => {
      registry.repositories.get(REPOSITORY)?.tags.set('aaaaaaa', other.digest);
      return 'y';
    };
    const terminal = { interactive: true, colour: false, columns: 80, out: () => {}, err: () => {}, ask };
    await expect(prune({ keep: '0', yes: false }, { terminal })).rejects.toMatchObject({ code: 'E_PLAN_STALE' });
    expect(deletes()).toEqual([]);
  });

  test('a tag that moves in the last moment keeps its manifest', async () => {
    const old = await push(90, ['aaaaaaa']);
    const other = await push(1, ['latest']);
    const report = (event: Event): void => {
      if (event.type === 'step') registry.repositories.get(REPOSITORY)?.tags.set('aaaaaaa', other.digest);
    };
    const { fields } = await prune({ keep: '0' }, { report });
    expect(fields.repositories).toMatchObject([{ deleted: [], failed: [{ digest: old.digest, error: 'aaaaaaa moved meanwhile' }] }, {}]);
    expect(manifests().has(other.digest)).toBe(true);
  });

  test('a registry that forbids deleting is named, once', async () => {
    await registry.close();
    await open('nothing');
    await push(90, ['aaaaaaa']);
    await push(80, ['bbbbbbb']);
    await expect(prune({ keep: '0' })).rejects.toMatchObject({
      code: 'E_STEP_FAILED',
      message: expect.stringContaining(`${registry.host} does not allow it`),
    });
    expect(deletes()).toHaveLength(1);
  });

  test('--repository takes one alone, and a branch’s by its whole name; others are refused', async () => {
    await push(90, ['aaaaaaa']);
    await push(90, ['bbbbbbb'], { repository: 'acme/acme-web' });
    await push(90, ['2026.0423.0800-eeeeeee'], { repository: 'acme0feat/acme-web' });
    await prune({ keep: '0', repository: ['web'] });
    expect([tagsOf(), tagsOf('acme/acme-web')]).toEqual([['aaaaaaa'], []]);
    await prune({ keep: '0', repository: [`${registry.host}/acme0feat/acme-web`] });
    expect(tagsOf('acme0feat/acme-web')).toEqual([]);
    for (const repository of ['else', `${registry.host}/other/acme-web`, 'registry.example/acme/acme-web']) {
      await expect(prune({ keep: '0', repository: [repository] })).rejects.toMatchObject({ code: 'E_USAGE' });
    }
  });
});

function sizeOf(digest: string): number {
  return registry.repositories.get(REPOSITORY)?.manifests.get(digest)?.bytes.length ?? 0;
}
