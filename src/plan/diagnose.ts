// What is wrong with a standing install, and the command that helps. Rule: pure; `block` is what upgrades would refuse, `warn` what a person should mend.
import { ownServerNotes } from '../model/external.ts';
import type { ComposeFact, ContainerFact, InstallFacts } from '../model/facts.ts';
import { networkToText } from '../model/site-network.ts';
import { localEdits } from './files.ts';
import type { PreflightFinding } from './preflight.ts';

export interface Examined {
  readonly install: InstallFacts;
  /** How the command is called, for hints. */
  readonly cli: string;
  /** Undefined when the engine does not answer, or Compose cannot read the files; `composeTrouble` says why. */
  readonly containers: readonly ContainerFact[] | undefined;
  readonly config: ComposeFact | undefined;
  readonly composeTrouble: string | undefined;
  readonly volumes: readonly string[] | undefined;
  /** Immutable secrets that are missing or different. */
  readonly lostSecrets: readonly string[];
  readonly environmentMode: number | undefined;
  /** What the launcher on PATH starts: a folder, `other` for a foreign file, undefined when there is none. */
  readonly launches: string | undefined;
  /** False when the Node.js that the install keeps is gone or damaged. */
  readonly hasRuntime: boolean;
  /** A command that is at work here now. */
  readonly atWork: string | undefined;
  /** Times of the finished backups, oldest first. */
  readonly backups: readonly string[];
  readonly now: string;
}

const OLD_BACKUP = 30 * 86_400_000;

/** All findings, the gravest kind first. */
export function diagnose(facts: Examined): PreflightFinding[] {
  const found = [
    ...operation(facts),
    ...secrets(facts),
    ...volumes(facts),
    ...services(facts),
    ...settings(facts),
    ...command(facts),
    ...backups(facts),
    ...edits(facts),
    ...servers(facts),
    ...network(facts),
  ];
  const rank = { block: 0, warn: 1, info: 2 };
  return found.sort((a, b) => rank[a.severity] - rank[b.severity]);
}

function operation({ install, atWork, cli }: Examined): PreflightFinding[] {
  if (atWork !== undefined)
    return [{ severity: 'info', code: 'at-work', message: `${atWork} is at work here now`, hint: 'Look again when it has ended.' }];
  const { openOperation: open } = install;
  if (open === undefined) return [];
  return [
    {
      severity: 'block',
      code: 'open-operation',
      message: `an ${open.command} of ${open.at} was cut off`,
      hint: `\`${cli} recover\` ends it, at exactly the old or exactly the new state.`,
    },
  ];
}

function secrets({ lostSecrets, cli }: Examined): PreflightFinding[] {
  return lostSecrets.map((name) => ({
    severity: 'block',
    code: 'secret-changed',
    message: `${name} in .env is missing or not what the data was made with`,
    hint: `Put the old value back; backups hold copies of .env (\`${cli} restore --list\`).`,
  }));
}

/** Compose would make a missing volume anew, and empty. */
function volumes({ install, volumes: there, cli }: Examined): PreflightFinding[] {
  if (there === undefined) return [];
  return Object.entries(install.record.volumes)
    .filter(([, volume]) => !there.includes(volume))
    .map(([name, volume]) => ({
      severity: 'block',
      code: 'volume-gone',
      message: `the volume ${volume} with the data of ${name} is gone`,
      hint: `Do not start the product, or it begins with an empty one. \`${cli} restore\` brings back a backup.`,
    }));
}

function services(facts: Examined): PreflightFinding[] {
  const { install, containers, config, composeTrouble, cli } = facts;
  if (composeTrouble !== undefined)
    return [
      {
        severity: 'block',
        code: 'compose-invalid',
        message: composeTrouble,
        hint: `\`${cli} diff\` shows what was changed by hand in the compose files and .env.`,
      },
    ];
  if (containers === undefined || config === undefined) return [];
  const own = containers.filter((each) => !each.oneOff);
  if (own.length === 0)
    return [{ severity: 'warn', code: 'stopped', message: 'nothing runs', hint: `\`${cli} start\` starts the services.` }];
  const missing = Object.keys(config.services).filter((service) => !own.some((each) => each.service === service));
  return [
    ...missing.map(
      (service): PreflightFinding => ({
        severity: 'warn',
        code: 'service-missing',
        message: `${service} has no container`,
        hint: `\`${cli} start\` makes it.`,
      }),
    ),
    ...own.flatMap((each) => container(each, facts, config)),
    ...overridden(install, config, cli),
  ];
}

function container(each: ContainerFact, { install, cli }: Examined, config: ComposeFact): PreflightFinding[] {
  const { service, state, health, exitCode, restarts } = each;
  const logs = `\`${cli} logs ${service}\` says why.`;
  const warn = (code: string, message: string, hint: string): PreflightFinding[] => [{ severity: 'warn', code, message, hint }];
  if (config.services[service] === undefined)
    return warn('orphan', `${service} runs, and the product does not have it (any more)`, `If it is not yours: docker rm -f ${each.name}`);
  if (state === 'exited' && install.manifest.services[service]?.kind === 'job' && exitCode === 0) return [];
  if (state === 'restarting' || (state === 'running' && restarts > 3))
    return warn('restarting', `${service} starts again and again (${restarts} times)`, logs);
  if (state !== 'running')
    return warn(
      'not-running',
      `${service} is ${state}${exitCode === 0 ? '' : ` with exit code ${exitCode}`}`,
      `${logs} \`${cli} start\` starts it.`,
    );
  if (health === 'unhealthy') return warn('unhealthy', `${service} is unhealthy`, logs);
  // Compose's config hash is no measure here: `up --no-deps` labels another one than `config --hash` tells of the same service.
  if (each.image !== config.services[service].image)
    return warn('other-image', `${service} runs another image than the files say`, `\`${cli} restart ${service}\` takes the present one.`);
  return [];
}

function overridden({ manifest }: InstallFacts, config: ComposeFact, cli: string): PreflightFinding[] {
  const shipped = new Set(manifest.images.map(({ reference, digest }) => `${reference}@${digest}`));
  return Object.entries(config.services)
    .filter(([, { image }]) => manifest.images.length > 0 && !shipped.has(image))
    .map(([service, { image }]) => ({
      severity: 'info',
      code: 'image-override',
      message: `${service} runs ${image}, which is not of this release`,
      hint: `Upgrades leave it. \`${cli} diff\` shows where it is set.`,
    }));
}

function settings({ environmentMode: mode, install }: Examined): PreflightFinding[] {
  const path = `${install.root}/.env`;
  if (mode === undefined)
    return [
      { severity: 'block', code: 'settings-gone', message: `${path} is gone`, hint: 'Put it back: every backup holds a copy in `env`.' },
    ];
  if ((mode & 0o077) === 0) return [];
  return [
    {
      severity: 'warn',
      code: 'settings-readable',
      message: `${path} can be read by others (mode ${mode.toString(8)}), and holds secrets`,
      hint: `chmod 600 ${path}`,
    },
  ];
}

function command({ install, launches, hasRuntime, cli }: Examined): PreflightFinding[] {
  const { launcher } = install.record;
  const found: PreflightFinding[] = [];
  if (launcher !== undefined && launches !== install.root)
    found.push({
      severity: 'warn',
      code: 'launcher',
      message:
        launches === undefined
          ? `${launcher} is gone`
          : `${launcher} starts ${launches === 'other' ? 'something else' : `the install at ${launches}`}`,
      hint: `Use ${install.root}/${install.manifest.cli}; the next upgrade puts the command back where its place is free.`,
    });
  if (!hasRuntime)
    found.push({
      severity: 'warn',
      code: 'runtime-gone',
      message: 'the Node.js that this install keeps is gone or damaged',
      hint: `Install Node.js 20.19 or newer, or run the install.sh of the product again; then \`${cli} upgrade\`.`,
    });
  return found;
}

function backups({ install, backups: times, now, cli }: Examined): PreflightFinding[] {
  if (Object.values(install.manifest.data).every(({ ephemeral }) => ephemeral === true)) return [];
  const last = times.at(-1);
  if (last === undefined)
    return [
      {
        severity: 'info',
        code: 'no-backup',
        message: 'there is no backup yet',
        hint: `Each \`${cli} upgrade\` makes one. Keep a copy of .env elsewhere.`,
      },
    ];
  if (Date.parse(now) - Date.parse(last) < OLD_BACKUP) return [];
  return [
    { severity: 'info', code: 'old-backup', message: `the last backup is of ${last}`, hint: 'Copy the data elsewhere now and then.' },
  ];
}

function network({ install: { record }, cli }: Examined): PreflightFinding[] {
  const message = networkToText(record.network);
  if (message === undefined) return [];
  const hint = `Kept for every command, timers too; \`${cli} configure --proxy --no-proxy --ca\` changes it. The engine has its own settings.`;
  return [{ severity: 'info', code: 'site-network', message: `releases are fetched ${message}`, hint }];
}

function servers({ install: { manifest, record }, cli }: Examined): PreflightFinding[] {
  return ownServerNotes(manifest, record.features).map((message) => ({
    severity: 'info',
    code: 'own-server',
    message,
    hint: `Back it up yourself. \`${cli} configure\` changes the choice.`,
  }));
}

function edits({ install, cli }: Examined): PreflightFinding[] {
  return localEdits(install).map(({ path, change }) => ({
    severity: 'warn',
    code: 'local-edit',
    message: `${path}: ${change}`,
    hint: `Upgrades keep it, and stop when the release changes the same file. \`${cli} diff\` shows all of them.`,
  }));
}
