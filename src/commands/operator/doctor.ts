// doctor: is this machine fit, and the install sound? Rule: only looks; with --preflight only the machine.
import { settingsValues } from '../../model/settings.ts';
import { observeInstall } from '../../observe/install.ts';
import { localEdits } from '../../plan/files.ts';
import { type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { backupPlaces, findUnfit } from './preflight.ts';
import { secretTroubles } from './record.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  preflight: { type: 'boolean', help: 'only what an upgrade would refuse to start with' },
} as const satisfies FlagTable;

export const doctor: Command = { name: 'doctor', summary: 'Is this machine fit, and the install sound?', flags: FLAGS, run };

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  const install = await observeInstall(root);
  const { manifest, record } = install;
  const findings = [...(await findUnfit(context, { manifest, root, project: record.project, ports: [], backup: backupPlaces(install) }))];
  if (!isSet(context.flags, 'preflight')) {
    const lost = secretTroubles(record, settingsValues(install.settings, manifest.env));
    for (const name of lost)
      findings.push({
        severity: 'block',
        code: 'secret-changed',
        message: `${name} is missing or not what the data was made with`,
        hint: 'Put the old value back; backups hold copies of .env.',
      });
    for (const edit of localEdits(manifest, install.files))
      findings.push({
        severity: 'warn',
        code: 'local-edit',
        message: `${edit.path}: ${edit.change}`,
        hint: 'Upgrades keep it, and stop when the release changes the same file.',
      });
  }
  const lines = findings.map(
    (finding) => `${finding.severity === 'block' ? 'BLOCKS' : 'warning'}: ${finding.message}\n  hint: ${finding.hint}`,
  );
  const blocked = findings.some((finding) => finding.severity === 'block');
  return { fields: { findings }, text: lines.length === 0 ? 'all well\n' : `${lines.join('\n')}\n`, exit: blocked ? 3 : 0 };
}
