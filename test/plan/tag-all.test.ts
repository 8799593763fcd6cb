import { describe, expect, test } from 'vitest';
import { ToolError } from '../../src/model/error.ts';
import type { HostAddress } from '../../src/model/host.ts';
import { planTagAll, type RepositoryFacts, resolveRepository } from '../../src/plan/tag-all.ts';

const folder: HostAddress = { type: 'folder', name: 'local', path: '/srv' };
const github: HostAddress = { type: 'github', name: 'github', repository: 'acme/acme', token: 'GITHUB_TOKEN' };
const gitea: HostAddress = { type: 'gitea', name: 'forge', url: 'https://git.acme.example/sub/', repository: 'acme/acme' };

describe('where a repository is', () => {
  test.each<[string, HostAddress, object]>([
    ['acme/web', github, { url: 'https://github.com/acme/web.git', token: 'GITHUB_TOKEN' }],
    ['acme/web', { ...github, url: 'https://ghe.example/api/v3' }, { url: 'https://ghe.example/acme/web.git', token: 'GITHUB_TOKEN' }],
    ['acme/web', gitea, { url: 'https://git.acme.example/sub/acme/web.git' }],
    ['acme/web', { type: 'git', name: 'g', url: 'git@git.example:acme/acme.git' }, { url: 'git@git.example:acme/web.git' }],
    ['other/web', { type: 'git', name: 'g', url: '/srv/git/acme/acme' }, { url: '/srv/git/other/web' }],
    ['https://x.example/a/b.git', github, { url: 'https://x.example/a/b.git' }],
    ['/srv/git/web.git', folder, { url: '/srv/git/web.git' }],
  ])('%s', (name, authority, wanted) => {
    expect(resolveRepository(name, authority, [authority])).toEqual({ name, ...wanted });
  });

  test('is on the first forge of the product when the authority is none, and is not guessed without any', () => {
    expect(resolveRepository('acme/web', folder, [folder, gitea])).toEqual({
      name: 'acme/web',
      url: 'https://git.acme.example/sub/acme/web.git',
    });
    expect(() => resolveRepository('acme/web', folder, [folder])).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });

  test('is never written with a password, and the refusal does not repeat it', () => {
    expect(() => resolveRepository('https://me:hunter2@x.example/a/b', github, [])).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', message: expect.not.stringContaining('hunter2') }),
    );
  });
});

describe('the plan', () => {
  const wanted = { id: 'nonce', product: 'acme', version: '2.4.0', tag: 'v2.4.0', at: '2026-03-15T10:00:00Z' };
  const [one, two] = ['1'.repeat(40), '2'.repeat(40)];
  const facts = (name: string, parts: Partial<RepositoryFacts> = {}): RepositoryFacts => ({
    address: { name, url: `/srv/${name}` },
    isNamed: false,
    commit: one,
    tagged: undefined,
    problem: undefined,
    ...parts,
  });

  test('is one step for those that lack the tag, with the whole tag object', () => {
    const { steps, notes } = planTagAll(wanted, [facts('a'), facts('b', { tagged: one })]).plan;
    const object = `object ${one}\ntype commit\ntag v2.4.0\ntagger slipway <noreply@slipway.invalid> 1773568800 +0000\n\nacme 2.4.0\n\nThe same tag is on a, b.\n\nnonce: nonce\n`;
    expect(steps).toMatchObject([
      { kind: 'tag-repositories', tag: 'v2.4.0', repositories: [{ name: 'a', url: '/srv/a', commit: one, object }] },
    ]);
    expect(notes).toEqual(['b has v2.4.0 already, on the same commit.']);
  });

  test('has no step once all have it, wherever their branches are by now', () => {
    expect(planTagAll(wanted, [facts('a', { tagged: two }), facts('b', { tagged: one })]).plan.steps).toEqual([]);
  });

  test('is refused as a whole, naming everything that stands in the way', () => {
    const problem = new ToolError('E_AUTH', 'no right to write', { hint: 'Ask for it.' });
    const all = [facts('a'), facts('b', { tagged: two }), facts('c', { problem })];
    expect(() => planTagAll(wanted, all)).toThrow(
      expect.objectContaining({
        code: 'E_RESERVED_ELSEWHERE',
        message: expect.stringMatching(/^nothing was tagged: b: .*\n {2}c: no right to write$/),
      }),
    );
    expect(() => planTagAll(wanted, [facts('a'), facts('c', { problem })])).toThrow(
      expect.objectContaining({ code: 'E_PREFLIGHT', hint: 'Ask for it.' }),
    );
    expect(() => planTagAll(wanted, [facts('a', { tagged: two, isNamed: true })])).toThrow(
      expect.objectContaining({ code: 'E_RESERVED_ELSEWHERE' }),
    );
  });
});
