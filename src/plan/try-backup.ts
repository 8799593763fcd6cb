// The plan of trying a backup: restored into a compose project of its own, seen to work, taken away. Rule: the product runs on, untouched.
import type { Backup } from '../model/backup.ts';
import { keep } from '../model/description.ts';
import type { Digest } from '../model/digest.ts';
import { withoutOwnServers } from '../model/external.ts';
import type { ComposeFact } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ComposeProject, DataToCopy, FileToWrite, Plan } from '../model/plan.ts';
import { volumeIn } from '../model/scratch-project.ts';
import { imagesToPull } from './release-steps.ts';
import { servicesOf } from './restore.ts';

export interface TrialWish {
  readonly id: string;
  readonly basedOn: Digest;
  /** Where the backup can be read, and what it is called. */
  readonly backup: string;
  readonly name: string;
  readonly items: Backup['items'];
  readonly target: Manifest;
  readonly features: readonly string[];
  /** The files of the backup. */
  readonly files: readonly FileToWrite[];
  /** The project as it is installed, with the compose files of the backup. */
  readonly project: ComposeProject;
  readonly next: ComposeFact;
  /** The images of its release are here: it is the installed one. */
  readonly isInstalled: boolean;
}

/** The plan; all of it can be undone. */
export function planTrial(wish: TrialWish): Plan {
  const target = withoutOwnServers(wish.target, wish.features);
  const folder = `.slipway/staged/${wish.id}/try`;
  const project = { ...wish.project, name: `${wish.project.name}-try-${wish.id.slice(-8)}`, folder };
  const services = servicesOf(target, Object.keys(wish.next.services).sort()).dataStarted;
  const images = imagesToPull(target);
  const items = wish.items
    .filter(({ kind }) => kind === 'copy')
    .map(({ name, path }): DataToCopy => {
      const place = path === undefined ? { volume: volumeIn(project.name, name) } : { path: `${folder}/${path}` };
      return keep({ name, ...place, image: images[0]?.pinned ?? '', recipe: target.data[name]?.backup });
    });
  return {
    schema: 1,
    ...{ id: wish.id, operation: wish.id, command: 'backup verify', basedOn: wish.basedOn },
    steps: [
      ...(wish.isInstalled ? [] : [{ kind: 'pull-images', why: 'the images of the release that the backup is of', images } as const]),
      { kind: 'stage-files', why: 'the files of the backup, in a folder of their own', to: folder, files: wish.files },
      {
        kind: 'try-backup',
        why: `${wish.name} is restored beside the product, and taken away again`,
        backup: wish.backup,
        project,
        services,
        items,
      },
    ],
    commitAfter: wish.isInstalled ? 1 : 2,
    notes: [
      `the product runs on; the data is unpacked a second time on this machine, as the project ${project.name}`,
      services.length === 0
        ? 'no service is started: the product names none that keeps data'
        : `started on it, shut off from every network: ${services.join(', ')}`,
    ],
  };
}
