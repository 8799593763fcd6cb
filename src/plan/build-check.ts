// What is wrong with how the product's own images are built and tagged. Rule: everything that the product file shows by itself; a tag is one image, always.
import { TAGGED_EVENTS } from '../model/build-rules.ts';
import { needsCircle } from '../model/image-needs.ts';
import { namespaceProblem } from '../model/namespace.ts';
import { didYouMean } from '../model/near.ts';
import { isRefused, type Path, type ProblemText, pathText } from '../model/problem.ts';
import type { OwnImage, Product } from '../model/product.ts';
import { collidingRules, crossingRules, tagRuleProblem } from '../model/tag-rule.ts';

const BUILD_KEYS = ['dockerfile', 'target', 'args', 'paths', 'cache', 'needs', 'optIn'];
/** What a build argument may hold besides text. */
const ARG_PLACES = ['version', 'commit', 'date'];

/** All problems of `images.own`, `images.tags` and `images.branchNamespace` as far as builds go. */
export function checkBuilds(product: Product): ProblemText[] {
  const own = Object.entries(product.images.own);
  return [
    ...own.flatMap(([name, image]) => checkOwnImage(product, name, image)),
    ...checkShared(product),
    ...checkTagRules(product),
    ...checkNamespace(product),
  ];
}

/** The files and folders that builds need, as the product file names them. */
export function buildPaths({ images }: Product): { readonly path: Path; readonly name: string }[] {
  return Object.entries(images.own).flatMap(([name, { build }]) => {
    if (build === undefined) return [];
    const at = (key: string): Path => ['images', 'own', name, key];
    const folder = build.context === '.' ? [] : [{ path: at('context'), name: build.context }];
    return [...folder, { path: at('dockerfile'), name: build.dockerfile }];
  });
}

function checkOwnImage(product: Product, name: string, image: OwnImage): ProblemText[] {
  const path = ['images', 'own', name];
  const { source } = product;
  if (image.build === undefined && !isRefused(source, [...path, 'context'])) {
    const used = BUILD_KEYS.filter((key) => source.lines.has(pathText([...path, key])));
    const message = (key: string): string => `images.own.${name}.${key} is for images that are built here, and it has no context`;
    const hint = 'Name the folder that it is built from as `context`, or remove this.';
    return used.map((key) => ({ code: 'E_BUILD', path: [...path, key], message: message(key), hint }));
  }
  return [...checkNeeds(product, name, image), ...checkArgs(name, image)];
}

function checkNeeds({ images, source }: Product, name: string, { needs }: OwnImage): ProblemText[] {
  const path = ['images', 'own', name, 'needs'];
  const known = Object.keys(images.own);
  const unknown = needs.flatMap((need, index): ProblemText[] => {
    if (known.includes(need) || isRefused(source, ['images', 'own', need])) return [];
    return [
      {
        code: 'E_UNKNOWN_IMAGE',
        path: [...path, index],
        message: `there is no own image ${need}`,
        hint: didYouMean(need, known, 'There are'),
      },
    ];
  });
  const circle = needsCircle(name, images.own);
  if (circle === undefined) return unknown;
  const message = `${circle.join(' -> ')}: an image that needs itself can never be built`;
  return [...unknown, { code: 'E_NEEDS_CIRCLE', path, message, hint: 'Take one of them out of `needs`.' }];
}

function checkArgs(name: string, { build, needs }: OwnImage): ProblemText[] {
  return Object.entries(build?.args ?? {}).flatMap(([arg, value]): ProblemText[] => {
    const path = ['images', 'own', name, 'args', arg];
    const places = [...value.matchAll(/\{([^{}]*)\}/g)].map(([, place = '']) => place);
    const known = [...ARG_PLACES, ...needs.map((need) => `image:${need}`)];
    const unknown = places.find((place) => /^[a-z]+(?::|$)/.test(place) && !known.includes(place));
    const list = known.map((place) => `{${place}}`).join(' ');
    const problems: ProblemText[] = [];
    if (unknown !== undefined) {
      problems.push({
        code: 'E_BUILD_ARG',
        path,
        message: `{${unknown}} is nothing that a build argument can hold`,
        hint: `There are ${list}.`,
      });
    }
    if (/(?:PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_?KEY|API_?KEY)/i.test(arg)) {
      const message = `build arguments are stored in the image: ${arg} must not hold a secret`;
      problems.push({ code: 'W_SECRET_ARG', path, message, hint: 'Give it at run time, or rename it when it is none.' });
    }
    return problems;
  });
}

/** Two images in one repository get the same tags at every event. */
function checkShared({ images }: Product): ProblemText[] {
  const built = Object.entries(images.own).filter(([, { build }]) => build !== undefined);
  return built.flatMap(([name, { repository }], index): ProblemText[] => {
    const first = built.slice(0, index).find(([, other]) => other.repository === repository);
    if (first === undefined) return [];
    const message = `${first[0]} and ${name} would push the same tags into ${repository}`;
    return [{ code: 'E_TAG_COLLISION', path: ['images', 'own', name], message, hint: 'Give each a `repository` of its own.' }];
  });
}

function checkTagRules({ images: { tags }, source }: Product): ProblemText[] {
  if (isRefused(source, ['images', 'tags'])) return [];
  const wrong = TAGGED_EVENTS.flatMap((event) =>
    tags[event].flatMap((rule, index): ProblemText[] => {
      const message = tagRuleProblem(rule, event);
      const path = ['images', 'tags', event, index];
      return message === undefined
        ? []
        : [{ code: 'E_TAG_RULE', path, message: `images.tags.${event}: ${message}`, hint: 'Correct the rule, or remove it.' }];
    }),
  );
  if (wrong.length > 0) return wrong;
  const same = TAGGED_EVENTS.flatMap((event) =>
    collidingRules(tags[event]).map(({ first, second, tag }): ProblemText => {
      const message = `images.tags.${event}: ${first} and ${second} can both give the tag ${tag}`;
      return {
        code: 'E_TAG_COLLISION',
        path: ['images', 'tags', event, tags[event].lastIndexOf(second)],
        message,
        hint: 'Change or remove one of them.',
      };
    }),
  );
  return [...same, ...crossingProblems(tags)];
}

/** A push to the main branch that takes a release's tag is refused when it happens; that it can is said here. */
function crossingProblems(tags: Product['images']['tags']): ProblemText[] {
  return crossingRules(tags).map(({ first, second, tag }) => {
    const message = `images.tags: ${first} of a push to the main branch and ${second} of a release can both give the tag ${tag}`;
    const hint = `Begin one with a word, such as build-${first}; a build that would take another's tag is refused.`;
    return { code: 'W_TAG_COLLISION', path: ['images', 'tags', 'main', tags.main.indexOf(first)], message, hint };
  });
}

function checkNamespace({ images, source }: Product): ProblemText[] {
  const path = ['images', 'branchNamespace'];
  const message = isRefused(source, path) ? undefined : namespaceProblem(images.branchNamespace);
  if (message === undefined) return [];
  return [{ code: 'E_NAMESPACE', path, message: `images.branchNamespace: ${message}`, hint: 'The usual one is {namespace}0{branch}.' }];
}
