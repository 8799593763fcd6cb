// slipway's entry. Rule: small, for it is loaded at every start; commands are loaded when they are called.
import { fileURLToPath } from 'node:url';
import { type CommandEntry, runCli } from './cli.ts';
import { openProcess } from './process.ts';

declare const SLIPWAY_VERSION: string;

const entries: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'a product to begin with, new or from a compose file that is there',
    load: async () => (await import('./commands/slipway/init.ts')).init,
  },
  {
    name: 'check',
    summary: 'everything that can be known of a product without side effects',
    load: async () => (await import('./commands/slipway/check.ts')).check,
  },
  { name: 'schema', summary: 'the JSON Schema of slipway.yaml', load: async () => (await import('./commands/slipway/schema.ts')).schema },
  { name: 'pack', summary: 'a signed bundle from a product', load: async () => (await import('./commands/slipway/pack.ts')).pack },
  {
    name: 'publish',
    summary: 'a packed release onto its hosts',
    load: async () => (await import('./commands/slipway/publish.ts')).publish,
  },
  {
    name: 'plan',
    summary: 'everything that the next release would do',
    load: async () => (await import('./commands/slipway/plan.ts')).plan,
  },
  {
    name: 'reserve',
    summary: 'a version, before anybody else takes it',
    load: async () => (await import('./commands/slipway/reserve.ts')).reserve,
  },
  {
    name: 'notes',
    summary: 'what a release tells the people who run it',
    load: async () => (await import('./commands/slipway/notes.ts')).notes,
  },
  {
    name: 'bump',
    summary: 'the next base version, and a changelog to fill in',
    load: async () => (await import('./commands/slipway/bump.ts')).bump,
  },
  {
    name: 'tag-all',
    summary: 'one tag on several repositories, or on none',
    load: async () => (await import('./commands/slipway/tag-all.ts')).tagAll,
  },
  {
    name: 'sync',
    summary: 'a branch goes forward to the one before it in the train: fast-forward only',
    load: async () => (await import('./commands/slipway/sync.ts')).sync,
  },
  {
    name: 'images',
    summary: 'the images of a product: list, lock, build and push, mirror, see what is newer',
    load: async () => (await import('./commands/slipway/images.ts')).images,
  },
  {
    name: 'release',
    summary: 'list published releases; yank, deprecate, limit, copy and import them',
    load: async () => (await import('./commands/slipway/release.ts')).release,
  },
  {
    name: 'channel',
    summary: 'give channel files a new date before they expire',
    load: async () => (await import('./commands/slipway/channel.ts')).channel,
  },
  {
    name: 'promote',
    summary: 'a prerelease becomes the release, without building again',
    load: async () => (await import('./commands/slipway/promote.ts')).promote,
  },
  { name: 'verify', summary: 'signatures and digests of files', load: async () => (await import('./commands/slipway/verify.ts')).verify },
  {
    name: 'ci',
    summary: 'workflows for GitHub and Gitea, and whether they are as the product file wants them',
    load: async () => (await import('./commands/slipway/ci.ts')).ci,
  },
  { name: 'keys', summary: 'make and show signing keys', load: async () => (await import('./commands/slipway/keys.ts')).keys },
];

const program = {
  name: 'slipway',
  title: 'Slipway: Docker Compose products as signed releases that install and upgrade in place.',
  version: SLIPWAY_VERSION,
  file: fileURLToPath(import.meta.url),
  entries,
};

process.exitCode = await runCli(program, process.argv.slice(2), openProcess);
