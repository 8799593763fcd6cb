// Publishing through the journal: what is left behind when a step fails, and what recovery makes of a plan that was cut off.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Applied, applyPlan, recoverPlan } from '../../../src/apply/apply.ts';
import type { Handlers } from '../../../src/apply/handler.ts';
import { beginJournal, type Journal, openJournal } from '../../../src/apply/journal.ts';
import { releaseSteps } from '../../../src/apply/steps/release.ts';
import { digestOf } from '../../../src/model/digest.ts';
import type { Event } from '../../../src/model/event.ts';
import { contentsOf } from '../../../src/model/host.ts';
import type { Kind, Planned } from '../../../src/model/plan.ts';
import { serveFolder } from '../../fakes/folder-server.ts';
import { startGithub } from '../../fakes/github.ts';
import { type BuiltRelease, buildRelease, makeKeys, planRelease, publishRelease, siteOf } from '../../fakes/release-builder.ts';

const keys = makeKeys();
const handlers = releaseSteps as unknown as Handlers;
let folder: string;
let host: string;
let built: BuiltRelease;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  host = join(folder, 'host');
  built = await buildRelease({ workspace: join(folder, 'workspace'), version: '1.0.0', keys });
});

async function begin({ plan }: Planned): Promise<Journal> {
  const { id, operation, command } = plan;
  return beginJournal(built.workspace, {
    ...{ type: 'slipway/journal@1', id, operation, command, operator: digestOf('me'), at: '2026-03-15T10:00:00Z' },
    plan,
  });
}

async function apply(planned: Planned, world: Parameters<typeof siteOf>[1] = {}): Promise<Applied> {
  return applyPlan({ journal: await begin(planned), handlers, site: siteOf(built, world) });
}

/** The handlers, but this kind dies (as a killed process would) before or after its effect; `dead` tells when. */
function dyingAt(kind: Kind, when: 'before' | 'after'): { readonly table: Handlers; readonly dead: Promise<void> } {
  const steps = releaseSteps as unknown as Record<string, { run: (...args: unknown[]) => Promise<void> }>;
  let die: () => void = () => {};
  const dead = new Promise<void>((resolve) => {
    die = resolve;
  });
  const run = async (...args: unknown[]): Promise<void> => {
    if (when === 'after') await steps[kind]?.run(...args);
    die();
    await new Promise(() => {}); // never comes back: nothing after it happens
  };
  return { table: { ...handlers, [kind]: { ...steps[kind], run } } as unknown as Handlers, dead };
}

/** Applies until the step dies, then gives the journal as the next process finds it. */
async function cutOff(planned: Planned, kind: Kind, when: 'before' | 'after'): Promise<Journal> {
  const journal = await begin(planned);
  const { table, dead } = dyingAt(kind, when);
  void applyPlan({ journal, handlers: table, site: siteOf(built) });
  await dead;
  const found = await openJournal(built.workspace);
  if (found === undefined) throw new Error('no open journal');
  return found;
}

test('a failed upload takes draft and reservation back', async () => {
  const planned = await planRelease(built, host);
  await writeFile(join(built.folder, 'operator.js'), 'changed after the plan was made');
  const applied = await apply(planned);
  expect(applied).toMatchObject({ outcome: 'undone', cause: { code: 'E_DIGEST' } });
  expect(await readdir(host, { recursive: true })).toEqual(['reservations']);
});

test('a reservation made before this plan stays when the plan is taken back', async () => {
  const first = await planRelease(built, host);
  const [reserve] = first.plan.steps;
  if (reserve?.kind !== 'reserve-tag') throw new Error('no reserve-tag');
  await releaseSteps['reserve-tag'].run(reserve, siteOf(built));
  const planned = await planRelease(built, host);
  await writeFile(join(built.folder, 'operator.js'), 'changed after the plan was made');
  expect((await apply(planned)).outcome).toBe('undone');
  expect(await readdir(join(host, 'reservations'))).toEqual(['v1.0.0.json']);
});

test('losing the race for the release ends refused, with nothing of ours left', async () => {
  const planned = await planRelease(built, host, { by: 'id:a' });
  const other = await buildRelease({ workspace: join(folder, 'other'), version: '1.0.0', keys, files: { VERSION: 'other\n' } });
  await publishRelease(other, join(folder, 'theirs'));
  const real = releaseSteps['publish-release'];
  const run: typeof real.run = async (step, site) => {
    await mkdir(join(host, 'releases'), { recursive: true });
    await cp(join(folder, 'theirs/releases/v1.0.0'), join(host, 'releases/v1.0.0'), { recursive: true });
    await real.run(step, site);
  };
  const table = { ...handlers, 'publish-release': { ...real, run } } as unknown as Handlers;
  const applied = await applyPlan({ journal: await begin(planned), handlers: table, site: siteOf(built) });
  expect(applied).toMatchObject({ outcome: 'failed', cause: { code: 'E_PUBLISHED_DIFFERS' } });
  expect((await readdir(host)).sort()).toEqual(['releases', 'reservations']);
  expect(await readFile(join(host, 'releases/v1.0.0/bundle.json'), 'utf8')).toBe(await readFile(join(other.folder, 'bundle.json'), 'utf8'));
});

test.each(['reserve-tag', 'draft-release', 'upload-assets'] as const)('cut off in %s, recovery leaves the host as it was', async (kind) => {
  for (const when of ['before', 'after'] as const) {
    const journal = await cutOff(await planRelease(built, host), kind, when);
    expect(await recoverPlan({ journal, handlers, site: siteOf(built) })).toMatchObject({ outcome: 'undone' });
    expect((await readdir(host, { recursive: true }).catch(() => [])).filter((path) => path !== 'reservations')).toEqual([]);
  }
});

test.each(['publish-release', 'check-published', 'put-channel', 'put-files'] as const)(
  'cut off in %s, recovery finishes the publication, and again there is nothing to do',
  async (kind) => {
    for (const [index, when] of (['before', 'after'] as const).entries()) {
      const to = `${host}-${index}`;
      const journal = await cutOff(await planRelease(built, to), kind, when);
      expect(await recoverPlan({ journal, handlers, site: siteOf(built) })).toMatchObject({ outcome: 'done' });
      expect((await planRelease(built, to)).plan.steps).toEqual([]);
      expect((await readdir(to)).sort()).toEqual(['channels', 'install.sh', 'releases', 'reservations']);
    }
  },
);

test('a plan that was cut off before the channel finds its place there after others came first', async () => {
  const journal = await cutOff(await planRelease(built, host), 'put-channel', 'before');
  const next = await buildRelease({ workspace: join(folder, 'next'), version: '1.1.0', keys });
  await publishRelease(next, host);
  expect(await recoverPlan({ journal, handlers, site: siteOf(built) })).toMatchObject({ outcome: 'done' });
  const channel = JSON.parse(await readFile(join(host, 'channels/stable.json'), 'utf8')) as Record<string, unknown>;
  expect(channel).toMatchObject({ sequence: 2, latest: '1.1.0', releases: [{ version: '1.0.0' }, { version: '1.1.0' }] });
  expect(await readFile(join(host, 'install.sh'), 'utf8')).toContain('1.1.0');
});

test('the release is read through its address: other bytes there fail, a server that does not show it yet is said', async () => {
  const shown = await serveFolder(host);
  const warnings: string[] = [];
  const report = (event: Event): void => void (event.type === 'warning' && warnings.push(event.text));
  expect((await apply(await planRelease(built, host, { url: shown.url }), { report })).outcome).toBe('done');
  expect(warnings).toEqual([]);

  const second = await buildRelease({ workspace: built.workspace, version: '1.1.0', keys });
  shown.replace('releases/v1.1.0/operator.js', (response) => response.end('x'.repeat(41)));
  const wrong = await apply(await planRelease(second, host, { url: shown.url }), { report });
  expect(wrong).toMatchObject({ outcome: 'failed', cause: { code: 'E_DIGEST' } });
  await shown.close();

  const elsewhere = await serveFolder(join(folder, 'copied later'));
  expect((await apply(await planRelease(second, host, { url: elsewhere.url }), { report })).outcome).toBe('done');
  expect(warnings).toEqual([expect.stringContaining('v1.1.0 is not shown at')]);
  await elsewhere.close();
});

test('without the secret key nothing gets into the channel, and running again with it finishes', async () => {
  const failed = await apply(await planRelease(built, host), { env: {} });
  expect(failed).toMatchObject({ outcome: 'failed', cause: { code: 'E_CONFIG', hint: expect.stringContaining('SLIPWAY_SECRET_KEY') } });
  expect(await readdir(host)).not.toContain('channels');
  expect((await apply(await planRelease(built, host))).outcome).toBe('done');
  expect(await readdir(join(host, 'channels'))).toContain('stable.signed.json');
});

test('another product’s key never signs this product’s channel', async () => {
  const env = { SLIPWAY_SECRET_KEY: makeKeys().secretKeyText };
  expect(await apply(await planRelease(built, host), { env })).toMatchObject({ cause: { code: 'E_CONFIG' } });
});

test('what was packed is checked before anything is planned', async () => {
  const notPacked = expect.objectContaining({ code: 'E_NOT_PACKED' });
  const operator = await readFile(join(built.folder, 'operator.js'));
  await writeFile(join(built.folder, 'operator.js'), 'changed');
  await expect(planRelease(built, host)).rejects.toEqual(notPacked);
  await writeFile(join(built.folder, 'operator.js'), operator);
  await writeFile(join(built.folder, 'extra.txt'), 'not named');
  await expect(planRelease(built, host)).rejects.toEqual(notPacked);
  await rm(join(built.folder, 'extra.txt'));
  await expect(planRelease({ ...built, keys: makeKeys() }, host)).rejects.toEqual(notPacked);
  expect((await planRelease(built, host)).plan.steps).not.toEqual([]);
});

test('a draft whose tag was given free is not published: the forge would tag whatever its main branch is', async () => {
  const github = await startGithub();
  const assets = [{ name: 'bundle.json', size: 1, sha256: digestOf('x') }];
  const draft = { tag: 'v1.0.0', name: 'd1', contents: contentsOf(assets) };
  const publication = { assets, latest: true, prerelease: false, title: 'Acme 1.0.0', notes: '', replaces: null };
  const site = siteOf(built, { env: { GITHUB_TOKEN: 'good-token' } });
  const step = { kind: 'publish-release', why: 'test', host: github.address, draft, publication } as const;
  await expect(releaseSteps['publish-release'].run(step, site)).rejects.toMatchObject({
    code: 'E_PLAN_STALE',
    hint: expect.stringContaining('Run the same command again'),
  });
  expect([github.state.refs.size, github.requests.filter(({ line }) => line.startsWith('PATCH')).length]).toEqual([0, 0]);
  await github.close();
});
