// Which images a compose file means, and whose they are. Rule: what is built from this folder, or lies beside it in the registry, is the product's own.
import { posix } from 'node:path';
import { type Document, isMap, isScalar, type YAMLMap } from 'yaml';
import { type ImageRef, imageName, printImageRef, printTagged, readRef } from '../model/image.ts';
import { fillReferences } from '../model/interpolation.ts';
import type { Problem } from '../model/problem.ts';
import { composeHolders } from './compose-holders.ts';
import { buildOf, namedOf } from './compose-merge.ts';
import { type ComposeFields, decision, type Proposed, type Remarks } from './proposal.ts';

export interface ProposedImages extends Remarks {
  /** Where own images are pushed; undefined when the file does not show it. */
  readonly registry: string | undefined;
  readonly own: Readonly<Record<string, Proposed<ComposeFields>>>;
  readonly thirdParty: readonly Proposed<string | ComposeFields>[];
}

export interface ImagesInput {
  readonly document: Document;
  /** The name of the product. */
  readonly product: string;
  /** Given by the person. */
  readonly registry: string | undefined;
  /** The values that the env file has. */
  readonly values: ReadonlyMap<string, string>;
}

/** One place that says `image` or `build`. */
interface Use {
  readonly node: YAMLMap;
  readonly service: string;
  readonly written: string | undefined;
  readonly ref: ImageRef | undefined;
  readonly build: ComposeFields | undefined;
}

/** Finds the images; in the document each becomes `imageMark`, and `build` goes. */
export function proposeImages(input: ImagesInput): ProposedImages {
  const uses = composeHolders(input.document).flatMap(({ node, services }) => useOf(node, services, input));
  const home = homeOf(uses, input.product);
  const own = new Map<string, { readonly key: string; readonly image: Proposed<ComposeFields> }>();
  const third = new Map<string, Proposed<string | ComposeFields>>();
  const names = new Map<string, string>();
  const problems: Problem[] = [];
  for (const use of [...uses].sort((a, b) => Number(b.build !== undefined) - Number(a.build !== undefined))) {
    const key = use.ref === undefined ? `build of ${use.service}` : nameKey(use.ref, isOwn(use, home, own));
    const known = names.get(key);
    const name = known ?? freeName(use, new Set(names.values()));
    const problem = problemOf(use);
    if (problem !== undefined) {
      problems.push(decision(`services.${use.service}`, `${use.service}: ${use.written} ${problem}`, 'Write the image with its tag.'));
      continue;
    }
    names.set(key, name);
    if (known === undefined && isOwn(use, home, own)) own.set(key, { key: name, image: ownImage(use, input) });
    else if (known === undefined) third.set(name, thirdParty(use, name));
    use.node.set('image', imageMark(name));
    use.node.delete('build');
    use.node.delete('pull_policy');
  }
  return {
    registry: input.registry ?? home,
    own: Object.fromEntries([...own.values()].map(({ key, image }) => [key, image])),
    thirdParty: [...third.values()],
    reviews: [],
    problems,
  };
}

/** What stands for an image in the document until it is a template. */
export function imageMark(name: string): string {
  return `__SLIPWAY_IMAGE_${name}__`;
}

function problemOf({ ref, build }: Use): string | undefined {
  if (build !== undefined) return undefined;
  if (ref === undefined) return 'is no image name';
  return ref.digest !== undefined && ref.tag === undefined ? 'has no tag, and which one its digest is nobody can tell' : undefined;
}

function useOf(node: YAMLMap, services: readonly string[], { values }: ImagesInput): Use[] {
  const image = node.get('image', true);
  const build = node.get('build', true);
  if (image === undefined && build === undefined) return [];
  const written = isScalar(image) ? String(image.value) : undefined;
  const filled = written === undefined ? undefined : fillReferences(written, (name) => values.get(name));
  const plain = isMap(build) ? build.toJSON() : isScalar(build) ? build.value : undefined;
  const ref = filled === undefined ? undefined : readRef(filled);
  return [{ node, service: services[0] ?? 'app', written, ref, build: plain === undefined ? undefined : buildOf(plain) }];
}

/** The registry and path that most of the built images have, or else those that lie under the product's own name. */
function homeOf(uses: readonly Use[], product: string): string | undefined {
  const built = uses.filter(({ build }) => build !== undefined);
  const named = uses.filter(({ ref }) => ref?.repository.split('/').slice(0, -1).includes(product));
  const homes = [...built, ...named].flatMap(({ ref, written }) => (ref === undefined || !written?.includes('/') ? [] : [homeOfRef(ref)]));
  const count = (home: string): number => homes.filter((each) => each === home).length;
  return [...new Set(homes)].sort((a, b) => count(b) - count(a))[0];
}

function homeOfRef({ registry, repository }: ImageRef): string {
  return posix.join(registry, posix.dirname(repository)).replace(/\/\.$/, '');
}

function isOwn({ ref, build }: Use, home: string | undefined, own: ReadonlyMap<string, unknown>): boolean {
  if (build !== undefined || ref === undefined) return build !== undefined;
  return own.has(nameKey(ref, true)) || homeOfRef(ref) === home;
}

/** Own images are one whatever their tag; of others each tag is one. */
function nameKey(ref: ImageRef, own: boolean): string {
  return own ? `${ref.registry}/${ref.repository}` : printImageRef(ref);
}

function freeName({ ref, service }: Use, taken: ReadonlySet<string>): string {
  const plain = service.toLowerCase().replace(/[^a-z0-9._-]/g, '-');
  const parts = ref?.repository.split('/') ?? [];
  const candidates = [
    ...(ref === undefined ? [] : [imageName(ref), `${imageName(ref)}-${ref.tag?.toLowerCase() ?? 'latest'}`, parts.slice(-2).join('-')]),
    plain,
    `${plain}-image`,
  ];
  return candidates.find((name) => !taken.has(name)) ?? `image-${taken.size}`;
}

function ownImage(use: Use, { product }: ImagesInput): Proposed<ComposeFields> {
  const { ref, build, service, written } = use;
  const repository = ref === undefined ? `${product}-${service}`.toLowerCase() : imageName(ref);
  if (build === undefined) {
    const fixed = ref?.tag !== undefined && ref.tag !== 'latest' && written?.includes('$') !== true;
    const tag = fixed ? { tag: ref.tag } : {};
    return { value: { repository, ...tag }, review: 'built elsewhere; add its context to build it with slipway' };
  }
  const { context = '.', dockerfile, target, args, platforms, ...others } = build;
  const folder = plainPath(String(context));
  const kept = Object.entries(namedOf(args)).filter(([, value]) => value !== null && !String(value).includes('$'));
  const left = [
    ...Object.keys(namedOf(args))
      .filter((name) => !kept.some(([other]) => other === name))
      .map((name) => `the argument ${name}`),
    ...Object.keys(others).filter((key) => !['tags', 'cache_from', 'cache_to', 'network', 'pull'].includes(key)),
  ];
  return {
    value: {
      repository,
      context: folder,
      ...(typeof dockerfile === 'string' ? { dockerfile: posix.join(folder, dockerfile) } : {}),
      ...(typeof target === 'string' ? { target } : {}),
      ...(kept.length === 0 ? {} : { args: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])) }),
      ...(Array.isArray(platforms) ? { platforms } : {}),
    },
    ...(left.length === 0 ? {} : { review: `not taken over: ${left.join(', ')}` }),
  };
}

function thirdParty({ ref, written }: Use, name: string): Proposed<string | ComposeFields> {
  if (ref === undefined) return { value: written ?? '' };
  const source = printTagged({ registry: ref.registry, repository: ref.repository, ...(ref.tag === undefined ? {} : { tag: ref.tag }) });
  const review = reviewOf(ref, written ?? '');
  const value = imageName(ref) === name ? source : { source, as: name };
  return { value, ...(review === undefined ? {} : { review }) };
}

function reviewOf(ref: ImageRef, written: string): string | undefined {
  if (written.includes('$')) return `was ${written}`;
  if (ref.digest !== undefined) return `was fixed to ${ref.digest.slice(0, 19)}…; slipway.lock.json holds digests`;
  return ref.tag === undefined || ref.tag === 'latest' ? 'latest is whatever is newest: name a version' : undefined;
}

function plainPath(path: string): string {
  return posix.normalize(path).replace(/\/$/, '') || '.';
}
