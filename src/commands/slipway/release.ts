// release: what installs are told of published releases. Rule: the assets stay as they are; only the signed channel file changes, and it says why.

import type { ChannelRelease } from '../../model/channel.ts';
import type { ReleaseEdit } from '../../model/channel-edit.ts';
import { ToolError } from '../../model/error.ts';
import { isRange } from '../../model/version.ts';
import { type Command, type CommandResult, type Context, textFlag } from '../command.ts';
import { CHANNEL_FLAGS, carryOutEdit, readChannels } from './channel-edit.ts';
import { HOST_FLAGS, readProductFile } from './product-file.ts';
import { copyReleases } from './release-copy.ts';
import { importRelease } from './release-import.ts';

const VERBS = ['list', 'yank', 'deprecate', 'limit', 'restore'] as const;
type Verb = (typeof VERBS)[number];

export const release: Command = {
  name: 'release',
  summary: 'list published releases; yank, deprecate, limit and copy them',
  usage: 'list | yank V | deprecate V | limit V --not-from RANGE | restore V | copy --from A --to B | import FILE --as V',
  flags: {
    reason: { type: 'string', value: 'TEXT', help: 'why; people see it (yank, deprecate, limit)' },
    'not-from': { type: 'string', value: 'RANGE', help: 'limit: the versions that must not upgrade to it directly' },
    as: { type: 'string', value: 'V', help: 'import: the version that it is' },
    tag: { type: 'string', value: 'TAG', help: 'import: its tag (default: by release.tag)' },
    from: { type: 'string', value: 'HOST', help: 'copy: the host that has the releases' },
    only: { type: 'string', value: 'V', help: 'copy: this version alone, without channel files' },
    resume: { type: 'boolean', help: 'copy: go on with what was cut off, as it does by itself' },
    ...HOST_FLAGS,
    ...CHANNEL_FLAGS,
  },
  run: async (context) => {
    const [verb, version, ...rest] = context.positionals;
    if (verb === 'copy' && version === undefined) return copyReleases(context);
    if (verb === 'import' && version !== undefined && rest.length === 0) return importRelease(context, version);
    const known = VERBS.find((each) => each === verb);
    if (known === undefined || rest.length > 0 || (known === 'list') !== (version === undefined)) {
      throw new ToolError('E_USAGE', `release ${VERBS.join(', release ')}?`, { hint: `See \`${context.program} release --help\`.` });
    }
    return version === undefined ? listReleases(context) : editRelease(context, known, version);
  },
};

async function listReleases(context: Context): Promise<CommandResult> {
  const file = await readProductFile(context);
  const wanted = textFlag(context.flags, 'channel');
  const channels = (await readChannels(context, file)).filter(({ channel }) => wanted === undefined || channel === wanted);
  const releases = channels.flatMap(({ channel, latest, releases: all }) =>
    all.map(({ version, tag, published, from, stop, status, reason }) => {
      return { channel, version, tag, published, from, stop, status, reason, latest: version === latest };
    }),
  );
  const line = (each: (typeof releases)[number]): string => {
    const marks = [
      each.latest ? 'latest' : '',
      each.stop ? 'stop' : '',
      each.status === 'live' ? '' : `${each.status}: ${each.reason ?? ''}`,
    ];
    return `${each.channel}  ${each.version}  ${each.published}  from ${each.from}  ${marks.filter((mark) => mark !== '').join(', ')}`.trimEnd();
  };
  const text = releases.map((each) => `${line(each)}\n`).join('');
  return { fields: { releases }, text: text === '' ? 'Nothing is published yet.\n' : text };
}

async function editRelease(context: Context, verb: Verb, version: string): Promise<CommandResult> {
  const file = await readProductFile(context);
  const reason = reasonFor(context, verb);
  const channels = await readChannels(context, file);
  const found = channels.flatMap((channel) =>
    channel.releases.filter((each) => each.version === version).map((each) => ({ channel, each })),
  );
  const chosen = found.filter(({ channel }) => (textFlag(context.flags, 'channel') ?? channel.channel) === channel.channel);
  const [first] = chosen;
  if (first === undefined) {
    throw new ToolError('E_NOT_FOUND', `${version} is not published`, { hint: `See \`${context.program} release list\`.` });
  }
  const edit = editOf(context, verb, { release: first.each, reason });
  return carryOutEdit(context, file, { command: `release ${verb}`, channels: chosen.map(({ channel }) => channel), release: edit });
}

function reasonFor(context: Context, verb: Verb): string | null {
  const reason = textFlag(context.flags, 'reason')?.trim();
  if (verb === 'restore') return null;
  if (reason) return reason;
  throw new ToolError('E_USAGE', `release ${verb} needs --reason`, { hint: 'Say in a sentence why: people who run it read it.' });
}

function editOf(
  context: Context,
  verb: Verb,
  { release: { version, from }, reason }: { release: ChannelRelease; reason: string | null },
): ReleaseEdit {
  const notFrom = textFlag(context.flags, 'not-from');
  if ((verb === 'limit') !== (notFrom !== undefined)) {
    throw new ToolError('E_USAGE', verb === 'limit' ? 'release limit needs --not-from RANGE' : '--not-from is for release limit', {
      hint: 'For example --not-from "<2.0.0".',
    });
  }
  if (verb === 'yank') return { version, status: 'yanked', reason };
  if (verb === 'deprecate') return { version, status: 'deprecated', reason };
  if (notFrom === undefined) return { version, status: 'live', reason };
  return { version, status: 'limited', reason, from: without(from, notFrom) };
}

/** Ranges have no "not", so a limit is one comparison, turned round. */
function without(from: string, notFrom: string): string {
  const match = /^(<=?)\s*(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(notFrom.trim());
  const opposite = match === null ? undefined : `${match[1] === '<' ? '>=' : '>'}${match[2]}`;
  if (opposite === undefined || !isRange(opposite)) {
    throw new ToolError('E_USAGE', `--not-from ${JSON.stringify(notFrom)} is not of the form <X.Y.Z or <=X.Y.Z`, {
      hint: 'Older versions are what a release may have to be kept from.',
    });
  }
  return from.trim() === '*' ? opposite : `${from} ${opposite}`;
}
