// A product proposed from a compose project that is there. Rule: what it guessed is marked `# review:` where it stands, and what it cannot know is a problem.
import { posix } from 'node:path';
import { type Document, isMap } from 'yaml';
import type { EnvFile } from '../model/env-file.ts';
import type { Problem } from '../model/problem.ts';
import { buildOf } from './compose-merge.ts';
import { fieldsOf, listOf, nameProject } from './compose-parts.ts';
import type { NewFile } from './init.ts';
import { servicesIn } from './proposal.ts';
import { envFilesOf, proposeEnv, withoutSecretDefaults } from './proposal-env.ts';
import { imageMark, proposeImages } from './proposal-images.ts';
import { type PathKind, proposeMounts, readMount } from './proposal-mounts.ts';
import { proposeServices } from './proposal-services.ts';
import { productText } from './proposal-text.ts';

export const COMPOSE_TEMPLATE = 'templates/docker-compose.yml.hbs';

export interface ProposalInput {
  /** Changed by the proposal: it becomes the template. */
  readonly document: Document;
  /** The compose file as the person named it. */
  readonly file: string;
  /** Where each place of it was written. */
  readonly lines: ReadonlyMap<string, number>;
  readonly product: string;
  readonly title: string;
  readonly registry: string | undefined;
  readonly url: string;
  /** The example of `.env`. */
  readonly main: EnvFile | undefined;
  readonly values: ReadonlyMap<string, string>;
  readonly envFiles: ReadonlyMap<string, EnvFile | undefined>;
  readonly kinds: ReadonlyMap<string, PathKind>;
}

export interface Proposal {
  readonly files: readonly NewFile[];
  /** What a person should look at that is no line of slipway.yaml. */
  readonly reviews: readonly string[];
  readonly problems: readonly Problem[];
  /** True when own images have no registry to be pushed to. */
  readonly needsRegistry: boolean;
}

/** The product file and the compose template. */
export function proposeProduct(input: ProposalInput): Proposal {
  const { document, file, product } = input;
  const services = servicesIn(document);
  const mounts = proposeMounts({ ...input, services });
  const images = proposeImages(input);
  if (isMap(document.contents)) nameProject(document, document.contents, product);
  document.delete('version');
  const env = proposeEnv({ document, file, main: input.main, files: input.envFiles });
  const shapes = proposeServices(services, new Set(Object.keys(env.env)));
  const template = templateText(withoutSecretDefaults(document.toString({ lineWidth: 0, flowCollectionPadding: true }), env.env));
  const text = productText({ ...input, compose: COMPOSE_TEMPLATE, mounts, images, env: env.env, services: shapes });
  return {
    files: [
      { path: 'slipway.yaml', text },
      { path: COMPOSE_TEMPLATE, text: template },
    ],
    reviews: [...mounts.reviews, ...images.reviews, ...env.reviews, ...shapes.reviews],
    problems: [...mounts.problems, ...images.problems, ...env.problems].map((problem) => placed(problem, input)),
    needsRegistry: images.registry === undefined && Object.keys(images.own).length > 0,
  };
}

/** The paths of the product's folder that the proposal rests on. */
export function proposalPaths(document: Document, values: ReadonlyMap<string, string>): string[] {
  const { configs } = fieldsOf(document.toJS({ maxAliasCount: 1000 }));
  const services = Object.values(servicesIn(document));
  const mounts = services.flatMap(({ volumes }) => listOf(volumes).map((volume) => readMount(volume, values)));
  const all = [
    ...mounts.flatMap(({ kind, source }) => (kind === 'bind' ? [source] : [])),
    ...services.flatMap(({ build }) => (build === undefined ? [] : [String(buildOf(build).context ?? '.')])),
    ...Object.values(fieldsOf(configs))
      .flatMap((config) => fieldsOf(config).file ?? [])
      .map(String),
  ];
  return [...new Set(all.map((path) => posix.normalize(path).replace(/(?<=.)\/$/, '')))].filter((path) => !/^(?:\/|~|\.\.|\$)/.test(path));
}

/** The env files that services read, besides `.env`. */
export function proposalEnvFiles(document: Document): string[] {
  return [...new Set(envFilesOf(document).map(({ path }) => path))].filter((path) => !/^(?:\/|\.\.|\$)/.test(path));
}

/** The name that the project has by itself; undefined when it has none, or one that a variable chooses. */
export function projectName(document: Document): string | undefined {
  const name = document.get('name');
  return typeof name === 'string' && /^[a-z][a-z0-9-]{0,62}$/.test(name) ? name : undefined;
}

function placed(problem: Problem, { file, lines }: ProposalInput): Problem {
  return { ...problem, file, line: lines.get(problem.path ?? '') ?? 1 };
}

/** Handlebars leaves what is escaped as it is, and fills in the images. */
function templateText(text: string): string {
  const mark = new RegExp(imageMark('([a-z0-9._-]+?)'), 'g');
  return text.replaceAll('{{', '\\{{').replace(mark, (_, name: string) => `{{image ${JSON.stringify(name)}}}`);
}
