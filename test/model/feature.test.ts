// Features and their conditions.
import { describe, expect, it } from 'vitest';
import { defaultFeatures, isActive, profilesOf } from '../../src/model/feature.ts';

const FEATURES = { mail: { profiles: ['mail'], default: true }, chat: { profiles: ['mongo', 'chat'], default: false } };

describe('a feature', () => {
  it('switches on what has its name in `when`, and all that has no condition', () => {
    expect([isActive('features.mail', ['mail']), isActive('features.chat', ['mail']), isActive(undefined, [])]).toEqual([
      true,
      false,
      true,
    ]);
    expect(() => isActive('not features.mail', [])).toThrow(/unknown condition/);
  });

  it('gives its profiles, sorted and each once', () => {
    expect(defaultFeatures(FEATURES)).toEqual(['mail']);
    expect(profilesOf(FEATURES, ['mail', 'chat', 'constructor'])).toEqual(['chat', 'mail', 'mongo']);
  });
});
