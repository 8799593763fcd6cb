import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { redirectEnvFiles } from '../../src/model/compose-env-files.ts';

const PLACES = new Map([['env/api.env', '/tmp/a b/$0.env']]);
const NEW = '/tmp/a b/$$0.env';

describe('redirectEnvFiles', () => {
  it.each([
    ['a scalar', 'env_file: env/api.env', NEW],
    ['a scalar with a dot', 'env_file: ./env/api.env # c', NEW],
    ['a quoted scalar', "env_file: 'env/api.env'", NEW],
    ['a list', 'env_file:\n  - env/api.env\n  - other.env', [NEW, 'other.env']],
    ['a list at the indentation of its key', 'env_file:\n- "./env/api.env"\n- other.env', [NEW, 'other.env']],
    ['a list in brackets', 'env_file: [other.env, env/api.env]', ['other.env', NEW]],
    ['a list in brackets over lines', 'env_file: [\n  env/api.env,\n  other.env\n]', [NEW, 'other.env']],
    ['maps', 'env_file:\n  - path: env/api.env\n    required: false', [{ path: NEW, required: false }]],
    ['maps in braces', 'env_file: [{ path: env/api.env }]', [{ path: NEW }]],
    ['comments in between', 'env_file:\n  # mine\n\n  - env/api.env', [NEW]],
  ])('finds %s', (_, text, expected) => {
    expect(parse(redirectEnvFiles(text, PLACES)).env_file).toEqual(expected);
  });

  it('finds it in a service written on one line, and in an item of a list', () => {
    expect(parse(redirectEnvFiles('a: { image: x, env_file: env/api.env, user: y }', PLACES)).a).toEqual({
      image: 'x',
      env_file: NEW,
      user: 'y',
    });
    expect(parse(redirectEnvFiles('{"a":{"env_file":["env/api.env"],"x":1}}', PLACES)).a).toEqual({ env_file: [NEW], x: 1 });
  });

  it('touches nothing else, not even the same path', () => {
    const text =
      'a:\n  command: cat env/api.env\n  volumes:\n    - ./env/api.env:/x\n  env_file: env/api.env.example\n  labels: { env_file_of: env/api.env }\n';
    expect(redirectEnvFiles(text, PLACES)).toBe(text);
    const after = 'env_file:\n  - x.env\nvolumes:\n  - env/api.env\n';
    expect(redirectEnvFiles(after, PLACES)).toBe(after);
  });
});
