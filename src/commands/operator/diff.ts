// diff: local changes against the release as it was shipped. Rule: only looks; values of `.env` are never shown.
import { homeOf, settingsValues } from '../../model/settings.ts';
import { linesEdited } from '../../observe/edits.ts';
import { observeInstall } from '../../observe/install.ts';
import { localEdits } from '../../plan/files.ts';
import { editsToText } from '../../show/edits.ts';
import { type Command, type CommandResult, type Context, refusePositionals } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

export const diff: Command = { name: 'diff', summary: 'Local changes against the release as it was shipped.', flags: FOLDER_FLAG, run };

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const install = await observeInstall(findInstall(context));
  const edits = localEdits(install);
  const files = await Promise.all(
    edits.map(async (edit) => ({ ...edit, conflict: false, ...(edit.change === 'edited' && (await linesEdited(install, edit.path))) })),
  );
  const known = new Set([...Object.keys(install.manifest.env), 'COMPOSE_PROJECT_NAME', 'COMPOSE_PROFILES']);
  const values = settingsValues(install.settings, install.manifest.env);
  const env = [...values.keys()].flatMap((name) => {
    const variable = install.manifest.env[name];
    if (!known.has(name)) return [{ name, change: 'added' }];
    return variable?.default !== undefined && String(variable.default) !== values.get(name) && !String(variable.default).includes('{{')
      ? [{ name, change: 'set' }]
      : [];
  });
  const lines = [
    ...files.map((file) => `${file.path}: ${file.change}${editsToText(file.lines ?? [])}`),
    ...env.map((each) => `${homeOf(install.manifest.env[each.name])} ${each.name}: ${each.change}`),
  ];
  return { fields: { files, env }, text: lines.length === 0 ? 'no local changes\n' : `${lines.join('\n')}\n` };
}
