// Examines a standing install for doctor and support-bundle. Rule: only looks; what is too broken to be read is a finding, not an end.
import { liveHolder } from '../../apply/holder.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { EngineFacts, InstallFacts } from '../../model/facts.ts';
import { lockPath } from '../../model/layout.ts';
import { momentOf } from '../../model/parse.ts';
import { settingsValues } from '../../model/settings.ts';
import { observeEngine, observeVolumes } from '../../observe/engine.ts';
import { observeInstall, observeInstallAsIs } from '../../observe/install.ts';
import { observeBackups } from '../../observe/kept.ts';
import { observeStanding } from '../../observe/standing.ts';
import { backupFolders } from '../../plan/data.ts';
import { diagnose } from '../../plan/diagnose.ts';
import type { PreflightFinding } from '../../plan/preflight.ts';
import type { Context } from '../command.ts';
import { backupPlaces, findUnfit, portsOf } from './preflight.ts';
import { secretTroubles } from './record.ts';

/** Everything that is to be said of the install at `root`; with `machineOnly` just what an upgrade would refuse to start with. */
export async function examine(context: Context, root: string, machineOnly = false): Promise<readonly PreflightFinding[]> {
  const { install, findings } = await readInstall(root);
  if (install === undefined) return findings;
  const unfit = await findMisfits(context, install);
  if (machineOnly || findings.length > 0) return [...findings, ...unfit];
  const hasEngine = !unfit.some(({ code }) => code === 'no-engine' || code === 'no-compose');
  const { engine, volumes, composeTrouble } = hasEngine ? await readEngine(context, install) : NOTHING;
  const { record, manifest, env } = install;
  const holder = await liveHolder(lockPath(root), context.world);
  const kept = await observeBackups(root, backupFolders(manifest, envValues(env)));
  const found = diagnose({
    ...{ install, cli: manifest.cli, composeTrouble, volumes },
    ...{ containers: engine?.containers, config: engine?.config },
    lostSecrets: secretTroubles(record, settingsValues(install.settings, manifest.env)),
    ...(await observeStanding(root, record)),
    atWork: holder === undefined ? undefined : `${holder.command} (process ${holder.pid}, since ${holder.since})`,
    backups: kept.map(({ at }) => at),
    now: momentOf(context.world.now()),
  });
  const rank = { block: 0, warn: 1, info: 2 };
  return [...unfit, ...found].sort((a, b) => rank[a.severity] - rank[b.severity]);
}

/** The install as far as it can be read; a folder that was moved is a finding, and so is a damaged record. */
async function readInstall(root: string): Promise<{ install: InstallFacts | undefined; findings: readonly PreflightFinding[] }> {
  try {
    return { install: await observeInstall(root), findings: [] };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_NO_INSTALL' || error.code === 'E_INTERRUPTED') throw error;
    const code = error.code === 'E_POLICY' ? 'moved' : 'damaged';
    const finding: PreflightFinding = {
      severity: 'block',
      code,
      message: error.message,
      hint: error.hint ?? 'Bring it back from a backup.',
    };
    return { install: code === 'moved' ? await observeInstallAsIs(root) : undefined, findings: [finding] };
  }
}

/** What preflight says of the installed release here. Its images are here, or were pulled once, so that only what is missing is asked for. */
async function findMisfits(context: Context, install: InstallFacts): Promise<readonly PreflightFinding[]> {
  const { manifest, record, root, settings } = install;
  return findUnfit(context, {
    ...{ manifest, root, project: record.project, hosts: record.hosts },
    ports: portsOf(manifest, settingsValues(settings, manifest.env), record.features),
    backup: backupPlaces(install),
  });
}

interface EngineSide {
  readonly engine: EngineFacts | undefined;
  readonly volumes: readonly string[] | undefined;
  readonly composeTrouble: string | undefined;
}

const NOTHING: EngineSide = { engine: undefined, volumes: undefined, composeTrouble: undefined };

async function readEngine({ world }: Context, { root, project, record }: InstallFacts): Promise<EngineSide> {
  try {
    const engine = await observeEngine(world, root, project);
    return { engine, volumes: engine.volumes, composeTrouble: undefined };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { engine: undefined, volumes: await observeVolumes(world, root, record.project), composeTrouble: error.message };
  }
}
