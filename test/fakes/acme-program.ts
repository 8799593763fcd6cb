// The operator command of a small product as a process at a real terminal, bundled by tests; its engine is fake and kept in a file between runs.
// Rule: commands, questions, checks and screens are the real ones; clock and random bytes stand still, so that screens can be compared.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { runCli } from '../../src/cli.ts';
import { keepProgress } from '../../src/commands/operator/keep-progress.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Run } from '../../src/model/seams.ts';
import { openProcess } from '../../src/process.ts';
import { runProgram } from '../../src/world/run.ts';
import { fakeEngine, isEffect } from './engine.ts';
import type { EngineState, FakeImage } from './engine-state.ts';

const IMAGES: readonly FakeImage[] = ['web', 'db'].map((name) => ({
  id: digestOf(`config of ${name}`),
  pinned: `registry.test/acme/${name}:1.0.0@${digestOf(`manifest of ${name}`)}`,
  program: name,
}));
const KEPT = process.env.FAKE_ENGINE ?? '';

const engine = fakeEngine({
  images: IMAGES,
  programs: { web: { version: 'web', healthyAfter: 2 }, db: { version: 'db', healthyAfter: 2 } },
});
if (existsSync(KEPT)) engine.restore(deserialize(readFileSync(KEPT)) as EngineState);
let used = false;
process.on('exit', () => {
  if (KEPT !== '' && used) writeFileSync(KEPT, serialize(engine.snapshot()));
});

const client = engine.client();
/** While this file is there the engine finishes nothing that it is asked to change. */
const HOLD = process.env.FAKE_HOLD ?? '';
const run: Run = async (argv, options) => {
  if (argv[0] !== 'docker') return runProgram(argv, options);
  used = true;
  while (isEffect(argv) && existsSync(HOLD)) await pause(20);
  return client(argv, options);
};
const entries = [
  {
    name: 'attach',
    summary: 'see what is being done here, from any terminal',
    load: async () => (await import('../../src/commands/operator/attach.ts')).attach,
  },
  {
    name: 'install',
    summary: 'install a release on this machine',
    load: async () => (await import('../../src/commands/operator/install.ts')).install,
  },
  {
    name: 'configure',
    summary: 'change answers and features',
    load: async () => (await import('../../src/commands/operator/configure.ts')).configure,
  },
  {
    name: 'status',
    summary: 'what runs here, and what is newer',
    load: async () => (await import('../../src/commands/operator/status.ts')).status,
  },
  {
    name: 'upgrade',
    summary: 'go to a newer release',
    load: async () => (await import('../../src/commands/operator/upgrade.ts')).upgrade,
  },
  {
    name: 'uninstall',
    summary: 'take the product off this machine',
    load: async () => (await import('../../src/commands/operator/uninstall.ts')).uninstall,
  },
];

const kept = entries.map((entry) => ({ ...entry, load: async () => keepProgress(await entry.load()) }));
process.exitCode = await runCli(
  { name: 'acmectl', title: 'Acme Platform', version: '1.0.0', file: fileURLToPath(import.meta.url), entries: kept },
  process.argv.slice(2),
  (json) => ({
    ...openProcess(json),
    now: () => new Date('2026-03-16T10:00:00Z'),
    random: (bytes) => createHash('shake256', { outputLength: bytes }).update('still').digest(),
    run,
    sleep: async (milliseconds) => {
      if (HOLD !== '') await pause(milliseconds);
      engine.wait(milliseconds);
    },
  }),
);
