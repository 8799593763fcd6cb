// Upgrades as a person reads them before saying yes, what stops for them, and what is refused.

import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { ToolError } from '../../src/model/error.ts';
import { planUpgrade } from '../../src/plan/upgrade.ts';
import { planToJson, planToText } from '../../src/show/plan.ts';
import { fc } from '../property.ts';
import { ONE, TWO, upgradeOf, without } from './acme.ts';
import { RUNS } from './scenes.ts';
import { type Hop, hopOf, type ReleaseSketch } from './sketch.ts';
import { expectSound, stepsOf } from './walk.ts';

const textOf = ({ wish, facts }: Hop): string => planToText(planUpgrade(wish, facts));

function refusalOf({ wish, facts }: Hop): Pick<ToolError, 'code' | 'message' | 'hint'> {
  try {
    planUpgrade(wish, facts);
  } catch (error) {
    const { code, message, hint } = error as ToolError;
    return { code, message, hint };
  }
  throw new Error('it was planned');
}

describe('the plan of an upgrade, as it is shown', () => {
  test('with data, a migration and a door', () => {
    const past = [false, true, false, false].map((rescue, index) => ({ path: `.slipway/backups/old-${index}`, rescue }));
    const facts = { backups: past, releases: ['0.9.0', '1.0.0'], localImages: ['slipway.local/acme/api:0.9.0'] };
    expect(textOf(upgradeOf({ facts }))).toMatchInlineSnapshot(`
      "Plan: upgrade, 23 steps
         1. all images are here before anything stops [db, api, seed, proxy, reports]
         2. new folders of this release
         3. new files are prepared beside the running ones
         4. the release is kept as it was shipped, to compare with later
         5. proxy must accept the new files before anything stops [proxy: nginx -t]
         6. going back ends with 1.0.0 as well as it is now
         7. nothing writes while the backup is made [api, proxy, worker]
         8. files, settings and record go into the backup
         9. a dump that other hosts and versions can read [pgdata]
        10. data is copied while nothing holds it open [db]
        11. the data as it is, to go back to exactly this [pgdata, uploads]
        12. the backup is read back and gets its name, .slipway/backups/20260316T100000Z-1.0.0
        13. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
        14. from here on the new release may write; going back puts this backup back [pgdata, uploads]
        15. data services of the new release [db]
        16. the data is brought to 2.0.0 [api: migrate up]
        17. the rest starts, the door stays shut [api, seed]
        18. the new release must be well before its door opens
        19. 2.0.0 is written down as installed [.slipway/install.json]
        --- from here on there is no way back by itself
        20. the door opens [proxy]
        21. the product answers at its door
        22. downloads, older releases, and backups beyond the number that is kept [.slipway/cache, .slipway/releases/0.9.0, .slipway/backups/old-0]
        23. images of releases that are no longer kept [slipway.local/acme/api:0.9.0]
        way back: restores data, loses nothing: code, settings and data are put back, and nobody could write before the door opens
      "
    `);
  });

  test('without data: only what changes is stopped, and nothing is copied', () => {
    const release = { ...without(TWO, 'data', 'migration'), services: { ...ONE.services, api: { made: 'anew' } } };
    const from = { release: without(ONE, 'data', 'migration') };
    const to = { ...release, files: ONE.files ?? {} };
    expect(textOf(upgradeOf({ from, to }))).toMatchInlineSnapshot(`
      "Plan: upgrade, 12 steps
         1. all images are here before anything stops [db, api, worker, proxy, reports]
         2. new folders of this release
         3. new files are prepared beside the running ones
         4. the release is kept as it was shipped, to compare with later
         5. proxy must accept the new files before anything stops [proxy: nginx -t]
         6. going back ends with 1.0.0 as well as it is now
         7. they change in this release [api, worker]
         8. the files become those of 2.0.0 [docker-compose.yml, bundle.json, .env]
         9. the services of the new release start [api, worker]
        10. the new release must be well
        11. 2.0.0 is written down as installed [.slipway/install.json]
        --- from here on there is no way back by itself
        12. downloads, older releases, and backups beyond the number that is kept [.slipway/cache]
        way back: free: no data is changed or copied; code and settings are put back
      "
    `);
  });

  test('with a migration and no door: the window in which people reach what may still go back', () => {
    expect(textOf(upgradeOf({ from: { release: without(ONE, 'door') }, to: without(TWO, 'door') }))).toMatchInlineSnapshot(`
      "Plan: upgrade, 20 steps
         1. all images are here before anything stops [db, api, seed, proxy, reports]
         2. new folders of this release
         3. new files are prepared beside the running ones
         4. the release is kept as it was shipped, to compare with later
         5. proxy must accept the new files before anything stops [proxy: nginx -t]
         6. going back ends with 1.0.0 as well as it is now
         7. nothing writes while the backup is made [api, proxy, worker]
         8. files, settings and record go into the backup
         9. a dump that other hosts and versions can read [pgdata]
        10. data is copied while nothing holds it open [db]
        11. the data as it is, to go back to exactly this [pgdata, uploads]
        12. the backup is read back and gets its name, .slipway/backups/20260316T100000Z-1.0.0
        13. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
        14. from here on the new release may write; going back puts this backup back [pgdata, uploads]
        15. data services of the new release [db]
        16. the data is brought to 2.0.0 [api: migrate up]
        17. the services of the new release start [api, proxy, seed]
        18. the new release must be well
        19. 2.0.0 is written down as installed [.slipway/install.json]
        --- from here on there is no way back by itself
        20. downloads, older releases, and backups beyond the number that is kept [.slipway/cache]
        way back: restores data, loses up to 2 min: the new release is reachable for up to 70 s before it is known to be well; what was written meanwhile is kept in a rescue backup
      "
    `);
  });

  test('a feature is switched off', () => {
    const from = { release: ONE, features: ['reports'] };
    expect(textOf(upgradeOf({ from, to: ONE, features: [], wish: { command: 'configure', extra: [] } }))).toMatchInlineSnapshot(`
      "Plan: configure, 8 steps
        1. all images are here before anything stops [db, api, worker, proxy, reports]
        2. new files are prepared beside the running ones
        3. proxy must accept the new files before anything stops [proxy: nginx -t]
        4. going back ends with 1.0.0 as well as it is now
        5. they change in this release [reports]
        6. the files become those of 1.0.0 [.env]
        7. the new release must be well
        8. 1.0.0 is written down as installed [.slipway/install.json]
        way back: free: no data is changed or copied; code and settings are put back
      "
    `);
  });

  test('files that only the person touched stay', () => {
    const edits = { 'configs/api.conf': 'level debug', 'content/welcome.txt': 'my own words' };
    const notes = textOf(upgradeOf({ from: { release: ONE, edits } })).match(/^.*(note:|the files become).*$/gm);
    expect(notes?.join('\n')).toMatchInlineSnapshot(`
      "  13. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
        note: your changes stay: configs/api.conf"
    `);
  });

  test('data is told with its size and the minutes that its copy takes, as far as somebody could measure it', () => {
    const sizes = new Map([['acme_pgdata', 9e9]]);
    const hop = upgradeOf({ facts: { sizes } });
    expect(textOf(hop)).toContain('the data as it is, to go back to exactly this [pgdata: 9.0 GB, about 3 min; uploads]');
    const { steps } = planToJson(planUpgrade(hop.wish, hop.facts));
    const copy = steps.find((step) => step.kind === 'copy-data');
    expect(copy).toMatchObject({ items: [{ name: 'pgdata', bytes: 9e9, minutes: 3 }, { name: 'uploads' }] });
  });

  test('the way back has one of three classes, with the minutes that it loses, for people and for programs', () => {
    const wayBack = (hop: Hop) => planToJson(planUpgrade(hop.wish, hop.facts)).wayBack;
    expect(wayBack(upgradeOf())).toMatchObject({ kind: 'restores-data', losesMinutes: 0 });
    expect(wayBack(upgradeOf({ wish: { start: false } }))).toMatchObject({ kind: 'free', losesMinutes: 0 });
    const bare = upgradeOf({ from: { release: without(ONE, 'data') }, to: without(TWO, 'data') });
    expect(wayBack(bare)).toMatchObject({ kind: 'impossible', why: expect.stringContaining('none of it is copied') });
    expect(textOf(bare)).toContain('way back: none for the data: the data is migrated, and none of it is copied');
  });

  test('nothing is started or stopped when that was asked for', () => {
    expect(textOf(upgradeOf({ wish: { start: false } }))).toMatchInlineSnapshot(`
      "Plan: upgrade, 6 steps
        1. new folders of this release
        2. new files are prepared beside the running ones
        3. the release is kept as it was shipped, to compare with later
        4. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
        5. 2.0.0 is written down as installed [.slipway/install.json]
        -- from here on there is no way back by itself
        6. downloads, older releases, and backups beyond the number that is kept [.slipway/cache]
        way back: free: only files change, and they are put back
        note: --no-start: only files change; pull and start is up to you
      "
    `);
  });
});

describe('what stops for an upgrade', () => {
  const { db = {}, proxy = {} } = ONE.services;
  const stopped = (services: ReleaseSketch['services'], rest: ReleaseSketch['rest']): (readonly string[])[] => {
    const [from, to] = [ONE, TWO].map((release) => ({ ...release, services, rest: { ...release.rest, ...rest } }));
    const { wish, facts } = upgradeOf({ from: { release: from ?? ONE }, to: to ?? TWO });
    return stepsOf(planUpgrade(wish, facts), 'stop-services').map(({ services: names }) => names);
  };

  test('is the door, although a proxy writes nothing itself', () => {
    const services = { db, api: {}, proxy: { ...proxy, holds: [] } };
    expect(stopped(services, { services: { proxy: { writer: false } } })).toEqual([['api', 'proxy'], ['db']]);
  });

  test('is a database whose data lies in a folder of the install', () => {
    const data = { pgdata: { path: 'data/pg', backup: { service: 'db', dump: 'pg_dump', restore: 'pg_restore' } } };
    expect(stopped({ db: { made: '16', holds: ['./data/pg'] }, api: {} }, { data })).toEqual([['api'], ['db']]);
  });

  test('is what reads along in copied data, but nothing else that never writes', () => {
    const services = {
      db,
      api: {},
      exporter: { made: '1', holds: ['pgdata'] },
      gallery: { made: '1', holds: ['./data'] },
      grafana: { made: '1' },
    };
    const traits = { exporter: { writer: false }, gallery: { writer: false }, grafana: { writer: false } };
    expect(stopped(services, { services: traits })).toEqual([['api', 'exporter', 'gallery'], ['db']]);
  });
});

describe('an upgrade is refused', () => {
  test('when a file was changed by both sides, naming every such file', () => {
    const edits = { 'configs/nginx.conf': 'server mine', 'docs/old.txt': 'mine too', 'configs/api.conf': 'level debug' };
    expect(refusalOf(upgradeOf({ from: { release: ONE, edits } }))).toMatchInlineSnapshot(`
      {
        "code": "E_CONFLICT",
        "hint": "Nothing was changed. Decide with --on-conflict mine, --on-conflict vendor, or file by file: --on-conflict PATH=mine, PATH=vendor or PATH=FILE with a file that you merged. Changes in docker-compose.override.yml and .env never get in the way.",
        "message": "you and the new release both changed: configs/nginx.conf, docs/old.txt",
      }
    `);
  });

  test('when it would leave data behind', () => {
    const { facts } = upgradeOf();
    const refusals = [
      upgradeOf({ to: { ...TWO, rest: { ...TWO.rest, project: 'other' } } }),
      upgradeOf({ facts: { next: { ...facts.next, volumes: { pgdata: 'pgdata' } } } }),
      upgradeOf({ facts: { engine: { ...facts.engine, volumes: [] } } }),
    ].map(refusalOf);
    expect(refusals.map(({ code, message }) => `${code} ${message}`)).toMatchInlineSnapshot(`
      [
        "E_POLICY the project would change from acme to other: the data would be left behind",
        "E_POLICY the volume of pgdata would change from acme_pgdata to pgdata: the data would be left behind",
        "E_POLICY the data volume acme_pgdata is gone: the new release would start with an empty one",
      ]
    `);
  });
});

describe('a file', () => {
  const moved = (edits: Record<string, string | null>): Readonly<Record<string, string | null>> => {
    const [from, to] = [{ 'conf/old.conf': 'level info' }, { 'conf/new.conf': 'level info' }];
    const { wish, facts } = hopOf({ from: { release: { ...ONE, files: from }, edits }, to: { ...TWO, files: to } });
    const files = stepsOf(planUpgrade(wish, facts), 'swap-files').flatMap((step) => step.files);
    return Object.fromEntries(files.filter(({ path }) => path.startsWith('conf/')).map(({ path, content }) => [path, content]));
  };

  test('that the release renames takes the edits along', () => {
    expect(moved({})).toEqual({ 'conf/old.conf': null, 'conf/new.conf': digestOf('level info') });
    expect(moved({ 'conf/old.conf': 'level debug' })).toEqual({ 'conf/old.conf': null, 'conf/new.conf': digestOf('level debug') });
    expect(moved({ 'conf/old.conf': null })).toEqual({});
  });

  test('that both sides changed differently is named in the refusal, and no other', () => {
    const text = fc.constantFrom(undefined, 'a', 'b', 'c');
    const versions = fc.array(fc.record({ base: text, mine: text, theirs: text }), { maxLength: 5 });
    fc.assert(
      fc.property(versions, (files) => {
        const pick = (side: 'base' | 'theirs'): Record<string, string> =>
          Object.fromEntries(
            files.flatMap((file, index) => (file[side] === undefined ? [] : [[`docs/${index}`, `${index} ${file[side]}`]])),
          );
        const edits = Object.fromEntries(files.map(({ mine }, index) => [`docs/${index}`, mine === undefined ? null : `${index} ${mine}`]));
        const hop = hopOf({ from: { release: { ...ONE, files: pick('base') }, edits }, to: { ...TWO, files: pick('theirs') } });
        const both = files.flatMap(({ base, mine, theirs }, index) =>
          base !== mine && base !== theirs && mine !== theirs ? [`docs/${index}`] : [],
        );
        if (both.length === 0) expectSound(planUpgrade(hop.wish, hop.facts));
        else
          expect(refusalOf(hop)).toMatchObject({ code: 'E_CONFLICT', message: `you and the new release both changed: ${both.join(', ')}` });
      }),
      RUNS,
    );
  });
});
