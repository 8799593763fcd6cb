// The Node.js that copied channels offer, for another host to get the same. Rule: the channel file vouches for it; other bytes under its tag are never copied.
import { ToolError } from '../../model/error.ts';
import type { HostAddress } from '../../model/host.ts';
import { type Runtime, runtimesOf } from '../../model/runtime.ts';
import type { World } from '../../model/seams.ts';
import { type FoundChannel, observeCopyTargets } from '../../observe/copying.ts';
import { findRuntimes } from '../../observe/runtimes.ts';
import type { ReleaseToCopy } from '../../plan/copy-releases.ts';

export interface RuntimeCopy {
  readonly from: HostAddress;
  readonly to: HostAddress;
  readonly channels: readonly FoundChannel[];
  /** Where a forge puts the tag. */
  readonly commit: string | null;
}

/** One for each Node.js version that the channels name. Throws E_NOT_FOUND and E_DIGEST when the host does not have what it says. */
export async function runtimesToCopy({ from, to, channels, commit }: RuntimeCopy, world: World): Promise<readonly ReleaseToCopy[]> {
  const all = channels.flatMap(({ channel }) => runtimesOf(channel));
  const byTag = new Map(all.map((runtime) => [runtime.tag, all.filter(({ tag }) => tag === runtime.tag)]));
  const found: ReleaseToCopy[] = [];
  for (const [tag, files] of byTag) found.push(await describe(tag, files, { from, to, channels, commit }, world));
  return found;
}

async function describe(tag: string, files: readonly Runtime[], { from, to, commit }: RuntimeCopy, world: World): Promise<ReleaseToCopy> {
  const version = files[0]?.node ?? '';
  const assets = (await findRuntimes({ host: from, files, commit, built: [] }, world))?.published;
  if (assets === undefined) {
    throw new ToolError('E_NOT_FOUND', `${from.name} has no ${tag}, which its channel names`, {
      hint: 'Publish to it again: that mends it.',
    });
  }
  const other = files.find((file) => !assets.some(({ name, sha256 }) => name === file.name && sha256 === file.sha256));
  if (other !== undefined) {
    throw new ToolError('E_DIGEST', `${other.name} of ${tag} on ${from.name} is not what its channel names`, {
      hint: 'This copy was replaced. Copy from another host.',
    });
  }
  const [target] = await observeCopyTargets(to, [{ tag, commit, assets, replace: false }], world);
  return {
    ...{ version, tag, commit, assets, title: `Node.js ${version}`, prerelease: true, latest: false },
    published: target?.published,
    reservation: target?.reservation,
  };
}
