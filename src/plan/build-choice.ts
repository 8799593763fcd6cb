// Which images are built, and why. Rule: every image of the product is told of, built or not.
import { ToolError } from '../model/error.ts';
import { matchesGlob } from '../model/glob.ts';
import { dependentsOf } from '../model/image-needs.ts';
import { didYouMean } from '../model/near.ts';
import type { OwnImage, Product } from '../model/product.ts';
import type { Version } from '../model/version.ts';
import { type Occasion, versionFor } from './build-event.ts';

export interface ChoiceWish {
  readonly occasion: Occasion;
  /** What a person named; none = all but those that are built only when named. */
  readonly names: readonly string[];
  readonly include: readonly string[];
  /** The paths that changed; undefined = nobody asked, so all count. */
  readonly changed: readonly string[] | undefined;
}

export interface ChosenImage {
  readonly name: string;
  readonly why: string;
  readonly version: Version | undefined;
}

export interface Choice {
  /** In the order of the product file. */
  readonly chosen: readonly ChosenImage[];
  readonly left: readonly { readonly name: string; readonly why: string }[];
}

/** Throws E_USAGE for names that cannot be built. */
export function chooseImages(product: Product, wish: ChoiceWish): Choice {
  const { own } = product.images;
  const named = [...wish.names, ...wish.include];
  for (const name of named) refuseUnknown(name, own);
  const changes = wish.changed === undefined ? undefined : changesOf(own, wish.changed);
  const chosen: ChosenImage[] = [];
  const left: { name: string; why: string }[] = [];
  for (const [name, image] of Object.entries(own)) {
    const isNamed = named.includes(name);
    const version = wish.occasion.event === 'release' ? versionFor(product, image, wish.occasion, isNamed) : undefined;
    const against = reasonAgainst(name, image, { wish, isNamed, version });
    const why = changes === undefined ? (isNamed ? 'it was asked for' : occasionText(wish.occasion, version)) : changes.get(name);
    if (against !== undefined) left.push({ name, why: against });
    else if (why === undefined) left.push({ name, why: `nothing of ${(image.build?.paths ?? []).join(' ')} changed` });
    else chosen.push({ name, why, version });
  }
  return { chosen, left };
}

interface Asked {
  readonly wish: ChoiceWish;
  readonly isNamed: boolean;
  readonly version: Version | undefined;
}

function reasonAgainst(name: string, image: OwnImage, { wish, isNamed, version }: Asked): string | undefined {
  if (image.build === undefined) return 'it is built elsewhere';
  if (wish.names.length > 0 && !isNamed) return 'it was not asked for';
  if (image.optIn && !isNamed) return `it is built only when it is named (--include ${name})`;
  if (wish.occasion.event !== 'release' || version !== undefined) return undefined;
  const why = image.release === undefined ? 'this is a release of another image' : `its releases are tagged ${image.release}`;
  if (!wish.names.includes(name)) return why;
  throw new ToolError('E_USAGE', `${name} is no part of this release: ${why}`, { hint: 'Give --version X.Y.Z, or leave it out.' });
}

/** Why each image counts as changed: a path of its own, or an image that it needs. */
function changesOf(own: Product['images']['own'], changed: readonly string[]): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const [name, { build }] of Object.entries(own)) {
    const paths =
      build === undefined ? [] : changed.filter((path) => build.paths.some((pattern) => pattern === '**' || matchesGlob(pattern, path)));
    const [first] = paths;
    if (first !== undefined) reasons.set(name, `${first}${paths.length === 1 ? '' : ` and ${paths.length - 1} more`} changed`);
  }
  for (const [name, need] of dependentsOf([...reasons.keys()], own)) reasons.set(name, `it needs ${need}, which changed`);
  return reasons;
}

function occasionText({ event, branch }: Occasion, version: Version | undefined): string {
  if (event === 'release') return `release ${version ?? ''}`.trim();
  if (event === 'pull-request') return 'a pull request';
  return event === 'main' ? 'a push to the main branch' : `a push to the branch ${branch ?? ''}`.trim();
}

function refuseUnknown(name: string, own: Product['images']['own']): void {
  const image = Object.hasOwn(own, name) ? own[name] : undefined;
  if (image?.build !== undefined) return;
  const built = Object.keys(own).filter((each) => own[each]?.build !== undefined);
  const message = image === undefined ? `there is no own image ${JSON.stringify(name)}` : `${name} is built elsewhere: it has no context`;
  throw new ToolError('E_USAGE', message, { hint: didYouMean(name, built, 'There are') });
}
