// channel refresh: a channel file that is about to expire gets a new date. Rule: nothing else about it changes; run it on a schedule.
import { ToolError } from '../../model/error.ts';
import { type Command, type CommandResult, textFlag } from '../command.ts';
import { CHANNEL_FLAGS, carryOutEdit, readChannels } from './channel-edit.ts';
import { readProductFile } from './product-file.ts';

export const channel: Command = {
  name: 'channel',
  summary: 'give channel files a new date before they expire',
  usage: 'refresh',
  flags: CHANNEL_FLAGS,
  run: async (context) => {
    if (context.positionals.length !== 1 || context.positionals[0] !== 'refresh') {
      throw new ToolError('E_USAGE', 'channel refresh?', { hint: `See \`${context.program} channel --help\`.` });
    }
    const file = await readProductFile(context);
    const wanted = textFlag(context.flags, 'channel');
    const channels = (await readChannels(context, file)).filter((each) => wanted === undefined || each.channel === wanted);
    if (channels.length === 0) {
      throw new ToolError(
        'E_NOT_FOUND',
        wanted === undefined ? 'nothing is published yet' : `nothing is published in the channel ${wanted}`,
        {
          hint: 'Publish a release first.',
        },
      );
    }
    const results: CommandResult[] = [];
    for (const each of channels)
      results.push(await carryOutEdit(context, file, { command: 'channel refresh', channels: [each], release: null }));
    return { fields: { channels: results.map(({ fields }) => fields) }, text: results.map(({ text }) => text).join('') };
  },
};
