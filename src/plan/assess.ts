// A bundle before it is written: what will be in it, and everything that is wrong with that. Rule: pure, so that check and pack say the same.
import type { ResolvedImage } from '../model/image.ts';
import type { TableImage } from '../model/image-table.ts';
import { type Problem, problemAt, type Source, sortProblems, withoutIgnored } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { isTemplate, type OperatorProgram, type SourceFiles } from '../model/source-file.ts';
import { readYaml } from '../model/yaml-file.ts';
import { type BundleItem, bundleItems, checkItems } from './bundle-items.ts';
import { checkProduct } from './check.ts';
import { checkHostFiles } from './check-host-files.ts';
import { checkCompose, composeServices } from './compose-check.ts';
import { runImages } from './compose-images.ts';
import { checkReferenceNames } from './image-check.ts';
import { COMPOSE_FILE, EXAMPLE_FILE, pinnedImages, type ReleaseName, type RenderedFile, renderBundle } from './render-bundle.ts';
import { checkShippedFile } from './shipped-check.ts';

export interface AssessFacts {
  readonly release: ReleaseName;
  readonly sources: SourceFiles;
  readonly table: readonly TableImage[];
  /** What is known of the images' digests. */
  readonly resolved: readonly ResolvedImage[];
  /** False before the registries were asked: images need no digest yet. */
  readonly pinned: boolean;
  readonly operator: OperatorProgram;
  /** The public half of the secret key at hand. */
  readonly heldKey: string | undefined;
  /** A source as people find it. */
  readonly label: (source: string) => string;
}

export interface Assessment {
  /** In byte order of the paths. */
  readonly items: readonly BundleItem[];
  /** The images of the release: those that are built only when they are named are in it when the compose file runs them. */
  readonly table: readonly TableImage[];
  /** In order of file and line; without what `check.ignore` names. */
  readonly problems: readonly Problem[];
}

/** Puts the bundle together and checks all of it. */
export function assessBundle(product: Product, facts: AssessFacts): Assessment {
  const { sources, release, operator, heldKey, label } = facts;
  const templates = sources.files.filter(({ source }) => isTemplate(source));
  const rendered = renderBundle({ ...facts, ...release, product, texts: sources.texts, templates });
  const items = bundleItems({ product, version: release.version, rendered: rendered.files, files: sources.files, operator });
  const compose = rendered.files.find(({ path }) => path === COMPOSE_FILE);
  const services = compose === undefined ? {} : { services: composeServices(compose.text) };
  const held = heldKey === undefined ? {} : { publicKey: heldKey };
  const own = [
    ...checkItems(product, items),
    ...checkHostFiles(product, items, { texts: sources.texts, label }),
    ...checkReferenceNames(product, facts.table),
    ...sources.problems.map((problem) => problemAt(product.source, problem)),
    ...sources.found,
    ...rendered.problems,
    ...rendered.files.flatMap((file) => checkMade(file, product, facts)),
  ];
  const checked = checkProduct(product, { ...services, ...held, missing: sources.missing });
  const ofCompose = compose === undefined ? [] : checkRenderedCompose(compose, items, product, facts);
  const run = compose === undefined ? [] : runImages(compose.text, facts.table, product);
  const table = facts.table.filter((image) => product.images.own[image.name]?.optIn !== true || run.includes(image));
  return { items, table, problems: sortProblems([...withoutIgnored(own, product.ignore), ...checked, ...ofCompose]) };
}

/** Secrets in what goes into the bundle as text; templates among the files were looked into where they lie. */
function checkMade({ path, text, source }: RenderedFile, product: Product, { label }: AssessFacts): Problem[] {
  if (path !== COMPOSE_FILE && path !== EXAMPLE_FILE) return [];
  const found = checkShippedFile(path, text, product.env);
  return found.map((problem) => ({ ...problem, file: source === undefined ? product.source.file : label(source) }));
}

function checkRenderedCompose(compose: RenderedFile, items: readonly BundleItem[], product: Product, facts: AssessFacts): Problem[] {
  const { sources, label, pinned } = facts;
  const source = compose.source ?? COMPOSE_FILE;
  const files = [...items, ...(product.bundle?.hostFiles ?? [])].map(({ path }) => path);
  const problems = checkCompose({ text: compose.text, file: label(source), product, images: pinnedImages(facts), files, pinned });
  const written = sources.texts.get(source) ?? '';
  const ofCompose = (problem: Problem): boolean => problem.file === label(source);
  if (!isTemplate(source)) {
    const original = readYaml(written, source).source;
    return problems.map((problem) => (ofCompose(problem) ? { ...problem, line: writtenLine(problem, original) } : problem));
  }
  if (compose.text.split('\n').length === written.replaceAll('\r\n', '\n').split('\n').length) return problems;
  return problems.map((problem) => (ofCompose(problem) ? { ...problem, file: `${problem.file} (rendered)` } : problem));
}

/** The line of a problem's place in the file as it was written, or of the nearest part around it. */
function writtenLine({ path = '', line }: Problem, { lines }: Source): number {
  for (let at = path; at !== ''; at = at.replace(/(?:\.[^.[\]]*|\[\d+\]|^[^.[\]]*)$/, '')) {
    const written = lines.get(at);
    if (written !== undefined) return written;
  }
  return path === '' ? 1 : line;
}
