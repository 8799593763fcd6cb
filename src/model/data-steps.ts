// The steps that put data back, or into another volume. Rule: data only, as all steps; the backup that they read from is named by its path.
import type { ComposeProject, DataToCopy, RescueWish } from './plan.ts';

/** A dump of the old engine that the new one restores into a volume of its own. */
export interface DataToImport {
  /** The item of the new release. */
  readonly name: string;
  /** The item in the backup whose dump it is. */
  readonly dump: string;
  /** The engine's volume, which is new, or takes the place of what the backup has a copy of. */
  readonly volume: string;
  readonly replaces: boolean;
  readonly service: string;
  readonly restore: string;
  /** Must print what `measure-data` kept under the dump's name. */
  readonly compare?: string;
}

/** What a service prints of the data, before it is dumped. */
export interface DataToMeasure {
  readonly name: string;
  readonly service: string;
  readonly command: string;
}

export interface DataSteps {
  'guard-data': {
    readonly backup: string;
    readonly project: ComposeProject;
    readonly items: readonly DataToCopy[];
    readonly rescue: RescueWish | null;
  };
  'restore-data': {
    readonly backup: string;
    /** The backup of the present data, for the way back; null = there is none, and must be none. */
    readonly rescue: string | null;
    readonly project: ComposeProject;
    readonly items: readonly DataToCopy[];
  };
  'measure-data': { readonly project: ComposeProject; readonly items: readonly DataToMeasure[] };
  /** Copies of a backup, unpacked into volumes that are new; `name` is the item in the backup, `volume` where it goes. */
  'carry-data': { readonly backup: string; readonly project: ComposeProject; readonly items: readonly DataToCopy[] };
  'import-data': { readonly backup: string; readonly project: ComposeProject; readonly items: readonly DataToImport[] };
  /** For good: only past the point of no return. */
  'drop-volumes': { readonly volumes: readonly string[] };
}
