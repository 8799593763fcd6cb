import { describe, expect, test } from 'vitest';
import { parseImageHome } from '../../src/model/image.ts';
import { branchHome, isBranchPath, namespaceProblem } from '../../src/model/namespace.ts';

const USUAL = '{namespace}0{branch}';
const home = (registry: string, branch: string, pattern = USUAL): string => {
  const { registry: host, path } = branchHome(parseImageHome(registry, 'registry'), pattern, branch);
  return `${host}/${path}`;
};

describe('L-1: the namespace of a branch', () => {
  test.each([
    ['feat/add-login', 'quay.io/labnow0feat'],
    ['dev', 'quay.io/labnow0dev'],
    ['Feat/Add', 'quay.io/labnow0feat'],
    ['fix_-_it', 'quay.io/labnow0fix-it'],
    ['renovate.bot/x', 'quay.io/labnow0renovate.bot'],
    ['ümlaut#1', 'quay.io/labnow0mlaut-1'],
  ])('%s is %s', (branch, wanted) => {
    expect(home('quay.io/labnow', branch)).toBe(wanted);
  });

  test('is the last part of the registry’s path', () => {
    expect(home('registry.example/group/LabNow'.toLowerCase(), 'dev')).toBe('registry.example/group/labnow0dev');
    expect(home('zynomi', 'dev')).toBe('docker.io/zynomi0dev');
    expect(home('ghcr.io/acme', 'dev', '{namespace}')).toBe('ghcr.io/acme');
  });

  test('is refused where nothing is left of the branch, or there is no namespace', () => {
    expect(() => home('quay.io/labnow', '///')).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(() => home('127.0.0.1:5000', 'dev')).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });

  test('comes from a pattern that knows two words', () => {
    expect(namespaceProblem(USUAL)).toBeUndefined();
    expect(namespaceProblem('{namespace}-{user}')).toContain('{user} is not known');
    expect(namespaceProblem('{namespace}..{branch}')).toContain('no name that a registry takes');
  });

  test('is known again by its path', () => {
    const acme = parseImageHome('registry.example/group/branchy', 'registry');
    expect(isBranchPath(acme, USUAL, 'group/branchy0feat')).toBe(true);
    expect(isBranchPath(acme, USUAL, branchHome(acme, USUAL, 'fix_-_it').path)).toBe(true);
    for (const path of ['group/branchy', 'branchy0feat', 'group/other0feat', 'group/branchy0', 'group/branchy0a/b', 'groupx/branchy0a']) {
      expect(isBranchPath(acme, USUAL, path), path).toBe(false);
    }
    expect(isBranchPath(parseImageHome('127.0.0.1:5000', 'registry'), USUAL, '0feat')).toBe(false);
  });
});
