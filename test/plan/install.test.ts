// First installs as a person reads them, and what holds for every one of them.

import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { ToolError } from '../../src/model/error.ts';
import { fingerprintSite } from '../../src/model/fingerprint.ts';
import { type InstallSiteFacts, type InstallWish, planInstall } from '../../src/plan/install.ts';
import { planToText } from '../../src/show/plan.ts';
import { fc } from '../property.ts';
import { ONE, without } from './acme.ts';
import { RUNS, upgrades } from './scenes.ts';
import { composeOf, freeze, manifestDigest, manifestOf, PROJECT, type ReleaseSketch, ROOT } from './sketch.ts';
import { expectSound, kindsOf, stepsOf, walk } from './walk.ts';

interface Site {
  readonly release: ReleaseSketch;
  readonly features?: readonly string[];
  /** Path → text of what lies there already; undefined = the folder itself is new. */
  readonly found?: Readonly<Record<string, string>>;
  readonly start?: boolean;
}

function siteOf({ release, features = [], found, start = true }: Site): { wish: InstallWish; facts: InstallSiteFacts } {
  const files = new Map(
    Object.entries(found ?? {}).map(([path, text]) => [path, { digest: digestOf(text), mode: 0o644, size: text.length }]),
  );
  return {
    wish: {
      ...{ id: 'install-1', at: '2026-03-15T10:00:00Z', basedOn: fingerprintSite(files, []), target: manifestOf(release) },
      extra: [{ path: 'bundle.json', content: manifestDigest(release), mode: 0o644 }],
      ...{
        settings: [{ path: '.env', content: digestOf('.env as it will be'), mode: 0o600 }],
        record: digestOf('install.json as it will be'),
        features,
        start,
      },
    },
    facts: {
      ...{ root: ROOT, rootExists: found !== undefined, project: PROJECT, found: files, containers: [] },
      next: composeOf(release, features),
    },
  };
}

const planOf = (site: Site) => {
  const { wish, facts } = siteOf(site);
  return planInstall(wish, facts);
};

test('the vendor’s checks see the override that lies in the folder already, and the files that are the person’s', () => {
  const [staged] = stepsOf(planOf({ release: ONE, found: {} }), 'stage-files');
  expect(staged?.links).toEqual(['content', 'docker-compose.override.yml']);
});

describe('the plan of a first install, as it is shown', () => {
  test('of everything the product has', () => {
    const release = { ...ONE, rest: { ...ONE.rest, hostPaths: ['/var/run/docker.sock'] } };
    expect(planToText(planOf({ release, features: ['reports'] }))).toMatchInlineSnapshot(`
      "Plan: install, 13 steps
         1. the images of the release, by digest [db, api, worker, proxy, reports]
         2. the folders of the product
         3. the files are prepared
         4. the release is kept as it was shipped, to compare with later
         5. proxy must accept the new files before anything stops [proxy: nginx -t]
         6. the files of 1.0.0 get their places [configs/api.conf, configs/nginx.conf, content/welcome.txt, docker-compose.yml, docs/old.txt, bundle.json and 1 more]
         7. data services first [db]
         8. the data gets its first shape [api: migrate up]
         9. the services of the product [api, reports, worker]
        10. the product must be well
        11. the door opens [proxy]
        12. the product answers at its door
        13. 1.0.0 is written down as installed [.slipway/install.json]
        note: paths of this machine that services see: /var/run/docker.sock
      "
    `);
  });

  test('of a product without a door, data or migrations', () => {
    expect(planToText(planOf({ release: without(ONE, 'door', 'migration', 'data') }))).toMatchInlineSnapshot(`
      "Plan: install, 9 steps
        1. the images of the release, by digest [db, api, worker, proxy, reports]
        2. the folders of the product
        3. the files are prepared
        4. the release is kept as it was shipped, to compare with later
        5. proxy must accept the new files before anything stops [proxy: nginx -t]
        6. the files of 1.0.0 get their places [configs/api.conf, configs/nginx.conf, content/welcome.txt, docker-compose.yml, docs/old.txt, bundle.json and 1 more]
        7. the services of the product [api, db, proxy, worker]
        8. the product must be well
        9. 1.0.0 is written down as installed [.slipway/install.json]
      "
    `);
  });

  test('of files only, when nothing is to be started', () => {
    expect(planToText(planOf({ release: ONE, start: false }))).toMatchInlineSnapshot(`
      "Plan: install, 5 steps
        1. the folders of the product
        2. the files are prepared
        3. the release is kept as it was shipped, to compare with later
        4. the files of 1.0.0 get their places [configs/api.conf, configs/nginx.conf, content/welcome.txt, docker-compose.yml, docs/old.txt, bundle.json and 1 more]
        5. 1.0.0 is written down as installed [.slipway/install.json]
        note: --no-start: only files are written; pull and start is up to you
      "
    `);
  });
});

describe('a file that lies there already', () => {
  test('is left alone when it is the one that is shipped, or the person’s to keep', () => {
    const plan = planOf({ release: ONE, found: { 'configs/nginx.conf': 'server one', 'content/welcome.txt': 'mine' } });
    const swapped = stepsOf(plan, 'swap-files').flatMap(({ files }) => files.map(({ path }) => path));
    expect(swapped).not.toContain('configs/nginx.conf');
    expect(swapped).not.toContain('content/welcome.txt');
    expect(plan.fresh).toBe('state');
  });

  test('stops the install when the release would replace it', () => {
    const found = { 'configs/nginx.conf': 'mine', 'docs/old.txt': 'mine too', 'configs/api.conf': 'level info' };
    expect(() => planOf({ release: ONE, found })).toThrow(ToolError);
    expect(() => planOf({ release: ONE, found })).toThrow(
      /here already, and differ from the release's: configs\/nginx\.conf, docs\/old\.txt$/,
    );
  });
});

describe('every first install', () => {
  const sites: fc.Arbitrary<Site> = upgrades.map(({ to, features = [], wish }) => ({ release: to, features, start: wish?.start ?? true }));

  function unfold(site: Site) {
    const { wish, facts } = siteOf(site);
    const plan = planInstall(wish, facts);
    return { wish, facts, plan, ...walk(plan, []) };
  }

  const always = (name: string, check: (unfolded: ReturnType<typeof unfold>) => void): void =>
    test(name, () =>
      fc.assert(
        fc.property(sites, (site) => check(unfold(site))),
        RUNS,
      ),
    );

  always('can be taken back from its very last step, and leaves no folder that was not there', ({ plan }) => {
    expectSound(plan);
    expect(plan.commitAfter).toBe(plan.steps.length - 1);
    expect(plan.fresh).toBe('root');
  });

  always('starts nothing before the images are here, the vendor’s checks passed and the files lie in place', ({ moments }) => {
    const started = moments.find(({ step }) => step.kind === 'start-services' || step.kind === 'run-job')?.index ?? Infinity;
    for (const { step, index } of moments)
      if (['pull-images', 'make-folders', 'stage-files', 'validate-files'].includes(step.kind)) expect(index).toBeLessThan(started);
    for (const { step, swapped } of moments) if (step.kind === 'start-services' || step.kind === 'run-job') expect(swapped).toBe(true);
  });

  always('migrates with data services only, the ones it needs among them', ({ moments, facts, wish }) => {
    for (const { step, index, started } of moments) {
      if (step.kind !== 'run-job') continue;
      const needed = wish.target.upgrade.migrate.flatMap(({ needs }) => needs);
      const data = [...needed, ...Object.values(wish.target.data).flatMap(({ backup }) => backup?.service ?? [])];
      expect([...started].filter((name) => !data.includes(name))).toEqual([]);
      expect([...started]).toEqual(expect.arrayContaining(step.needs.filter((name) => facts.next.services[name] !== undefined)));
      expect(step.restoredBy).toBeLessThanOrEqual(index);
    }
  });

  always('opens its door last, once everything behind it was found well', ({ moments, facts, wish }) => {
    const entries = wish.target.upgrade.entry.filter((name) => facts.next.services[name] !== undefined);
    const [opened] = moments.filter(({ step }) => step.kind === 'start-services' && step.services.some((name) => entries.includes(name)));
    if (opened === undefined) return;
    expect(opened.step).toMatchObject({ services: entries.sort() });
    const judged = moments.flatMap(({ step, index }) =>
      step.kind === 'check-health' && index < opened.index ? [...step.services, ...step.jobs] : [],
    );
    expect(judged.sort()).toEqual([...opened.started].sort());
    expect(moments.slice(opened.index + 1).map(({ step }) => step.kind)).toEqual(['check-health', 'swap-files']);
  });

  always('ends with every service that is switched on, each started once, and is written down last', ({ plan, end, facts, wish }) => {
    const started = stepsOf(plan, 'start-services').flatMap(({ services }) => services);
    expect([...started].sort()).toEqual(wish.start ? Object.keys(facts.next.services).sort() : []);
    expect([...end.started].sort()).toEqual([...started].sort());
    expect(plan.steps.at(-1)).toMatchObject({ kind: 'swap-files', files: [{ path: '.slipway/install.json' }] });
  });

  always('touches no container when only files are wanted', ({ plan, wish }) => {
    if (!wish.start) expect(['make-folders', 'stage-files', 'swap-files']).toEqual(expect.arrayContaining(kindsOf(plan)));
  });

  test('is planned from the facts alone, and changes none of them', () => {
    const check = (site: Site): void => {
      const { wish, facts } = freeze(siteOf(site));
      expect(planInstall(wish, facts)).toEqual(planInstall(wish, facts));
      expect(facts).toEqual(siteOf(site).facts);
    };
    fc.assert(fc.property(sites, check), RUNS);
  });
});
