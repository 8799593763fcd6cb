// The upgrade of a git checkout: its tree is staged and its images are made before anything stops. Rule: pure; what differs from a release's upgrade is here, and nothing else.
import { isAbsolute, relative } from 'node:path';
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { ComposeFact } from '../model/facts.ts';
import { readRef } from '../model/image.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';
import type { ComposeProject, FileToWrite, Step } from '../model/plan.ts';
import type { ServiceToBuild, TagToMove } from '../model/source-steps.ts';
import { imagesToPull } from './release-steps.ts';

/** Where the images of a checkout come from, by the services of its compose files. */
export interface SourceImages {
  readonly builds: readonly ServiceToBuild[];
  readonly tags: readonly TagToMove[];
  /** Images of the release that are pulled. */
  readonly pulled: readonly ManifestImage[];
  /** Services whose images become others, as far as anybody can know. */
  readonly remade: readonly string[];
  /** Service → its image's local tag. */
  readonly local: Readonly<Record<string, string>>;
}

/** What an upgrade of a checkout knows beside what all upgrades know. */
export interface SourceWish {
  readonly branch: string;
  readonly head: string;
  readonly commit: string;
  /** Paths that the commit changes. */
  readonly paths: readonly string[];
  /** Tracked files with edits of the person's. */
  readonly edits: readonly string[];
  /** Those of them that are not there. */
  readonly removed: readonly string[];
  /** What the staged tree has as links: the person's own files, and the settings as they will be. */
  readonly links: readonly string[];
  readonly images: SourceImages;
  /** The compose file that names the images by their local tags. */
  readonly override: Digest;
  /** The release with all its files: the base of later comparisons. */
  readonly whole: Manifest;
}

export interface ImagesWish {
  readonly target: Manifest;
  readonly old: Manifest;
  readonly next: ComposeFact;
  readonly useRegistry: boolean;
}

/** Decides for every service: built here, or the release's image. Throws E_POLICY when `--use-registry` lacks one. */
export function decideSourceImages({ target, old, next, useRegistry }: ImagesWish): SourceImages {
  const place = `slipway.local/${target.product}`;
  const services = Object.entries(next.services).map(([service, { image, builds }]) => ({
    service,
    name: image === '' ? `${next.name}-${service}` : image,
    isBuilt: builds === true,
  }));
  const built = useRegistry ? [] : services.filter(({ isBuilt }) => isBuilt);
  const builds = built.map(({ service }) => ({ service, local: `${place}/${service.toLowerCase()}-built:${target.version}` }));
  const isBuiltHere = (image: ManifestImage): boolean =>
    built.some(({ service, name }) => image.name === service || isSame(name, image, false));
  const pulled = target.images.filter((image) => !isBuiltHere(image));
  const localOf = new Map(imagesToPull({ ...target, images: pulled }).map(({ name, local }) => [name, local]));
  const lacking: string[] = [];
  const found = services.flatMap(({ service, name, isBuilt }) => {
    const own = builds.find((each) => each.service === service) ?? builds.find((_, index) => built[index]?.name === name);
    if (own !== undefined) return [{ service, name, from: own.local, isRemade: true }];
    const image = pulled.find((each) => isSame(name, each, !isBuilt)) ?? pulled.find((each) => isBuilt && each.name === service);
    const from = localOf.get(image?.name ?? '');
    if (from === undefined && isBuilt) lacking.push(service);
    const isRemade = isBuilt || !old.images.some(({ digest }) => digest === image?.digest);
    return from === undefined ? [] : [{ service, name, from, isRemade }];
  });
  if (lacking.length > 0)
    throw new ToolError('E_POLICY', `${target.version} has no image for ${lacking.join(', ')}, which the checkout builds`, {
      hint: 'Upgrade without --use-registry: then it is built here.',
    });
  const named = new Map(found.filter(({ name }) => !name.includes('@')).map(({ service, name, from }) => [name, { service, from }]));
  const keep = (service: string): string => `${place}/${service.toLowerCase()}-before:${old.version}`;
  return {
    builds,
    tags: [...named].map(([name, { service, from }]) => ({ name, from, keep: keep(service) })),
    pulled,
    remade: found.flatMap(({ service, isRemade }) => (isRemade ? [service] : [])),
    local: Object.fromEntries(found.map(({ service, from }) => [service, from])),
  };
}

/** The compose file that gives each service its image's local tag. */
export function localImagesFile({ local }: SourceImages): string {
  return `${JSON.stringify({ services: Object.fromEntries(Object.entries(local).map(([service, image]) => [service, { image }])) })}\n`;
}

/** The file above, as it is staged. */
export function overrideFile({ override }: SourceWish): FileToWrite {
  return { path: LOCAL_IMAGES, content: override, mode: 0o600 };
}

const LOCAL_IMAGES = '.slipway/local-images.yml';

/** What the steps of a checkout are made from. */
export interface SourceCourse {
  readonly id: string;
  readonly source?: SourceWish;
  readonly start: boolean;
  readonly tree: string;
  readonly project: ComposeProject;
  readonly target: Manifest;
  readonly settings: readonly FileToWrite[];
  readonly install: { readonly root: string };
}

/** The staged tree as a project of its own, with images by their local tags. */
export function stagedProject({ id, project, tree, install }: SourceCourse): ComposeProject {
  const inTree = (file: string): string =>
    isAbsolute(file) && !relative(install.root, file).startsWith('..') ? relative(install.root, file) : file;
  const up = relative(treeOf(id), tree);
  return { ...project, folder: treeOf(id), files: [...project.files.map(inTree), `${up}/${LOCAL_IMAGES}`], environment: `${up}/.env` };
}

/** The tree beside the checkout, and the images that are built from it. */
export function stageSourceSteps(course: SourceCourse): Step[] {
  const { id, source, start, target } = course;
  if (source === undefined) return [];
  const { commit, edits, images } = source;
  const isNew = (path: string): boolean => course.settings.some((file) => file.path === path);
  const links = source.links.map((path) => ({ path, to: isNew(path) ? `${course.tree}/${path}` : path }));
  const why = `the checkout as ${target.version} will have it, with your edits, beside the running one`;
  const stage: Step = { kind: 'stage-checkout', why, commit, to: treeOf(id), edits, links };
  if (!start) return [];
  if (images.builds.length === 0) return [stage];
  const whyBuild = 'images are built before anything stops';
  return [stage, { kind: 'build-services', why: whyBuild, project: stagedProject(course), services: images.builds }];
}

/** The checkout and the names of its images go forward. */
export function moveSourceSteps({ source, start, target }: SourceCourse): Step[] {
  if (source === undefined) return [];
  const { branch, head, commit, images } = source;
  const steps: Step[] = [];
  if (head !== commit)
    steps.push({ kind: 'move-checkout', why: `the checkout goes forward to ${target.version}`, branch, from: head, commit });
  if (start && images.tags.length > 0)
    steps.push({ kind: 'move-tags', why: 'the names in the compose files mean the new images', tags: images.tags });
  return steps;
}

/** Services that Compose would take for unchanged although their images are others. */
export function remadeServices({ source }: Pick<SourceCourse, 'source'>): readonly string[] {
  return source?.images.remade ?? [];
}

/** Files with edits of the person's, which a backup holds. */
export function editsToBackUp({ source }: Pick<SourceCourse, 'source'>): string[] {
  return source === undefined ? [] : source.edits.filter((path) => !source.removed.includes(path));
}

/** What a person should know of the checkout. */
export function sourceNotes({ source }: Pick<SourceCourse, 'source'>): string[] {
  if (source === undefined) return [];
  const { branch, head, commit, paths, edits } = source;
  const way = head === commit ? `is at ${commit.slice(0, 10)} already` : `goes from ${head.slice(0, 10)} to ${commit.slice(0, 10)}`;
  return [
    `a git checkout: ${branch.replace('refs/heads/', '')} ${way}, ${paths.length} ${paths.length === 1 ? 'file changes' : 'files change'}`,
    ...(edits.length === 0
      ? []
      : [`your edits stay: ${edits.slice(0, 20).join(', ')}${edits.length > 20 ? ` and ${edits.length - 20} more` : ''}`]),
  ];
}

function treeOf(id: string): string {
  return `.slipway/staged/${id}/source`;
}

/** The same repository, and where it matters the same tag. */
function isSame(name: string, { reference }: ManifestImage, withTag: boolean): boolean {
  const [mine, theirs] = [readRef(name), readRef(reference)];
  if (mine === undefined || theirs === undefined) return false;
  const sameName = mine.registry === theirs.registry && mine.repository === theirs.repository;
  return sameName && (!withTag || (mine.tag ?? 'latest') === (theirs.tag ?? 'latest'));
}
