// An install that was made without us is taken over, as a list of steps. Rule: nothing of the person's is changed and no container is touched; only what lies under `.slipway` and the command on PATH is new.
import type { AdoptedFrom, ComparedFile } from '../model/adoption.ts';
import type { Digest } from '../model/digest.ts';
import type { ComposeFact, ContainerFact } from '../model/facts.ts';
import type { FileToWrite, Plan, Step } from '../model/plan.ts';
import { type CommandWish, commandSteps } from './command.ts';
import type { DataPlaces } from './data-places.ts';
import type { Comparison } from './nearest.ts';
import { imagesToPull, pristineStep } from './release-steps.ts';

export interface AdoptWish {
  readonly id: string;
  readonly basedOn: Digest;
  readonly nearest: Comparison;
  /** bundle.json and its signature. */
  readonly extra: readonly FileToWrite[];
  /** install.json. */
  readonly record: Digest;
  readonly launching: CommandWish;
}

export interface AdoptFacts {
  readonly root: string;
  readonly project: string;
  readonly from: AdoptedFrom;
  readonly containers: readonly ContainerFact[];
  readonly config: ComposeFact;
  readonly places: DataPlaces;
  /** Images of the release that the engine has by their digests: names. */
  readonly present: readonly string[];
  /** The content of an empty `.env`, when there is none: Compose is told to read it. */
  readonly environment: Digest | undefined;
  /** What lies in the folder and is no release's. */
  readonly yours: readonly string[];
  /** What is wrong with the settings, in words without values. */
  readonly troubles: readonly string[];
}

/** The plan that writes down what is there, and changes nothing of it. */
export function planAdopt(wish: AdoptWish, facts: AdoptFacts): Plan {
  const { id, basedOn, nearest, extra, record, launching } = wish;
  const { manifest } = nearest;
  const tree = `.slipway/staged/${id}/tree`;
  const written: FileToWrite[] = [
    ...(facts.environment === undefined ? [] : [{ path: '.env', content: facts.environment, mode: 0o600 }]),
    { path: '.slipway/install.json', content: record, mode: 0o600 },
  ];
  const images = imagesToPull(manifest).filter(({ name }) => facts.present.includes(name));
  const steps: Step[] = [
    ...commandSteps(launching),
    ...(images.length === 0
      ? []
      : [{ kind: 'pull-images', why: 'images that are here get a tag that keeps `image prune` away', images } as const]),
    { kind: 'stage-files', why: 'the record is prepared', to: tree, files: written },
    pristineStep(manifest, extra),
    { kind: 'swap-files', why: `${facts.root} is written down as ${manifest.version}`, from: tree, files: written },
  ];
  return {
    schema: 1,
    ...{ id, operation: id, command: 'adopt', basedOn, steps },
    commitAfter: steps.length - 1,
    fresh: 'state',
    notes: notesOf(nearest, facts),
  };
}

/** Everything that was found, as a person reads it. */
function notesOf(nearest: Comparison, facts: AdoptFacts): string[] {
  const { project, places } = facts;
  const volumes = Object.entries(places.volumes).map(([name, volume]) => `${name} = ${volume}`);
  return [
    `nothing is stopped, started or restarted, and no file of yours is changed`,
    `${nearest.manifest.title} ${nearest.release.version}: ${reasonOf(nearest)}`,
    ...(nearest.alike.length === 0 ? [] : [`as near: ${nearest.alike.join(', ')}; \`--as VERSION\` chooses`]),
    ...(facts.from === 'source'
      ? ['a git checkout: its files come from git, and `upgrade` goes forward to the commit of the release']
      : []),
    `the compose project stays ${project}${volumes.length === 0 ? '' : `, its volumes ${volumes.join(', ')}`}`,
    ...imageNotes(nearest),
    ...fileNotes(nearest.files, facts.yours),
    ...containerNotes(facts),
    ...Object.entries(places.renamed).map(
      ([name, shipped]) =>
        `${name}: the release calls its volume ${shipped}; before an upgrade write into docker-compose.override.yml: volumes: { ${name}: { name: ${places.volumes[name]}, external: true } }`,
    ),
    ...places.absent.map((name) => `${name}: nothing here has this data; the next upgrade makes it, empty`),
    ...facts.troubles,
  ];
}

function reasonOf({ says, images, files, release }: Comparison): string {
  const same = images.filter(({ state }) => state === 'same' || state === 'tag').length;
  const word = { version: 'VERSION says so', commit: 'the checkout comes from its commit' };
  const counted = `${same} of ${images.length} images and ${files.filter(({ state }) => state === 'same').length} of ${files.length} files are its own`;
  const status = release.status === 'yanked' ? '; its maintainer took it back, so upgrade soon' : '';
  return `${says === null ? '' : `${word[says]}; `}${counted}${status}`;
}

function imageNotes({ images, release }: Comparison): string[] {
  const words = {
    same: 'the same, by digest',
    tag: 'the same by its tag; nobody knows its digest',
    unused: 'no service here has it',
  };
  return images.map(({ name, state, found }) => {
    const text = state === 'differs' ? `not that of ${release.version} (${found})` : words[state];
    return `image ${name}: ${text}`;
  });
}

const MOST_NAMED = 40;

function fileNotes(files: readonly ComparedFile[], yours: readonly string[]): string[] {
  const named = (state: ComparedFile['state']): string[] => files.filter((file) => file.state === state).map(({ path }) => path);
  const same = named('same').length;
  const edited = named('edited').map((path) => `${path}: edited by you; upgrades keep your lines`);
  const missing = named('missing').map((path) => `${path}: missing; the next upgrade brings it`);
  const own = yours.map((path) => `${path}: yours only`);
  return [
    ...(same === 0 ? [] : [`${same} ${same === 1 ? 'file is' : 'files are'} as shipped`]),
    ...[edited, missing, own].flatMap(shorten),
  ];
}

function shorten(lines: readonly string[]): string[] {
  return lines.length <= MOST_NAMED ? [...lines] : [...lines.slice(0, MOST_NAMED), `and ${lines.length - MOST_NAMED} more like it`];
}

/** What runs otherwise than the files say, and what does not run. */
function containerNotes({ containers, config }: AdoptFacts): string[] {
  const own = containers.filter((each) => !each.oneOff);
  const services = (chosen: (each: ContainerFact) => boolean): string =>
    [...new Set(own.filter(chosen).map(({ service }) => service))].sort().join(', ');
  const other = services((each) => config.hashes[each.service] !== undefined && config.hashes[each.service] !== each.configHash);
  const foreign = services((each) => config.services[each.service] === undefined);
  const stopped = services((each) => each.state !== 'running' && !(each.state === 'exited' && each.exitCode === 0));
  return [
    ...(own.length === 0 ? ['no container is here: `start` starts the services'] : []),
    ...(other === '' ? [] : [`${other}: runs with another configuration than the files say; an upgrade makes it anew`]),
    ...(foreign === '' ? [] : [`${foreign}: runs, and the files do not switch it on`]),
    ...(stopped === '' ? [] : [`${stopped}: does not run, and stays so`]),
  ];
}
