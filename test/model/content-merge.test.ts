// A file that both sides changed: what fits together becomes one, and what does not is named with its lines.

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { mergeContent } from '../../src/model/content-merge.ts';
import { mergeValues } from '../../src/model/value-merge.ts';
import { fc } from '../property.ts';

const BASE = `# Acme
name: acme
services:
  proxy:
    image: nginx@sha256:aaa
    ports:
      - "8080:80"
      - "8443:443"
    environment:
      A: one
      B: two
  api:
    image: api@sha256:bbb # pinned
    command: [node, server.js]
    volumes:
      - data:/data
      - ./conf:/conf:ro
volumes:
  data: {}
`;
const THEIRS = BASE.replace('aaa', 'ccc').replace('bbb', 'ddd').replace('A: one', 'A: three');

const change = (text: string, ...changes: readonly (readonly [string, string])[]): string =>
  changes.reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`${from} is not there`);
    return changed.replace(from, to);
  }, text);

const merged = (mine: string, theirs = THEIRS): string => {
  const { text, conflicts } = mergeContent({ base: BASE, mine, theirs });
  expect(conflicts).toEqual([]);
  return text;
};

describe('a compose file', () => {
  test('keeps the person’s edits, comments and order, to the byte, beside what the release changed', () => {
    const edits = [
      ['"8080:80"', '"9090:80" # behind our own proxy'],
      ['  api:\n', '  # ours\n  api:\n    restart: always\n'],
    ] as const;
    expect(merged(change(BASE, ...edits))).toBe(change(THEIRS, ...edits));
  });

  test('is merged by key where both sides changed neighbouring lines', () => {
    const mine = change(
      BASE,
      ['    image: nginx@sha256:aaa\n    ports:', '    image: nginx@sha256:aaa\n    restart: always # mine\n    ports:'],
      ['"8080:80"', '"9090:80"'],
    );
    const text = merged(mine, change(THEIRS, ['    ports:\n', '    read_only: true\n    ports:\n']));
    expect(text).toBe(
      change(
        mine,
        ['aaa', 'ccc'],
        ['bbb', 'ddd'],
        ['A: one', 'A: three'],
        ['    restart: always # mine\n', '    restart: always # mine\n'],
      ).replace('    image: nginx@sha256:ccc\n', '    image: nginx@sha256:ccc\n    read_only: true\n'),
    );
  });

  test('has its lists of ports, mounts and variables merged item by item', () => {
    const mine = change(BASE, ['      - "8080:80"\n', '      - "9090:80"\n'], ['      - data:/data\n', '      - /mnt/big:/data # mine\n']);
    const theirs = change(
      THEIRS,
      ['      - "8443:443"\n', '      - "8444:443"\n      - "9000:9000"\n'],
      ['- ./conf:/conf:ro', '- ./conf:/conf'],
    );
    const value = parse(merged(mine, theirs));
    expect(value.services.proxy.ports).toEqual(['9090:80', '8444:443', '9000:9000']);
    expect(value.services.api.volumes).toEqual(['/mnt/big:/data', './conf:/conf']);
  });

  test('in which both sides changed the same key differently is in conflict there, with the lines of both', () => {
    const mine = change(BASE, ['server.js', 'mine.js'], ['"8080:80"', '"9090:80"']);
    const theirs = change(THEIRS, ['server.js', 'theirs.js'], ['name: acme\n', 'name: acme\nx-new: 1\n']);
    const { conflicts } = mergeContent({ base: BASE, mine, theirs });
    expect(conflicts).toEqual([{ key: 'services.api.command', mine: { line: 14, count: 1 }, theirs: { line: 15, count: 1 } }]);
    const value = (side: 'mine' | 'vendor') => parse(mergeContent({ base: BASE, mine, theirs }, side).text);
    expect(value('mine').services.api.command).toEqual(['node', 'mine.js']);
    expect(value('vendor').services.api.command).toEqual(['node', 'theirs.js']);
    for (const side of ['mine', 'vendor'] as const)
      expect([value(side).services.proxy.ports[0], value(side)['x-new']]).toEqual(['9090:80', 1]);
  });

  test('that one side removed a service from, and the other changed it, is in conflict', () => {
    const mine = BASE.slice(0, BASE.indexOf('  api:')) + BASE.slice(BASE.indexOf('volumes:\n  data'));
    expect(mergeContent({ base: BASE, mine, theirs: THEIRS }).conflicts.map(({ key }) => key)).toEqual(['services.api']);
  });

  test('keeps CRLF, and takes what the release adds in CRLF, too', () => {
    const mine = change(BASE, ['"8080:80"', '"9090:80"']).replaceAll('\n', '\r\n');
    const theirs = change(THEIRS, ['    ports:\n', '    read_only: true\n    ports:\n']);
    const { text, conflicts } = mergeContent({ base: BASE, mine, theirs });
    expect(conflicts).toEqual([]);
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(parse(text).services.proxy).toMatchObject({ read_only: true, ports: ['9090:80', '8443:443'] });
  });

  test('with anchors keeps them, and means what both sides wrote', () => {
    const base =
      'x-log: &log\n  driver: local\nservices:\n  a:\n    image: a:1\n    logging: *log\n  b:\n    image: b:1\n    logging: *log\n';
    const mine = base.replace('driver: local', 'driver: journald');
    const theirs = base.replace('a:1', 'a:2').replace('    image: b:1\n', '    image: b:2\n    init: true\n');
    const { text, conflicts } = mergeContent({ base, mine, theirs });
    expect(conflicts).toEqual([]);
    expect(text).toContain('logging: *log');
    expect(parse(text).services).toEqual({
      a: { image: 'a:2', logging: { driver: 'journald' } },
      b: { image: 'b:2', init: true, logging: { driver: 'journald' } },
    });
  });
});

describe('any other text', () => {
  test('is merged line by line, and what does not fit is named by its lines', () => {
    const base = 'one\ntwo\nthree\nfour\nfive\n';
    expect(mergeContent({ base, mine: 'ONE\ntwo\nthree\nfour\nfive\n', theirs: 'one\ntwo\nthree\nfour\nFIVE\n' })).toEqual({
      text: 'ONE\ntwo\nthree\nfour\nFIVE\n',
      conflicts: [],
    });
    const versions = { base, mine: 'one\ntwo\nmine\nfour\nfive\n', theirs: 'zero\none\ntwo\ntheirs\nfour\nfive\n' };
    expect(mergeContent(versions).conflicts).toEqual([{ key: null, mine: { line: 3, count: 1 }, theirs: { line: 4, count: 1 } }]);
    expect(mergeContent(versions, 'mine').text).toBe('zero\none\ntwo\nmine\nfour\nfive\n');
  });
});

describe('for any edits', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const scalar = fc.constantFrom('one', 'two', 'x: y', '# no comment', 'on', '8080:80', '', 'a\nb\n', 3, true, null);
  const service = fc.record(
    {
      image: fc.constantFrom('i:1', 'i:2', 'i:3'),
      command: fc.array(scalar, { maxLength: 2 }),
      environment: fc.dictionary(name, scalar, { maxKeys: 3, noNullPrototype: true }),
      ports: fc.uniqueArray(fc.constantFrom('1:80', '2:80', '3:443', '4:443/udp'), { maxLength: 3 }),
      labels: fc.uniqueArray(fc.constantFrom('a=1', 'a=2', 'b=1', 'c'), { maxLength: 3, selector: (label) => label.split('=')[0] }),
    },
    { requiredKeys: ['image'], noNullPrototype: true },
  );
  const compose = fc.record(
    {
      name: fc.constantFrom('acme', 'other'),
      services: fc.dictionary(name, service, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
      'x-note': scalar,
    },
    { requiredKeys: ['services'], noNullPrototype: true },
  );
  /** The base with here and there a key, or a service, of another file: what people do. */
  const edited = (base: Compose, other: Compose, picks: readonly number[]): Compose => {
    let at = 0;
    const isPicked = (): boolean => picks[at++ % picks.length] === 0;
    const services = { ...base.services };
    for (const name of Object.keys(other.services)) {
      const [old, drawn] = [services[name], other.services[name]];
      if (old === undefined || drawn === undefined) {
        if (isPicked() && drawn !== undefined) services[name] = drawn;
        continue;
      }
      const keys = Object.keys(drawn).filter(isPicked) as (keyof typeof drawn)[];
      services[name] = { ...old, ...Object.fromEntries(keys.map((key) => [key, drawn[key]])) };
    }
    return { ...base, services, ...(isPicked() && 'x-note' in other ? { 'x-note': other['x-note'] } : {}) } as Compose;
  };
  type Compose = typeof compose extends fc.Arbitrary<infer T> ? T : never;
  const picks = fc.array(fc.nat(3), { minLength: 7, maxLength: 20 });
  const style = fc.constantFrom({}, { indentSeq: false }, { indent: 4 });

  test('the merged compose file means what merging their values means, and the release’s text is taken where nothing was edited', async () => {
    const { stringify } = await import('yaml');
    let whole = 0;
    let mergeable = 0;
    fc.assert(
      fc.property(compose, compose, compose, picks, picks, style, style, (base, one, two, some, others, hand, other) => {
        const [mine, theirs] = [edited(base, one, some), edited(base, two, others)];
        const versions = { base: stringify(base, hand), mine: stringify(mine, other), theirs: stringify(theirs, hand) };
        const wanted = mergeValues({ base, mine, theirs });
        const { text, conflicts } = mergeContent(versions);
        if (wanted.conflicts.length > 0) {
          expect(conflicts.length).toBe(wanted.conflicts.length);
          return;
        }
        mergeable += 1;
        if (conflicts.length > 0) whole += 1;
        else expect(parse(text)).toEqual(wanted.value);
      }),
      { numRuns: 600 },
    );
    expect(mergeContent({ base: BASE, mine: BASE, theirs: THEIRS }).text).toBe(THEIRS);
    expect(mergeable).toBeGreaterThan(100);
    expect(whole / mergeable, 'what could be merged and was given up').toBeLessThan(0.1);
  });

  test('a decision for one side leaves no conflict, and what only the other side changed is there', async () => {
    const { stringify } = await import('yaml');
    fc.assert(
      fc.property(compose, compose, compose, fc.constantFrom('mine' as const, 'vendor' as const), (base, mine, theirs, side) => {
        const { text, conflicts } = mergeContent({ base: stringify(base), mine: stringify(mine), theirs: stringify(theirs) }, side);
        expect(conflicts).toEqual([]);
        const wholes = [stringify(mine), stringify(theirs)];
        if (!wholes.includes(text)) expect(parse(text)).toEqual(mergeValues({ base, mine, theirs }, side).value);
      }),
      { numRuns: 200 },
    );
  });
});
