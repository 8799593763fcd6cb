// What stops an install, an upgrade or a move before anything starts: answers, data, secrets, names, releases, other work. Rule: every cause is what a person or a
// maintainer really did, and every row names the next step.
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { takeLock } from '../../src/apply/lock.ts';
import { relocate } from '../../src/commands/operator/relocate.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { lockPath } from '../../src/model/layout.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { COMPOSE, PRODUCT, PRODUCT_FILES, type Ran } from '../fakes/install-stage.ts';
import { makeKeys, quietWorld } from '../fakes/release-builder.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';
import { expectRefusal, type Refusal, requiring, type Scene } from './refusal.ts';

type Flags = Parameters<Scene['install']>[0];
type Attempt = () => Promise<Ran>;

/** An install of this release, given these flags. */
const installing =
  (manifest: Partial<Manifest>, flags: Flags = {}) =>
  async (scene: Scene): Promise<Attempt> => {
    await scene.publish('1.0.0', manifest);
    return () => scene.install(flags);
  };

/** Release 1.0.0 is installed. */
async function installed(scene: Scene): Promise<void> {
  await scene.publish('1.0.0');
  await scene.install();
}

const upgrading =
  (scene: Scene, flags: Flags = {}): Attempt =>
  () =>
    scene.run(upgrade, { yes: true, ...flags });

/** The installed product, something that happens to it, and a newer release. */
const upgradeAfter =
  (happens: (scene: Scene) => Promise<unknown> | unknown, manifest: Partial<Manifest> = {}, files?: Readonly<Record<string, string>>) =>
  async (scene: Scene): Promise<Attempt> => {
    await installed(scene);
    await happens(scene);
    await scene.publish('1.1.0', manifest, files);
    return upgrading(scene);
  };

const nothing = (): void => undefined;

async function rewrite(path: string, pattern: RegExp, by: string): Promise<void> {
  await writeFile(path, (await readFile(path, 'utf8')).replace(pattern, by));
}

interface AnyChannel {
  readonly sequence: number;
  readonly latest: string;
  readonly releases: readonly Readonly<Record<string, unknown>>[];
}

/** As a maintainer would: the next channel file, with this changed. */
async function announce({ host }: Scene, change: (channel: AnyChannel) => object): Promise<void> {
  const path = join(host, 'channels/stable.signed.json');
  const signed = JSON.parse(await readFile(path, 'utf8'));
  const channel = JSON.parse(signed.payload);
  const payload = canonicalJson({ ...channel, sequence: channel.sequence + 1, ...change(channel) });
  await writeFile(path, JSON.stringify({ ...signed, payload }));
}

/** The same releases, the latest of them with these fields. */
const ofLatest = (fields: object) => (channel: AnyChannel) => ({
  releases: channel.releases.map((release) => (release.version === channel.latest ? { ...release, ...fields } : release)),
});

/** The folder is removed by hand, and the containers with it; the volumes stay, as `rm -rf` and `docker rm` leave them. */
async function removeByHand({ root, engine }: Scene): Promise<void> {
  await rm(root, { recursive: true });
  engine.state().containers.clear();
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: Compose's placeholders
const UNSET = COMPOSE.replace('TOKEN: "${API_TOKEN:-}"', 'TOKEN: "${NOBODY_SETS_THIS}"');
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: Compose's placeholders

const ANSWERS: readonly Refusal[] = [
  {
    ...{ name: 'an answer is missing and nobody can be asked', code: 'E_ANSWER', message: /DOMAIN has no answer \(Public host name\)/ },
    hint: /--set DOMAIN=VALUE or SLIPWAY_SET_DOMAIN.*--answers FILE/,
    cause: installing({ env: { ...PRODUCT.env, DOMAIN: { ask: 'Public host name', type: 'hostname', required: true } } }),
  },
  {
    ...{ name: 'an answer does not fit', code: 'E_ANSWER', message: /PORT must be .*port/ },
    hint: /Correct what was given with --set/,
    cause: installing({}, { set: ['PORT=http'] }),
  },
  {
    ...{ name: 'an answer is to a question that there is not', code: 'E_ANSWER', message: /PROT/ },
    hint: /Correct what was given/,
    cause: installing({}, { set: ['PROT=8080'] }),
  },
  {
    ...{ name: 'a feature is chosen that there is not', code: 'E_ANSWER', message: /report/ },
    hint: /Correct what was given/,
    cause: installing({ features: { reports: { ask: 'Reports?', profiles: [], default: false } } }, { set: ['FEATURES=report'] }),
  },
  {
    ...{ name: 'a variable would be blank in the compose file', code: 'E_PREFLIGHT', message: /NOBODY_SETS_THIS would be blank/ },
    hint: /Give a value in \.env or with --set; report it to the maintainer/,
    cause: async (scene) => {
      await scene.publish('1.0.0', {}, { ...PRODUCT_FILES, 'docker-compose.yml': UNSET });
      return () => scene.install();
    },
  },
  {
    ...{ name: 'the answers would overwrite a file', code: 'E_CONFLICT', message: /answers exists already/ },
    hint: /give --save-answers another name/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      const path = join(scene.place, 'answers');
      await writeFile(path, 'PORT=1\n');
      return () => scene.install({ 'save-answers': path });
    },
  },
  {
    ...{ name: 'nobody is there to confirm', code: 'E_NOT_CONFIRMED', message: /no terminal to confirm the plan/ },
    hint: /--plan, then give --yes/,
    cause: installing({}, { yes: false }),
  },
  {
    ...{ name: 'the person says no', code: 'E_NOT_CONFIRMED', message: /not confirmed; nothing was changed/, hint: /^$/ },
    cause: async (scene) => {
      await scene.publish('1.0.0');
      return () => scene.install({ yes: false, set: ['PORT=18080'] }, { terminal: scriptedTerminal(['n']) });
    },
  },
];

const DATA: readonly Refusal[] = [
  {
    ...{
      name: 'data is here and its key is not',
      code: 'E_POLICY',
      message: /earlier install is here \(acme_pgdata\), but DB_PASSWORD is not/,
    },
    hint: /Put the old \.env at .*\/acme\/\.env, or remove the volumes/,
    cause: async (scene) => {
      await installed(scene);
      await removeByHand(scene);
      return () => scene.install();
    },
  },
  {
    ...{
      name: 'the key is another one than the data was made with',
      code: 'E_POLICY',
      message: /DB_PASSWORD in \.env is missing or not what/,
    },
    hint: /copies of \.env are in the backups/,
    cause: async (scene) => {
      await installed(scene);
      await scene.run(uninstall, { yes: true });
      await rewrite(join(scene.root, '.env'), /DB_PASSWORD=.*/, 'DB_PASSWORD=another-one-entirely');
      return () => scene.install();
    },
  },
  {
    ...{ name: 'the kept data has another project name', code: 'E_POLICY', message: /compose project acme; as acme2 it would start empty/ },
    hint: /Leave --project away, or give another folder with --dir/,
    cause: async (scene) => {
      await installed(scene);
      await scene.run(uninstall, { yes: true });
      return () => scene.install({ project: 'acme2' });
    },
  },
  {
    ...{ name: 'the kept data is of a newer version', code: 'E_POLICY', message: /1\.0\.0 is older, and data only goes forward/ },
    hint: /Install 1\.1\.0 or a newer one/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await scene.publish('1.1.0');
      await scene.install();
      await scene.run(uninstall, { yes: true });
      return () => scene.install({ 'release-version': '1.0.0' });
    },
  },
  {
    ...{
      name: 'a file of the person lies where the release has one',
      code: 'E_CONFLICT',
      message: /these files are here already.*docker-compose\.yml/,
    },
    hint: /Move them away, or choose another folder/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await mkdir(scene.root);
      await writeFile(join(scene.root, 'docker-compose.yml'), 'services: {}\n');
      return () => scene.install();
    },
  },
  {
    ...{ name: 'another version is installed', code: 'E_POLICY', message: /acme 1\.0\.0 is installed at .* already/ },
    hint: /To go to 1\.1\.0: .*acmectl upgrade --to 1\.1\.0/,
    cause: async (scene) => {
      await installed(scene);
      await scene.publish('1.1.0');
      return () => scene.install({ 'release-version': '1.1.0' });
    },
  },
  {
    ...{ name: 'the folder is an install of another project', code: 'E_POLICY', message: /a project never changes/ },
    hint: /--project acme2 --dir FOLDER/,
    cause: async (scene) => {
      await installed(scene);
      return () => scene.install({ project: 'acme2' });
    },
  },
];

const RELEASES: readonly Refusal[] = [
  {
    ...{ name: 'the channel file has expired', code: 'E_EXPIRED', message: /it expired .* ago/ },
    hint: /--accept-expired/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await announce(scene, () => ({ expires: '2026-03-01T00:00:00Z' }));
      return () => scene.install();
    },
  },
  {
    ...{ name: 'the release was taken back', code: 'E_POLICY', message: /1\.0\.0 was taken back by its maintainer: it loses mail/ },
    hint: /Choose another version/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await announce(scene, ofLatest({ status: 'yanked', reason: 'it loses mail' }));
      return () => scene.install({ 'release-version': '1.0.0' });
    },
  },
  {
    ...{ name: 'there is no such release', code: 'E_NOT_FOUND', message: /stable has no release 9\.9\.9/ },
    hint: /It has: 1\.0\.0/,
    cause: installing({}, { 'release-version': '9.9.9' }),
  },
  {
    ...{
      name: 'it needs a newer Node.js, and there is none to be had',
      code: 'E_PREFLIGHT',
      message: /1\.0\.0 needs Node\.js >=99, and this is/,
    },
    hint: /SLIPWAY_NODE=/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await announce(scene, ofLatest({ node: '>=99' }));
      return () => scene.install();
    },
  },
  {
    ...{ name: 'a key is given and the releases are not signed', code: 'E_UNSIGNED', message: /not signed/ },
    hint: /./,
    cause: installing({}, { key: makeKeys().publicKey }),
  },
];

describe('an install is refused, with the next step named and nothing changed, when', () => {
  it.for([...ANSWERS, ...DATA, ...RELEASES])('$name', expectRefusal);
});

const UPGRADES: readonly Refusal[] = [
  {
    ...{ name: 'an immutable secret is missing', code: 'E_POLICY', message: /DB_PASSWORD in \.env is missing/ },
    hint: /Put the old value back; copies of \.env are in the backups/,
    cause: upgradeAfter(({ root }) => rewrite(join(root, '.env'), /DB_PASSWORD=.*/, 'DB_PASSWORD=')),
  },
  {
    ...{
      name: 'an immutable secret is another one',
      code: 'E_POLICY',
      message: /DB_PASSWORD in \.env is missing or not what the data was made with/,
    },
    hint: /Put the old value back/,
    cause: upgradeAfter(({ root }) => rewrite(join(root, '.env'), /DB_PASSWORD=.*/, 'DB_PASSWORD=other')),
  },
  {
    ...{ name: 'a data volume is gone and would be new and empty', code: 'E_POLICY', message: /the data volume acme_pgdata is gone/ },
    hint: /Bring the volume back \(or `restore` a backup\)/,
    cause: upgradeAfter(({ engine }) => {
      engine.state().containers.clear();
      engine.state().volumes.clear();
    }),
  },
  {
    ...{ name: 'the project name would change', code: 'E_POLICY', message: /the project would change from acme to acme-next/ },
    hint: /Report it to the maintainer/,
    cause: upgradeAfter(nothing, { project: 'acme-next' }),
  },
  {
    ...{
      name: 'a volume name would change',
      code: 'E_POLICY',
      message: /the volume of pgdata would change from acme_pgdata to acme_fresh/,
    },
    hint: /Report it to the maintainer/,
    cause: upgradeAfter(
      nothing,
      {},
      { ...PRODUCT_FILES, 'docker-compose.yml': COMPOSE.replace('  pgdata:\n', '  pgdata: { name: acme_fresh }\n') },
    ),
  },
  {
    ...{ name: 'the same file was changed here and by the release', code: 'E_CONFLICT', message: /both changed: configs\/api\.conf/ },
    hint: /--on-conflict mine/,
    cause: upgradeAfter(
      ({ root }) => writeFile(join(root, 'configs/api.conf'), 'mine\n'),
      {},
      { ...PRODUCT_FILES, 'configs/api.conf': 'new\n' },
    ),
  },
  {
    ...{
      name: 'a variable would be blank',
      code: 'E_PREFLIGHT',
      message: /NOBODY_SETS_THIS would be blank/,
      hint: /Give a value in \.env/,
    },
    cause: upgradeAfter(nothing, {}, { ...PRODUCT_FILES, 'docker-compose.yml': UNSET }),
  },
  {
    ...{ name: 'the release asks something new and nobody is there', code: 'E_ANSWER', message: /DOMAIN/, hint: /--set/ },
    cause: upgradeAfter(nothing, { env: { ...PRODUCT.env, DOMAIN: { ask: 'Public host name', type: 'hostname', required: true } } }),
  },
  {
    ...{ name: 'the machine does not do for it', code: 'E_PREFLIGHT', finding: 'old-docker', message: /is not >=99/ },
    hint: /Upgrade the Docker Engine/,
    cause: upgradeAfter(nothing, requiring({ docker: '>=99' })),
  },
  {
    ...{ name: 'it is older', code: 'E_POLICY', message: /1\.0\.0 is older than 1\.1\.0/, hint: /`restore` goes back to a backup/ },
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await scene.publish('1.1.0');
      await scene.install();
      return upgrading(scene, { to: '1.0.0' });
    },
  },
  {
    ...{ name: 'it failed here before', code: 'E_POLICY', message: /1\.1\.0 failed here before and is held/, hint: /--to 1\.1\.0/ },
    cause: upgradeAfter(({ root }) => rewrite(join(root, '.slipway/install.json'), /"held": \[\]/, '"held": ["1.1.0"]')),
  },
  {
    ...{ name: 'it cannot be reached from here', code: 'E_POLICY', message: /1\.1\.0 cannot be reached from 1\.0\.0: it takes >=1\.0\.5/ },
    hint: /No release of this channel leads there; ask the maintainer/,
    cause: async (scene) => {
      const attempt = await upgradeAfter(nothing)(scene);
      await announce(scene, ofLatest({ from: '>=1.0.5' }));
      return attempt;
    },
  },
  {
    ...{
      name: 'a release on the way must not be skipped, and was taken back',
      code: 'E_POLICY',
      message: /1\.0\.5 must not be skipped on the way to 1\.1\.0, and was taken back by its maintainer: it loses mail/,
      hint: /ask the maintainer/,
    },
    cause: upgradeAfter(async (scene) => {
      await scene.publish('1.0.5', { upgrade: { ...(PRODUCT.upgrade as Manifest['upgrade']), stop: true } });
      const taken = { status: 'yanked', reason: 'it loses mail' };
      await announce(scene, ({ releases }) => ({
        releases: releases.map((release) => (release.version === '1.0.5' ? { ...release, ...taken } : release)),
      }));
    }),
  },
  {
    ...{ name: 'an operation was cut off', code: 'E_OPEN_OPERATION', message: /./, hint: /recover/ },
    cause: upgradeAfter(async ({ root }) => {
      const [name = ''] = await readdir(join(root, '.slipway/history'));
      const journal = await readFile(join(root, '.slipway/history', name), 'utf8');
      await writeFile(join(root, '.slipway/journal.ndjson'), `${journal.split('\n').slice(0, 3).join('\n')}\n`);
    }),
  },
  {
    ...{
      name: 'another command is at work',
      code: 'E_LOCKED',
      message: new RegExp(`backup is at work here \\(process ${process.pid}, since`),
    },
    hint: /./,
    cause: upgradeAfter(async ({ root, context }) => {
      const lock = await takeLock({ path: lockPath(root), command: 'backup' }, quietWorld());
      context.onTestFinished(lock.release);
    }),
  },
  {
    ...{ name: 'containers of the project are of another folder', code: 'E_PROJECT_ELSEWHERE', finding: 'project-elsewhere' },
    message: /the compose project acme belongs to \/srv\/other/,
    hint: /Work in that folder/,
    cause: upgradeAfter(({ engine }) => {
      const [first] = engine.state().containers.values();
      Object.assign(first?.labels ?? {}, { 'com.docker.compose.project.working_dir': '/srv/other' });
    }),
  },
];

const FOLDERS: readonly Refusal[] = [
  {
    ...{ name: 'the folder was moved', code: 'E_POLICY', message: /was made at .*\/acme, but is at .*\/moved now: moved, or a copy\?/ },
    hint: /`relocate`, or move it back/,
    cause: async (scene) => {
      await installed(scene);
      await rename(scene.root, join(scene.place, 'moved'));
      return () => scene.run(status, { dir: join(scene.place, 'moved') });
    },
  },
  {
    ...{ name: 'the folder was copied', code: 'E_POLICY', message: /\/acme holds this install too: one of the two is a copy/ },
    hint: /install --project NAME --dir FOLDER/,
    cause: async (scene) => {
      await installed(scene);
      await cp(scene.root, join(scene.place, 'copy'), { recursive: true });
      return () => scene.run(relocate, { dir: join(scene.place, 'copy'), yes: true });
    },
  },
];

describe('an installed product is left alone, with the next step named, when', () => {
  it.for([...UPGRADES, ...FOLDERS])('$name', expectRefusal);
});
