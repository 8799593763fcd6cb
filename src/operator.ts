// The operator command's entry, shipped inside every bundle under the product's own name. Rule: it knows no product; what it says of one comes from the bundle.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandEntry, runCli } from './cli.ts';
import type { Command } from './commands/command.ts';
import { inKeptNetwork } from './commands/operator/site-network.ts';
import { openProcess } from './process.ts';

declare const SLIPWAY_VERSION: string;

const entries: readonly CommandEntry[] = [
  {
    name: 'install',
    summary: 'install a release on this machine',
    load: async () => (await import('./commands/operator/install.ts')).install,
  },
  {
    name: 'status',
    summary: 'what runs here, and what is newer',
    load: async () => (await import('./commands/operator/status.ts')).status,
  },
  { name: 'upgrade', summary: 'go to a newer release', load: async () => (await import('./commands/operator/upgrade.ts')).upgrade },
  {
    name: 'attach',
    summary: 'see what is being done here, from any terminal',
    load: async () => (await import('./commands/operator/attach.ts')).attach,
  },
  {
    name: 'recover',
    summary: 'end an operation that was cut off',
    load: async () => (await import('./commands/operator/recover.ts')).recover,
  },
  { name: 'backup', summary: 'make a backup; list, verify', load: async () => (await import('./commands/operator/backup.ts')).backup },
  { name: 'restore', summary: 'go back to a backup', load: async () => (await import('./commands/operator/restore.ts')).restore },
  {
    name: 'configure',
    summary: 'change answers and features',
    load: async () => (await import('./commands/operator/configure.ts')).configure,
  },
  { name: 'rotate', summary: 'give a secret a new value', load: async () => (await import('./commands/operator/rotate.ts')).rotate },
  {
    name: 'trust',
    summary: 'whose signature is believed',
    load: async () => (await import('./commands/operator/trust.ts')).trust,
  },
  { name: 'diff', summary: 'local changes against the release', load: async () => (await import('./commands/operator/diff.ts')).diff },
  { name: 'start', summary: 'start the services', load: async () => (await import('./commands/operator/daily.ts')).start },
  { name: 'stop', summary: 'stop the services; data stays', load: async () => (await import('./commands/operator/daily.ts')).stop },
  {
    name: 'restart',
    summary: 'give services new containers',
    load: async () => (await import('./commands/operator/restart.ts')).restart,
  },
  { name: 'logs', summary: 'the logs of the services', load: async () => (await import('./commands/operator/daily.ts')).logs },
  {
    name: 'history',
    summary: 'what was done here, and how it ended',
    load: async () => (await import('./commands/operator/history.ts')).history,
  },
  {
    name: 'uninstall',
    summary: 'take the product off this machine; data stays unless told',
    load: async () => (await import('./commands/operator/uninstall.ts')).uninstall,
  },
  {
    name: 'relocate',
    summary: 'take up an install whose folder was moved',
    load: async () => (await import('./commands/operator/relocate.ts')).relocate,
  },
  {
    name: 'adopt',
    summary: 'take over an install made by older scripts, by hand or from git',
    load: async () => (await import('./commands/operator/adopt.ts')).adopt,
  },
  {
    name: 'doctor',
    summary: 'is this machine fit, and the install sound',
    load: async () => (await import('./commands/operator/doctor.ts')).doctor,
  },
  {
    name: 'support-bundle',
    summary: 'logs, versions and history in one file, without secrets',
    load: async () => (await import('./commands/operator/support-bundle.ts')).supportBundle,
  },
];

const file = fileURLToPath(import.meta.url);
const identity = readIdentity(file, process.argv);
/** Every command works in the network that the install keeps, can be looked at from another terminal, and tells who is in its way. */
const wrapped = entries.map((entry) => ({ ...entry, load: () => load(entry) }));
const program = { ...identity, version: SLIPWAY_VERSION, file, entries: wrapped };

process.exitCode = await runCli(program, process.argv.slice(2), openProcess);

async function load(entry: CommandEntry): Promise<Command> {
  const { keepProgress } = await import('./commands/operator/keep-progress.ts');
  const { toldWhoWorks } = await import('./commands/operator/who-works.ts');
  return keepProgress(toldWhoWorks(inKeptNetwork(await entry.load())));
}

/** The product's name for this command: from the bundle around it, or from install.sh, which knows it before there is one. */
function readIdentity(path: string, argv: readonly string[]): { name: string; title: string } {
  for (const folder of [dirname(path), join(dirname(path), '..', '..')]) {
    const found = readBundle(join(folder, 'bundle.json'));
    if (found !== undefined) return found;
  }
  const given = (flag: string): string | undefined => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
  return { name: given('--cli') ?? 'operator', title: given('--title') ?? 'Operator command' };
}

/** Only two words of it are used, and only to be printed: whatever cannot be read is as good as absent. */
function readBundle(path: string): { name: string; title: string } | undefined {
  try {
    const bundle: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof bundle !== 'object' || bundle === null || !('cli' in bundle) || !('title' in bundle)) return undefined;
    return { name: String(bundle.cli), title: String(bundle.title) };
  } catch {
    return undefined;
  }
}
