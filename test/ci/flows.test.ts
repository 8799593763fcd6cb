// The generated workflows, really run: every shell step of the generated files, against real git, real registries and fake forges.
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { hasDockerRegistry } from '../fakes/docker-registry.ts';
import { git } from '../fakes/git-workspace.ts';
import { buildMachine, expectWell, openStage, type Stage } from './runner/stage.ts';

let bin: string;
beforeAll(async () => {
  bin = await buildMachine();
});

const pushed = (sha: string, ref = 'refs/heads/main') => ({ name: 'push', ref, sha }) as const;
const resultsOf = (ends: readonly { name: string; result: string }[]): Record<string, string> =>
  Object.fromEntries(ends.map(({ name, result }) => [name, result]));

/** Mirrors what the product needs, and locks it. */
async function mirrorAndLock(stage: Stage): Promise<string> {
  const head = git(stage.work, 'rev-parse', 'HEAD');
  expectWell(await stage.run('mirror', { name: 'schedule', ref: 'refs/heads/main', sha: head }));
  await stage.lock();
  return stage.push();
}

describe.skipIf(!hasDockerRegistry() && process.env.CI !== 'true')('the generated workflows', () => {
  test('mirror: upstream’s image is in the product’s registry, byte for byte, and a second run copies nothing', async () => {
    const stage = await openStage(bin, { kind: 'github' });
    const sha = git(stage.work, 'rev-parse', 'HEAD');
    const scheduled = { name: 'schedule', ref: 'refs/heads/main', sha } as const;
    expectWell(await stage.run('mirror', scheduled));
    const there = await fetch(`http://${stage.upstream.host}/v2/library/postgres/manifests/16`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    expect(await stage.digestOf('acme/postgres', '16')).toBe(there.headers.get('docker-content-digest'));
    const [again] = await stage.run('mirror', scheduled);
    expect(again?.steps.find(({ name }) => name === 'Mirror images')?.log).toMatch(/nothing|present|already/i);
  }, 600_000);

  test('images: a push to main builds with the tags of its event, a pull request builds and pushes nothing', async () => {
    const stage = await openStage(bin, { kind: 'github' });
    const sha = await stage.push({ 'api/server': 'y' });
    expectWell(await stage.run('image-api', pushed(sha)), ['try']);
    const tags = await stage.tagsOf('acme/tiny-api');
    expect(tags).toEqual([sha.slice(0, 7), 'latest'].sort());
    git(stage.work, 'push', '-q', `file://${stage.bare}`, 'HEAD:refs/pull/7/merge');
    const pull = { name: 'pull_request', ref: 'refs/pull/7/merge', sha, pull: { base: sha, number: 7 } } as const;
    const ends = await stage.run('image-web', pull);
    expectWell(ends, ['build']);
    expect(await stage.tagsOf('acme/tiny-web')).toEqual([]);
    expect(ends[0]?.steps.find(({ name }) => name === 'Build')?.log).toMatch(/^built {2}web/m);
  }, 600_000);

  test('check: a pull request passes, and one with a hand-edited workflow does not', async () => {
    const stage = await openStage(bin, { kind: 'gitea', change: (text) => `${text}  plan: false\n` });
    const sha = await mirrorAndLock(stage);
    git(stage.work, 'push', '-q', `file://${stage.bare}`, 'HEAD:refs/pull/1/merge');
    const pull = { name: 'pull_request', ref: 'refs/pull/1/merge', sha, pull: { base: sha, number: 1 } } as const;
    expectWell(await stage.run('check', pull));
    git(stage.work, 'commit', '-q', '--allow-empty', '-m', 'x');
    const file = `${stage.work}/.gitea/workflows/slipway-check.yml`;
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('fetch-depth: 0', 'fetch-depth: 1'));
    git(stage.work, 'commit', '-q', '-a', '-m', 'by hand');
    git(stage.work, 'push', '-q', `file://${stage.bare}`, '+HEAD:refs/pull/1/merge');
    const edited = await stage.run('check', { ...pull, sha: git(stage.work, 'rev-parse', 'HEAD') });
    const failed = edited[0]?.steps.find(({ result }) => result === 'failure');
    expect(failed).toMatchObject({ name: 'Workflows are as slipway makes them', log: expect.stringContaining('slipway-check.yml') });
  }, 600_000);

  test('release: a tag builds, packs, verifies and publishes once; run again it ends the same', async () => {
    const stage = await openStage(bin, { kind: 'github' });
    await mirrorAndLock(stage);
    const sha = stage.tag('v1.0.0');
    stage.github?.refs.set('tags/v1.0.0', { sha, type: 'commit' });
    const event = pushed(sha, 'refs/tags/v1.0.0');
    const ends = await stage.run('release', event);
    expectWell(ends);
    expect(ends.map(({ name }) => name)).toEqual(['check', 'build api', 'build web', 'publish']);
    const digest = await stage.digestOf('acme/tiny-api', '1.0.0');
    const [release] = stage.github?.releases ?? [];
    expect(release).toMatchObject({ tag: 'v1.0.0', draft: false, prerelease: false });
    const manifest = JSON.parse(String(release?.assets.find(({ name }) => name === 'bundle.json')?.bytes)) as {
      images: { digest: string }[];
      commit: string;
    };
    expect(manifest).toMatchObject({ commit: sha, images: expect.arrayContaining([expect.objectContaining({ name: 'api', digest })]) });
    const again = await stage.run('release', { name: 'workflow_dispatch', ref: 'refs/heads/main', sha, inputs: { tag: 'v1.0.0' } });
    expectWell(again);
    expect(again.at(-1)?.steps.find(({ name }) => name === 'Publish')?.log).toContain('published already');
    expect(stage.github?.releases).toHaveLength(1);
  }, 600_000);

  test('a product that does not pass its own tests is neither built nor published', async () => {
    const stage = await openStage(bin, { kind: 'github' });
    await mirrorAndLock(stage);
    git(stage.work, 'rm', '-q', 'package.json');
    writeFileSync(`${stage.work}/slipway.yaml`, readFileSync(`${stage.work}/slipway.yaml`, 'utf8').replace('package.json#version', 'git'));
    await stage.push();
    const sha = stage.tag('v1.0.0');
    const ends = await stage.run('release', pushed(sha, 'refs/tags/v1.0.0'));
    expect(resultsOf(ends)).toEqual({ check: 'failure', build: 'skipped', publish: 'skipped' });
    expect(await stage.tagsOf('acme/tiny-api')).toEqual([]);
    expect(stage.github?.releases).toEqual([]);
  }, 600_000);

  const train = ({ git: url, forge }: { git: string; forge: string }): string =>
    `  channels: { stable: { branch: main, promoteFrom: staging, float: [latest] }, staging: { branch: staging, prerelease: staging, float: [staging] } }
  hosts: { origin: { type: git, url: "${url}" }, ${forge} }
`;

  test('staging and main: reserve, build, verify, publish; then the same bytes are the release, on the same commit', async () => {
    const stage = await openStage(bin, { kind: 'gitea', release: train });
    await mirrorAndLock(stage);
    git(stage.work, 'switch', '-q', '-c', 'staging');
    for (const N of [0, 1]) {
      const sha = await stage.push({ 'api/server': `y${N}` });
      const ends = await stage.run('publish-staging', pushed(sha, 'refs/heads/staging'));
      expectWell(ends);
      expect(ends.map(({ name }) => name)).toEqual(['check', 'reserve', 'build api', 'build web', 'verify', 'publish']);
      expect(git(stage.bare, 'rev-parse', `v1.0.0-staging.${N}^{commit}`)).toBe(sha);
      expect(await stage.digestOf('acme/tiny-api', 'staging')).toBe(await stage.digestOf('acme/tiny-api', `1.0.0-staging.${N}`));
    }
    const built = git(stage.work, 'rev-parse', 'HEAD');
    git(stage.work, 'switch', '-q', 'main');
    git(stage.work, 'merge', '-q', '--ff-only', 'staging');
    git(stage.work, 'push', '-q', `file://${stage.bare}`, 'HEAD');
    for (let times = 0; times < 2; times += 1) {
      expectWell(await stage.run('promote-stable', pushed(built)));
      expect(git(stage.bare, 'rev-parse', 'v1.0.0^{commit}')).toBe(built);
      for (const image of ['acme/tiny-api', 'acme/tiny-web']) {
        const digest = await stage.digestOf(image, '1.0.0-staging.1');
        expect([await stage.digestOf(image, '1.0.0'), await stage.digestOf(image, 'latest')]).toEqual([digest, digest]);
      }
    }
    const releases = (stage.gitea?.rows ?? []).filter(({ isTag }) => !isTag);
    expect(releases.map(({ tag, draft, prerelease }) => [tag, draft, prerelease]).sort()).toEqual([
      ['v1.0.0', false, false],
      ['v1.0.0-staging.0', false, true],
      ['v1.0.0-staging.1', false, true],
    ]);
    expectWell(await stage.run('refresh', { name: 'schedule', ref: 'refs/heads/main', sha: built }));
  }, 600_000);
});
