// Which release of a channel a person means, and whether it may be installed at all. Rule: what its maintainer took back is never installed, whoever asks for it.
import type { Channel, ChannelRelease } from './channel.ts';
import { ToolError } from './error.ts';

/** The release to install: the version that was asked for, else the channel's latest. Throws E_NOT_FOUND or E_POLICY for a yanked one. */
export function chooseRelease(channel: Channel, version: string | undefined): ChannelRelease {
  const wanted = version ?? channel.latest;
  const release = channel.releases.find((each) => each.version === wanted);
  if (release === undefined) {
    throw new ToolError('E_NOT_FOUND', `${channel.channel} has no release ${wanted ?? 'yet'}`, {
      hint: `It has: ${channel.releases.map((each) => each.version).join(', ') || 'nothing'}.`,
    });
  }
  const obstacle = obstacleOf(release);
  if (obstacle === undefined) return release;
  throw new ToolError('E_POLICY', `${release.version} ${obstacle}`, {
    hint: release.imported === true ? 'Choose a newer version.' : 'Choose another version.',
  });
}

/** Why nobody installs this release, to follow its version in a sentence; undefined when it may be installed. */
export function obstacleOf({ status, reason, imported }: ChannelRelease): string | undefined {
  if (status === 'yanked') return `was taken back by its maintainer: ${reason ?? 'no reason given'}`;
  return imported === true ? 'was made before this command, and cannot be installed with it' : undefined;
}
