// The systemd units of an install: the backup of every day or week, and `recover` at boot. Rule: pure text; each names its install, so that one's own can be told from another's.
import type { Digest } from './digest.ts';
import { ToolError } from './error.ts';
import { installMark, launcherFolder } from './launcher.ts';
import type { Schedule } from './schedule.ts';

/** Units of the machine, or of one account. */
export type UnitScope = 'system' | 'user';

export interface UnitFacts {
  readonly title: string;
  /** How units are called: `acmectl`. */
  readonly name: string;
  /** The install folder; absolute. */
  readonly folder: string;
  /** What starts the operator program: the launcher, or Node.js and the program. Absolute paths. */
  readonly command: readonly string[];
  readonly scope: UnitScope;
  /** The engine, where it is not the usual one. */
  readonly dockerHost?: string;
}

export interface Unit {
  readonly name: string;
  readonly text: string;
  /** Switched on; a service that a timer starts is not. */
  readonly enabled: boolean;
}

/** A unit as it will be: `content` null = it goes, absent = its file stays as it is. */
export interface UnitToSet {
  readonly name: string;
  readonly content?: Digest | null;
  readonly enabled: boolean;
}

/** The name of an install's units: its command, and its project where that is another than the product's own. */
export function unitsName({ cli, project, usual }: { readonly cli: string; readonly project: string; readonly usual: string }): string {
  const plain = cli.replace(/[^A-Za-z0-9._-]/g, '-');
  return project === usual ? plain : `${plain}-${project}`;
}

/** The pair that makes backups by itself. */
export function backupUnits(facts: UnitFacts, schedule: Schedule): Unit[] {
  const day = schedule === 'daily' ? '*-*-*' : 'Sun *-*-*';
  const service = `${facts.name}-backup.service`;
  return [
    {
      name: service,
      enabled: false,
      text: unitText(facts, [
        ...head(facts, `Backup of ${facts.title}`),
        `After=${facts.name}-recover.service`,
        ...serviceLines(facts, ['backup', '--scheduled']),
      ]),
    },
    {
      name: `${facts.name}-backup.timer`,
      enabled: true,
      text: unitText(facts, [
        '[Unit]',
        `Description=${plain(`Backup of ${facts.title} (${schedule})`)}`,
        '',
        '[Timer]',
        `OnCalendar=${day} 03:00:00`,
        'RandomizedDelaySec=1h',
        'Persistent=true',
        `Unit=${service}`,
        '',
        '[Install]',
        'WantedBy=timers.target',
      ]),
    },
  ];
}

/** The unit that ends at boot what was cut off; without an open journal it does nothing. */
export function recoverUnit(facts: UnitFacts): Unit {
  return {
    name: `${facts.name}-recover.service`,
    enabled: true,
    text: unitText(facts, [
      ...head(facts, `Ends what was cut off: ${facts.title}`),
      `ConditionPathExists=${plain(`${facts.folder}/.slipway/journal.ndjson`)}`,
      ...serviceLines(facts, ['recover', '--yes']),
      '',
      '[Install]',
      `WantedBy=${facts.scope === 'system' ? 'multi-user.target' : 'default.target'}`,
    ]),
  };
}

/** The line for a table of cron, where there is no systemd. */
export function cronLine({ folder, command }: Pick<UnitFacts, 'folder' | 'command'>, schedule: Schedule): string {
  const words = [...command, 'backup', '--scheduled', '--dir', folder];
  const quote = (word: string): string => (/^[A-Za-z0-9_./:=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return `17 3 * * ${schedule === 'daily' ? '*' : '0'} ${words.map(quote).join(' ').replaceAll('%', '\\%')}`;
}

/** The install folder of a unit of ours, or undefined when the text is none. */
export function unitFolder(text: string): string | undefined {
  return launcherFolder(`#!/bin/sh\n${text}`);
}

function head({ folder, scope }: UnitFacts, description: string): string[] {
  const engine = scope === 'system' ? ['Wants=docker.service network-online.target', 'After=docker.service network-online.target'] : [];
  return ['[Unit]', `Description=${plain(description)}`, `RequiresMountsFor=${quoted(folder)}`, ...engine];
}

function serviceLines({ folder, command, scope, dockerHost }: UnitFacts, words: readonly string[]): string[] {
  const [program = '', ...rest] = isStartable(command[0] ?? '') ? command : ['/usr/bin/env', ...command];
  return [
    '',
    '[Service]',
    'Type=oneshot',
    ...(scope === 'system' ? ['User=root'] : []),
    ...(dockerHost === undefined ? [] : [`Environment=${quoted(`DOCKER_HOST=${dockerHost}`)}`]),
    `ExecStart=${quoted(program)} ${[...rest, ...words, '--dir', folder].map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')}`,
  ];
}

/** systemd starts no program with a quote or a backslash in its path. */
function isStartable(program: string): boolean {
  return !/["'\\]/.test(program);
}

function unitText({ folder }: UnitFacts, lines: readonly string[]): string {
  return `# Written by the installer, removed by uninstall. Changes belong into \`systemctl edit\`.\n${installMark(folder)}\n${lines.join('\n')}\n`;
}

/** Text that systemd takes to the end of the line (systemd.unit(5): only `%` is special). */
function plain(text: string): string {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) || text.trim() !== text || text.endsWith('\\')) {
    throw new ToolError('E_CONFIG', `${JSON.stringify(text)} cannot be in a systemd unit`, {
      hint: 'Leave the units out: --at-boot off --backups off.',
    });
  }
  return text.replaceAll('%', '%%');
}

/** One word (systemd.syntax(7), Quoting). */
function quoted(word: string): string {
  const text = plain(word);
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
