// images alias as maintainers run it: further names for the same bytes, and never another image under a released version.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { images } from '../../src/commands/slipway/images.ts';
import { commitFiles, runCommand } from '../fakes/git-workspace.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { entryOf, pushImage, pushIndex } from '../fakes/registry-push.ts';

let registry: FakeRegistry;
let root: string;

beforeEach(async () => {
  registry = await startFakeRegistry();
  root = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'workspace');
  await commitFiles(root, {
    'slipway.yaml': `schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\nimages:\n  registry: ${registry.host}/acme\n  own:\n    api: { repository: acme-api }\n    gateway: { repository: gateway, tag: "R{version}" }\n`,
  });
});
afterEach(() => registry.close());

async function push(repository: string, tag: string): Promise<string> {
  const parts = [];
  for (const architecture of ['amd64', 'arm64'])
    parts.push(
      entryOf(await pushImage(registry, repository, { architecture, layers: [`${tag} ${architecture}`] }), { os: 'linux', architecture }),
    );
  return (await pushIndex(registry, repository, { tag, entries: parts })).digest;
}

const alias = (words: readonly string[], flags: Record<string, boolean> = {}): Promise<CommandResult> =>
  runCommand(images, flags, { root, positionals: ['alias', ...words] });
const tagOf = (repository: string, tag: string): string | undefined => registry.repositories.get(repository)?.tags.get(tag);
const writes = (): readonly string[] => registry.requests.map(({ line }) => line).filter((line) => /^(PUT|POST|PATCH|DELETE)/.test(line));

test('another tag beside it, without a byte being copied', async () => {
  const digest = await push('acme/acme-api', '1.5.0');
  const before = writes().length;
  const { fields } = await alias(['api:1.5.0', 'stable', 'edge']);
  expect(fields).toMatchObject({ digest, images: [{ outcome: 'aliased' }, { outcome: 'aliased' }] });
  expect([tagOf('acme/acme-api', 'stable'), tagOf('acme/acme-api', 'edge')]).toEqual([digest, digest]);
  expect(
    writes()
      .slice(before)
      .every((line) => line.startsWith('PUT /v2/acme/acme-api/manifests/')),
  ).toBe(true);
  expect((await alias(['api:1.5.0', 'stable'])).fields).toMatchObject({ images: [{ outcome: 'present' }] });
});

test('another repository, and another registry, with everything below the index', async () => {
  const digest = await push('acme/acme-api', '1.5.0');
  const other = await startFakeRegistry();
  try {
    await alias([`api@${digest}`, 'tools:1.5.0', `${other.host}/mirror/api:1.5.0`]);
    expect(tagOf('acme/tools', '1.5.0')).toBe(digest);
    expect(other.repositories.get('mirror/api')?.tags.get('1.5.0')).toBe(digest);
    expect(other.repositories.get('mirror/api')?.manifests.size).toBe(3);
  } finally {
    await other.close();
  }
});

test('a moving tag moves, and the plan says from what; a released version never does', async () => {
  const first = await push('acme/acme-api', '1.5.0');
  const second = await push('acme/acme-api', '1.6.0');
  await alias(['api:1.5.0', 'stable']);
  expect((await alias(['api:1.6.0', 'stable'], { plan: true })).text).toContain(`stable is ${first.slice(0, 19)} until now`);
  expect(tagOf('acme/acme-api', 'stable')).toBe(first);
  await alias(['api:1.6.0', 'stable']);
  expect(tagOf('acme/acme-api', 'stable')).toBe(second);
  const before = writes().length;
  await expect(alias(['api:1.6.0', 'fine', '1.5.0'])).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
  expect(writes()).toHaveLength(before);
});

test('the tag of a version by the image’s own grammar counts as one', async () => {
  await push('acme/gateway', 'R1.0.0');
  await push('acme/gateway', 'R1.1.0');
  await expect(alias(['gateway:R1.1.0', 'R1.0.0'])).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
});

test('what is not there, or not written as a name, is refused with what to do', async () => {
  await expect(alias(['api:1.5.0', 'stable'])).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(alias(['apy:1.5.0', 'stable'])).rejects.toMatchObject({ code: 'E_USAGE', hint: 'Did you mean api?' });
  await expect(alias(['api', 'stable'])).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('which tag') });
  await expect(alias(['api:1.5.0'])).rejects.toMatchObject({ code: 'E_USAGE' });
  await expect(alias(['api:1.5.0', 'not a tag'])).rejects.toMatchObject({ code: 'E_USAGE' });
});
