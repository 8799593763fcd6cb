// Fetches the channel file that an install follows, by the key that the host's statements lead to. Rule: the next host is asked only when one cannot be reached, never after a failed check.
import { CHANNEL_MAX_BYTES } from '../model/channel.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { ReleaseSource } from '../model/host.ts';
import { type Trust, type VerifiedChannel, verifyChannel } from '../model/trust.ts';
import { followKeys } from './key-chain.ts';

export interface ChannelRequest {
  /** In the order in which they are asked. */
  readonly sources: readonly ReleaseSource[];
  readonly product: string;
  readonly channel: string;
  readonly trust: Trust;
  readonly now: Date;
  readonly acceptExpired?: boolean;
}

export interface FetchedChannel extends VerifiedChannel {
  /** The host that answered: fetch releases from here. */
  readonly source: ReleaseSource;
}

/** The verified channel file. Throws E_NETWORK, E_NOT_FOUND, E_TOO_LARGE, and all that `verifyChannel` throws. */
export async function fetchChannel(request: ChannelRequest): Promise<FetchedChannel> {
  const { source, text, where, trust } = await readFirst(request, `channels/${request.channel}.signed.json`);
  return { ...verifyChannel(text, { ...request, trust, where }), source };
}

interface Answer {
  readonly source: ReleaseSource;
  readonly text: string;
  readonly where: string;
  /** With the key that the host's statements lead to. */
  readonly trust: Trust;
}

async function readFirst({ sources, product, trust: known }: ChannelRequest, path: string): Promise<Answer> {
  let unreachable: ToolError | undefined;
  for (const source of sources) {
    try {
      const [trust, bytes] = await Promise.all([followKeys(source, { product, trust: known }), source.read(path, CHANNEL_MAX_BYTES)]);
      if (bytes === undefined) throw absent(source, path);
      return { source, text: bytes.toString(), where: `${path} of ${source.label}`, trust };
    } catch (error) {
      if (!isToolError(error, 'E_NETWORK')) throw error;
      unreachable ??= error; // the first host is the one that people know
    }
  }
  throw unreachable ?? new ToolError('E_CONFIG', 'no release location is known', { hint: 'Name one with SLIPWAY_RELEASES.' });
}

function absent(source: ReleaseSource, path: string): ToolError {
  return new ToolError('E_NOT_FOUND', `${source.label} has no ${path}`, {
    hint: 'Check the release location and the name of the channel.',
  });
}
