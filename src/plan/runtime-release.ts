// Decides how the Node.js for hosts without one gets onto the hosts. Rule: one release per Node.js version, shared by all releases; what is there stays, and other bytes are refused.
import type { ChannelAsset } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import { contentsOf, type Draft, type HostAddress, type Publication } from '../model/host.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Step } from '../model/plan.ts';
import { RESERVATION_TYPE, type Reservation } from '../model/reservation.ts';
import type { Runtime } from '../model/runtime.ts';

/** What one host has of the runtimes. */
export interface RuntimeState {
  readonly host: HostAddress;
  /** The assets published under their tag. */
  readonly published: readonly ChannelAsset[] | undefined;
  readonly reservation: Reservation | undefined;
  /** The digests of what a folder shows below `runtimes/`, by asset name. */
  readonly shown: ReadonlyMap<string, string>;
}

export interface RuntimeFacts {
  /** The folder that was built, relative to the root; undefined when it is not there. */
  readonly from: string | undefined;
  /** What that folder holds. */
  readonly built: readonly ChannelAsset[];
  readonly states: readonly RuntimeState[];
}

export interface RuntimeWish {
  readonly manifest: Manifest;
  readonly nonce: string;
  readonly at: string;
}

/** The steps in two parts: what no reader sees yet, and what makes it appear. Both empty when the hosts have the runtimes of this release. */
export function runtimeSteps(
  wish: RuntimeWish,
  facts: RuntimeFacts,
): { readonly prepare: readonly Step[]; readonly appear: readonly Step[] } {
  const files = wish.manifest.runtime?.files ?? [];
  const [first] = files;
  if (first === undefined) return { prepare: [], appear: [] };
  for (const state of facts.states) refuseOtherBytes(state, files);
  const missing = facts.states.filter(({ published }) => published === undefined);
  const release = missing.length === 0 ? undefined : releaseOf(first, wish, facts, files);
  return {
    prepare: release === undefined ? [] : missing.flatMap((state) => preparing(state, release, wish)),
    appear: [
      ...(release === undefined ? [] : missing.flatMap(({ host }) => appearing(host, release))),
      ...facts.states.flatMap((state) => showing(state, files)),
    ],
  };
}

interface RuntimeRelease {
  readonly node: string;
  readonly from: string;
  readonly draft: Draft;
  readonly publication: Publication;
}

function releaseOf(
  { node, tag }: Runtime,
  { nonce }: RuntimeWish,
  { from, built }: RuntimeFacts,
  files: readonly Runtime[],
): RuntimeRelease {
  const absent = files.find((file) => !built.some(({ name, sha256 }) => name === file.name && sha256 === file.sha256));
  if (from === undefined || absent !== undefined) throw notBuilt(absent?.name ?? tag, node);
  const draft = { tag, name: `${tag}-${nonce}`, contents: contentsOf(built) };
  const title = `Node.js ${node}`;
  const notes = 'What install.sh fetches where there is no suitable Node.js. Not a release of the product.\n';
  // A forge must never show it as the latest release, whichever way it chooses one.
  return { node, from, draft, publication: { assets: built, latest: false, prerelease: true, title, notes, replaces: null } };
}

function preparing({ host, reservation }: RuntimeState, release: RuntimeRelease, wish: RuntimeWish): Step[] {
  const { node, from, draft, publication } = release;
  const { product, commit } = wish.manifest;
  const wanted: Reservation = {
    type: RESERVATION_TYPE,
    product,
    version: node,
    tag: draft.tag,
    commit,
    by: draft.tag, // every publisher has the same claim to it, for all of them bring the same bytes
    nonce: wish.nonce,
    at: wish.at,
  };
  const isForge = host.type === 'github' || host.type === 'gitea';
  const reserve: Step = { kind: 'reserve-tag', why: `${host.name} has a tag for Node.js ${node}`, host, reservation: wanted };
  const { assets } = publication;
  return [
    ...(isForge && reservation === undefined ? [reserve] : []),
    { kind: 'draft-release', why: `nobody sees half of Node.js ${node} on ${host.name}`, host, draft },
    { kind: 'upload-assets', why: `Node.js ${node} for hosts without one, once for all releases`, host, draft, from, assets },
  ];
}

function appearing(host: HostAddress, { node, draft, publication }: RuntimeRelease): Step[] {
  const { tag } = draft;
  return [
    { kind: 'publish-release', why: `Node.js ${node} appears on ${host.name} at once and stays as it is`, host, draft, publication },
    {
      kind: 'check-published',
      why: `what readers of ${host.name} get is what was built`,
      host,
      tag,
      assets: publication.assets,
    },
  ];
}

/** A folder shows them under names without a version, too. */
function showing({ host, shown }: RuntimeState, files: readonly Runtime[]): Step[] {
  const [first] = files;
  const behind = files.filter(({ name, sha256 }) => shown.get(name) !== sha256);
  if (host.type !== 'folder' || first === undefined || behind.length === 0) return [];
  const assets = behind.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  return [{ kind: 'show-runtimes', why: `${host.name} shows Node.js ${first.node} below runtimes/`, host, tag: first.tag, assets }];
}

function refuseOtherBytes({ host, published }: RuntimeState, files: readonly Runtime[]): void {
  if (published === undefined) return;
  const other = files.find((file) => !published.some(({ name, sha256 }) => name === file.name && sha256 === file.sha256));
  if (other === undefined) return;
  throw new ToolError(
    'E_PUBLISHED_DIFFERS',
    `${host.name} has another ${other.name} of Node.js ${other.node} than this release was packed with`,
    {
      hint: `Take the published one: download ${other.tag} into the folder of the runtimes, and pack again.`,
      details: { tag: other.tag, name: other.name },
    },
  );
}

function notBuilt(name: string, node: string): ToolError {
  return new ToolError('E_NOT_PACKED', `this release was packed with Node.js ${node} for hosts without one, and ${name} is not there`, {
    hint: 'Build it with `npm run build:runtime`, or pack again without it.',
  });
}
