// What makes a build: a push to the main branch, a release, another branch, a pull request. Rule: said by a flag, else by the CI's own variables, else by git; and
// what cannot be told is refused, never taken for the main branch.
import { BUILD_EVENTS, type BuildEvent } from '../model/build-rules.ts';
import { ToolError } from '../model/error.ts';
import { didYouMean } from '../model/near.ts';
import type { OwnImage, Product } from '../model/product.ts';
import { mainChannelOf, versionOfTag } from '../model/tag.ts';
import type { Version } from '../model/version.ts';

/** What a person asks for. */
export interface EventWish {
  readonly event?: string | undefined;
  readonly version?: Version | undefined;
  readonly run?: string | undefined;
}

export interface EventFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The branch that is checked out; undefined when HEAD is detached. */
  readonly branch: string | undefined;
  /** The tags on HEAD. */
  readonly tags: readonly string[];
}

/** What a build is made for. */
export interface Occasion {
  readonly event: BuildEvent;
  /** Of a branch event, and where it is known. */
  readonly branch: string | undefined;
  /** Of a release: the git tags that it is of, none where the version was given. */
  readonly tags: readonly string[];
  readonly version: Version | undefined;
  readonly run: number | undefined;
}

/** Throws E_USAGE for what nothing tells. */
export function chooseOccasion(product: Product, wish: EventWish, facts: EventFacts): Occasion {
  const ci = occasionOfCi(facts.env);
  const branch = ci?.branch ?? facts.branch;
  const tags = (ci?.tag === undefined ? facts.tags : [ci.tag]).filter((tag) => isReleaseTag(product, tag));
  const given = wish.event === undefined ? undefined : knownEvent(wish.event);
  const guessed = wish.version === undefined ? (ci?.event ?? guessLocally(product, branch, tags)) : 'release';
  const event = given ?? (guessed === 'push' ? eventOfBranch(product, branch) : guessed);
  if (event === 'branch' && branch === undefined) throw detached();
  if (event === 'release' && wish.version === undefined && tags.length === 0) throw noRelease(product, ci?.tag);
  if (event !== 'release' && wish.version !== undefined) {
    throw new ToolError('E_USAGE', `--version is for a release, and this is ${event}`, { hint: 'Leave it out, or give --event release.' });
  }
  return {
    event,
    branch,
    tags: event === 'release' ? tags : [],
    version: wish.version,
    run: runOf(wish.run ?? facts.env.GITHUB_RUN_NUMBER),
  };
}

/** True for the branch whose images go into the product's own namespace. */
export function isMainBranch({ release }: Product, branch: string): boolean {
  const named = release.channels[mainChannelOf(release.channels) ?? '']?.branch;
  return named === undefined ? branch === 'main' || branch === 'master' : branch === named;
}

/** The version that an image gets in a release; undefined when the release is not its own. `named` = a person asked for this very image. */
export function versionFor(product: Product, image: OwnImage, { tags, version }: Occasion, named: boolean): Version | undefined {
  if (version !== undefined) return image.release === undefined || named ? version : undefined;
  const grammar = image.release ?? product.release;
  return tags.map((tag) => versionOfTag(grammar, tag)).find((found) => found !== undefined);
}

interface CiOccasion {
  /** `push` = a branch's, the main one or another. */
  readonly event: 'push' | 'release' | 'pull-request';
  readonly branch?: string;
  readonly tag?: string;
}

/** GitHub Actions, and Gitea's and Forgejo's, which speak alike. A merge queue tries out what is not merged yet, as a pull request does. */
function occasionOfCi(env: EventFacts['env']): CiOccasion | undefined {
  const { GITHUB_EVENT_NAME: name, GITHUB_REF: ref = '', GITHUB_HEAD_REF: head } = env;
  if (name === undefined || name === '') return undefined;
  if (name.startsWith('pull_request') || name === 'merge_group' || ref.startsWith('refs/pull/')) {
    return { event: 'pull-request', ...(head ? { branch: head } : {}) };
  }
  if (ref.startsWith('refs/tags/')) return { event: 'release', tag: ref.slice('refs/tags/'.length) };
  return ref.startsWith('refs/heads/') ? { event: 'push', branch: ref.slice('refs/heads/'.length) } : undefined;
}

function guessLocally(product: Product, branch: string | undefined, tags: readonly string[]): BuildEvent {
  return tags.length > 0 ? 'release' : eventOfBranch(product, branch);
}

function eventOfBranch(product: Product, branch: string | undefined): BuildEvent {
  if (branch === undefined) throw detached();
  return isMainBranch(product, branch) ? 'main' : 'branch';
}

function isReleaseTag({ release, images }: Product, tag: string): boolean {
  const own = Object.values(images.own).flatMap((image) => image.release ?? []);
  return [release, ...own].some((grammar) => versionOfTag(grammar, tag) !== undefined);
}

function knownEvent(text: string): BuildEvent {
  const event = BUILD_EVENTS.find((each) => each === text);
  if (event !== undefined) return event;
  throw new ToolError('E_USAGE', `there is no event ${JSON.stringify(text)}`, { hint: didYouMean(text, BUILD_EVENTS, 'There are') });
}

function runOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^[1-9]\d{0,11}$/.test(text)) return Number(text);
  throw new ToolError('E_USAGE', `${JSON.stringify(text.slice(0, 60))} is not the number of a run`, {
    hint: 'Give --run N, a whole number.',
  });
}

function detached(): ToolError {
  return new ToolError('E_USAGE', 'HEAD is detached, so there is no branch whose images these could be', {
    hint: 'Check out a branch (git switch NAME), or say what this is with --event main, release or pull-request.',
  });
}

function noRelease({ release }: Product, tag: string | undefined): ToolError {
  const what =
    tag === undefined ? `there is no tag of the form ${release.tag} on HEAD` : `${JSON.stringify(tag)} is a tag of no release here`;
  return new ToolError('E_USAGE', what, { hint: 'Give --version X.Y.Z, or tag the commit. See `release.tag` and `images.own.*.release`.' });
}
