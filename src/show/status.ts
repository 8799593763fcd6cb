// The status of an install as a person reads it. Rule: the first line answers "is it well?", the rest says why.
import type { Standing } from '../model/standing.ts';

export interface ServiceLine {
  readonly name: string;
  readonly state: string;
  readonly health: string;
  readonly image: string;
  readonly digest: string | null;
}

export interface StatusView {
  readonly product: string;
  readonly title: string;
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
}

/** The lines of `status`. */
export function statusToText(view: StatusView): string {
  const lines = [`${view.title} ${view.version} (${view.channel}) at ${view.folder}: ${verdict(view)}`];
  const widths = columns(view.services);
  for (const service of view.services)
    lines.push(
      `  ${service.name.padEnd(widths.name)}  ${service.state.padEnd(widths.state)}  ${service.health.padEnd(widths.health)}  ${service.image}`,
    );
  if (view.services.length === 0) lines.push('  no containers');
  if (view.openOperation !== null) lines.push(`An ${view.openOperation.command} of ${view.openOperation.at} was cut off: run \`recover\`.`);
  if (view.standing !== null) lines.push(standingToText(view.standing, view.version));
  if (view.available.length > 0) lines.push(`Newer: ${view.available.join(', ')}. \`upgrade\` takes the latest.`);
  if (view.remoteTrouble !== undefined) lines.push(`Newer releases are not known: ${view.remoteTrouble}`);
  if (view.held.length > 0) lines.push(`Held, because they failed here: ${view.held.join(', ')}`);
  for (const edit of view.localEdits) lines.push(`Changed by you: ${edit.path} (${edit.change})`);
  return `${lines.join('\n')}\n`;
}

function verdict(view: StatusView): string {
  if (view.openOperation !== null) return 'an operation is open';
  if (view.services.length === 0) return 'stopped';
  const bad = view.services.filter((service) => service.state !== 'running' && service.health !== 'done');
  const sick = view.services.filter((service) => service.health === 'unhealthy');
  if (bad.length === 0 && sick.length === 0) return 'all well';
  return `not well (${[...new Set([...bad, ...sick].map((service) => service.name))].join(', ')})`;
}

function columns(services: readonly ServiceLine[]): { name: number; state: number; health: number } {
  const widest = (key: 'name' | 'state' | 'health'): number => Math.max(0, ...services.map((service) => service[key].length));
  return { name: widest('name'), state: widest('state'), health: widest('health') };
}

function standingToText({ status, reason }: Standing, version: string): string {
  const why = reason === null ? '' : `: ${reason}`;
  if (status === 'replaced')
    return `${version} was replaced by its maintainer after it was installed here${why}. Take the next version when there is one.`;
  return `${version} was ${status === 'yanked' ? 'taken back' : 'deprecated'} by its maintainer${why}`;
}
