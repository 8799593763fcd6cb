// slipway.yaml as a proposal, with its comments. Rule: one line for each thing, and what was guessed says so at its end.
import { stringify } from 'yaml';
import { yamlText } from './init.ts';
import type { Proposed } from './proposal.ts';
import type { ProposedEnv } from './proposal-env.ts';
import type { ProposedImages } from './proposal-images.ts';
import type { ProposedMounts } from './proposal-mounts.ts';
import type { ProposedServices } from './proposal-services.ts';

export interface ProposalParts {
  readonly product: string;
  readonly title: string;
  readonly url: string;
  readonly file: string;
  readonly compose: string;
  readonly mounts: ProposedMounts;
  readonly images: ProposedImages;
  readonly env: ProposedEnv['env'];
  readonly services: ProposedServices;
}

/** The whole file. */
export function productText(parts: ProposalParts): string {
  const { product, title, file } = parts;
  const lines = [
    `# The one description of ${product}, proposed from ${file.replace(/[\n\r]/g, ' ')}. Look at every line that says "review", then take the word away.`,
    '# `slipway check` names everything that is wrong in here with its line.',
    'schema: 1',
    `product: ${product} # names the install's folder and its compose project: it never changes`,
    `title: ${yamlText(title)}`,
    '',
    ...releaseLines(parts),
    '',
    ...bundleLines(parts),
    ...section('images', imageLines(parts)),
    ...section('features', entries(parts.services.features)),
    ...section('env', entries(parts.env)),
    '',
    ...requiresLines(parts),
    ...section('services', entries(jobs(parts.services))),
    ...section('data', entries(parts.mounts.data)),
    ...section('upgrade', upgradeLines(parts)),
  ];
  return `${lines.join('\n')}\n`;
}

function releaseLines({ url }: ProposalParts): string[] {
  const address = url === '' ? '' : `, url: ${flow(url)}`;
  return [
    'release:',
    '  tag: v{version} # review: the git tag of a release',
    '  channels:',
    '    stable: {}',
    '  hosts:',
    `    local: { type: folder, path: dist/releases${address} } # any web server can show it`,
    '  # publicKey: RW… # `slipway keys new` prints it; without it nobody can tell your releases from forged ones',
  ];
}

function bundleLines({ compose, mounts }: ProposalParts): string[] {
  const { files, folders, userOwned, hostPaths } = mounts;
  const list = (name: string, items: readonly string[], comment: string): string[] =>
    items.length === 0 ? [] : [`  ${name}: ${flow(items)} # ${comment}`];
  return [
    'bundle:',
    `  compose: ${compose}`,
    ...(files.length === 0 ? [] : ['  files:', ...files.map((path) => `    - ${flow({ from: path, to: path })}`)]),
    ...list('folders', folders, 'shipped empty'),
    ...list('userOwned', userOwned, 'review: never touched after the first install'),
    ...list('hostPaths', hostPaths, 'review: of the machine; people are told'),
  ];
}

function imageLines({ images }: ProposalParts): string[] {
  const { registry, own, thirdParty } = images;
  return [
    ...(registry === undefined
      ? []
      : [`  registry: ${flow(registry)} # what installs pull from; \`slipway images mirror\` puts the third-party images there`]),
    ...(Object.keys(own).length === 0 ? [] : ['  own:', ...entries(own).map((line) => `  ${line}`)]),
    ...(thirdParty.length === 0
      ? []
      : ['  thirdParty:', '    core:', ...thirdParty.map((image) => `      - ${flow(image.value)}${reviewOf(image)}`)]),
  ];
}

function requiresLines({ services }: ProposalParts): string[] {
  const ports = services.ports.length === 0 ? [] : [`  ports: ${flow(services.ports)}`];
  return ['requires:', '  docker: ">=20.10"', '  compose: ">=2.20"', ...ports];
}

function upgradeLines({ services: { entry, health } }: ProposalParts): string[] {
  return [
    ...(entry === undefined
      ? []
      : [
          `  entry: ${flow([entry.value])} # ${entry.review === undefined ? '' : `review: ${entry.review} `}opened last, when everything else is well`,
        ]),
    ...(health === undefined ? [] : ['  health:', `    - ${flow(health.value)}${reviewOf(health)}`]),
  ];
}

function jobs({ jobs: list }: ProposedServices): Record<string, Proposed<object>> {
  return Object.fromEntries(
    list.map(({ value, review }) => [value, { value: { kind: 'job' }, ...(review === undefined ? {} : { review }) }]),
  );
}

function entries(values: Readonly<Record<string, Proposed<unknown>>>): string[] {
  return Object.entries(values).map(([name, proposed]) => `  ${flow(name)}: ${flow(proposed.value)}${reviewOf(proposed)}`);
}

function section(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${name}:`, ...lines];
}

function reviewOf({ review }: Proposed<unknown>): string {
  return review === undefined ? '' : ` # review: ${review.replace(/\s+/g, ' ')}`;
}

/** A value in one line. */
function flow(value: unknown): string {
  if (typeof value === 'string') return yamlText(value);
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: true }).trimEnd();
}
