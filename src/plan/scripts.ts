// The thin scripts of a product's own repository. Rule: each stands for one command and its options, and a script whose command has nothing to do is not made.
import { type HostAddress, publicLocation } from '../model/host.ts';
import type { Product } from '../model/product.ts';
import { renderTemplate } from '../model/template.ts';
import { isBranchName, type TrainPair, trainPairs } from '../model/train.ts';
import type { NewFile } from './init.ts';

export interface ScriptFiles {
  readonly files: readonly NewFile[];
  /** Which are not made, and why. */
  readonly notes: readonly string[];
}

interface Script {
  readonly name: string;
  readonly template: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Why it is not made. */
  readonly lacks: string | undefined;
}

/** The scripts below `scripts/`; `templates` is by name. Throws E_TEMPLATE. */
export function scriptFiles(product: Product, templates: ReadonlyMap<string, string>): ScriptFiles {
  const all = scriptsOf(product);
  const files = all.filter(({ lacks }) => lacks === undefined);
  return {
    files: files.map(({ name, template, data }): NewFile => {
      const text = renderTemplate({ text: templates.get(`${template}.hbs`) ?? '', file: template, data, images: new Map() });
      return { path: `scripts/${name}`, text, mode: 0o755 };
    }),
    notes: all.flatMap(({ name, lacks }) => (lacks === undefined ? [] : [`scripts/${name} is not made: ${lacks}.`])),
  };
}

function scriptsOf(product: Product): Script[] {
  const { bundle, cli, images, release, sync } = product;
  const noBundle = bundle === undefined ? 'there is no bundle' : undefined;
  const built = Object.entries(images.own).filter(([, { build }]) => build !== undefined);
  const optional = built.filter(([, { optIn }]) => optIn).map(([name]) => name);
  const groups = [...new Set(images.thirdParty.map(({ group }) => group))];
  const places = release.hosts.filter(({ name }) => release.publishTo.includes(name)).flatMap(installerPlaces);
  const script = (name: string, data: Script['data'], lacks: string | undefined): Script => ({ name, template: name, data, lacks });
  return [
    script('build-release.sh', {}, noBundle),
    script('build-and-push.sh', { optional }, built.length === 0 ? 'no image is built here' : undefined),
    script('mirror-images.sh', { groups }, groups.length === 0 ? 'there are no third-party images' : undefined),
    script('bump-version.sh', {}, release.base.kind === 'git' ? 'release.base is git, so tags count' : undefined),
    ...trainPairs(sync, release.channels).filter(isPlain).map(syncScript),
    script('install.sh', { places }, noBundle ?? (places.length === 0 ? 'no host of releases has an address' : undefined)),
    script('upgrade.sh', { cli }, noBundle),
  ];
}

function syncScript({ from, to }: TrainPair): Script {
  const file = `sync-${from}-to-${to}.sh`.replaceAll('/', '-');
  return { name: file, template: 'sync.sh', data: { file, from, to }, lacks: undefined };
}

function isPlain({ from, to }: TrainPair): boolean {
  return isBranchName(from) && isBranchName(to);
}

/** Where a host shows the newest install.sh, as one word of a shell: the root of a folder, or of the branch with the channel files. */
function installerPlaces(host: HostAddress): string[] {
  const location = publicLocation(host)?.replace(/\/+$/, '');
  const paths: Readonly<Record<string, string>> = {
    folder: 'install.sh',
    gitea: 'raw/branch/channels/install.sh',
    github: 'raw/channels/install.sh',
  };
  const path = paths[host.type];
  return location === undefined || path === undefined ? [] : [`'${`${location}/${path}`.replaceAll("'", "'\\''")}'`];
}
