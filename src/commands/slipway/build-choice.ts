// What a build is for, which images are part of it, and what each of them is called. Rule: everything that can be refused is refused here, before the first build.
import { ToolError } from '../../model/error.ts';
import { type ImageHome, type ImageRef, parseImageHome, pinImage, printImageRef } from '../../model/image.ts';
import { type ImageNeed, type ImageToBuild, REVISION_LABEL, VERSION_LABEL } from '../../model/image-build.ts';
import { buildOrder } from '../../model/image-needs.ts';
import { branchHome } from '../../model/namespace.ts';
import type { OwnImage, Product } from '../../model/product.ts';
import type { World } from '../../model/seams.ts';
import type { TagFacts } from '../../model/tag-rule.ts';
import { observeImageConfig } from '../../observe/image-config.ts';
import { observeDigests, observeFirst, observeTagLists } from '../../observe/image-tags.ts';
import { observeBase } from '../../observe/release-tags.ts';
import type { PresentImage } from '../../plan/build.ts';
import type { ChosenImage } from '../../plan/build-choice.ts';
import { isMainBranch, type Occasion } from '../../plan/build-event.ts';
import { decideTags, versionTagOf } from '../../plan/build-tags.ts';
import type { ProductFile } from './product-file.ts';

/** A build, as far as flags, CI and git tell. */
export interface BuildScene {
  readonly file: ProductFile;
  readonly occasion: Occasion;
  readonly commit: string | null;
  readonly date: Date;
  readonly push: boolean;
  readonly world: World;
}

export interface PreparedBuild {
  /** Each after what it needs. */
  readonly images: readonly ImageToBuild[];
  readonly present: readonly PresentImage[];
  readonly notes: readonly string[];
}

/** Works out names, tags and arguments of the chosen images. Throws E_USAGE, E_CONFLICT, E_PUBLISHED_DIFFERS, and E_NOT_FOUND for what they need. */
export async function prepareBuild(scene: BuildScene, chosen: readonly ChosenImage[]): Promise<PreparedBuild> {
  const home = homeOf(scene);
  const { all, places } = await withNeeded(scene, chosen);
  const { own } = scene.file.product.images;
  const images = all.map((each) => ({ each, rules: own[each.name] as OwnImage, image: placeOf(home, own[each.name] as OwnImage) }));
  const looks = scene.push && scene.occasion.event !== 'branch';
  const lists = looks
    ? await observeTagLists(
        images.map(({ image }) => image),
        scene.world,
      )
    : images.map(() => (scene.push ? [] : undefined));
  const version = await argVersion(
    scene,
    images.map(({ rules }) => rules),
  );
  const prepared = images.map(({ each, rules, image }, index) => {
    const facts = factsOf(scene, each);
    const { tags, notes } = tagsOf(scene, each.name, { facts, listed: lists[index] });
    return {
      notes,
      build: buildOf({ each, rules, image, tags, version: facts.version ?? version }, scene, places),
      listed: lists[index] ?? [],
    };
  });
  const present = await releasedBefore(
    prepared.map(({ build, listed }) => ({ build, listed })),
    scene,
  );
  const left = prepared.filter(({ build }) => !present.some(({ name }) => name === build.name));
  const handed = new Map(present.map(({ name, image, digest }) => [name, printImageRef(pinImage(image, digest))]));
  const order = buildOrder(
    left.map(({ build }) => build.name),
    own,
  );
  return {
    images: order.flatMap((name) => left.filter(({ build }) => build.name === name).map(({ build }) => withHanded(build, handed))),
    present,
    notes: [
      ...prepared.flatMap(({ notes }) => notes),
      ...present.map(({ name, tags }) => `${name}: is there already${tags.length === 0 ? '' : `, without ${tags.join(' ')}`}`),
    ],
  };
}

function homeOf({ file: { product }, occasion: { event, branch } }: BuildScene): ImageHome {
  const home = parseImageHome(product.images.registry, 'images.registry');
  const isOther = event === 'branch' && branch !== undefined && !isMainBranch(product, branch);
  return isOther ? branchHome(home, product.images.branchNamespace, branch) : home;
}

function placeOf({ registry, path }: ImageHome, { repository }: OwnImage): ImageRef {
  return { registry, repository: path === '' ? repository : `${path}/${repository}` };
}

/** What the chosen images need and is not chosen: as the registry has it, by digest; what it does not have is built too. */
async function withNeeded(
  { file: { product }, occasion, world }: BuildScene,
  chosen: readonly ChosenImage[],
): Promise<{ readonly all: readonly ChosenImage[]; readonly places: ReadonlyMap<string, string> }> {
  const { own } = product.images;
  const all = [...chosen];
  const places = new Map<string, string>();
  const home = parseImageHome(product.images.registry, 'images.registry');
  for (const { name, version } of all) {
    for (const need of own[name]?.needs ?? []) {
      const image = own[need];
      if (image === undefined || places.has(need) || all.some((each) => each.name === need)) continue;
      const tags = [versionTagOf({ product, name: need, facts: { version, date: world.now() } }), ...product.images.tags.main];
      const literal = [...new Set(tags)].filter((tag) => tag !== undefined && !tag.includes('{'));
      const found = await observeFirst(
        literal.map((tag) => ({ ...placeOf(home, image), tag: tag ?? '' })),
        world,
      );
      if (found !== undefined)
        places.set(
          need,
          printImageRef({ registry: found.registry, repository: found.repository, ...(found.digest && { digest: found.digest }) }),
        );
      else if (image.build !== undefined)
        all.push({
          name: need,
          why: `${name} needs it, and the registry does not have it`,
          version: occasion.event === 'release' ? version : undefined,
        });
      else
        throw new ToolError('E_NOT_FOUND', `${name} needs ${need}, which is built elsewhere and not in the registry`, {
          hint: 'Push it first.',
        });
    }
  }
  return { all, places };
}

function factsOf({ commit, occasion, date }: BuildScene, { version }: ChosenImage): TagFacts {
  return { version, commit: commit ?? undefined, run: occasion.run, date };
}

/** A pull request's images get one name of this machine's own, under which they are handed on and never pushed. */
function tagsOf(scene: BuildScene, name: string, { facts, listed }: { facts: TagFacts; listed: readonly string[] | undefined }) {
  const { event } = scene.occasion;
  if (event === 'pull-request') return { tags: [`pull-request-${scene.commit?.slice(0, 7) ?? 'local'}`], notes: [] };
  const decided = decideTags({ product: scene.file.product, name, event, facts, listed });
  return decided.tags.length > 0 ? decided : { ...decided, tags: [`local-${scene.commit?.slice(0, 7) ?? 'build'}`] };
}

interface Building {
  readonly each: ChosenImage;
  readonly rules: OwnImage;
  readonly image: ImageRef;
  readonly tags: readonly string[];
  /** What `{version}` is in build arguments. */
  readonly version: string;
}

function buildOf(
  { each, rules, image, tags, version }: Building,
  { commit, date }: BuildScene,
  places: ReadonlyMap<string, string>,
): ImageToBuild {
  const { build, needs, platforms } = rules;
  if (build === undefined) throw new Error(`${each.name} has no context`);
  const values: Readonly<Record<string, string>> = { version, commit: commit ?? '', date: `${date.toISOString().slice(0, 19)}Z` };
  const fill = (text: string): string => text.replace(/\{(version|commit|date)\}/g, (_, place: string) => values[place] ?? '');
  const { context, dockerfile, target, cache } = build;
  return {
    ...{ name: each.name, why: each.why, image, tags, context, dockerfile, platforms, cache },
    ...(target === undefined ? {} : { target }),
    args: Object.fromEntries(Object.entries(build.args).map(([name, value]) => [name, fill(value)])),
    labels: { ...(commit === null ? {} : { [REVISION_LABEL]: commit }), [VERSION_LABEL]: version },
    needs: needs.map((name): ImageNeed => (places.has(name) ? { name, reference: places.get(name) ?? '' } : { name })),
  };
}

/** Outside of a release: the base version, marked with the event and the commit, so that it is never taken for the release. */
async function argVersion({ file: { product, root }, occasion, commit }: BuildScene, images: readonly OwnImage[]): Promise<string> {
  const isAsked = images.length > 0 && occasion.event !== 'release';
  const base = isAsked ? (await observeBase(root, product.release.base))?.version : undefined;
  return `${base ?? '0.0.0'}-${occasion.event}${commit === null ? '' : `.g${commit.slice(0, 7)}`}`;
}

/** Versions that the registry has: from this commit they are done, but for tags that are missing. Throws E_PUBLISHED_DIFFERS for one of another commit. */
async function releasedBefore(
  prepared: readonly { readonly build: ImageToBuild; readonly listed: readonly string[] }[],
  { file: { product }, occasion, commit, world, push }: BuildScene,
): Promise<PresentImage[]> {
  const found: PresentImage[] = [];
  if (!push || occasion.event !== 'release') return found;
  for (const { build, listed } of prepared) {
    const { name, image, tags, labels } = build;
    const [tag = ''] = tags;
    if (!listed.includes(tag)) continue;
    const digests = await observeDigests(
      tags.map((each) => ({ ...image, tag: each })),
      world,
    );
    const [digest] = digests;
    if (digest === undefined) continue;
    const revision = (await observeImageConfig(pinImage(image, digest), world)).labels[REVISION_LABEL];
    if (commit === null || revision !== labels[REVISION_LABEL])
      throw released(printImageRef({ ...image, tag }), { revision, commit, product });
    found.push({ name, image: pinImage(image, digest), digest, all: tags, tags: tags.filter((_, index) => digests[index] !== digest) });
  }
  return found;
}

function released(
  name: string,
  { revision, commit, product }: { revision: string | undefined; commit: string | null; product: Product },
): ToolError {
  const other = revision === undefined ? 'from a commit that it does not name' : `from the commit ${revision.slice(0, 40)}`;
  return new ToolError('E_PUBLISHED_DIFFERS', `${name} is there already, built ${other}; nothing was built`, {
    hint: `A released version never changes. Release the next version of ${product.title}.`,
    details: { image: name, revision: revision ?? null, commit },
  });
}

/** An image that was there before is handed on as it is. */
function withHanded(image: ImageToBuild, handed: ReadonlyMap<string, string>): ImageToBuild {
  const needs = image.needs.map((need): ImageNeed => {
    const reference = need.reference ?? handed.get(need.name);
    return reference === undefined ? need : { name: need.name, reference };
  });
  return { ...image, needs };
}
