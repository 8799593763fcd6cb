import { expect, test } from 'vitest';
import { rightOf, rightToText } from '../../src/model/registry-right.ts';

test.each([
  ['ghcr.io', 'read:packages', 'write:packages'],
  ['docker.io', 'Read-only', 'Read & Write'],
  ['quay.io', 'Read', 'Write'],
  ['registry.gitlab.com', 'read_registry', 'write_registry'],
])('%s calls its rights %s and %s', (registry, pull, push) => {
  expect(rightOf(registry, false)).toContain(pull);
  expect(rightOf(registry, true)).toContain(push);
});

test('a Gitea is known by where its tokens come from, whatever its name', () => {
  const challenge = 'Bearer realm="https://git.acme.example/v2/token",service="container_registry",scope="*"';
  expect(rightOf('git.acme.example', false, challenge)).toContain('read:package');
  expect(rightOf('git.acme.example', true, challenge)).toContain('write:package');
});

test('of a registry that nobody knows nothing is said', () => {
  expect(rightToText('registry.acme.example', true, 'Bearer realm="https://auth.example/token"')).toBe('');
});
