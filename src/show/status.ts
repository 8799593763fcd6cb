// The status of an install as a person reads it. Rule: the first line answers "is it well?", the rest says why, in 80 columns, and every trouble names the command that helps.
import type { Standing } from '../model/standing.ts';
import { columnsToText } from './columns.ts';

export interface ServiceLine {
  readonly name: string;
  readonly state: string;
  readonly health: string;
  readonly image: string;
  readonly digest: string | null;
  /** When it was started; absent when it does not run. */
  readonly since?: string;
}

export interface StatusView {
  readonly product: string;
  readonly title: string;
  /** How the command is called. */
  readonly cli: string;
  readonly version: string;
  readonly channel: string;
  readonly folder: string;
  readonly available: readonly string[];
  /** What the maintainer says of the installed release by now. */
  readonly standing: Standing | null;
  /** Why newer versions are not known. */
  readonly remoteTrouble: string | undefined;
  readonly services: readonly ServiceLine[];
  readonly openOperation: { readonly command: string; readonly at: string } | null;
  readonly localEdits: readonly { readonly path: string; readonly change: string }[];
  readonly held: readonly string[];
  /** Service → the release that its image is of, where that is not the installed one; null = all are of one release. */
  readonly mixed?: Readonly<Record<string, string>> | null;
  /** Volumes with data of earlier releases that a person has not let go. */
  readonly keptVolumes?: readonly { readonly volume: string; readonly name: string; readonly version: string }[];
  /** True for a git checkout. */
  readonly source?: boolean;
  readonly lastBackup: string | null;
  readonly backups: number;
  /** How often backups are made by themselves. */
  readonly schedule?: string | null;
  /** What the last one of those failed of. */
  readonly backupFailure?: { readonly at: string; readonly message: string } | null;
  readonly now: string;
  /** Services that the site replaced by servers of its own. */
  readonly ownServers?: readonly string[];
  /** The site's own registry; null = images come from the product's. */
  readonly registry?: string | null;
  /** How releases are fetched; null = directly. */
  readonly network?: string | null;
}

const WIDTH = 80;

/** The lines of `status`. */
export function statusToText(view: StatusView): string {
  const parts = [
    `${view.title} ${view.version} (${view.channel}) at ${view.folder}: ${verdict(view)}\n`,
    servicesToText(view),
    factsToText(view),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function servicesToText({ services, now, cli }: StatusView): string {
  if (services.length === 0) return `  no containers; \`${cli} start\` starts them\n`;
  const rows = services.map(({ name, state, health, since }) => [name, state, health, since === undefined ? '-' : ageToText(since, now)]);
  const table = columnsToText([
    ['SERVICE', 'STATE', 'HEALTH', 'SINCE', 'IMAGE'],
    ...rows.map((row, index) => [...row, shortImage(services[index]?.image ?? '')]),
  ]);
  return table
    .split('\n')
    .slice(0, -1)
    .map((line) => `${cutToWidth(`  ${line}`)}\n`)
    .join('');
}

/** What there is to say besides the services: a word in front of each line, its details below each other. */
function factsToText(view: StatusView): string {
  const { openOperation: open, standing, available, remoteTrouble, held, localEdits, cli } = view;
  const rows: (readonly [string, string])[] = [];
  if (open !== null) rows.push(['Open', `the ${open.command} of ${open.at} was cut off: \`${cli} recover\` ends it`]);
  if (standing !== null) rows.push(['Told', standingToText(standing, view.version)]);
  for (const [index, text] of mixedToText(view).entries()) rows.push([index === 0 ? 'Mixed' : '', text]);
  if (view.source === true) rows.push(['Source', 'a git checkout: `upgrade` goes forward to the commit of the release']);
  const [newest, ...older] = available;
  if (newest !== undefined)
    rows.push([
      'Newer',
      `${newest}${older.length === 0 ? '' : ` (and ${older.slice(0, 4).join(', ')})`}: \`${cli} upgrade\` takes the latest`,
    ]);
  else if (remoteTrouble !== undefined) rows.push(['Newer', `not known: ${remoteTrouble}`]);
  if (held.length > 0) rows.push(['Held', `${held.join(', ')}, for it failed here`]);
  if (view.lastBackup !== null)
    rows.push(['Backup', `${agoToText(view.lastBackup, view.now)}${view.backups > 1 ? `, ${view.backups} are kept` : ''}`]);
  for (const { volume, name, version } of view.keptVolumes ?? [])
    rows.push(['Kept', `${name} of ${version}: \`${cli} backup forget ${volume}\` lets it go`]);
  const late = lateBackup(view);
  if (view.backupFailure !== null && view.backupFailure !== undefined)
    rows.push(['Failed', `the backup of ${view.backupFailure.at}: ${view.backupFailure.message}; \`${cli} backup\` makes one now`]);
  else if (late !== undefined) rows.push(['Failed', `${late}; \`${cli} backup\` makes one now`]);
  const { ownServers = [], registry = null, network = null } = view;
  if (registry !== null) rows.push(['Images', `from ${registry}`]);
  if (network !== null) rows.push(['Fetched', network]);
  if (ownServers.length > 0) rows.push(['Yours', `${ownServers.join(', ')}: your own server, not backed up by us`]);
  localEdits.forEach(({ path, change }, index) => void rows.push([index === 0 ? 'By you' : '', `${path} (${change})`]));
  const width = Math.max(0, ...rows.map(([word]) => word.length));
  return rows.map(([word, text]) => `  ${word.padEnd(width)}  ${text}\n`).join('');
}

/** A line for each release that images are of, and one for the way out. */
function mixedToText({ mixed, version, cli }: StatusView): string[] {
  const services = Object.entries(mixed ?? {});
  if (services.length === 0) return [];
  const lines = [...new Set(services.map(([, of]) => of))].map(
    (of) => `images of ${of}: ${services.flatMap(([name, its]) => (its === of ? name : [])).join(', ')}`,
  );
  return [...lines, `all else is ${version}; \`${cli} upgrade\` ends it`];
}

/** A timer that was due and left no backup: it does not run, or what it runs cannot say so. */
function lateBackup({ schedule = null, lastBackup, now }: StatusView): string | undefined {
  if (schedule === null || lastBackup === null) return undefined;
  const days = schedule === 'weekly' ? 8 : 2;
  const isLate = Date.parse(now) - Date.parse(lastBackup) > days * 86_400_000;
  return isLate ? `the ${schedule} backup was not made for ${ageToText(lastBackup, now)}` : undefined;
}

function verdict(view: StatusView): string {
  if (view.openOperation !== null) return 'an operation is open';
  if (view.services.length === 0) return 'stopped';
  const bad = view.services.filter((service) => service.state !== 'running' && service.health !== 'done');
  const sick = view.services.filter((service) => service.health === 'unhealthy');
  if (bad.length === 0 && sick.length === 0) return 'all well';
  const names = [...new Set([...bad, ...sick].map((service) => service.name))];
  return `not well (${names.join(', ')}); \`${view.cli} doctor\` says more`;
}

/** `registry.example/acme/api:1.0.0` → `acme/api:1.0.0`. */
function shortImage(image: string): string {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && /[.:]|^localhost$/.test(first) ? rest.join('/') : image;
}

/** `5 minutes`, `3 hours`, `12 days`, or `just now` below a minute. */
export function ageToText(then: string, now: string): string {
  const minutes = Math.max(0, Math.floor((Date.parse(now) - Date.parse(then)) / 60_000));
  if (minutes === 0) return 'just now';
  const [amount, unit] =
    minutes < 120 ? [minutes, 'minute'] : minutes < 2880 ? [Math.floor(minutes / 60), 'hour'] : [Math.floor(minutes / 1440), 'day'];
  return Number.isNaN(amount) ? '-' : `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

function agoToText(then: string, now: string): string {
  const age = ageToText(then, now);
  return /^\d/.test(age) ? `${age} ago` : age;
}

function cutToWidth(line: string): string {
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`;
}

function standingToText({ status, reason }: Standing, version: string): string {
  const why = reason === null ? '' : `: ${reason}`;
  if (status === 'replaced')
    return `${version} was replaced by its maintainer after it was installed here${why}. Take the next version when there is one.`;
  return `${version} was ${status === 'yanked' ? 'taken back' : 'deprecated'} by its maintainer${why}`;
}
