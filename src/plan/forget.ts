// Letting a kept volume go. Rule: only what is written down as kept, and in use by nothing; for good, so nothing comes before the point of no return but files.
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { ContainerFact } from '../model/facts.ts';
import type { InstallRecord } from '../model/install.ts';
import type { Plan } from '../model/plan.ts';

export interface ForgetWish {
  readonly id: string;
  readonly basedOn: Digest;
  readonly volume: string;
  /** install.json without it. */
  readonly record: Digest;
}

/** The plan. Throws E_NOT_FOUND for a volume that is not kept, E_POLICY for one that a container uses. */
export function planForget(wish: ForgetWish, record: InstallRecord, containers: readonly ContainerFact[]): Plan {
  const { id, volume } = wish;
  const kept = record.kept ?? [];
  const found = kept.find((each) => each.volume === volume);
  if (found === undefined)
    throw new ToolError('E_NOT_FOUND', `${volume} is no volume that is kept`, {
      hint: kept.length === 0 ? 'No volume of an earlier release is kept.' : `Kept are: ${kept.map((each) => each.volume).join(', ')}`,
    });
  const user = containers.find((each) => each.volumes.includes(volume));
  if (user !== undefined)
    throw new ToolError('E_POLICY', `${user.name} uses ${volume}`, { hint: 'Stop and remove that container first, if it may go.' });
  const file = { path: '.slipway/install.json', content: wish.record, mode: 0o600 };
  const tree = `.slipway/staged/${id}/tree`;
  return {
    schema: 1,
    ...{ id, operation: id, command: 'backup', basedOn: wish.basedOn },
    steps: [
      { kind: 'stage-files', why: 'the new record', to: tree, files: [file] },
      { kind: 'drop-volumes', why: `${found.name} as it was with ${found.version} goes for ever`, volumes: [volume] },
      { kind: 'swap-files', why: 'it is kept no longer', from: tree, files: [file] },
    ],
    commitAfter: 0,
    notes: [`kept since ${found.at}; backups of that time stay`],
  };
}
