// Which services take the images of another release while the rest stays. Rule: an image goes alone only where nothing else has to go with it; else it is refused
// with what to do.
import type { Channel, ChannelRelease } from '../model/channel.ts';
import { chooseRelease } from '../model/choose-release.ts';
import { majorOf } from '../model/data-move.ts';
import { ToolError } from '../model/error.ts';
import type { ComposeFact } from '../model/facts.ts';
import type { InstallRecord } from '../model/install.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';
import type { Mixed, MixedService } from '../model/mixed.ts';
import { didYouMean } from '../model/near.ts';
import { compareVersions, parseVersion } from '../model/version.ts';
import { findPath } from './path.ts';

/** A release, and what its compose file names as the image of each service. */
export interface ReleaseImages {
  /** As it was signed. */
  readonly manifest: Manifest;
  readonly images: ReadonlyMap<string, string>;
}

export interface ImagesWish {
  /** None = all that both releases have. */
  readonly named: readonly string[];
  /** True when a person named the version. */
  readonly isSaid: boolean;
  readonly record: InstallRecord;
  readonly installed: ReleaseImages;
  readonly target: ReleaseImages;
  /** The project as it is now: which service holds which data. */
  readonly config: ComposeFact;
  /** Majors as they were read on disk, by the engine's volumes. */
  readonly majors: ReadonlyMap<string, number>;
}

export interface ImagesChoice {
  /** Services on images of other releases from now on; undefined = none any more. */
  readonly mixed: Mixed['services'] | undefined;
  /** Services whose image is another than now. */
  readonly changed: readonly string[];
  /** The rows of their images. */
  readonly rows: readonly ManifestImage[];
}

/**
 * The one release whose images are taken; none when there is no newer one. Throws E_POLICY when another release must come first, E_NOT_FOUND for a release
 * that there is not.
 */
export function findImagesPath(
  channel: Channel,
  { version, held }: Pick<InstallRecord, 'version' | 'held'>,
  to: string | undefined,
): readonly ChannelRelease[] {
  if (to === version) return [chooseRelease(channel, to)]; // back to its own images
  const path = findPath(channel, { from: parseVersion(version), held, ...(to === undefined ? {} : { to }) });
  const [first, ...further] = path;
  if (first === undefined || further.length === 0) return path;
  throw new ToolError('E_POLICY', `the way to ${path.at(-1)?.version} goes by ${first.version}, which images alone cannot take`, {
    hint: `Take the images of ${first.version} with --to ${first.version}, or \`upgrade\` without --images-only.`,
  });
}

/** Decides service by service. Throws E_USAGE for a name that is no service, E_POLICY for one whose image cannot go alone. */
export function chooseImages(wish: ImagesWish): ImagesChoice {
  const { record, installed, target } = wish;
  const found = namesOf(wish).map((name) => ({ name, now: imageNow(name, wish), next: imageNext(name, wish) }));
  const changed = found.filter(({ now, next }) => now !== next.image);
  const names = changed.map(({ name }) => name);
  if (target.manifest.version !== record.version) {
    refuseOlder(names, wish);
    refuseMigrations(names, wish);
    for (const name of names) refuseOtherMajor(name, wish);
  }
  const isOwn = ({ name, next }: (typeof found)[number]): boolean =>
    target.manifest.version === record.version || next.image === installed.images.get(name);
  const others = Object.entries(record.mixed?.services ?? {}).filter(([name]) => !found.some((each) => each.name === name));
  const mixed = [...others, ...found.filter((each) => !isOwn(each)).map(({ name, next }) => [name, next] as const)];
  return {
    mixed: mixed.length === 0 ? undefined : Object.fromEntries(mixed.sort(([a], [b]) => (a < b ? -1 : 1))),
    changed: names,
    rows: changed.map((each) => (isOwn(each) ? each.next.row : { ...each.next.row, version: each.next.version })),
  };
}

function namesOf({ named, installed, target }: ImagesWish): readonly string[] {
  const known = [...new Set([...installed.images.keys(), ...target.images.keys()])].sort();
  const [is, will] = [installed.manifest.version, target.manifest.version];
  for (const name of named) {
    if (!known.includes(name))
      throw new ToolError('E_USAGE', `${JSON.stringify(name)} is no service of this product`, {
        hint: didYouMean(name, known, 'Services'),
      });
    if (!installed.images.has(name)) throw together(`${name} is new in ${will}`);
    if (!target.images.has(name)) throw together(`${name} is of ${is}, and gone in ${will}`);
  }
  return named.length > 0 ? [...new Set(named)].sort() : known.filter((name) => installed.images.has(name) && target.images.has(name));
}

function imageNow(name: string, { record, installed }: ImagesWish): string | undefined {
  const services = record.mixed?.services ?? {};
  return Object.hasOwn(services, name) ? services[name]?.image : installed.images.get(name);
}

/** Where both releases name the registry by the same variable, the image is written with it; else by its whole name. */
function imageNext(name: string, { installed, target }: ImagesWish): MixedService {
  const { version, images, registryVariable } = target.manifest;
  if (registryVariable !== installed.manifest.registryVariable) throw together(`${version} names its registry in another way`);
  const written = target.images.get(name) ?? '';
  const row = images.find(({ reference, digest }) => written === `${reference}@${digest}`) ?? images.find(isWritten(written));
  if (row === undefined) throw together(`${version} has no image by digest for ${name}`);
  const image = registryVariable !== undefined && written.startsWith(`\${${registryVariable}`) ? written : `${row.reference}@${row.digest}`;
  return { version, image, row };
}

/** The registry may be a variable; name, tag and digest are not. */
function isWritten(text: string): (image: ManifestImage) => boolean {
  return ({ reference, digest }) => text.endsWith(`${reference.slice(reference.lastIndexOf('/'))}@${digest}`);
}

function refuseOlder(names: readonly string[], { record, target, isSaid }: ImagesWish): void {
  const { version } = target.manifest;
  const newer = names.find(
    (name) => compareVersions(parseVersion(record.mixed?.services[name]?.version ?? version), parseVersion(version)) > 0,
  );
  if (newer === undefined || isSaid) return;
  throw new ToolError('E_POLICY', `${newer} runs the image of ${record.mixed?.services[newer]?.version}, which is newer than ${version}`, {
    hint: `If the older one is meant: --to ${version}.`,
  });
}

/** A migration belongs to the image that carries it out: no service runs that image before the data is brought to it. */
function refuseMigrations(names: readonly string[], wish: ImagesWish): void {
  const { target } = wish;
  const migrating = target.manifest.upgrade.migrate.filter(({ on }) => on.includes('upgrade')).map(({ service }) => service);
  const images = new Set(migrating.map((service) => target.images.get(service)));
  const bound = names.filter((name) => migrating.includes(name) || images.has(target.images.get(name)));
  if (bound.length === 0) return;
  const free = names.filter((name) => !bound.includes(name));
  const is = bound.length === 1 ? 'needs' : 'need';
  throw together(`${bound.join(', ')} of ${target.manifest.version} ${is} the data migrated, which images alone do not do`, free);
}

/** The data that a service holds must be what the engine in its new image reads. */
function refuseOtherMajor(service: string, { record, installed, target, config, majors }: ImagesWish): void {
  const old = installed.manifest;
  const mounted = config.services[service]?.mounts.map(({ source }) => source) ?? [];
  const items = Object.keys(old.data).filter((item) => mounted.includes(item) || old.data[item]?.backup?.service === service);
  for (const item of items) {
    const found = majorOf(item, { record, old, majors });
    const successors = Object.entries(target.manifest.data).filter(([name, next]) =>
      [name, next.renamedFrom, next.migrate?.from].includes(item),
    );
    const other = successors.map(([, { major }]) => major).find((major) => major !== undefined && found !== undefined && major !== found);
    if (other !== undefined)
      throw together(`${service} of ${target.manifest.version} has the engine in ${other}, and its data, ${item}, is of ${found}`);
  }
}

function together(why: string, free: readonly string[] = []): ToolError {
  const rest = free.length === 0 ? 'or name other services' : `or name the others: --images-only ${free.join(',')}`;
  return new ToolError('E_POLICY', why, { hint: `Nothing was changed. \`upgrade\` takes the release as a whole, ${rest}.` });
}
