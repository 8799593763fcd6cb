// Two releases of a small product, for plans that are compared as text. Rule: the smallest product with a database, a door, a feature and a job.
import { type Hop, type HopSketch, hopOf, type ReleaseSketch } from './sketch.ts';

const health = [
  { service: 'api', command: ['healthy'] },
  { http: 'http://127.0.0.1:{{HTTP_PORT}}/', after: 'entry' },
] as const;
const migrate = [{ service: 'api', command: ['migrate', 'up'], needs: ['db'], on: ['install', 'upgrade'], timeout: 600 }] as const;

export const ONE: ReleaseSketch = {
  version: '1.0.0',
  services: {
    db: { made: '16', holds: ['pgdata'] },
    api: { holds: ['./data/uploads'] },
    worker: {},
    proxy: { made: '1.27', publishes: true, holds: ['./configs/nginx.conf'] },
    reports: { feature: 'reports' },
  },
  files: { 'configs/nginx.conf': 'server one', 'configs/api.conf': 'level info', 'docs/old.txt': 'old', 'content/welcome.txt': 'hello' },
  upgrade: { entry: ['proxy'], migrate, health },
  rest: {
    folders: ['data/uploads'],
    services: { reports: { optional: true } },
    data: { pgdata: { backup: { service: 'db', dump: 'pg_dump', restore: 'pg_restore' } }, uploads: { path: 'data/uploads' } },
    validate: [{ service: 'proxy', command: ['nginx', '-t'] }],
  },
};

const { db = {}, api = {}, proxy = {}, reports = {} } = ONE.services;

export const TWO: ReleaseSketch = {
  ...ONE,
  version: '2.0.0',
  services: { db, api, seed: {}, proxy, reports },
  files: {
    'configs/nginx.conf': 'server two',
    'configs/api.conf': 'level info',
    'docs/new.txt': 'new',
    'content/welcome.txt': 'hello again',
  },
  rest: { ...ONE.rest, folders: ['data/uploads', 'data/cache'], services: { ...ONE.rest?.services, seed: { kind: 'job' } } },
};

/** The same release, as it would be without what is named. */
export function without(release: ReleaseSketch, ...parts: readonly ('door' | 'migration' | 'data')[]): ReleaseSketch {
  return {
    ...release,
    upgrade: {
      ...release.upgrade,
      ...(parts.includes('door') ? { entry: [], health: health.slice(0, 1) } : {}),
      ...(parts.includes('migration') ? { migrate: [] } : {}),
    },
    rest: { ...release.rest, ...(parts.includes('data') ? { data: {} } : {}) },
  };
}

/** From the first release, as it runs, to the second. */
export function upgradeOf(change: Partial<HopSketch> = {}): Hop {
  return hopOf({ from: { release: ONE }, to: TWO, ...change });
}
