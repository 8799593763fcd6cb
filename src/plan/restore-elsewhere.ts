// A backup brought up where nothing is yet, as a list of steps (design §7, §8). Rule: every step can be undone, and nothing that was there before is touched.
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { withoutOwnServers } from '../model/external.ts';
import type { ComposeFact, FileFact } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ComposeProject, DataToCopy, FileToWrite, Plan, Step } from '../model/plan.ts';
import { type CommandWish, commandSteps } from './command.ts';
import { imagesToPull, loginSteps, pristineStep } from './release-steps.ts';
import { openingOf } from './restore.ts';

export interface ElsewhereWish {
  readonly id: string;
  readonly basedOn: Digest;
  readonly target: Manifest;
  readonly shippedCompose?: Digest;
  readonly login?: string | undefined;
  /** bundle.json and its signature. */
  readonly extra: readonly FileToWrite[];
  readonly settings: readonly FileToWrite[];
  /** The files of the backup, as the person left them. */
  readonly files: readonly FileToWrite[];
  readonly record: Digest;
  readonly features: readonly string[];
  readonly launching?: CommandWish;
  /** Where the backup can be read, and what it is called. */
  readonly backup: string;
  readonly name: string;
  readonly items: readonly DataToCopy[];
}

export interface ElsewhereFacts {
  readonly rootExists: boolean;
  readonly project: ComposeProject;
  /** What lies in the folder already. */
  readonly found: ReadonlyMap<string, FileFact>;
  readonly next: ComposeFact;
}

/** The plan. Throws E_CONFLICT when other files are in the way. */
export function planRestoreElsewhere(wish: ElsewhereWish, facts: ElsewhereFacts): Plan {
  const target = withoutOwnServers(wish.target, wish.features);
  const { project } = facts;
  const tree = `.slipway/staged/${wish.id}/tree`;
  const files = [...wish.files, ...wish.extra, ...wish.settings];
  refuseInTheWay(files, facts.found);
  const record: FileToWrite = { path: '.slipway/install.json', content: wish.record, mode: 0o600 };
  const opening = openingOf({ target, features: wish.features }, facts.next, project);
  const folders = target.folders.map((path) => ({ path, mode: 0o755 }));
  const steps: Step[] = [
    ...(wish.launching === undefined ? [] : commandSteps(wish.launching)),
    ...loginSteps(wish.login),
    { kind: 'pull-images', why: 'the images of the release, by digest', images: imagesToPull(target) },
    ...(folders.length === 0 ? [] : [{ kind: 'make-folders', why: 'the folders of the product', folders } as const]),
    { kind: 'stage-files', why: 'the files of the backup are prepared', to: tree, files: [...files, record] },
    pristineStep(target, wish.extra, wish.shippedCompose),
    { kind: 'swap-files', why: 'files and settings of the backup get their places', from: tree, files },
    ...(wish.items.length === 0
      ? []
      : [
          {
            kind: 'restore-data',
            why: 'new volumes take the data of the backup',
            ...{ backup: wish.backup, rescue: null, project, items: wish.items },
          } as const,
        ]),
    ...opening.inside,
    ...opening.door,
    { kind: 'swap-files', why: `${target.version} is written down as installed`, from: tree, files: [record] },
  ];
  return {
    schema: 1,
    ...{ id: wish.id, operation: wish.id, command: 'install', basedOn: wish.basedOn },
    steps,
    commitAfter: steps.length - 1,
    fresh: facts.rootExists ? 'state' : 'root',
    notes: [
      `the data, settings and files are those of ${wish.name}`,
      ...(target.hostPaths.length === 0 ? [] : [`paths of this machine that services see: ${target.hostPaths.join(', ')}`]),
      ...(wish.launching?.notes ?? []),
    ],
  };
}

function refuseInTheWay(files: readonly FileToWrite[], found: ReadonlyMap<string, FileFact>): void {
  const paths = files.filter(({ path, content }) => found.has(path) && found.get(path)?.digest !== content).map(({ path }) => path);
  if (paths.length === 0) return;
  throw new ToolError('E_CONFLICT', `these files are here already, and differ from the backup's: ${paths.join(', ')}`, {
    hint: 'Nothing was changed. Move them away, or choose another folder with --dir.',
    details: { files: paths.map((path) => ({ path, change: 'both', conflict: true })) },
  });
}
