// Which registry the images of an install come from. Rule: said now beats what `.env` says, and that what was written down; the digests are the same everywhere.
import type { InstallFacts } from '../../model/facts.ts';
import type { Manifest } from '../../model/manifest.ts';
import { settingsValues } from '../../model/settings.ts';
import { parseSiteRegistry, siteRegistry } from '../../model/site-registry.ts';
import { type Context, type FlagTable, textFlag, textFlags } from '../command.ts';
import { givenValues } from './answers.ts';

export const REGISTRY_FLAG = {
  registry: { type: 'string', value: 'HOST/PATH', help: 'your own registry, which has the same images; empty = the product’s' },
} as const satisfies FlagTable;

export interface RegistryWish {
  /** The release as it was signed. */
  readonly manifest: Manifest;
  /** Today's values of its variables. */
  readonly today: ReadonlyMap<string, string>;
  /** What install.json says. */
  readonly recorded: string | null;
}

export interface ChosenRegistry {
  /** Null = the product's own. */
  readonly registry: string | null;
  /** The context in which the release's variable, if it has one, is answered with it. */
  readonly context: Context;
}

/** The site's registry for a release. Throws E_USAGE for what is none. */
export async function chooseRegistry(context: Context, wish: RegistryWish): Promise<ChosenRegistry> {
  const { manifest, today, recorded } = wish;
  const { registryVariable: name } = manifest;
  const flag = textFlag(context.flags, 'registry');
  if (name === undefined) {
    const registry = flag === undefined ? recorded : parseSiteRegistry(flag, '--registry');
    return { registry: registry === manifest.registry ? null : registry, context };
  }
  const said = flag ?? (await givenValues(context)).get(name) ?? today.get(name) ?? recorded ?? '';
  const plain = parseSiteRegistry(said, flag === undefined ? name : '--registry') ?? '';
  const registry = siteRegistry(manifest, new Map([[name, plain]]), null);
  return { registry, context: (today.get(name) ?? '') === plain ? context : answered(context, name, plain) };
}

/** The registry that the images of an install come from; null = the product's own. */
export function registryOf({ manifest, shipped = manifest, settings, record }: InstallFacts): string | null {
  return siteRegistry(shipped, settingsValues(settings, shipped.env), record.registry);
}

/** The site's registry for the next release of an install. */
export function registryFor(context: Context, install: InstallFacts, next: Manifest): Promise<ChosenRegistry> {
  const { settings, manifest } = install;
  const today = new Map([...settingsValues(settings, next.env), ...settingsValues(settings, manifest.env)]);
  return chooseRegistry(context, { manifest: next, today, recorded: registryOf(install) });
}

function answered(context: Context, name: string, value: string): Context {
  const others = textFlags(context.flags, 'set').filter((text) => !text.startsWith(`${name}=`));
  return { ...context, flags: { ...context.flags, set: [...others, `${name}=${value}`] } };
}
