// What is cut off: installs, upgrades, changes of answers and restores, each with what must be true at either end. Rule: each begins from a state that the real handlers made.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyPlan } from '../../src/apply/apply.ts';
import { handlers } from '../../src/apply/handlers.ts';
import { beginJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import { placeContents } from '../../src/apply/work.ts';
import { BACKUP_TYPE, printBackup } from '../../src/model/backup.ts';
import { digestOf } from '../../src/model/digest.ts';
import { JOURNAL_TYPE, type JournalHead } from '../../src/model/journal.ts';
import type { Plan, Planned } from '../../src/model/plan.ts';
import type { EngineState } from '../fakes/engine-state.ts';
import { forgetUs, planTakeover } from './adoption.ts';
import { type FolderImage, personsView, putImage, takeImage } from './folder-image.ts';
import { type Expected, imagesFor, viewWith } from './judge.ts';
import { type Defect, NAMED, type Shape, servicesOf, settingsText } from './product.ts';
import {
  addUploads,
  editByHand,
  editWhatChanges,
  environmentText,
  makeStage,
  planApiImage,
  planBack,
  planFirst,
  planHop,
  type Stage,
  withImageOf,
  withOwnPort,
  worldOf,
} from './stage.ts';

export type Job = 'install' | 'install beside files' | 'adopt' | 'upgrade' | 'first of two hops' | 'images only' | 'configure' | 'restore';

export interface Wish {
  readonly name: string;
  readonly job: Job;
  readonly shape: Shape;
  readonly defect: Defect;
  /** How it ends when nothing interferes. */
  readonly ends: 'done' | 'undone' | 'failed';
}

export interface Scenario extends Wish {
  readonly stage: Stage;
  readonly planned: Planned;
  readonly before: Moment;
  readonly old: Expected;
  readonly new: Expected;
}

/** The whole world at one moment. */
export interface Moment {
  readonly folder: FolderImage;
  readonly engine: EngineState;
}

const DOOR: Shape = { door: true, data: true, migrates: true };
const NO_DOOR: Shape = { door: false, data: true, migrates: true };

export const WISHES: readonly Wish[] = [
  { name: 'install', job: 'install', shape: DOOR, defect: 'none', ends: 'done' },
  { name: 'install beside files', job: 'install beside files', shape: NO_DOOR, defect: 'none', ends: 'done' },
  { name: 'adopt', job: 'adopt', shape: DOOR, defect: 'none', ends: 'done' },
  { name: 'upgrade through a door', job: 'upgrade', shape: DOOR, defect: 'none', ends: 'done' },
  { name: 'upgrade, the migration fails', job: 'upgrade', shape: DOOR, defect: 'migration', ends: 'undone' },
  { name: 'upgrade, half a migration', job: 'upgrade', shape: NO_DOOR, defect: 'half migration', ends: 'undone' },
  { name: 'upgrade, not healthy', job: 'upgrade', shape: DOOR, defect: 'sick', ends: 'undone' },
  { name: 'upgrade, its door is sick', job: 'upgrade', shape: DOOR, defect: 'sick door', ends: 'failed' },
  { name: 'upgrade without a door', job: 'upgrade', shape: NO_DOOR, defect: 'none', ends: 'done' },
  { name: 'upgrade without a door, not healthy', job: 'upgrade', shape: NO_DOOR, defect: 'sick', ends: 'undone' },
  { name: 'upgrade, no migration, no door', job: 'upgrade', shape: { ...NO_DOOR, migrates: false }, defect: 'none', ends: 'done' },
  { name: 'the same, not healthy', job: 'upgrade', shape: { ...NO_DOOR, migrates: false }, defect: 'sick', ends: 'undone' },
  { name: 'upgrade without data', job: 'upgrade', shape: { door: true, data: false, migrates: false }, defect: 'none', ends: 'done' },
  { name: 'upgrade, a volume is renamed', job: 'upgrade', shape: { ...DOOR, moves: 'rename' }, defect: 'none', ends: 'done' },
  { name: 'upgrade to another major', job: 'upgrade', shape: { ...DOOR, moves: 'major' }, defect: 'none', ends: 'done' },
  { name: 'another major without a door', job: 'upgrade', shape: { ...NO_DOOR, moves: 'major' }, defect: 'sick', ends: 'undone' },
  { name: 'another major in the same volume', job: 'upgrade', shape: { ...DOOR, moves: 'major in place' }, defect: 'none', ends: 'done' },
  {
    name: 'another major, the restore fails',
    job: 'upgrade',
    shape: { ...DOOR, moves: 'major in place' },
    defect: 'restore',
    ends: 'undone',
  },
  { name: 'another major, a row is missing', job: 'upgrade', shape: { ...DOOR, moves: 'major' }, defect: 'short restore', ends: 'undone' },
  { name: 'upgrade, files edited by both', job: 'upgrade', shape: { ...DOOR, edited: true }, defect: 'none', ends: 'done' },
  { name: 'the same, the migration fails', job: 'upgrade', shape: { ...NO_DOOR, edited: true }, defect: 'migration', ends: 'undone' },
  { name: 'upgrade, the first of two hops', job: 'first of two hops', shape: DOOR, defect: 'none', ends: 'done' },
  { name: 'one image alone', job: 'images only', shape: { ...NO_DOOR, migrates: false }, defect: 'none', ends: 'done' },
  { name: 'one image alone, not healthy', job: 'images only', shape: { ...NO_DOOR, migrates: false }, defect: 'sick', ends: 'undone' },
  { name: 'configure', job: 'configure', shape: DOOR, defect: 'none', ends: 'done' },
  { name: 'restore', job: 'restore', shape: DOOR, defect: 'none', ends: 'done' },
];

/** Makes the scenario below a folder of its own. */
export async function makeScenario(wish: Wish, folder: string): Promise<Scenario> {
  mkdirSync(folder, { recursive: true });
  const stage = makeStage(join(folder, 'acme'), wish.shape, wish.defect);
  if (wish.job === 'install beside files') {
    mkdirSync(stage.root);
    writeFileSync(join(stage.root, 'mine.txt'), 'was here before\n');
  }
  if (wish.job !== 'install' && wish.job !== 'install beside files') await settle(stage, wish.job === 'restore');
  if (wish.job === 'adopt') forgetUs(stage);
  const planned = await planJob(stage, wish.job, join(folder, 'scratch'));
  const before = takeMoment(stage);
  return { ...wish, stage, planned, before, ...expectationsOf(stage, wish, before) };
}

export function takeMoment({ root, engine }: Stage): Moment {
  return { folder: takeImage(root), engine: engine.snapshot() };
}

export function putMoment({ root, engine }: Stage, moment: Moment): void {
  putImage(root, moment.folder);
  engine.restore(moment.engine);
}

export function headOf(plan: Plan): JournalHead {
  const { id, operation, command } = plan;
  return { type: JOURNAL_TYPE, id, operation, command, operator: digestOf('operator'), at: '2026-03-15T10:00:00Z', plan };
}

/** Carries a plan out without any trouble. */
export async function carryPlainly(stage: Stage, planned: Planned): Promise<void> {
  const { root, engine } = stage;
  await placeContents(root, planned);
  const journal = await beginJournal(root, headOf(planned.plan));
  const { outcome, cause } = await applyPlan({ journal, handlers, site: siteOf(root, planned.plan.id, worldOf(engine)) });
  if (outcome !== 'done') throw cause;
}

/** The first release, used for a while by people. */
async function settle(stage: Stage, upgraded: boolean): Promise<void> {
  const { root, engine, shape } = stage;
  await carryPlainly(stage, await planFirst(stage));
  editByHand(root);
  if (shape.edited) editWhatChanges(root);
  if (shape.data) addUploads(root);
  await carryPlainly(stage, await planHop(stage, { command: 'configure', level: 'warn' })); // the override is in force
  if (shape.data) keepOldThings(stage);
  live(engine);
  if (!upgraded) return;
  await carryPlainly(stage, await planHop(stage, { command: 'upgrade', level: 'warn' }));
  live(engine);
}

function live(engine: Stage['engine']): void {
  for (let wait = 0; wait < 16; wait += 1) engine.wait(100);
}

/** Backups, a release and an image of the time before. */
function keepOldThings({ root, engine }: Stage): void {
  for (const name of ['old-1', 'old-2', 'old-3']) {
    const folder = join(root, '.slipway/backups', name);
    mkdirSync(folder, { recursive: true });
    const backup = {
      type: BACKUP_TYPE,
      product: 'acme',
      version: '0.9.0',
      manifest: digestOf(''),
      reason: 'x',
      rescue: false,
      items: [],
    } as const;
    writeFileSync(join(folder, 'backup.json'), printBackup({ ...backup, at: `2026-01-0${name.slice(-1)}T00:00:00Z` }));
  }
  mkdirSync(join(root, '.slipway/releases/0.9.0'), { recursive: true });
  writeFileSync(join(root, '.slipway/releases/0.9.0/bundle.json'), '{}');
  const { images } = engine.state();
  images.set('slipway.local/acme/api:0.9.0', [...images.values()][0] ?? '');
}

function planJob(stage: Stage, job: Job, scratch: string): Promise<Planned> {
  rmSync(scratch, { recursive: true, force: true });
  if (job === 'install' || job === 'install beside files') return planFirst(stage);
  if (job === 'restore') return planBack(stage, scratch);
  if (job === 'adopt') return planTakeover(stage);
  if (job === 'images only') return planApiImage(stage);
  if (job === 'first of two hops') return planHop(stage, { command: 'upgrade', level: 'warn', onward: ['3.0.0'] });
  return planHop(
    stage,
    job === 'configure' ? { command: 'configure', level: 'debug', reports: true } : { command: 'upgrade', level: 'warn' },
  );
}

function expectationsOf(stage: Stage, wish: Wish, before: Moment): { readonly old: Expected; readonly new: Expected } {
  const { shape, job } = wish;
  if (job === 'install' || job === 'install beside files') return { old: nothing(before), new: installed(stage, before) };
  if (job === 'adopt') return { old: byHand(stage, before), new: adopted(stage, before) };
  if (job === 'configure') return { old: settled(stage, before), new: configured(stage, before) };
  if (job === 'restore') return { old: present(stage, before), new: restored(stage, before) };
  if (job === 'images only') return { old: settled(stage, before), new: withApiImage(stage, before) };
  const after = upgraded(stage, before, wish.defect);
  const old = { ...settled(stage, before), data: dataBefore(shape) };
  return { old, new: job === 'first of two hops' ? unpruned(after, before) : after };
}

const NO_STATE = {
  record: undefined,
  services: {},
  loose: [],
  volumes: [],
  images: [],
  releases: [],
  backups: [],
  gone: [],
  data: undefined,
};

function nothing(before: Moment): Expected {
  return { ...NO_STATE, files: before.folder === undefined ? undefined : personsView(before.folder) };
}

function installed({ releases, shape }: Stage, before: Moment): Expected {
  const { files, manifestText } = releases['1.0.0'];
  const services = servicesOf('1.0.0', shape, false);
  const folders = ['.', 'configs', 'scripts', 'content', 'docs', 'data', 'data/uploads'].map((path) => [path, { folder: true }] as const);
  const texts = [...files, ['bundle.json', manifestText] as const].map(([path, text]) => [path, { text }] as const);
  const environment = ['.env', { text: environmentText('1.0.0'), mode: 0o600 }] as const;
  return {
    ...NO_STATE,
    files: viewWith(personsView(before.folder), Object.fromEntries([...folders, ...texts, environment])),
    record: { version: '1.0.0', features: [] },
    services,
    volumes: ['acme_pgdata'],
    images: imagesFor('1.0.0', Object.values(services)),
    releases: ['1.0.0'],
    data: { schema: '1', must: () => true },
  };
}

/** Release 1 as people use it. */
function settled({ shape }: Stage, before: Moment): Expected {
  return {
    ...NO_STATE,
    files: personsView(before.folder),
    record: { version: '1.0.0', features: [] },
    services: servicesOf('1.0.0', shape, false),
    volumes: [...before.engine.volumes.keys()],
    images: [...before.engine.images.keys()],
    releases: shape.data ? ['0.9.0', '1.0.0'] : ['1.0.0'],
    backups: shape.data ? ['old-1', 'old-2', 'old-3'] : [],
    data: shape.data ? { schema: '1', must: () => true } : undefined,
  };
}

/** The same without anything of ours. */
function byHand(stage: Stage, before: Moment): Expected {
  return { ...settled(stage, before), record: undefined, releases: [], backups: [] };
}

function adopted(stage: Stage, before: Moment): Expected {
  const old = byHand(stage, before);
  const local = imagesFor('1.0.0', Object.values(old.services));
  return { ...old, record: { version: '1.0.0', features: [] }, releases: ['1.0.0'], images: [...new Set([...old.images, ...local])] };
}

/** With a door, or a migration to take back, rows of the new release go with it; through an open door they are kept aside. */
function dataBefore({ door, migrates, data }: Shape): Expected['data'] {
  if (!data) return undefined;
  if (!door && !migrates) return { schema: '1', must: () => true };
  return { schema: '1', must: (row) => row.version === '1.0.0', rescued: (row) => row.door };
}

function upgraded(stage: Stage, before: Moment, defect: Defect): Expected {
  const { releases, shape } = stage;
  const { files, manifestText } = releases['2.0.0'];
  const old = settled(stage, before);
  const services = servicesOf('2.0.0', shape, false);
  const text = (path: string): { text: string } => ({ text: files.get(path) ?? '' });
  return {
    ...old,
    files: viewWith(personsView(before.folder), {
      ...{ 'docker-compose.yml': text('docker-compose.yml'), 'configs/nginx.conf': text('configs/nginx.conf') },
      ...{ 'docs/extra.txt': null, 'docs/new': { folder: true }, 'docs/new/guide.txt': text('docs/new/guide.txt') },
      ...{ 'scripts/run.sh': { ...text('scripts/run.sh'), mode: 0o755 }, 'bundle.json': { text: manifestText } },
      ...{
        '.env': { text: environmentText('2.0.0', { level: 'warn' }), mode: 0o600 },
        var: { folder: true },
        'var/spool': { folder: true },
      },
      ...(shape.migrates
        ? { 'data/uploads/index': { text: 'index\nmigrated\n' }, 'data/uploads/thumbnail': { text: 'made by the migration\n' } }
        : {}),
      ...mergedFiles(stage),
    }),
    record: { version: '2.0.0', features: [], kept: keptAfter(shape) },
    services,
    loose: defect === 'sick' ? ['api'] : [],
    volumes: [...old.volumes, 'acme_cache', ...volumesMade(shape)],
    images: [...old.images.filter((image) => !image.endsWith(':0.9.0')), ...imagesFor('2.0.0', Object.values(services))],
    releases: ['1.0.0', '2.0.0'],
    backups: shape.data ? ['old-2', 'old-3', '20260316T100000Z-1.0.0'] : [],
    gone: ['old-1'],
    data: shape.data ? { schema: shape.migrates ? '2' : '1', must: () => true, ...placeOfData(shape) } : undefined,
  };
}

/** What both changed, as it is when nothing of either is lost. */
function mergedFiles({ releases, shape }: Stage): Parameters<typeof viewWith>[1] {
  if (!shape.edited) return {};
  return {
    'docker-compose.yml': { text: withOwnPort(releases['2.0.0'].files.get('docker-compose.yml') ?? '') },
    'configs/app.conf': { text: settingsText(4, 90) },
    'configs/named.conf': null,
    'configs/renamed.conf': { text: `${NAMED}and mine\n`, mode: 0o600 },
  };
}

/** Only the last hop clears away. */
function unpruned(after: Expected, { engine }: Moment): Expected {
  const images = [...new Set([...engine.images.keys(), ...after.images])];
  return { ...after, images, releases: ['0.9.0', ...after.releases], backups: ['old-1', ...after.backups], gone: [] };
}

/** Release 1 with one image of release 2. */
function withApiImage(stage: Stage, before: Moment): Expected {
  const { releases } = stage;
  const old = settled(stage, before);
  const text = withImageOf(releases['1.0.0'].files.get('docker-compose.yml') ?? '', releases['2.0.0'].manifest);
  return {
    ...old,
    files: viewWith(personsView(before.folder), { 'docker-compose.yml': { text } }),
    services: { ...old.services, api: 'api-2' },
    images: [...old.images, ...imagesFor('2.0.0', ['api-2'])],
  };
}

/** Volumes that a move makes, and those that are kept for the person. */
function volumesMade({ moves }: Shape): string[] {
  if (moves === undefined) return [];
  return [moves === 'major in place' ? 'acme_pgdata-1' : 'acme_data2'];
}

function keptAfter({ moves }: Shape): string[] {
  if (moves === undefined) return [];
  return [moves === 'major in place' ? 'acme_pgdata-1' : 'acme_pgdata'];
}

function placeOfData(shape: Shape): Partial<NonNullable<Expected['data']>> {
  const [kept] = keptAfter(shape);
  if (kept === undefined) return {};
  return { volume: shape.moves === 'major in place' ? 'acme_pgdata' : 'acme_data2', kept };
}

function configured(stage: Stage, before: Moment): Expected {
  const old = settled(stage, before);
  return {
    ...old,
    files: viewWith(personsView(before.folder), {
      '.env': { text: environmentText('1.0.0', { level: 'debug', reports: true }), mode: 0o600 },
    }),
    record: { version: '1.0.0', features: ['reports'] },
    services: servicesOf('1.0.0', stage.shape, true),
  };
}

/** Release 2 as people use it. */
function present(stage: Stage, before: Moment): Expected {
  return {
    ...settled(stage, before),
    record: { version: '2.0.0', features: [] },
    services: servicesOf('2.0.0', stage.shape, false),
    releases: ['1.0.0', '2.0.0'],
    backups: ['old-2', 'old-3', '20260316T100000Z-1.0.0'],
    data: { schema: '2', must: (row) => row.version === '2.0.0' || knownBefore(before, row), rescued: (row) => row.door },
  };
}

/** Release 1 again, with its rows of then; all rows of the meantime are in the rescue backup. */
function restored(stage: Stage, before: Moment): Expected {
  const { files, manifestText } = stage.releases['1.0.0'];
  const text = (path: string): { text: string } => ({ text: files.get(path) ?? '' });
  const then = new Set(before.engine.ledger.filter((row) => row.version === '1.0.0').map((row) => row.id));
  return {
    ...present(stage, before),
    files: viewWith(personsView(before.folder), {
      ...{ 'docker-compose.yml': text('docker-compose.yml'), 'configs/nginx.conf': text('configs/nginx.conf') },
      ...{ 'docs/extra.txt': text('docs/extra.txt'), 'docs/new/guide.txt': null, 'scripts/run.sh': text('scripts/run.sh') },
      ...{ 'bundle.json': { text: manifestText }, '.env': { text: environmentText('1.0.0', { level: 'warn' }), mode: 0o600 } },
      ...{ 'data/uploads/index': { text: 'index\n' }, 'data/uploads/thumbnail': null },
    }),
    record: { version: '1.0.0', features: [] },
    services: servicesOf('1.0.0', stage.shape, false),
    data: {
      schema: '1',
      must: (row) => then.has(row.id),
      may: (row) => row.version === '1.0.0',
      rescued: (row) => row.door,
    },
  };
}

function knownBefore(before: Moment, row: { readonly id: string }): boolean {
  return before.engine.ledger.some((each) => each.id === row.id);
}
