// Going back to a backup as a person reads it, and what holds for every such plan.

import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { fingerprintInstall } from '../../src/model/fingerprint.ts';
import type { FileToWrite } from '../../src/model/plan.ts';
import { dataToCopy } from '../../src/plan/data.ts';
import { planRestore, type RestoreFacts, type RestoreWish } from '../../src/plan/restore.ts';
import { planToText } from '../../src/show/plan.ts';
import { fc } from '../property.ts';
import { ONE, TWO, without } from './acme.ts';
import { RUNS, upgrades } from './scenes.ts';
import { composeOf, containersOf, freeze, type InstallSketch, installOf, manifestOf } from './sketch.ts';
import { expectSound, kindsOf, stepsOf, walk } from './walk.ts';

interface Return {
  readonly wish: RestoreWish;
  readonly facts: RestoreFacts;
}

/** From what is there now back to a backup of what was there then. */
function returnOf(now: InstallSketch, then: InstallSketch): Return {
  const install = installOf(now, then.release);
  const containers = containersOf(now);
  const dataOf = ({ release, features = [] }: InstallSketch, forUpgrade: boolean) => {
    const config = composeOf(release, features);
    const volumes = Object.values(config.volumes);
    return dataToCopy({ manifest: manifestOf(release), config, volumes, image: 'registry.test/acme/db', forUpgrade });
  };
  const target = manifestOf(then.release);
  const files = [...installOf(then).files].map(([path, { digest, mode }]): FileToWrite => ({ path, content: digest, mode }));
  return {
    wish: {
      ...{ id: 'restore-1', basedOn: fingerprintInstall(install, containers), backup: '.slipway/backups/before', name: 'before', target },
      items: dataOf(then, true).map(({ recipe: _, ...item }) => item),
      rescue: '.slipway/backups/now-rescue',
      files: [...files, { path: '.slipway/install.json', content: digestOf('install.json of then'), mode: 0o600 }],
      features: then.features ?? [],
    },
    facts: {
      install,
      present: containers.map(({ service }) => service).sort(),
      next: composeOf(then.release, then.features),
      presentItems: dataOf(now, false),
      engine: { containers, volumes: [], config: composeOf(now.release, now.features) },
    },
  };
}

const textOf = ({ wish, facts }: Return): string => planToText(planRestore(wish, facts));

describe('the plan of going back to a backup, as it is shown', () => {
  test('through a door: it can be undone until the door opens', () => {
    expect(textOf(returnOf({ release: TWO }, { release: ONE }))).toMatchInlineSnapshot(`
      "Plan: restore, 15 steps
         1. the images of the restored release [db, api, worker, proxy, reports]
         2. the files of the backup are prepared
         3. its manifest is the base of later comparisons
         4. going back ends as well as it is now
         5. nothing writes while data is exchanged [api, db, proxy, seed]
         6. what is there now is kept
         7. the present data, as it is [pgdata, uploads]
         8. the backup is read back and gets its name, .slipway/backups/now-rescue
         9. the files become those of the backup (1.0.0) [docker-compose.yml, configs/nginx.conf, configs/api.conf, docs/old.txt, content/welcome.txt, .env and 3 more]
        10. the data becomes that of the backup [pgdata, uploads]
        11. data services with the restored data [db]
        12. the rest of the restored release [api, worker]
        13. the restored release must be well
        --- from here on there is no way back by itself
        14. the door opens [proxy]
        15. the restored release answers at its door
        note: what is there now is kept at .slipway/backups/now-rescue
        note: rows written since the backup are only in that rescue backup afterwards
      "
    `);
  });

  test('without a door: it can be undone until the first service starts', () => {
    const text = textOf(returnOf({ release: without(TWO, 'door') }, { release: without(ONE, 'door') }));
    expect(text.split('\n').slice(-8).join('\n')).toMatchInlineSnapshot(`
      "  10. the data becomes that of the backup [pgdata, uploads]
        --- from here on there is no way back by itself
        11. data services with the restored data [db]
        12. the rest of the restored release [api, proxy, worker]
        13. the restored release must be well
        note: what is there now is kept at .slipway/backups/now-rescue
        note: rows written since the backup are only in that rescue backup afterwards
      "
    `);
  });
});

describe('every way back to a backup', () => {
  /** The present release may have dropped data that the backup has, or brought more of it. */
  const returns = fc
    .tuple(upgrades, fc.subarray(['pgdata', 'uploads', 'files']), fc.subarray(['pgdata', 'uploads', 'files']))
    .map(([{ from, to, features = [] }, ...kept]) => {
      const [now, then] = [to, from.release].map((release, index) => ({
        ...release,
        rest: {
          ...release.rest,
          data: Object.fromEntries(Object.entries(release.rest?.data ?? {}).filter(([name]) => kept[index]?.includes(name))),
        },
      }));
      return { present: { release: now ?? to, features }, backup: { ...from, release: then ?? from.release } };
    });
  type Sketch = typeof returns extends fc.Arbitrary<infer T> ? T : never;

  function unfold({ present, backup }: Sketch) {
    const { wish, facts } = returnOf(present, backup);
    const plan = planRestore(wish, facts);
    const { moments, end } = walk(plan, facts.present);
    const at = (...kinds: readonly string[]) => moments.filter(({ step }) => kinds.includes(step.kind));
    return { wish, facts, plan, moments, end, at };
  }

  const always = (name: string, check: (unfolded: ReturnType<typeof unfold>) => void): void =>
    test(name, () =>
      fc.assert(
        fc.property(returns, (sketch) => check(unfold(sketch))),
        RUNS,
      ),
    );

  always('can be taken back before its point of no return, throws nothing away, and stages what it swaps in', ({ plan }) =>
    expectSound(plan),
  );

  always(
    'exchanges nothing before all services are gone and what is there now is in a finished rescue backup',
    ({ at, wish, facts, plan }) => {
      for (const { before, started, safe, step } of at('swap-files', 'restore-data')) {
        expect([...before, ...started], step.kind).toEqual([]);
        for (const { name } of [...wish.items, ...facts.presentItems]) expect(safe).toContain(name);
      }
      for (const { before } of at('open-backup', 'copy-data')) expect([...before]).toEqual([]);
      expect(stepsOf(plan, 'close-backup').map(({ backup, rescue }) => [backup, rescue])).toEqual([[wish.rescue, true]]);
      expect(stepsOf(plan, 'restore-data').every(({ rescue }) => rescue === wish.rescue)).toBe(true);
    },
  );

  always('keeps every file that it replaces or removes', ({ plan, facts }) => {
    const kept = stepsOf(plan, 'open-backup').flatMap(({ files }) => files);
    const replaced = stepsOf(plan, 'swap-files').flatMap(({ files }) => files.map(({ path }) => path));
    expect(kept).toContain('.slipway/install.json');
    expect(replaced.filter((path) => facts.install.files.has(path) && !kept.includes(path))).toEqual([]);
  });

  always('brings files, settings, record and data back together, before the point of no return', ({ plan, wish, moments }) => {
    const [swap, ...others] = stepsOf(plan, 'swap-files');
    expect(others).toEqual([]);
    expect(swap?.files).toEqual(expect.arrayContaining([...wish.files]));
    expect(stepsOf(plan, 'restore-data').flatMap(({ items }) => items)).toEqual(wish.items);
    for (const { step, committed } of moments)
      if (step.kind === 'swap-files' || step.kind === 'restore-data') expect(committed).toBe(false);
  });

  always('removes files of the present release that the backup does not have, and none of the person’s', ({ plan, facts, wish }) => {
    const removed = stepsOf(plan, 'swap-files').flatMap(({ files }) =>
      files.flatMap(({ path, content }) => (content === null ? path : [])),
    );
    const shipped = facts.install.manifest.files.filter(({ owner, path }) => owner === 'vendor' && facts.install.files.has(path));
    const gone = shipped.map(({ path }) => path).filter((path) => !wish.files.some((file) => file.path === path));
    expect(removed.sort()).toEqual(gone.sort());
  });

  always('lets nobody in before its point of no return', ({ moments, facts, wish }) => {
    for (const { step, committed } of moments) {
      if (step.kind !== 'start-services' || committed) continue;
      expect(step.services.filter((name) => (facts.next.services[name]?.publishes.length ?? 0) > 0)).toEqual([]);
      expect(step.services.filter((name) => wish.target.upgrade.entry.includes(name))).toEqual([]);
    }
  });

  always('ends with the services of the restored release, all started anew and judged', ({ plan, end, facts, moments, wish }) => {
    const wanted = Object.keys(facts.next.services);
    const lasting = wanted.filter((name) => wish.target.services[name]?.kind !== 'job');
    expect([...end.before]).toEqual([]);
    expect(wanted).toEqual(expect.arrayContaining([...end.started]));
    expect([...end.started]).toEqual(expect.arrayContaining(lasting));
    for (const { step, index } of moments) {
      if (step.kind !== 'start-services') continue;
      const judged = plan.steps.slice(index).flatMap((later) => (later.kind === 'check-health' ? [...later.services, ...later.jobs] : []));
      expect(judged).toEqual(expect.arrayContaining([...step.services]));
    }
  });

  test('is planned from the facts alone, and changes none of them', () => {
    const check = ({ present, backup }: Sketch): void => {
      const { wish, facts } = freeze(returnOf(present, backup));
      expect(planRestore(wish, facts)).toEqual(planRestore(wish, facts));
      expect(facts).toEqual(returnOf(present, backup).facts);
      expect(kindsOf(planRestore(wish, facts))).not.toContain('run-job');
    };
    fc.assert(fc.property(returns, check), RUNS);
  });
});
