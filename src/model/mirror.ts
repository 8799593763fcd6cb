// Where third-party images go: the product's registry and further places, by the naming rules. Rule: no two sources for one destination, and every
// problem names the lines it is about.
import { ToolError } from './error.ts';
import { type ImageHome, type ImageRef, parseImageHome, parseImageRef, printImageRef, rehomeImage } from './image.ts';
import { mirrorHome } from './image-table.ts';
import { matchTags, parseTagRule, type TagPair, type TagRule } from './mirror-tags.ts';
import { isRefused, lineOf, type Path, type ProblemCode, type ProblemText, pathText } from './problem.ts';
import type { Product, ThirdPartyImage } from './product.ts';

export interface MirrorEntry {
  readonly name: string;
  readonly group: string;
  /** Where it is written. */
  readonly path: Path;
  /** Upstream, without a tag. */
  readonly source: ImageRef;
  readonly rules: readonly TagRule[];
  /** The platforms to copy; all where absent. */
  readonly platforms?: readonly string[];
  /** Without tags; the product's registry first. Empty when the product has none and names no other. */
  readonly destinations: readonly ImageRef[];
}

/** One image to copy, to all its destinations. */
export interface MirrorCopy {
  readonly entry: MirrorEntry;
  readonly source: ImageRef;
  readonly destinations: readonly ImageRef[];
}

export interface MirrorNames {
  readonly entries: readonly MirrorEntry[];
  readonly problems: readonly ProblemText[];
}

type Table = Pick<Product, 'images' | 'source'>;

/** The mirror's table, in the order written. What is wrong with an entry is a problem, and the entry is left out. */
export function planMirrorNames(product: Table): MirrorNames {
  const { read, problems } = newReader();
  const { thirdParty } = product.images;
  const registry = mirrorHome(product.images);
  const home = registry === undefined ? [] : read(['images', 'registry'], 'E_MIRROR_TARGET', () => [parseImageHome(registry, registry)]);
  if (home === undefined) return { entries: [], problems };
  const entries = thirdParty.flatMap((image) => (isRefused(product.source, pathOf(image)) ? [] : planEntry(image, home, read)));
  const distinct = entries.filter((entry) => !isRepeated(entry, thirdParty));
  const collisions = findCollisions(
    product,
    distinct.flatMap((entry) => copiesOf(entry, []).copies),
  );
  return { entries, problems: [...problems, ...collisions, ...findOverlaps(product, entries), ...findOwn(product, entries)] };
}

/** What the entry copies, given the tags that its registry lists (none are needed where none of its rules is a pattern), and patterns that found nothing. */
export function copiesOf(entry: MirrorEntry, listed: readonly string[]): { copies: readonly MirrorCopy[]; unmatched: readonly string[] } {
  const { pairs, unmatched } = matchTags(entry.rules, listed);
  const copies = pairs.map((pair) => ({
    entry,
    source: { ...entry.source, ...pair.from },
    destinations: entry.destinations.map((destination) => ({ ...destination, ...destinationName(pair) })),
  }));
  return { copies, unmatched };
}

/** Destinations that two of these copies would fill from different sources. Patterns are known only now, so a mirror asks again before it copies. */
export function findCollisions(product: Table, copies: readonly MirrorCopy[]): ProblemText[] {
  const first = new Map<string, MirrorCopy>();
  return copies.flatMap((copy) =>
    copy.destinations.flatMap((destination) => {
      const name = printImageRef(destination);
      const other = first.get(name) ?? copy;
      first.set(name, other);
      return contentOf(other) === contentOf(copy) ? [] : [collision(product, name, [other, copy])];
    }),
  );
}

/** Of one image different platforms are different things. */
function contentOf({ source, entry }: MirrorCopy): string {
  return [printImageRef(source), ...[...(entry.platforms ?? [])].sort()].join(' ');
}

type Read = <T>(at: Path, code: ProblemCode, parse: () => T) => T | undefined;

/** Reads parts of the table; what cannot be read becomes a problem. */
function newReader(): { readonly read: Read; readonly problems: readonly ProblemText[] } {
  const problems: ProblemText[] = [];
  const read: Read = (path, code, parse) => {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      problems.push({ code, path, message: error.message, hint: error.hint ?? HINT });
      return undefined;
    }
  };
  return { read, problems };
}

function planEntry(image: ThirdPartyImage, home: readonly ImageHome[], read: Read): MirrorEntry[] {
  const path = pathOf(image);
  const ref = read(path, 'E_IMAGE', () => parseImageRef(image.source, 'source'));
  const rules = ref === undefined ? undefined : readRules(image, ref, read);
  const further = readHomes(image, read);
  if (ref === undefined || rules === undefined || further === undefined) return [];
  const { registry, repository } = ref;
  const destinations = [...home, ...further].map((each) => rehomeImage({ registry, repository: image.name }, each));
  const unique = [...new Map(destinations.map((destination) => [printImageRef(destination), destination])).values()];
  const { name, group, platforms } = image;
  const some = platforms === undefined ? {} : { platforms };
  return [{ name, group, path, source: { registry, repository }, rules, ...some, destinations: unique }];
}

function readHomes({ to, ...image }: ThirdPartyImage, read: Read): ImageHome[] | undefined {
  const path = [...pathOf(image), 'to'];
  if (to?.length === 0) return read(path, 'E_MIRROR_TARGET', () => refuse(`${image.source}: \`to\` names no destination`, TARGET_HINT));
  const homes = (to ?? []).map((text, index) =>
    read([...path, index], 'E_MIRROR_TARGET', () =>
      text.trim() === '' ? refuse(`${image.source}: an empty destination`, TARGET_HINT) : parseImageHome(text, image.source),
    ),
  );
  return allOf(homes);
}

function readRules(image: ThirdPartyImage, ref: ImageRef, read: Read): TagRule[] | undefined {
  const { source, tags, asTags } = image;
  const path = [...pathOf(image), 'tags'];
  const problem = listProblem(image, ref);
  if (problem !== undefined) return read(path, 'E_TAG_RULE', () => refuse(`${source}: ${problem}`, HINT));
  if (tags === undefined) return ref.tag === undefined ? [] : [{ kind: 'tag', tag: ref.tag, as: ref.tag }]; // without a tag the image table refuses it
  return allOf(tags.map((tag, index) => read([...path, index], 'E_TAG_RULE', () => parseTagRule(tag, asTags?.[index], source))));
}

function listProblem({ tags, asTags }: ThirdPartyImage, ref: ImageRef): string | undefined {
  if (tags === undefined) return asTags === undefined ? undefined : 'asTags without tags';
  if (ref.tag !== undefined) return 'a tag, and a list of tags too';
  if (tags.length === 0) return '`tags` names no tag';
  return asTags === undefined || asTags.length === tags.length
    ? undefined
    : `${tags.length} tags but ${asTags.length} in asTags, which are taken in order`;
}

const HINT = 'Write tags such as "1.2", patterns such as "/^1\\.2\\./", digests, or "*" for all; with asTags, as many there.';
const TARGET_HINT = 'Name a registry such as quay.io/acme, or leave `to` away.';

function refuse(message: string, hint: string): never {
  throw new ToolError('E_FORMAT', message, { hint });
}

/** All of them, or undefined when one is missing. */
function allOf<T>(list: readonly (T | undefined)[]): T[] | undefined {
  const there = list.filter((item) => item !== undefined);
  return there.length === list.length ? there : undefined;
}

/** A second image of one name, which the image table refuses by itself. */
function isRepeated({ name, path }: MirrorEntry, images: readonly ThirdPartyImage[]): boolean {
  const named = images.filter((image) => image.name === name && image.tags === undefined);
  return named.slice(1).some((image) => pathText(pathOf(image)) === pathText(path));
}

/** A tag that is written, and another entry's pattern that would find it in the same destination. */
function findOverlaps(product: Table, entries: readonly MirrorEntry[]): ProblemText[] {
  return entries.flatMap((entry) => {
    const patterns = entry.rules.flatMap((rule) => (rule.kind === 'pattern' ? [rule.pattern] : []));
    if (patterns.length === 0) return [];
    const written = entries
      .filter((other) => printImageRef(other.source) !== printImageRef(entry.source))
      .flatMap((other) => copiesOf(other, []).copies);
    return written.flatMap((copy) =>
      copy.destinations.flatMap((destination) => {
        const same = entry.destinations.some(
          ({ registry, repository }) => registry === destination.registry && repository === destination.repository,
        );
        const { tag = '' } = destination;
        if (!same || !patterns.some((pattern) => pattern.test(tag))) return [];
        const mine: MirrorCopy = { entry, source: { ...entry.source, tag }, destinations: [destination] };
        return [collision(product, printImageRef(destination), [copy, mine])];
      }),
    );
  });
}

/** Destinations that hold an image of the product's own; equal names are the image table's to refuse. */
function findOwn({ images, source }: Table, entries: readonly MirrorEntry[]): ProblemText[] {
  const { registry } = images;
  if (registry === undefined) return [];
  return Object.entries(images.own).flatMap(([name, own]) =>
    entries.flatMap((entry): ProblemText[] => {
      const taken = `${registry}/${own.repository}`;
      if (entry.name === name || !entry.destinations.some((destination) => printImageRef(destination) === taken)) return [];
      const line = lineOf(source, ['images', 'own', name]);
      const message = `${printImageRef(entry.source)} would go to ${taken}, where images.own.${name} is (line ${line})`;
      return [{ code: 'E_MIRROR_COLLISION', path: entry.path, message, hint: OTHER_NAME }];
    }),
  );
}

const OTHER_NAME = 'Give one of them another name with `as`.';

function collision({ source }: Table, destination: string, copies: readonly [MirrorCopy, MirrorCopy]): ProblemText {
  const [one, two] = copies.map((copy) => `${printImageRef(copy.source)} (line ${lineOf(source, copy.entry.path)})`);
  const message = `${one} and ${two} would both go to ${destination}`;
  return { code: 'E_MIRROR_COLLISION', path: copies[1].entry.path, message, hint: OTHER_NAME };
}

function destinationName({ from, as }: TagPair): Partial<ImageRef> {
  if (as !== undefined) return { tag: as };
  return 'digest' in from ? { digest: from.digest } : {};
}

function pathOf({ group, index }: Pick<ThirdPartyImage, 'group' | 'index'>): Path {
  return ['images', 'thirdParty', group, index];
}
