// The plan of a release for people: as text, and as a comment on a pull request. Rule: the same plan gives the same words; names of others cannot break out of their place.
import { sizeToText } from '../model/units.ts';
import type { ReleasePlan } from './release-plan.ts';

/** Markdown: headings, lists, and the notes at the end. */
export function releasePlanToMarkdown(plan: ReleasePlan): string {
  const parts = [
    `## Next release: ${code(plan.tag)}`,
    summaryOf(plan, code),
    ...sectionsOf(plan, code).map(({ title, lines }) => `### ${title}\n\n${lines.map((line) => `- ${line}`).join('\n')}`),
  ];
  const notes = plan.notes.trim() === '' ? [] : [`<details><summary>Notes of the release</summary>\n\n${plan.notes.trim()}\n\n</details>`];
  return `${[...parts, ...notes].join('\n\n')}\n`;
}

/** The same as plain lines. */
export function releasePlanToText(plan: ReleasePlan): string {
  const plain = (text: string): string => text;
  const lines = [`The next release: ${plan.tag}`, summaryOf(plan, plain)];
  for (const section of sectionsOf(plan, plain)) lines.push(section.title, ...section.lines.map((line) => `  ${line}`));
  const notes =
    plan.notes.trim() === ''
      ? []
      : [
          'Notes',
          ...plan.notes
            .trim()
            .split('\n')
            .map((line) => `  ${line}`.trimEnd()),
        ];
  return `${[...lines, ...notes].join('\n')}\n`;
}

type Quote = (text: string) => string;

interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

function summaryOf({ channel, commit, since, size, files }: ReleasePlan, quote: Quote): string {
  const from = since === null ? 'It is the first one.' : `Compared with ${quote(since)}.`;
  const at = commit === null ? 'no commit' : quote(commit.slice(0, 12));
  const amount = `${files.total} files (${sizeToText(size.files)}), images ${sizeToText(size.images)}, of which ${sizeToText(size.toFetch)} are new to installs`;
  return `Channel ${quote(channel)}, from ${at}. ${from} ${amount}.`;
}

function sectionsOf(plan: ReleasePlan, quote: Quote): Section[] {
  const { changes } = plan;
  const all: Section[] = [
    { title: 'Problems', lines: plan.problems.map(({ severity, message }) => `${severity}: ${oneLine(message)}`) },
    { title: 'Hosts', lines: plan.hosts.map((host) => hostLine(host, quote)) },
    { title: 'Channels', lines: plan.channels.map(({ name, before, after }) => `${quote(name)}: ${moveText(before, after, quote)}`) },
    { title: 'Images', lines: plan.images.map((image) => imageLine(image, quote)) },
    { title: 'Settings', lines: settingLines(plan, quote) },
    { title: 'Files', lines: changeLines(plan.files, quote) },
    { title: 'Services', lines: changes === null ? [] : changeLines(changes.services, quote) },
    { title: 'Ports', lines: changes === null ? [] : changeLines(changes.ports, quote) },
    { title: 'Data', lines: changes === null ? [] : changeLines(changes.volumes, quote) },
    { title: 'Paths of the host', lines: changes === null ? [] : changeLines(changes.hostPaths, quote) },
    { title: 'Migrations', lines: changes === null ? [] : changes.migrations.map((command) => quote(command)) },
    { title: 'Upgrades', lines: upgradeLines(plan, quote) },
  ];
  return all.filter(({ lines }) => lines.length > 0);
}

function hostLine({ name, authority, outcome, problems }: ReleasePlan['hosts'][number], quote: Quote): string {
  const said = { publish: 'gets the release', 'published-already': 'has this version already', unreachable: 'could not be looked at' }[
    outcome
  ];
  const why = problems.length === 0 ? '' : `: ${problems.map(oneLine).join('; ')}`;
  return `${quote(name)} ${said}${authority ? ', and decides' : ''}${why}`;
}

function moveText(before: string | null, after: string | null, quote: Quote): string {
  if (before === after) return `latest stays ${quote(before ?? 'nothing')}`;
  return before === null ? `latest becomes ${quote(after ?? '')}` : `latest goes from ${quote(before)} to ${quote(after ?? '')}`;
}

function imageLine({ name, reference, digest, change }: ReleasePlan['images'][number], quote: Quote): string {
  if (digest === null) return `${quote(name)}: ${quote(reference)} is not in its registry yet`;
  return `${quote(name)}: ${change}, ${quote(reference)} ${quote(digest.slice(0, 19))}`;
}

function settingLines({ env, changes }: ReleasePlan, quote: Quote): string[] {
  const asked = new Set(changes?.required ?? []);
  return [
    ...env.added.map((name) => `new: ${quote(name)}${asked.has(name) ? ', and people must answer it' : ''}`),
    ...env.changed.map((name) => `changed: ${quote(name)}`),
    ...env.removed.map((name) => `gone: ${quote(name)}`),
  ];
}

function changeLines(
  changes: { readonly added: readonly string[]; readonly changed?: readonly string[]; readonly removed: readonly string[] },
  quote: Quote,
): string[] {
  const { added, changed = [], removed } = changes;
  return [
    ...added.map((name) => `new: ${quote(name)}`),
    ...changed.map((name) => `changed: ${quote(name)}`),
    ...removed.map((name) => `gone: ${quote(name)}`),
  ];
}

function upgradeLines({ upgrade, withdrawn }: ReleasePlan, quote: Quote): string[] {
  const from = upgrade.from === '*' ? [] : [`from ${quote(upgrade.from)}`];
  const stop = upgrade.stop ? ['no upgrade may skip this release'] : [];
  const others = withdrawn.map(
    ({ version, status, reason }) => `${quote(version)} is ${status}${reason === null ? '' : `: ${oneLine(reason)}`}`,
  );
  return [...from, ...stop, ...others];
}

function code(text: string): string {
  return `\`${oneLine(text).replaceAll('`', "'")}\``;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('<', '&lt;').trim();
}
