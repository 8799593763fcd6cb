// The operator command as a process of its own whose engine is fake and lives in the test's process. Rule: commands and files are the real ones; clock and
// random bytes stand still, so that two runs make the same system calls.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../src/cli.ts';
import type { Run } from '../../src/model/seams.ts';
import { openProcess } from '../../src/process.ts';
import { runProgram } from '../../src/world/run.ts';
import { distantEngine } from './engine-server.ts';

const engine = distantEngine(process.env.FAKE_ENGINE ?? '');
const run: Run = async (argv, options) => (argv[0] === 'docker' ? engine.run(argv, options) : runProgram(argv, options));
const entries = [
  { name: 'install', summary: 'install', load: async () => (await import('../../src/commands/operator/install.ts')).install },
  { name: 'upgrade', summary: 'upgrade', load: async () => (await import('../../src/commands/operator/upgrade.ts')).upgrade },
  { name: 'recover', summary: 'recover', load: async () => (await import('../../src/commands/operator/recover.ts')).recover },
  { name: 'restore', summary: 'restore', load: async () => (await import('../../src/commands/operator/restore.ts')).restore },
  { name: 'backup', summary: 'backup', load: async () => (await import('../../src/commands/operator/backup.ts')).backup },
  { name: 'status', summary: 'status', load: async () => (await import('../../src/commands/operator/status.ts')).status },
];
let slept = 0;

process.exitCode = await runCli(
  { name: 'acmectl', title: 'Acme', version: '1.0.0', file: fileURLToPath(import.meta.url), entries },
  process.argv.slice(2),
  (json) => ({
    ...openProcess(json),
    now: () => new Date(Date.parse('2026-03-16T10:00:00Z') + slept),
    random: (bytes) => createHash('shake256', { outputLength: bytes }).update('still').digest(),
    run,
    sleep: async (milliseconds) => {
      slept += milliseconds;
      await engine.wait(milliseconds);
    },
  }),
);
