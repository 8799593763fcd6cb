// What publishing looks at before it decides. Rule: everything that can be known before the first write is said before it, for all hosts at once.
import { relative } from 'node:path';
import { hexOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { contentsOf, type HostAddress, type HostProblem } from '../../model/host.ts';
import { momentOf } from '../../model/parse.ts';
import type { Planned, Signing } from '../../model/plan.ts';
import { channelsIncluding, mainChannelOf } from '../../model/tag.ts';
import { parseVersion } from '../../model/version.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeNotes } from '../../observe/notes.ts';
import { runtimesPlace } from '../../observe/own-files.ts';
import { type HostFacts, isDrafted, observeHost, type PackedRelease } from '../../observe/published.ts';
import { findRuntimes, measureBuilt } from '../../observe/runtimes.ts';
import type { PublishWanted } from '../../plan/announce.ts';
import { notesOf } from '../../plan/notes.ts';
import { planPublish } from '../../plan/publish.ts';
import type { RuntimeFacts } from '../../plan/runtime-release.ts';
import { type Context, isPlanOnly, isSet } from '../command.ts';
import { previousManifest, withoutNotes } from './previous-release.ts';
import { hasErrors, problemsError } from './problems.ts';
import type { ProductFile, ReleaseHosts } from './product-file.ts';

export interface Publishing {
  readonly file: ProductFile;
  readonly hosts: ReleaseHosts;
  readonly signing: Signing;
  readonly packed: PackedRelease;
  /** Why a published version may be replaced; null = it may not. */
  readonly replace: string | null;
}

/** Looks at all hosts, and plans. Throws E_PREFLIGHT with everything that would stop the release on any of them. */
export async function planFor(context: Context, publishing: Publishing): Promise<Planned> {
  const { file, hosts, signing, packed } = publishing;
  const facts = await observeHosts(context, publishing);
  const nonce = context.world.random(16).toString('hex');
  const { manifest } = packed;
  const { release } = file.product;
  const wanted: PublishWanted = {
    id: nonce,
    at: momentOf(context.world.now()),
    draft: await draftName(context, publishing, nonce),
    notes: await notesFor(context, publishing),
    reserver: { by: await observeIdentity(file.root, context.world, isPlanOnly(context)), nonce },
    signing,
    expires: release.expires,
    prereleases: release.channels[manifest.channel]?.prerelease !== undefined,
    including: includingOf(publishing),
    main: manifest.channel === mainChannelOf(release.channels),
    draftOnly: isSet(context.flags, 'draft'),
    replace: publishing.replace,
  };
  const named = (wished: HostAddress): HostFacts => facts.find(({ host }) => host.name === wished.name) as HostFacts; // one for each was asked
  const runtime = await observeRuntimesOf(context, publishing);
  const states = { authority: named(hosts.authority), targets: hosts.targets.map(named), runtime };
  return planPublish(wanted, { ...packed, ...states, from: relative(file.root, packed.folder) });
}

/** What the release page says. Throws what is wrong with the changelog, before anything is written. */
async function notesFor(context: Context, { file, packed: { manifest } }: Publishing): Promise<string> {
  if (manifest.imported) return 'Made before Slipway. Old installs are compared with it.\n';
  const version = parseVersion(manifest.version, 'bundle.json');
  const texts = await observeNotes(file.root, file.product.release.notes, version);
  const previous = await previousManifest(context, file, manifest, version);
  const { markdown, problems } = notesOf(file.product, texts, { manifest, previous, ...withoutNotes(context) });
  if (hasErrors(problems)) throw problemsError(problems, context);
  return markdown;
}

/** The channels that offer the releases of this one's channel too. */
function includingOf({ file, packed }: Publishing): PublishWanted['including'] {
  const { channels } = file.product.release;
  return channelsIncluding(channels, packed.manifest.channel).map((name) => ({
    name,
    prereleases: channels[name]?.prerelease !== undefined,
  }));
}

async function observeHosts(context: Context, publishing: Publishing): Promise<readonly HostFacts[]> {
  const { hosts, packed, signing, replace } = publishing;
  const { manifest, assets } = packed;
  const { product, tag, channel, commit } = manifest;
  const all = new Map([hosts.authority, ...hosts.targets].map((host) => [host.name, host]));
  const wanted = { tag, commit, assets, replace: replace !== null };
  const including = includingOf(publishing).map(({ name }) => name);
  const asked = [...all.values()].map((host) =>
    observeHost({ host, product, tag, channel, including, publicKey: signing.publicKey, wanted }, context.world),
  );
  const facts = await Promise.all(asked);
  const problems = facts.flatMap(({ host, problems: found }) => found.map((problem) => ({ ...problem, host: host.name })));
  refuseProblems(problems, context);
  return facts;
}

/** What the hosts have of the Node.js that the release was packed with. */
async function observeRuntimesOf({ file: program, world, flags }: Context, { file, hosts, packed }: Publishing): Promise<RuntimeFacts> {
  const { runtime, commit } = packed.manifest;
  if (runtime === undefined || isSet(flags, 'draft')) return { from: undefined, built: [], states: [] };
  const place = runtimesPlace(program, world.env);
  const built = await measureBuilt(place);
  const asked = hosts.targets.map((host) => findRuntimes({ host, files: runtime.files, commit, built }, world));
  const states = (await Promise.all(asked)).filter((state) => state !== undefined);
  refuseProblems(
    states.flatMap(({ host, problems }) => problems.map((problem) => ({ ...problem, host: host.name }))),
    { world },
  );
  return { from: place === undefined ? undefined : relative(file.root, place), built, states };
}

/** Warnings are said; errors stop, all at once. */
export function refuseProblems(problems: readonly (HostProblem & { readonly host: string })[], { world }: Pick<Context, 'world'>): void {
  for (const { severity, host, message, hint } of problems) {
    if (severity === 'warning') world.report({ type: 'warning', text: `${host}: ${message}`, hint });
  }
  const errors = problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  const more = errors.slice(1).map(({ host, message }) => `\n  ${host}: ${message}`);
  throw new ToolError('E_PREFLIGHT', `${first.host}: ${first.message}${more.join('')}`, {
    hint: first.hint,
    details: { problems: errors },
  });
}

/** A draft that is to be found again is named by its contents; every other attempt has its own. */
async function draftName({ world, flags }: Context, { hosts, packed }: Publishing, nonce: string): Promise<string> {
  const { assets, manifest } = packed;
  const contents = contentsOf(assets);
  const lasting = { tag: manifest.tag, name: `${manifest.tag}-${hexOf(contents).slice(0, 16)}`, contents };
  if (isSet(flags, 'draft')) return lasting.name;
  for (const host of hosts.targets) if (await isDrafted(host, lasting, world)) return lasting.name;
  return `${manifest.tag}-${nonce}`;
}
