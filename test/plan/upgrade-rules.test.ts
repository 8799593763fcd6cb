// What holds for every upgrade and every change of answers, whatever the product and the state it is found in.

import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { fingerprintInstall } from '../../src/model/fingerprint.ts';
import { pathsOf } from '../../src/observe/install.ts';
import { planUpgrade } from '../../src/plan/upgrade.ts';
import { fc } from '../property.ts';
import { liveUpgrades, RUNS, reconfigurations, sortsOf, upgrades } from './scenes.ts';
import { freeze, type HopSketch, hopOf } from './sketch.ts';
import { expectSound, kindsOf, stepsOf, walk } from './walk.ts';

describe('every upgrade', () => {
  function unfold(sketch: HopSketch) {
    const hop = hopOf(sketch);
    const plan = planUpgrade(hop.wish, hop.facts);
    const present = hop.facts.engine.containers.map(({ service }) => service);
    const { moments, end } = walk(plan, present);
    const old = hop.facts.install.manifest;
    const { target } = hop.wish;
    const dataServices = [old, target].flatMap(({ upgrade, data }) => [
      ...upgrade.migrate.flatMap(({ needs }) => needs),
      ...Object.values(data).flatMap(({ backup }) => backup?.service ?? []),
    ]);
    const at = (...kinds: readonly string[]) => moments.filter(({ step }) => kinds.includes(step.kind));
    return { sketch, ...hop, plan, present, moments, end, old, target, dataServices, at };
  }
  type Unfolded = ReturnType<typeof unfold>;

  const always = (name: string, scenes: fc.Arbitrary<HopSketch>, check: (unfolded: Unfolded) => void): void =>
    test(name, () =>
      fc.assert(
        fc.property(scenes, (sketch) => check(unfold(sketch))),
        RUNS,
      ),
    );

  /** The data that must survive: declared by the installed release, there, and not left alone on purpose. */
  const treasureOf = ({ old, facts }: Unfolded): string[] =>
    Object.entries(old.data)
      .filter(
        ([name, item]) =>
          item.onUpgrade !== 'skip' &&
          item.ephemeral !== true &&
          (item.path !== undefined || facts.engine.config.volumes[name] !== undefined),
      )
      .map(([name]) => name);
  const isAtStake = (unfolded: Unfolded): boolean => treasureOf(unfolded).length > 0 || stepsOf(unfolded.plan, 'run-job').length > 0;
  const entriesOf = ({ target, facts }: Unfolded): string[] =>
    target.upgrade.entry.filter((name) => facts.next.services[name] !== undefined);
  const holds = ({ facts }: Unfolded, service: string, item: string): boolean =>
    facts.engine.config.services[service]?.mounts.some(({ source }) => source === item || source.endsWith(`/data/${item}`)) ?? false;

  test('here is of many sorts', () => {
    const sorts = sortsOf(fc.sample(liveUpgrades, { numRuns: 200, seed: 1 }));
    for (const [sort, count] of Object.entries(sorts)) expect(count, sort).toBeGreaterThan(10);
  });

  always(
    'can be taken back before its point of no return, throws nothing away before it, and stages what it swaps in',
    upgrades,
    ({ plan }) => expectSound(plan),
  );

  always('ends with the door and with removing what is old: nothing else lies past the point of no return', upgrades, (unfolded) => {
    const after = unfolded.plan.steps.slice(unfolded.plan.commitAfter + 1);
    const started = after.flatMap((step) => (step.kind === 'start-services' ? step.services : []));
    expect(entriesOf(unfolded)).toEqual(expect.arrayContaining(started));
    const others = after.filter(({ kind }) => !['start-services', 'check-health', 'remove-paths', 'remove-images'].includes(kind));
    expect(others).toEqual([]);
  });

  always(
    'stops nothing before all images are here, and the new files were accepted in them',
    liveUpgrades,
    ({ plan, moments, target, facts }) => {
      const checks = target.validate.filter(({ service }) => facts.next.services[service] !== undefined);
      expect(stepsOf(plan, 'validate-files')).toHaveLength(checks.length);
      const firstStop = moments.find(({ step }) => step.kind === 'stop-services')?.index ?? Infinity;
      const prepared = moments.filter(({ step }) => ['pull-images', 'stage-files', 'validate-files', 'guard-health'].includes(step.kind));
      for (const { index } of prepared) expect(index).toBeLessThan(firstStop);
      expect(stepsOf(plan, 'guard-health')).toHaveLength(1);
    },
  );

  always('stops all that may write before its backup begins', liveUpgrades, ({ at, old, dataServices }) => {
    for (const { before } of at('open-backup')) {
      const writers = [...before].filter((name) => old.services[name]?.writer !== false && !dataServices.includes(name));
      expect(writers).toEqual([]);
    }
  });

  always('copies data while nothing holds it open, and dumps it while its service runs', liveUpgrades, (unfolded) => {
    for (const { step, before } of unfolded.at('copy-data')) {
      if (step.kind !== 'copy-data') continue;
      for (const { name } of step.items) expect([...before].filter((service) => holds(unfolded, service, name))).toEqual([]);
    }
    for (const { step, before } of unfolded.at('dump-data')) {
      if (step.kind !== 'dump-data') continue;
      for (const { recipe } of step.items) expect(before).toContain(recipe?.service);
    }
  });

  always('has all data in a finished backup before files change, data migrates or anything new starts', liveUpgrades, (unfolded) => {
    for (const { safe } of unfolded.at('swap-files', 'run-job', 'start-services'))
      expect([...safe].sort()).toEqual(treasureOf(unfolded).sort());
  });

  always('migrates with data services only, and puts the data back when it goes back from there', liveUpgrades, (unfolded) => {
    const { at, plan, old, target, facts, dataServices } = unfolded;
    for (const { step, index, before, started, swapped } of at('run-job')) {
      if (step.kind !== 'run-job') continue;
      const running = [...before, ...started];
      expect(swapped).toBe(true);
      expect(running).toEqual(expect.arrayContaining(step.needs.filter((name) => facts.next.services[name] !== undefined)));
      expect([...started].filter((name) => !dataServices.includes(name))).toEqual([]);
      expect([...before].filter((name) => !dataServices.includes(name) && old.services[name]?.writer !== false)).toEqual([]);
      expect(step.restoredBy).toBeLessThanOrEqual(index);
      const restorer = plan.steps[step.restoredBy ?? index];
      const restored = restorer?.kind === 'guard-data' ? restorer.items.map(({ name }) => name) : [];
      expect(restored.sort()).toEqual(treasureOf(unfolded).sort());
    }
    expect(stepsOf(plan, 'run-job').map(({ command }) => command)).toEqual(target.upgrade.migrate.map(({ command }) => command));
  });

  always('has its door shut from the backup until all else is well, when data is at stake', liveUpgrades, (unfolded) => {
    const entries = entriesOf(unfolded);
    if (!isAtStake(unfolded) || entries.length === 0) return;
    const { at, plan } = unfolded;
    for (const { before, started, committed } of at('open-backup', 'run-job', 'swap-files', 'check-health')) {
      if (!committed) expect(entries.filter((name) => before.has(name) || started.has(name))).toEqual([]);
    }
    expect(plan.steps[plan.commitAfter + 1]).toMatchObject({ kind: 'start-services', services: entries.sort() });
  });

  always(
    'keeps what people write while it can still go back: without a rescue backup nobody can reach a new service',
    liveUpgrades,
    (unfolded) => {
      const { plan, facts } = unfolded;
      const reachable = plan.steps
        .slice(0, plan.commitAfter + 1)
        .flatMap((step) => (step.kind === 'start-services' ? step.services : []))
        .filter((name) => (facts.next.services[name]?.publishes.length ?? 0) > 0);
      for (const { rescue } of stepsOf(plan, 'guard-data')) if (rescue === null) expect(reachable).toEqual([]);
    },
  );

  always(
    'ends with the services of the new release, and leaves alone only what runs as it should',
    liveUpgrades,
    ({ end, facts, sketch, plan }) => {
      expect([...end.before, ...end.started].sort()).toEqual(Object.keys(facts.next.services).sort());
      const swapped = stepsOf(plan, 'swap-files').flatMap(({ files }) => files.map(({ path }) => path));
      for (const service of end.before) {
        const [container] = facts.engine.containers.filter((each) => each.service === service);
        expect(container?.configHash).toBe(facts.next.hashes[service]);
        expect(sketch.from.states?.[service]).toBe('running');
        const mounted = (sketch.to.services[service]?.holds ?? []).filter((held) =>
          swapped.some((path) => `./${path}/`.startsWith(`${held}/`)),
        );
        expect(mounted).toEqual([]);
      }
    },
  );

  always('makes a service anew when a file changes that it mounts', liveUpgrades, ({ plan, sketch }) => {
    const swapped = stepsOf(plan, 'swap-files').flatMap(({ files }) => files.map(({ path }) => path));
    for (const { services, recreate } of stepsOf(plan, 'start-services')) {
      const mounting = services.filter((name) =>
        sketch.to.services[name]?.holds?.some((held) => swapped.some((path) => `./${path}/`.startsWith(`${held}/`))),
      );
      expect([...recreate].sort()).toEqual(mounting.sort());
    }
  });

  always('judges all that it starts, on the same side of the point of no return', liveUpgrades, ({ plan, moments }) => {
    for (const { step, index, committed } of moments) {
      if (step.kind !== 'start-services') continue;
      const judged = moments.flatMap((later) =>
        later.index > index && later.committed === committed && later.step.kind === 'check-health'
          ? [...later.step.services, ...later.step.jobs]
          : [],
      );
      expect(judged).toEqual(expect.arrayContaining([...step.services]));
    }
    expect(stepsOf(plan, 'check-health').length).toBeGreaterThan(0);
  });

  always('changes the files that the vendor changed, and none that are the person’s', upgrades, ({ plan, sketch, target }) => {
    const before = sketch.from.release.files ?? {};
    const after = sketch.to.files ?? {};
    const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (path) => before[path] !== after[path] && !path.startsWith('content/'),
    );
    const [swap, record] = stepsOf(plan, 'swap-files');
    expect(swap?.files.map(({ path }) => path).sort()).toEqual([...changed, 'docker-compose.yml', 'bundle.json', '.env'].sort());
    for (const { path, content } of swap?.files ?? []) {
      const shipped = target.files.find((file) => file.path === path)?.sha256 ?? null;
      if (changed.includes(path)) expect(content).toBe(shipped);
    }
    expect(record?.files.map(({ path }) => path)).toEqual(['.slipway/install.json']);
  });

  always('keeps both releases, rescue backups, and as many backups as the product wants', upgrades, ({ plan, facts, target, old }) => {
    const removed = stepsOf(plan, 'remove-paths').flatMap(({ paths }) => paths);
    const kept = [target, old].map(({ version }) => `.slipway/releases/${version}`);
    for (const path of [...kept, ...facts.backups.filter(({ rescue }) => rescue).map(({ path }) => path)])
      expect(removed).not.toContain(path);
    const ordinary = facts.backups.filter(({ rescue }) => !rescue).map(({ path }) => path);
    const made = stepsOf(plan, 'close-backup').map(({ backup }) => backup);
    const left = [...ordinary, ...made].filter((path) => !removed.includes(path));
    const newest = [...ordinary, ...made].slice(-target.backup.keep);
    expect(left).toEqual(expect.arrayContaining(newest));
    expect(left.length - newest.length).toBeLessThanOrEqual(1); // the last good one, while no whole copy is made
  });

  always('touches no container and copies nothing when only files are wanted', upgrades, ({ plan, wish }) => {
    const files = ['make-folders', 'stage-files', 'swap-files', 'remove-paths'];
    if (!wish.start) expect(files).toEqual(expect.arrayContaining(kindsOf(plan)));
  });

  always('is planned from the facts alone, and changes none of them', upgrades, ({ sketch }) => {
    const { wish, facts } = freeze(hopOf(sketch));
    const plan = planUpgrade(wish, facts);
    expect(planUpgrade(wish, facts)).toEqual(plan);
    const again = hopOf(sketch);
    expect(planUpgrade(again.wish, again.facts)).toEqual(plan);
    expect(facts).toEqual(again.facts);
  });

  always(
    'rests on all that it changes: a later change of any of it makes the plan stale',
    liveUpgrades,
    ({ plan, facts, old, target, present }) => {
      const { install, engine } = facts;
      const containers = engine.containers;
      expect(plan.basedOn).toBe(fingerprintInstall(install, containers));
      const asked = new Set([...pathsOf(old), ...pathsOf(target)]);
      for (const path of stepsOf(plan, 'swap-files').flatMap((step) => step.files.map((file) => file.path))) {
        if (path === '.slipway/install.json') continue;
        expect(asked).toContain(path);
        const files = new Map([...install.files, [path, { digest: digestOf('since then'), mode: 0o644, size: 1 }]]);
        expect(fingerprintInstall({ ...install, files }, containers)).not.toBe(plan.basedOn);
      }
      for (const service of stepsOf(plan, 'stop-services').flatMap(({ services }) => services)) {
        expect(present).toContain(service);
        const since = containers.map((each) => (each.service === service ? { ...each, id: 'another' } : each));
        expect(fingerprintInstall(install, since)).not.toBe(plan.basedOn);
      }
    },
  );

  always('leaves nothing to do: the same release with the same answers stops, starts and changes nothing', liveUpgrades, ({ sketch }) => {
    const { from, to, features = [] } = sketch;
    const settled = { release: to, features, edits: from.edits ?? {} };
    const { plan } = unfold({ from: settled, to, features, wish: { command: 'configure', extra: [] } });
    expect(stepsOf(plan, 'stop-services')).toEqual([]);
    expect(stepsOf(plan, 'start-services')).toEqual([]);
    expect(stepsOf(plan, 'swap-files').flatMap(({ files }) => files.map(({ path }) => path))).toEqual(['.env', '.slipway/install.json']);
  });
});

describe('every change of answers', () => {
  test('is as safe as an upgrade, copies and migrates nothing, and restarts only what it changes', () => {
    const check = (sketch: HopSketch): void => {
      const { wish, facts } = hopOf(sketch);
      const plan = planUpgrade(wish, facts);
      expectSound(plan);
      expect(kindsOf(plan).filter((kind) => ['open-backup', 'copy-data', 'run-job', 'guard-data', 'remove-paths'].includes(kind))).toEqual(
        [],
      );
      const same = facts.engine.containers.filter(
        (each) =>
          each.configHash === facts.next.hashes[each.service] && sketch.from.states?.[each.service] === 'running' && each.exitCode === 0,
      );
      const stopped = stepsOf(plan, 'stop-services').flatMap(({ services }) => services);
      expect(same.filter(({ service }) => stopped.includes(service))).toEqual([]);
    };
    fc.assert(fc.property(reconfigurations, check), RUNS);
  });
});
