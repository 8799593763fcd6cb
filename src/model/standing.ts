// What a maintainer says of a release that is installed already. Rule: told, never acted on; the installed manifest decides what is meant.
import type { Channel } from './channel.ts';
import type { Digest } from './digest.ts';

export interface Standing {
  /** `replaced`: the version has other content by now than what is installed. */
  readonly status: 'yanked' | 'deprecated' | 'replaced';
  readonly reason: string | null;
}

/** Null when nothing is said, or the channel does not know the release. */
export function standingOf(
  { releases }: Pick<Channel, 'releases'>,
  installed: { readonly version: string; readonly manifest: Digest },
): Standing | null {
  const release = releases.find(({ version }) => version === installed.version);
  if (release === undefined) return null;
  if (release.manifest !== installed.manifest) return { status: 'replaced', reason: reasonOf(release.replaced, installed.manifest) };
  const { status, reason } = release;
  return status === 'yanked' || status === 'deprecated' ? { status, reason } : null;
}

function reasonOf(replaced: readonly unknown[], manifest: Digest): string | null {
  for (const item of replaced) {
    const { manifest: found, reason } = typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {};
    if (found === manifest && typeof reason === 'string') return reason;
  }
  return null;
}
