// What an install was before it was taken over, and how it compares with a release. Rule: plain data; what is found is never changed by being compared.
import type { ChannelRelease } from './channel.ts';
import type { Digest } from './digest.ts';
import type { Manifest } from './manifest.ts';
import { parseFields, parseList, parseRelativePath, parseText } from './parse.ts';

/** `release`: made by older scripts, with a VERSION file. `hand`: a compose project that somebody wrote. `source`: a git checkout. */
export type AdoptedFrom = 'release' | 'hand' | 'source';

/** A release of a channel, with its verified manifest. */
export interface KnownRelease {
  readonly release: ChannelRelease;
  readonly manifest: Manifest;
}

/** What install.json says of an install that was taken over. */
export interface Adopted {
  readonly from: AdoptedFrom;
  readonly at: string;
  /** Files of the release that were not there: nobody removed them, so the next upgrade brings them. */
  readonly missing: readonly string[];
}

/** `yours`: the release knows nothing of it. */
export interface ComparedFile {
  readonly path: string;
  readonly state: 'same' | 'edited' | 'missing' | 'yours';
}

/** `tag`: the same name and tag, and nobody knows the digest (here, or of a release of older scripts). `unused`: no service here has it. */
export interface ComparedImage {
  readonly name: string;
  readonly state: 'same' | 'tag' | 'differs' | 'unused';
  /** What is used here instead. */
  readonly found: string | null;
}

/** An image that a service of the found project has. */
export interface ServiceImage {
  readonly service: string;
  /** As the compose file and the container name it. */
  readonly references: readonly string[];
  /** Those that its registries gave it; none for an image that was built here. */
  readonly digests: readonly Digest[];
}

export function parseAdopted(value: unknown, where: string): Adopted {
  const f = parseFields(value, where);
  const from = parseText(f.from, `${where}.from`);
  return {
    ...f,
    from: from === 'source' || from === 'release' ? from : 'hand',
    at: parseText(f.at, `${where}.at`),
    missing: parseList(f.missing ?? [], `${where}.missing`, parseRelativePath),
  };
}
