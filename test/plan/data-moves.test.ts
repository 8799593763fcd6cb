// Data that is carried into another volume, as a person reads it before saying yes, and what is refused so that none is lost.
import { describe, expect, test } from 'vitest';
import type { DataItem } from '../../src/model/description.ts';
import type { ToolError } from '../../src/model/error.ts';
import { readProduct } from '../../src/model/product.ts';
import { checkData } from '../../src/plan/check-data.ts';
import { checkPrevious } from '../../src/plan/previous-check.ts';
import { planUpgrade } from '../../src/plan/upgrade.ts';
import { planToText } from '../../src/show/plan.ts';
import { ONE, TWO, without } from './acme.ts';
import { type Hop, type HopSketch, hopOf, type ReleaseSketch } from './sketch.ts';
import { expectSound } from './walk.ts';

const backup = { service: 'db', dump: 'pg_dumpall', restore: 'psql' };
const migrate = { from: 'pgdata15', majors: [14, 15], how: 'dump-restore', keepOld: true } as const;

/** A release whose database has this volume. */
function databaseOn(release: ReleaseSketch, name: string, item: DataItem, made = name): ReleaseSketch {
  const { pgdata: _, ...others } = release.rest?.data ?? {};
  return {
    ...release,
    services: { ...release.services, db: { made, holds: [name] } },
    rest: { ...release.rest, data: { [name]: item, ...others } },
  };
}

const OLD = databaseOn(ONE, 'pgdata15', { engine: 'postgres', major: 15, backup });
const NEW = databaseOn(TWO, 'pgdata', { engine: 'postgres', major: 16, backup, migrate });

function hop(from: ReleaseSketch, to: ReleaseSketch, more: Partial<HopSketch> = {}): Hop {
  return hopOf({ from: { release: from }, to, ...more });
}

function textOf({ wish, facts }: Hop): string {
  const plan = planUpgrade(wish, facts);
  expectSound(plan);
  return planToText(plan);
}

function refusalOf({ wish, facts }: Hop): Pick<ToolError, 'code' | 'message' | 'hint'> {
  try {
    planUpgrade(wish, facts);
  } catch (error) {
    const { code, message, hint } = error as ToolError;
    return { code, message, hint };
  }
  throw new Error('it was planned');
}

/** The lines from the stop to the start of the rest, and the notes. */
function middleOf(text: string): string {
  const lines = text.split('\n');
  const is = (what: RegExp): number => lines.findIndex((line) => what.test(line));
  return [
    ...lines.slice(is(/nothing writes/), is(/the rest starts|services of the new release start/)),
    ...lines.filter((line) => /note: .*(goes to|is copied)/.test(line)),
  ]
    .map((line) => line.trim())
    .join('\n');
}

describe('a declared change of the major', () => {
  test('is dumped, kept, imported into a volume of its own and compared, while the old volume stays as it is', () => {
    expect(middleOf(textOf(hop(OLD, NEW)))).toMatchInlineSnapshot(`
      "7. nothing writes while the backup is made [api, proxy, worker]
      8. files, settings and record go into the backup
      9. what the old engine holds, to compare with after the change [pgdata15]
      10. a dump that other hosts and versions can read [pgdata15]
      11. data is copied while nothing holds it open [db]
      12. the data as it is, to go back to exactly this [pgdata15, uploads]
      13. the backup is read back and gets its name, .slipway/backups/20260316T100000Z-1.0.0
      14. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
      15. from here on the new release may write; going back puts this backup back [uploads]
      16. the new engine takes over what the old one dumped [pgdata15 -> acme_pgdata]
      17. data services of the new release [db]
      18. the data is brought to 2.0.0 [api: migrate up]
      note: pgdata15 goes to postgres 16 from acme_pgdata15 to acme_pgdata; the old data stays in acme_pgdata15 until \`backup forget acme_pgdata15\`"
    `);
  });

  test('of the same volume keeps a copy of the old one, and can go back to its backup', () => {
    const same = databaseOn(TWO, 'pgdata15', { engine: 'postgres', major: 16, backup, migrate }, 'new');
    expect(middleOf(textOf(hop(OLD, same)))).toMatchInlineSnapshot(`
      "7. nothing writes while the backup is made [api, proxy, worker]
      8. files, settings and record go into the backup
      9. what the old engine holds, to compare with after the change [pgdata15]
      10. a dump that other hosts and versions can read [pgdata15]
      11. data is copied while nothing holds it open [db]
      12. the data as it is, to go back to exactly this [pgdata15, uploads]
      13. the backup is read back and gets its name, .slipway/backups/20260316T100000Z-1.0.0
      14. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
      15. from here on the new release may write; going back puts this backup back [pgdata15, uploads]
      16. data goes on in another volume [pgdata15 -> acme_pgdata15-15]
      17. the new engine takes over what the old one dumped [pgdata15 -> acme_pgdata15]
      18. data services of the new release [db]
      19. the data is brought to 2.0.0 [api: migrate up]
      note: pgdata15 goes to postgres 16 in acme_pgdata15; the old data stays in acme_pgdata15-15 until \`backup forget acme_pgdata15-15\`"
    `);
  });

  test('without a door keeps what the new release wrote, before its volume goes', () => {
    expect(middleOf(textOf(hop(without(OLD, 'door'), without(NEW, 'door'))))).toMatchInlineSnapshot(`
      "7. nothing writes while the backup is made [api, proxy, worker]
      8. files, settings and record go into the backup
      9. what the old engine holds, to compare with after the change [pgdata15]
      10. a dump that other hosts and versions can read [pgdata15]
      11. data is copied while nothing holds it open [db]
      12. the data as it is, to go back to exactly this [pgdata15, uploads]
      13. the backup is read back and gets its name, .slipway/backups/20260316T100000Z-1.0.0
      14. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
      15. from here on the new release may write; going back puts this backup back [uploads]
      16. the new engine takes over what the old one dumped [pgdata15 -> acme_pgdata]
      17. going back keeps what the new release wrote by then
      18. data services of the new release [db]
      19. the data is brought to 2.0.0 [api: migrate up]
      note: pgdata15 goes to postgres 16 from acme_pgdata15 to acme_pgdata; the old data stays in acme_pgdata15 until \`backup forget acme_pgdata15\`"
    `);
  });

  test('with commands of its own dumps for the move alone, and lets the old volume go at the very end when nobody wants it', () => {
    const own = { ...migrate, dump: 'pg_dumpall --clean', restore: 'psql -v X=1', compare: 'count', keepOld: false };
    const text = textOf(hop(OLD, databaseOn(TWO, 'pgdata', { engine: 'postgres', major: 16, backup, migrate: own })));
    expect(text).toContain('[pgdata15, pgdata15-to-pgdata]');
    expect(text).toMatch(/no way back by itself[\s\S]*the product answers at its door\n.*does not keep \[acme_pgdata15\]/);
  });

  test('is not made again once the data is there, and not at all on a fresh volume', () => {
    const there = databaseOn(ONE, 'pgdata', { engine: 'postgres', major: 16, backup, migrate });
    expect(textOf(hop(there, NEW))).not.toMatch(/new engine|another volume/);
    const none = { ...ONE, rest: { ...ONE.rest, data: {} }, services: { ...ONE.services, db: { made: 'none' } } };
    expect(textOf(hop(none, NEW))).not.toMatch(/new engine|another volume/);
  });
});

describe('a declared rename', () => {
  test('copies the volume from the backup, and leaves the old one', () => {
    const to = databaseOn(TWO, 'database', { backup, renamedFrom: 'pgdata15', onUpgrade: 'skip' });
    expect(middleOf(textOf(hop(OLD, to)))).toMatchInlineSnapshot(`
      "7. nothing writes while the backup is made [api, proxy, worker]
      8. files, settings and record go into the backup
      9. a dump that other hosts and versions can read [pgdata15]
      10. data is copied while nothing holds it open [db]
      11. the data as it is, to go back to exactly this [pgdata15, uploads]
      12. the backup is read back and gets its name, .slipway/backups/20260316T100000Z-1.0.0
      13. the files become those of 2.0.0 [configs/nginx.conf, docker-compose.yml, docs/new.txt, -docs/old.txt, bundle.json, .env]
      14. from here on the new release may write; going back puts this backup back [uploads]
      15. data goes on in another volume [pgdata15 -> acme_database]
      16. data services of the new release [db]
      17. the data is brought to 2.0.0 [api: migrate up]
      note: pgdata15 is copied from acme_pgdata15 to acme_database; the old data stays in acme_pgdata15 until \`backup forget acme_pgdata15\`"
    `);
  });
});

describe('what would lose data', () => {
  const other = databaseOn(TWO, 'pgdata15', { engine: 'postgres', major: 16, backup }, 'new');
  const volumes = ['acme_pgdata15', 'acme_pgdata'];
  const engineOf = (from: ReleaseSketch, change: Partial<Hop['facts']['engine']>): Partial<HopSketch> => {
    const { engine } = hop(from, NEW).facts;
    return { facts: { engine: { ...engine, ...change } } };
  };
  const CASES: readonly [string, Hop, Pick<ToolError, 'code' | 'message' | 'hint'>][] = [
    [
      'another major that nothing declares',
      hop(OLD, other),
      {
        code: 'E_POLICY',
        message: 'the data of pgdata15 was made by postgres 15; postgres 16 of 2.0.0 cannot read it',
        hint: 'Stay at 1.0.0. The maintainer must declare the change: data.pgdata15.migrate.',
      },
    ],
    [
      'another major on disk than both releases say',
      hop(OLD, databaseOn(TWO, 'pgdata15', { engine: 'postgres', major: 15, backup }, 'new'), {
        facts: { majors: new Map([['acme_pgdata15', 13]]) },
      }),
      {
        code: 'E_POLICY',
        message: 'the data of pgdata15 was made by postgres 13; postgres 15 of 2.0.0 cannot read it',
        hint: 'Stay at 1.0.0. The maintainer must declare the change: data.pgdata15.migrate.',
      },
    ],
    [
      'a major that the release does not take',
      hop(OLD, NEW, { facts: { majors: new Map([['acme_pgdata15', 13]]) } }),
      {
        code: 'E_POLICY',
        message: 'pgdata15 is of postgres 13; 2.0.0 takes 14, 15 to 16',
        hint: 'Take a release in between that goes to 14 or 15 first.',
      },
    ],
    [
      'a rename that nothing declares',
      hop(OLD, databaseOn(TWO, 'database', { backup })),
      {
        code: 'E_POLICY',
        message: 'the volume of db would change from acme_pgdata15 to acme_database: the data would be left behind',
        hint: 'Report it to the maintainer: such a change must be declared.',
      },
    ],
    [
      'a declared rename into another major',
      hop(OLD, databaseOn(TWO, 'database', { engine: 'postgres', major: 16, backup, renamedFrom: 'pgdata15' })),
      {
        code: 'E_POLICY',
        message: 'the data of database was made by postgres 15; postgres 16 of 2.0.0 cannot read it',
        hint: 'Stay at 1.0.0. The maintainer must declare the change: data.database.migrate.',
      },
    ],
    [
      'a new volume that is there already',
      hop(OLD, NEW, engineOf(OLD, { volumes })),
      {
        code: 'E_POLICY',
        message: 'the volume acme_pgdata is there already, and would be filled with the data of pgdata15',
        hint: 'Look at what it holds. If nobody needs it: docker volume rm acme_pgdata, then upgrade.',
      },
    ],
    [
      'an old engine that does not run',
      hop(OLD, NEW, engineOf(OLD, { containers: [] })),
      {
        code: 'E_POLICY',
        message: 'db does not run, so pgdata15 cannot be dumped for postgres 16',
        hint: 'Start it (`start`), then upgrade.',
      },
    ],
    [
      'a change of files alone',
      hop(OLD, NEW, { wish: { start: false } }),
      {
        code: 'E_POLICY',
        message: 'the data of pgdata15 must be carried over to acme_pgdata, and this change carries nothing',
        hint: 'Run `upgrade` without --no-start, with the service that uses it switched on.',
      },
    ],
    [
      'an old volume that is gone',
      hop(OLD, NEW, engineOf(OLD, { volumes: [] })),
      {
        code: 'E_POLICY',
        message: 'the data volume acme_pgdata15 is gone: the new release would start with an empty one',
        hint: 'Bring the volume back (or `restore` a backup) before upgrading.',
      },
    ],
  ];

  test.each(CASES)('is refused before anything is planned: %s', (_, refused, expected) => {
    expect(refusalOf(refused)).toEqual(expected);
  });

  test('names the command for a volume that was kept', () => {
    const { wish, facts } = hop(OLD, NEW, engineOf(OLD, { volumes }));
    const kept = [{ volume: 'acme_pgdata', name: 'pgdata', version: '2.0.0', at: '2026-03-01T00:00:00Z' }];
    const install = { ...facts.install, record: { ...facts.install.record, kept } };
    expect(refusalOf({ wish, facts: { ...facts, install } }).hint).toBe(
      'It is kept from before. If nobody needs it: `backup forget acme_pgdata`, then upgrade.',
    );
  });
});

describe('data that is carried over, in slipway.yaml', () => {
  const product = (data: string) => readProduct(`schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\ndata:\n${data}`, 'slipway.yaml');
  const recipe = 'backup: { service: db, dump: d, restore: r }';
  const good = `  pgdata: { engine: postgres, major: 16, ${recipe}, migrate: { from: pgdata15, majors: [15] } }\n  files: { renamedFrom: attachments }\n`;

  test('has no problem when it can be carried out', () => {
    expect(checkData(product(good))).toEqual([]);
  });

  test.each([
    [
      'the new major among the old ones',
      good.replace('majors: [15]', 'majors: [15, 16]'),
      ['data.pgdata.migrate: 16 is the new major itself'],
    ],
    ['no major', good.replace('major: 16, ', ''), ['data.pgdata.migrate: nothing says which major is the new one']],
    ['no recipe', good.replace(`${recipe}, `, ''), ['data.pgdata.migrate: nothing says which service restores pgdata']],
    ['a source that is data still', `${good}  pgdata15: {}\n`, ['data.pgdata.migrate: pgdata15 is data of this release, too']],
    ['a rename of what is data still', `${good}  attachments: {}\n`, ['data.files.renamedFrom: attachments is data of this release, too']],
    [
      'two that go on with one',
      `${good}  more: { renamedFrom: attachments }\n`,
      ['data.more goes on with the data of attachments, and so does data.files'],
    ],
    ['a folder', '  media: { path: ./media, renamedFrom: pictures }\n', ['data.media.renamedFrom: only volumes are renamed']],
  ])('is found wrong: %s', (_, data, messages) => {
    expect(checkData(product(data)).map(({ message }) => message)).toEqual(messages);
  });

  test('counts as kept when it is compared with the release before', () => {
    const before = { version: '1.0.0', project: 'acme', data: { pgdata15: { engine: 'postgres', major: 15 }, attachments: {} } };
    expect(checkPrevious(product(good), before)).toEqual([]);
    const older = { ...before, data: { ...before.data, pgdata15: { engine: 'postgres', major: 13 } } };
    expect(checkPrevious(product(good), older)).toMatchObject([
      { code: 'E_ENGINE_MAJOR', hint: 'Stay at 13, or declare the change: data.pgdata.migrate: { from: pgdata15, majors: [15, 13] }.' },
    ]);
  });
});
