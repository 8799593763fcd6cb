// A plan: the list of steps a command will carry out. Rule: data only; secrets travel by name, contents by digest, and every step says why.
import type { ChannelAsset } from './channel.ts';
import type { ChannelAddition } from './channel-change.ts';
import type { ChannelEdit } from './channel-edit.ts';
import type { DataSteps } from './data-steps.ts';
import type { Probe } from './description.ts';
import type { Digest } from './digest.ts';
import type { DumpRecipe } from './dump-recipe.ts';
import type { BranchToMove, CommitToTry, RepositoryToTag } from './git-work.ts';
import type { Draft, HostAddress, Publication } from './host.ts';
import type { Builder, ImageToBuild } from './image-build.ts';
import type { ImageToCopy } from './image-copy.ts';
import type { KeptRuntime } from './install.ts';
import type { OwnService } from './own-service.ts';
import type { Reservation } from './reservation.ts';
import type { SourceSteps } from './source-steps.ts';
import type { BundleEntry, ImageToTag, ManifestsToDelete } from './to-publish.ts';
import type { UnitScope, UnitToSet } from './unit.ts';
import type { WayBack } from './way-back.ts';

/** A file to be written: its content is found by digest among the plan's contents. Paths are relative to the plan's root. */
export interface FileToWrite {
  readonly path: string;
  readonly content: Digest;
  readonly mode: number;
}

/** A file after a swap: `content` null = it is gone. */
export interface FileAfter {
  readonly path: string;
  readonly content: Digest | null;
  readonly mode: number;
}

/** A compose project: its folder and files, relative to the root, first to last. */
export interface ComposeProject {
  readonly name: string;
  readonly folder: string;
  /** Relative to the folder; `-` is what the call reads from its input. */
  readonly files: readonly string[];
  /** The `.env` to read, relative to the folder; by default the folder's own. */
  readonly environment?: string;
}

/** An image to be present: by digest, and under the local tag that keeps `docker image prune` away from it. */
export interface ImageToPull {
  readonly name: string;
  readonly pinned: string;
  readonly local: string;
}

/** A data item to copy: a named volume, or a folder of the install. `image` is any image that is present; nothing in it is run. */
export interface DataToCopy {
  readonly name: string;
  readonly volume?: string;
  readonly path?: string;
  readonly image: string;
  readonly recipe?: DumpRecipe;
  /** What it takes on disk, and how long copying that takes about; absent where nobody could measure it. */
  readonly bytes?: number;
  readonly minutes?: number;
}

/** The backup that a step writes to: relative to the root, or absolute. */
export interface ToBackup {
  readonly backup: string;
  /** Public keys of age that its files are encrypted to. */
  readonly encryptTo?: readonly string[];
}

/** The backup of present data that is made before an older one replaces it. */
export interface RescueWish {
  readonly backup: string;
  readonly product: string;
  readonly version: string;
  readonly manifest: Digest;
  /** What is copied, where that is not what is put back. */
  readonly items?: readonly DataToCopy[];
}

/** A text and its place below the root of a host. */
export interface TextToPut {
  readonly path: string;
  readonly text: string;
}

export type AssetToPublish = ChannelAsset;

/** How a channel file is signed: the key's name, never the key. Null public key = an unsigned product. */
export interface Signing {
  readonly publicKey: string | null;
  /** An absolute path; null = the contents of $SLIPWAY_SECRET_KEY. */
  readonly keyFile: string | null;
  /** The environment variable with the contents, where it is not SLIPWAY_SECRET_KEY. */
  readonly variable?: string;
  /** The key that signed what is there so far, while it is replaced by this one. */
  readonly former?: string;
}

/** What each kind of step needs to know. One line a kind; the journal stores it, so old kinds stay readable. */
export interface StepArgs extends DataSteps, SourceSteps {
  'write-bundle': {
    readonly product: string;
    readonly version: string;
    readonly tag: string;
    /** The folder of packed releases, relative to the root, or absolute. */
    readonly out: string;
    /** The archive's file name, and further names for the same bytes. */
    readonly artifact: string;
    readonly aliases: readonly string[];
    /** The time of every entry. */
    readonly made: string;
    readonly entries: readonly BundleEntry[];
    /** Folders that are shipped empty. */
    readonly folders: readonly string[];
    /** The canonical manifest without `artifact.tarSha256`. */
    readonly manifest: Digest;
    /** An archive that was made before: taken as it is instead of packing entries. */
    readonly original?: { readonly file: string; readonly size: number; readonly sha256: Digest; readonly tarSha256: Digest };
    /** Further assets of the release. */
    readonly extra: readonly FileToWrite[];
    readonly signing: Signing;
  };
  'reserve-tag': { readonly host: HostAddress; readonly reservation: Reservation };
  /** Downloads a release of another host into a folder of the plan's own, relative to the root. */
  'fetch-release': {
    readonly from: HostAddress;
    readonly tag: string;
    readonly assets: readonly AssetToPublish[];
    readonly to: string;
  };
  'drop-fetched': { readonly folder: string };
  'draft-release': { readonly host: HostAddress; readonly draft: Draft };
  'upload-assets': { readonly host: HostAddress; readonly draft: Draft; readonly from: string; readonly assets: readonly AssetToPublish[] };
  'publish-release': { readonly host: HostAddress; readonly draft: Draft; readonly publication: Publication };
  'check-published': { readonly host: HostAddress; readonly tag: string; readonly assets: readonly AssetToPublish[] };
  /** Joins the release to the channel file as it is by then, signs it, and claims the next sequence. */
  'put-channel': { readonly host: HostAddress; readonly addition: ChannelAddition; readonly signing: Signing };
  /** Changes what the channel file says of releases, as it is by then, signs it, and claims the next sequence. */
  'edit-channel': { readonly host: HostAddress; readonly edit: ChannelEdit; readonly signing: Signing };
  /** Puts small texts below the root of a host for ever; others in their place are refused. */
  'put-texts': { readonly host: HostAddress; readonly texts: readonly TextToPut[] };
  /** Gives images further tags, without a byte being built or copied. */
  'tag-images': { readonly images: readonly ImageToTag[] };
  /** Copies images between registries; a layer goes to each registry once. */
  'copy-images': { readonly images: readonly ImageToCopy[] };
  /** Builds images one after the other, and pushes each with all its tags. */
  'build-images': {
    readonly images: readonly ImageToBuild[];
    readonly builder: Builder;
    readonly push: boolean;
    /** The folder of the builds' whole outputs, relative to the root. */
    readonly logs: string;
  };
  /** Takes manifests out of registries, with the tags that name them and nothing else. */
  'delete-manifests': { readonly repositories: readonly ManifestsToDelete[] };
  /** Gives a mirror the authority's channel file, byte for byte. */
  'mirror-channel': {
    readonly from: HostAddress;
    readonly host: HostAddress;
    readonly channel: string;
    /** The file as it was when the plan was made; otherwise it is the one that is there by then. */
    readonly content?: Digest;
  };
  /** Puts these assets of the channel's latest release at the root of the host. */
  'put-files': { readonly host: HostAddress; readonly channel: string; readonly names: readonly string[] };
  /** Shows runtimes of a published release below `runtimes/` of a folder, under names without a version. */
  'show-runtimes': { readonly host: HostAddress; readonly tag: string; readonly assets: readonly AssetToPublish[] };

  /** The same annotated tag on each of these repositories, or on none of them. */
  'tag-repositories': { readonly tag: string; readonly repositories: readonly RepositoryToTag[] };
  /** Shell lines of the product that must go well on a copy of this commit; the copy goes again. */
  'try-commit': CommitToTry;
  /** A branch of a remote goes forward to a commit, unless it is not where it was when the plan was made. */
  'move-branch': BranchToMove;

  'make-folders': { readonly folders: readonly { readonly path: string; readonly mode: number }[] };
  'stage-files': { readonly to: string; readonly files: readonly FileToWrite[]; readonly links?: readonly string[] };
  'validate-files': { readonly project: ComposeProject; readonly service: string; readonly command: readonly string[] };
  /** Docker keeps a login for this registry; user and token are in the environment of whoever carries the plan out. */
  'log-in': { readonly registry: string };
  'pull-images': { readonly images: readonly ImageToPull[] };
  'stop-services': { readonly project: ComposeProject; readonly services: readonly string[] };
  'open-backup': ToBackup & { readonly files: readonly string[] };
  'dump-data': ToBackup & { readonly project: ComposeProject; readonly items: readonly DataToCopy[] };
  'copy-data': ToBackup & { readonly items: readonly DataToCopy[] };
  'close-backup': ToBackup & {
    readonly product: string;
    readonly version: string;
    readonly manifest: Digest;
    readonly reason: string;
    readonly rescue: boolean;
    readonly items: readonly DataToCopy[];
  };
  /** A service that shows a page while the door is shut; that it cannot fails nothing. */
  'show-page': { readonly project: ComposeProject; readonly service: string };
  'hide-page': { readonly project: ComposeProject; readonly service: string };
  /** Restores a backup into this project, which is gone afterwards, and starts these services on it. */
  'try-backup': {
    readonly backup: string;
    readonly project: ComposeProject;
    readonly services: readonly string[];
    readonly items: readonly DataToCopy[];
  };
  'swap-files': { readonly from: string; readonly files: readonly FileAfter[] };
  /** A helper, a one-shot container of this service, replaces the container that the program runs in when the program has ended. */
  'renew-self': OwnService & { readonly project: ComposeProject };
  'start-services': { readonly project: ComposeProject; readonly services: readonly string[]; readonly recreate: readonly string[] };
  'run-job': {
    readonly project: ComposeProject;
    readonly service: string;
    readonly command: readonly string[];
    readonly needs: readonly string[];
    readonly timeout: number | null;
    readonly restoredBy?: number;
  };
  /** A service is told a secret's new value, which is in the env file with this content; `home` still holds the former one. */
  'rotate-secret': {
    readonly project: ComposeProject;
    readonly service: string;
    readonly command: readonly string[];
    readonly name: string;
    readonly home: string;
    readonly content: Digest;
  };
  'check-health': {
    readonly project: ComposeProject;
    readonly services: readonly string[];
    readonly jobs: readonly string[];
    readonly optional: readonly string[];
    readonly probes: readonly Probe[];
    readonly timeout: number;
    readonly probation: number;
  };
  /** Does nothing on the way forward; on the way back it demands that what was well before is well again, with the same images. */
  'guard-health': { readonly project: ComposeProject; readonly probes: readonly Probe[]; readonly timeout: number };
  /** Keeps the Node.js that runs this plan where installs share it; `user` is the install's folder. */
  'keep-runtime': KeptRuntime & { readonly user: string };
  /** The install uses that Node.js no more; it goes when no other install does. */
  'drop-runtime': KeptRuntime & { readonly user: string };
  /** Units of systemd: written, switched on or off, taken away. `folder` is absolute. */
  'set-units': { readonly scope: UnitScope; readonly folder: string; readonly units: readonly UnitToSet[] };
  /** The small command on PATH. Absolute. */
  'put-launcher': { readonly path: string; readonly content: Digest };
  /** Takes the small command away when it still starts this install. Absolute. */
  'remove-launcher': { readonly path: string };
  /** Removes those of these folders that hold nothing. Relative to the root, or absolute; the innermost first. */
  'clear-folders': { readonly folders: readonly string[] };
  'remove-project': { readonly project: ComposeProject; readonly volumes: readonly string[] };
  'remove-images': { readonly local: readonly string[] };
  'remove-paths': { readonly paths: readonly string[] };
}

export type Kind = keyof StepArgs;

/** One step: its kind, why it is there, and its arguments. A union over all kinds, and generic in one. */
export type Step<K extends Kind = Kind> = { [P in K]: { readonly kind: P; readonly why: string } & StepArgs[P] }[K];

export interface Plan {
  readonly schema: 1;
  readonly id: string;
  /** Shared by the hops of one upgrade. */
  readonly operation: string;
  readonly command: string;
  /** What the decisions rest on; compared again under the lock. */
  readonly basedOn: Digest;
  readonly steps: readonly Step[];
  /** The index of the last step that can be undone; right after it lies the point of no return. -1: none can. */
  readonly commitAfter: number;
  /** What was not there before this plan, and goes when it was undone: our `.slipway` folder, or the whole root. */
  readonly fresh?: 'state' | 'root';
  /** When it is carried out our `.slipway` folder goes too, and the root when nothing else is in it. */
  readonly leaves?: 'nothing';
  /** Until the point of no return; for hops between releases. */
  readonly wayBack?: WayBack;
  readonly notes: readonly string[];
  /** Versions that were to follow in the same operation, each with a plan of its own. */
  readonly onward?: readonly string[];
}

/** A text, or a file whose bytes are the content. */
export type Content = { readonly text: string } | { readonly file: string };

/** What planning returns: the plan, and the contents that its steps name by digest. */
export interface Planned {
  readonly plan: Plan;
  readonly contents: ReadonlyMap<Digest, Content>;
}
