// Other env files for the release that is installed: shown, then done. Rule: restarts only what must, and what cannot be done changes nothing.
import { keep } from '../../model/description.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { ownServers } from '../../model/external.ts';
import type { ContainerFact, InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { type InstallRecord, printInstall } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content } from '../../model/plan.ts';
import { type Settings, settingsContents, settingsFiles, settingsValues } from '../../model/settings.ts';
import type { SiteNetwork } from '../../model/site-network.ts';
import { COMPOSE_FILE, type SiteRelease } from '../../model/site-registry.ts';
import { observeCandidate, observeEngine, observeRunning } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeSelf } from '../../observe/self.ts';
import type { UpgradeWish } from '../../plan/course.ts';
import { planRotate, type Rotation } from '../../plan/rotate-secret.ts';
import { planUpgrade } from '../../plan/upgrade.ts';
import { type Carried, carryOut, throwUnlessDone } from '../carry-out.ts';
import type { Context } from '../command.ts';
import { keptContents } from './hop.ts';
import { renderInstalled } from './host-files.ts';
import { refuseUnset } from './preflight.ts';
import { nextRecord, refuseOtherSecrets } from './record.ts';
import type { Units } from './units.ts';

export interface SettingsChange {
  readonly command: 'configure' | 'rotate';
  readonly install: InstallFacts;
  readonly settings: Settings;
  readonly features: readonly string[];
  /** False: no container is touched. */
  readonly start: boolean;
  /** The secret that may differ from what the data was made with. */
  readonly rotated?: Rotation;
  /** Proxies and certificates from now on. */
  readonly network?: SiteNetwork;
  /** What starts by itself, where that changes. */
  readonly units?: Units;
  /** The release with its images from another registry than so far. */
  readonly rehomed?: Rehomed;
  /** What a person reads before the plan. */
  readonly preface?: string;
}

export interface Rehomed {
  /** Null = the product's own. */
  readonly registry: string | null;
  readonly used: SiteRelease;
  /** The registry that docker must log in to first. */
  readonly login: string | undefined;
  /** The compose file as it will be. */
  readonly compose: string;
}

const OUTCOMES = { configure: 'configured', rotate: 'rotated' } as const;

/** Plans the change, shows it and carries it out; throws unless it was done or only shown. */
export async function changeSettings(context: Context, change: SettingsChange): Promise<Carried> {
  const { install, settings, features, start, command, rotated, units, rehomed } = change;
  const { world } = context;
  const { root, project } = install;
  const { manifest } = rehomed?.used ?? install;
  const record = withoutSecret(install.record, rotated?.name);
  const values = settingsValues(settings, manifest.env);
  refuseOtherSecrets(record, values);
  const { target, contents: rendered } = await renderInstalled({ ...install, manifest }, { values, features });
  const next = await observeCandidate(world, root, {
    project,
    texts: new Map(rehomed === undefined ? [] : [[COMPOSE_FILE, rehomed.compose]]),
    settings,
  });
  refuseUnset(next.unset);
  const engine = start
    ? await observeEngine(world, root, project)
    : { containers: [], volumes: Object.values(record.volumes), config: next };
  if (rotated?.rotate !== undefined) {
    refuseOwnServer(rotated, manifest, features);
    refuseNotRunning(rotated.rotate.service, engine.containers);
  }
  const at = momentOf(world.now());
  const id = `${command}-${world.random(8).toString('hex')}`;
  const operation = { id, command, from: record.version, to: record.version, outcome: OUTCOMES[command], at };
  const same = {
    ...(change.network === undefined ? {} : { network: change.network }),
    ...(rehomed === undefined ? {} : { registry: rehomed.registry, login: rehomed.login }),
    manifest: target,
    manifestDigest: record.manifest,
    trust: record.trust,
  };
  const { launcher, runtime } = record;
  const launching = units === undefined ? {} : { launching: keep({ launcher, runtime, ...units.fields }) };
  const recordText = printInstall(nextRecord(record, { ...same, config: next, features, values, operation, ...launching }, world));
  const basedOn = fingerprintInstall(install, engine.containers);
  const wish: UpgradeWish = {
    ...{ command: 'configure', id, operation: id, at, basedOn, target, targetDigest: record.manifest, extra: [], login: rehomed?.login },
    ...{ settings: settingsFiles(settings), values, record: digestOf(recordText), features, start },
    ...(units === undefined ? {} : { launching: { user: root, units: units.steps, notes: units.notes } }),
  };
  const facts = { install, engine, next, backups: [], releases: [], operators: [], localImages: [] };
  const plan = rotated === undefined ? planUpgrade(wish, facts) : planRotate(wish, facts, rotated);
  const compose: [Digest, Content][] = rehomed === undefined ? [] : [[digestOf(rehomed.compose), { text: rehomed.compose }]];
  const contents = new Map<Digest, Content>([
    ...keptContents(install),
    ...compose,
    ...rendered,
    ...(units?.contents ?? []),
    ...settingsContents(settings),
    [wish.record, { text: recordText }],
  ]);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root), start ? await observeRunning(world, root, record.project) : []);
  const carried = await carryOut({ plan, contents }, context, {
    ...{ root, recheck, operator: await observeSelf(context.file), program: context.file },
    preface: change.preface ?? '',
  });
  if (carried.outcome !== 'planned') throwUnlessDone(carried);
  return carried;
}

/** The record without a secret's fingerprint: a new one is taken. */
function withoutSecret(record: InstallRecord, name: string | undefined): InstallRecord {
  return { ...record, secrets: Object.fromEntries(Object.entries(record.secrets).filter(([known]) => known !== name)) };
}

function refuseOwnServer({ name, rotate }: Rotation, manifest: Manifest, features: readonly string[]): void {
  const service = rotate?.service ?? '';
  if (!ownServers(manifest.services, features).includes(service)) return;
  throw new ToolError('E_POLICY', `${service} is your own server, which takes no new ${name} from here`, {
    hint: `Change it there, then tell the product: \`configure\` asks for ${manifest.services[service]?.external?.variables.join(', ')}.`,
  });
}

function refuseNotRunning(service: string, containers: readonly ContainerFact[]): void {
  if (containers.some((each) => each.service === service && !each.oneOff && each.state === 'running')) return;
  throw new ToolError('E_POLICY', `${service} does not run, and only it can take a new value into use`, {
    hint: 'Run `start` first, then try again.',
  });
}
