// Upgrades nobody thought of: any services, volumes, files, migrations and doors. Rule: strange, but possible.

import type { DataItem } from '../../src/model/description.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { fc } from '../property.ts';
import { type HopSketch, hopOf, type InstallSketch, manifestOf, type ReleaseSketch, type ServiceSketch } from './sketch.ts';

/** Enough to find what breaks a property, few enough to run on every save. */
export const RUNS = { numRuns: 50 };

const NAMES = ['db', 'cache', 'api', 'worker', 'web', 'docs', 'seed'] as const;
const HOLDABLE = ['pgdata', 'uploads', './data/files', './configs', './configs/web.conf'];

interface ServiceFate {
  readonly name: string;
  readonly where: 'both' | 'old' | 'new';
  readonly isChanged: boolean;
  readonly state: 'running' | 'failed' | 'absent';
  readonly sketch: ServiceSketch;
  readonly traits: Manifest['services'][string];
}

/** What each side did to a file. */
const FILE_FATES = ['left alone', 'changed by vendor', 'changed by person', 'removed by person', 'added', 'dropped', 'own'] as const;

const services: fc.Arbitrary<readonly ServiceFate[]> = fc
  .subarray([...NAMES], { minLength: 2 })
  .chain((names) => fc.tuple(...names.map((name) => serviceNamed(name))));

const lasting: fc.Arbitrary<ServiceFate['traits']> = fc.record(
  { writer: fc.constant(false), optional: fc.boolean() },
  { requiredKeys: [] },
);
const job = lasting.map((traits) => ({ ...traits, kind: 'job' as const }));

function serviceNamed(name: string): fc.Arbitrary<ServiceFate> {
  return fc.record({
    name: fc.constant(name),
    where: fc.constantFrom('both', 'both', 'both', 'both', 'both', 'old', 'new'),
    isChanged: fc.constantFrom(false, false, true),
    state: fc.constantFrom('running', 'running', 'running', 'running', 'running', 'failed', 'absent'),
    sketch: fc.record({ holds: fc.subarray(HOLDABLE), publishes: fc.boolean(), feature: fc.constantFrom(undefined, undefined, 'extra') }),
    traits: name === 'db' || name === 'cache' ? lasting : fc.oneof(lasting, job), // what others need lasts
  });
}

const rules = fc.record({
  doors: fc.tuple(fc.subarray(['web', 'docs']), fc.boolean()),
  migrations: fc.integer({ min: 0, max: 2 }),
  needs: fc.subarray(['db', 'cache']),
  recipe: fc.boolean(),
  data: fc.subarray(['pgdata', 'uploads', 'files']),
  uploads: fc.constantFrom<DataItem>({}, { onUpgrade: 'skip' }, { ephemeral: true }),
  fates: fc.array(fc.constantFrom(...FILE_FATES), { maxLength: 5 }),
  keep: fc.integer({ min: 1, max: 3 }),
});
type Rules = typeof rules extends fc.Arbitrary<infer T> ? T : never;

const past = fc.record({
  backups: fc.array(fc.boolean(), { maxLength: 5 }),
  releases: fc.subarray(['0.8.0', '0.9.0']),
  features: fc.tuple(fc.boolean(), fc.boolean()),
});

/** A hop from one release to the next, as `planUpgrade` gets it. */
export const upgrades: fc.Arbitrary<HopSketch> = fc
  .tuple(services, rules, past, fc.boolean())
  .map(([fates, rule, before, start]) => sketchOf(fates, rule, before, start));

/** Other answers for the same release. */
export const reconfigurations: fc.Arbitrary<HopSketch> = upgrades.map(({ from, features = [] }) => ({
  from,
  to: from.release,
  features,
  wish: { command: 'configure', extra: [] },
}));

/** Hops that start and stop things. */
export const liveUpgrades: fc.Arbitrary<HopSketch> = upgrades.map((sketch) => ({ ...sketch, wish: {} }));

function sketchOf(
  fates: readonly ServiceFate[],
  rule: Rules,
  before: typeof past extends fc.Arbitrary<infer T> ? T : never,
  start: boolean,
): HopSketch {
  const [was, is] = before.features.map((on) => (on ? ['extra'] : []));
  const from: InstallSketch = {
    release: releaseOf(
      '1.0.0',
      fates.filter(({ where }) => where !== 'new'),
      rule,
    ),
    features: was ?? [],
    edits: editsOf(rule),
    states: Object.fromEntries(fates.map(({ name, state }) => [name, state])),
  };
  const to = releaseOf(
    '2.0.0',
    fates.filter(({ where }) => where !== 'old'),
    rule,
  );
  return {
    ...{ from, to, features: is ?? [], wish: { start } },
    facts: {
      backups: before.backups.map((rescue, index) => ({ path: `.slipway/backups/old-${index}`, rescue })),
      releases: [...before.releases, '1.0.0'],
      localImages: before.releases.map((version) => `slipway.local/acme/api:${version}`),
    },
  };
}

function releaseOf(version: string, fates: readonly ServiceFate[], rule: Rules): ReleaseSketch {
  const isNew = version === '2.0.0';
  const names = fates.map(({ name }) => name);
  const made = (fate: ServiceFate): string => (fate.isChanged ? version : 'always');
  const [doors, isOld] = rule.doors;
  const recipe = rule.recipe && names.includes('db') ? { backup: { service: 'db', dump: 'dump', restore: 'restore' } } : {};
  const items: Manifest['data'] = {
    pgdata: recipe,
    uploads: rule.uploads,
    files: { path: 'data/files' },
  };
  const command = names.includes('api') ? rule.migrations : 0;
  return {
    version,
    services: Object.fromEntries(fates.map((fate) => [fate.name, { ...fate.sketch, made: made(fate) }])),
    files: filesOf(rule, isNew),
    upgrade: {
      entry: isNew || isOld ? doors.filter((name) => names.includes(name)) : [],
      health: [
        { http: 'http://127.0.0.1/health', after: 'entry' },
        { tcp: '127.0.0.1:80', when: 'features.extra' },
      ],
      migrate: Array.from({ length: command }, (_, index) => ({
        ...{ service: 'api', command: ['migrate', String(index)], needs: rule.needs.filter((name) => names.includes(name)) },
        ...{ on: ['install', 'upgrade'], timeout: null },
      })),
    },
    rest: {
      services: Object.fromEntries(fates.map(({ name, traits }) => [name, traits])),
      data: Object.fromEntries(Object.entries(items).filter(([name]) => rule.data.includes(name))),
      ...{ backup: { keep: rule.keep }, validate: names.includes('web') ? [{ service: 'web', command: ['check'] }] : [] },
    },
  };
}

const pathOf = (index: number, fate: (typeof FILE_FATES)[number]): string =>
  index === 0 && fate !== 'own' ? 'configs/web.conf' : `${fate === 'own' ? 'content' : 'docs'}/${index}.txt`;

function filesOf({ fates }: Rules, isNew: boolean): Record<string, string> {
  const shipped = fates.map((fate, index): [string, string][] => {
    if (fate === (isNew ? 'dropped' : 'added')) return [];
    return [[pathOf(index, fate), isNew && (fate === 'changed by vendor' || fate === 'own') ? `new ${index}` : `text ${index}`]];
  });
  return Object.fromEntries(shipped.flat());
}

function editsOf({ fates }: Rules): Record<string, string | null> {
  const edits = fates.map((fate, index): [string, string | null][] => {
    if (fate === 'changed by person' || fate === 'own') return [[pathOf(index, fate), `mine ${index}`]];
    return fate === 'removed by person' ? [[pathOf(index, fate), null]] : [];
  });
  return Object.fromEntries(edits.flat());
}

/** How many of these hops there are of each sort: properties over hops without data or doors would say little. */
export function sortsOf(sketches: readonly HopSketch[]): Readonly<Record<string, number>> {
  const count = { doors: 0, data: 0, migrations: 0, 'folders held open': 0, edits: 0 };
  for (const sketch of sketches) {
    const { wish, facts } = hopOf(sketch);
    const { upgrade, data } = manifestOf(sketch.to);
    count.doors += upgrade.entry.some((name) => facts.next.services[name] !== undefined) ? 1 : 0;
    count.data += Object.keys(data).length > 0 && wish.start ? 1 : 0;
    count.migrations += upgrade.migrate.length > 0 ? 1 : 0;
    const mounts = facts.engine.containers.flatMap(({ service }) => facts.engine.config.services[service]?.mounts ?? []);
    count['folders held open'] += data.files !== undefined && mounts.some(({ source }) => source.endsWith('/data/files')) ? 1 : 0;
    count.edits += Object.keys(sketch.from.edits ?? {}).length > 0 ? 1 : 0;
  }
  return count;
}
