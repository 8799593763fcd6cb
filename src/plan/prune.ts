// Decides which of a repository's old builds may go. Rule: only what our own tag rules made, never what a release, a lock or a tag that stays still names; what
// nobody can date stays.
import { type Digest, digestOf } from '../model/digest.ts';
import { printImageRef } from '../model/image.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned } from '../model/plan.ts';
import type { Product } from '../model/product.ts';
import type { RepositoryFacts, UsedImage } from '../model/repository-facts.ts';
import { VERSION_PLACE, versionOfTag } from '../model/tag.ts';
import { dateOfTag, isFloating, isMadeBy, looksLikeVersion, renderTag } from '../model/tag-rule.ts';
import type { ManifestsToDelete } from '../model/to-publish.ts';

/** A manifest all of whose tags were made by builds. */
export interface OldBuild {
  readonly digest: Digest;
  readonly tags: readonly string[];
}

export interface PrunePolicy {
  /** So many newest stay in each repository. */
  readonly keep: number;
  /** Younger ones stay; undefined = age does not count. Seconds. */
  readonly olderThan: number | undefined;
  readonly now: Date;
}

/** A repository with the dates of its old builds. */
export interface DatedRepository {
  readonly facts: RepositoryFacts;
  readonly builds: readonly OldBuild[];
  readonly dates: ReadonlyMap<Digest, Date>;
}

export interface PruneWanted {
  readonly id: string;
  readonly policy: PrunePolicy;
  readonly used: readonly UsedImage[];
}

/** The manifests that only builds have named, and nobody uses. */
export function oldBuilds({ tags, below }: RepositoryFacts, product: Product, used: readonly UsedImage[]): OldBuild[] {
  const byDigest = new Map<Digest, string[]>();
  for (const [tag, digest] of tags) if (!isAbout(tag)) byDigest.set(digest, [...(byDigest.get(digest) ?? []), tag]);
  const isOld = (names: readonly string[]): boolean => names.every((tag) => isBuildTag(tag, product, [...tags.keys()]));
  const kept = [...byDigest].filter(([, names]) => !isOld(names)).map(([digest]) => digest);
  const needed = withBelow([...kept, ...used.map(({ digest }) => digest)], below);
  return [...byDigest].flatMap(([digest, names]) => (isOld(names) && !needed.has(digest) ? [{ digest, tags: names }] : []));
}

/** The dates that dated tags say themselves. */
export function datesOfTags(builds: readonly OldBuild[], { images }: Product): Map<Digest, Date> {
  const rules = [...images.tags.main, ...images.tags.branch];
  return new Map(
    builds.flatMap(({ digest, tags }): [Digest, Date][] => {
      const dates = tags.flatMap((tag) => rules.flatMap((rule) => dateOfTag(rule, tag) ?? []));
      return dates.length === 0 ? [] : [[digest, new Date(Math.max(...dates.map(Number)))]];
    }),
  );
}

/** The plan; without steps when nothing may go. */
export function planPrune({ id, policy, used }: PruneWanted, repositories: readonly DatedRepository[]): Planned {
  const deletions = repositories
    .map((repository) => manifestsToDelete(repository, policy, used))
    .filter(({ manifests }) => manifests.length > 0);
  const count = deletions.reduce((sum, { manifests }) => sum + manifests.length, 0);
  const stay = repositories.flatMap(({ facts, builds, dates }) => {
    const undated = builds.filter(({ digest }) => !dates.has(digest)).flatMap(({ tags }) => tags);
    return undated.length === 0 ? [] : [`${printImageRef(facts.image)}: ${undated.join(' ')} stay, for nothing says when they were made.`];
  });
  const why = `${count} manifests of old builds go from ${deletions.length} repositories`;
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'images prune',
    basedOn: basisOf(repositories.map(({ facts }) => facts)),
    steps: count === 0 ? [] : [{ kind: 'delete-manifests', why, repositories: deletions } as const],
    commitAfter: -1, // what is deleted is gone
    notes: [...deletions.map(noteOf), ...stay],
  } as const;
  return { plan, contents: new Map() };
}

/** What a plan rests on: every tag of every repository. */
export function basisOf(repositories: readonly RepositoryFacts[]): Digest {
  return digestOf(
    canonicalJson(
      repositories.map(({ image, tags }) => [printImageRef(image), [...tags].map(([tag, digest]) => `${tag} ${digest}`).sort()]),
    ),
  );
}

function noteOf({ image, manifests }: ManifestsToDelete): string {
  const tags = manifests.flatMap((manifest) => manifest.tags);
  const shown = tags.slice(0, 20).join(' ');
  return `${printImageRef(image)}: ${shown}${tags.length > 20 ? ` and ${tags.length - 20} more tags` : ''}`;
}

/** Oldest first; each index before what is below it alone, and with it the signatures that are about it. */
function manifestsToDelete({ facts, builds, dates }: DatedRepository, policy: PrunePolicy, used: readonly UsedImage[]): ManifestsToDelete {
  const going = builds.filter(({ digest }) => dates.has(digest)).sort((a, b) => Number(dates.get(b.digest)) - Number(dates.get(a.digest)));
  const youngest = policy.olderThan === undefined ? Number.POSITIVE_INFINITY : policy.now.getTime() - policy.olderThan * 1000;
  const old = going.slice(policy.keep).filter(({ digest }) => Number(dates.get(digest)) < youngest);
  const gone = new Set(old.map(({ digest }) => digest));
  const about = aboutTags(facts, gone);
  const stays = (): Set<Digest> => {
    const staying = [...facts.tags].filter(([tag, digest]) => !gone.has(digest) && !about.has(tag)).map(([, digest]) => digest);
    return withBelow([...staying, ...used.map(({ digest }) => digest)], facts.below);
  };
  let needed = stays();
  for (
    let back = [...gone].filter((digest) => needed.has(digest));
    back.length > 0;
    back = [...gone].filter((digest) => needed.has(digest))
  ) {
    for (const digest of back) gone.delete(digest); // it lies below something that stays
    needed = stays();
  }
  const roots = old.filter(({ digest }) => gone.has(digest));
  const signatures = [...about].filter(([, digest]) => !needed.has(digest)).map(([tag, digest]) => ({ digest, tags: [tag] }));
  const lower = [...new Set(roots.flatMap(({ digest }) => facts.below.get(digest) ?? []))].filter(
    (digest) => !needed.has(digest) && !gone.has(digest),
  );
  return { image: facts.image, manifests: [...roots.reverse(), ...lower.map((digest) => ({ digest, tags: [] })), ...signatures] };
}

/** Made by a rule of a push, and by no release: the tag of a version, or one that floats, is never a build's. */
function isBuildTag(tag: string, { images }: Product, listed: readonly string[]): boolean {
  const rules = [...images.tags.main, ...images.tags.branch].filter((rule) => !isFloating(rule));
  if (looksLikeVersion(tag) || !rules.some((rule) => isMadeBy(rule, tag))) return false;
  const patterns = new Set([VERSION_PLACE, ...Object.values(images.own).map((image) => image.tag)]);
  const versions = listed.flatMap((each) => [...patterns].flatMap((pattern) => versionOfTag(pattern, each) ?? []));
  return !versions.some((version) => images.tags.release.some((rule) => renderTag(rule, { version, date: new Date(0) }) === tag));
}

/** `sha256-<hex>`, with or without `.sig`: what signing tools put beside an image. */
function isAbout(tag: string): boolean {
  return /^sha256-[0-9a-f]{64}(?:\.\w+)?$/.test(tag);
}

function aboutTags({ tags }: RepositoryFacts, gone: ReadonlySet<Digest>): Map<string, Digest> {
  const names = new Set([...gone].map((digest) => digest.replace(':', '-')));
  return new Map([...tags].filter(([tag]) => isAbout(tag) && names.has(tag.split('.')[0] ?? '')));
}

function withBelow(digests: readonly Digest[], below: RepositoryFacts['below']): Set<Digest> {
  return new Set(digests.flatMap((digest) => [digest, ...(below.get(digest) ?? [])]));
}
