// Images as the registry or the lock knows them, against what the product promises. Rule: no release whose images lack a platform that it declares.
import type { ResolvedImage } from '../model/image.ts';
import { readRef } from '../model/image.ts';
import type { TableImage } from '../model/image-table.ts';
import { LOCK_FILE_NAME, type LockFile, lockedFor } from '../model/lock-file.ts';
import { isRefused, type Path, type Problem, type ProblemText, problemAt, withoutIgnored } from '../model/problem.ts';
import type { Product } from '../model/product.ts';

/** Images that lack a declared platform: their own, or one of `requires.platforms`. */
export function checkPlatforms(product: Product, table: readonly TableImage[], resolved: readonly ResolvedImage[]): Problem[] {
  const problems = table.flatMap((image): ProblemText[] => {
    const found = resolved.find(({ name }) => name === image.name)?.platforms;
    const declared = [...new Set([...image.platforms, ...product.requires.platforms])];
    const missing = found === undefined ? [] : declared.filter((platform) => !found.some((each) => covers(each, platform)));
    if (missing.length === 0) return [];
    const message = `${image.reference} has no ${missing.join(' and no ')} (it has ${found?.join(', ')})`;
    const hint = 'Push the image for every platform, or take the platform out of requires.platforms and images.own.';
    return [{ code: 'E_IMAGE_PLATFORM', path: imagePath(product, image.name), message, hint }];
  });
  const rules = product.ignore.map((rule) => (rule.code === 'W_IMAGE_PLATFORM' ? { ...rule, code: 'E_IMAGE_PLATFORM' } : rule));
  return withoutIgnored(
    problems.map((problem) => problemAt(product.source, problem)),
    rules,
  );
}

/** Third-party images that the lock does not cover: errors when it must cover them, else warnings. */
export function checkLocked(product: Product, table: readonly TableImage[], { lock, demanded }: LockWanted): Problem[] {
  const unlocked = table.filter(({ kind, name, reference }) => {
    const ref = readRef(reference);
    return kind === 'third-party' && ref !== undefined && lockedFor(lock, name, ref) === undefined;
  });
  return unlocked.map(({ name, reference }) => {
    const message = `${reference} is not in ${LOCK_FILE_NAME}${demanded ? '' : ', so its digest is whatever the registry says today'}`;
    const code = demanded ? 'E_NOT_LOCKED' : 'W_NOT_LOCKED';
    return problemAt(product.source, {
      code,
      path: imagePath(product, name),
      message,
      hint: 'Run `slipway images lock`, and commit the file.',
    });
  });
}

export interface LockWanted {
  readonly lock: LockFile;
  /** True with `--locked`. */
  readonly demanded: boolean;
}

/** References that are no image names. */
export function checkReferenceNames(product: Product, table: readonly TableImage[]): Problem[] {
  const bad = table.filter(({ reference }) => readRef(reference) === undefined);
  return bad.map(({ name, reference }) => {
    const message = `${reference} is not an image name`;
    const hint = 'Write it as docker pull takes it, for example docker.io/library/postgres:16-alpine.';
    return problemAt(product.source, { code: 'E_IMAGE', path: imagePath(product, name), message, hint });
  });
}

/** Where an image of the table is written. */
function imagePath({ images, source }: Product, name: string): Path {
  if (Object.hasOwn(images.own, name)) return ['images', 'own', name];
  const image = images.thirdParty.find((each) => each.name === name);
  const path = image === undefined ? ['images'] : ['images', 'thirdParty', image.group, image.index];
  return isRefused(source, path) ? ['images'] : path;
}

/** `linux/arm64/v8` is a `linux/arm64`. */
function covers(found: string, platform: string): boolean {
  return found === platform || found.startsWith(`${platform}/`);
}
