import { expect, test } from 'vitest';
import { type LocalImage, planLocalPrune } from '../../src/plan/prune-local.ts';

const NOW = new Date('2026-07-22T08:00:00Z');
const day = (days: number): Date => new Date(NOW.getTime() - days * 86_400_000);

function image(id: string, reference: string, days?: number): LocalImage {
  return { id, reference, repository: reference.replace(/[:@].*$/, ''), created: days === undefined ? undefined : day(days) };
}

const IMAGES = [
  image('1', 'acme/api:1.0.0', 50),
  image('2', 'acme/api:1.1.0', 40),
  image('3', 'acme/api:1.2.0', 5),
  image('4', 'acme/web:1.0.0', 50),
  image('4', 'slipway.local/acme/web:1.0.0', 50),
  image('5', 'acme/web@sha256:aa', 50),
  image('6', 'other/api:1.0.0', 50),
  image('7', 'acme/web:old'),
];

function going(policy: { keep?: number; olderThan?: number } = {}, inContainers: readonly string[] = ['2']): readonly string[] {
  const { plan } = planLocalPrune(
    { images: IMAGES, inContainers: new Set(inContainers) },
    { id: 'x', keep: 0, olderThan: undefined, now: NOW, isOurs: (repository) => repository.startsWith('acme/'), ...policy },
  );
  return plan.steps.flatMap((step) => (step.kind === 'remove-images' ? step.local : []));
}

test('what no container and no install has goes, and nothing of anybody else', () => {
  expect(going()).toEqual(['acme/api:1.0.0', 'acme/api:1.2.0', 'acme/web:old', 'acme/web@sha256:aa']);
  expect(going({}, ['1', '2', '3', '5', '7'])).toEqual([]);
});

test('so many newest stay in each repository, and what is younger; what nobody can date is not old', () => {
  expect(going({ keep: 1 })).toEqual(['acme/api:1.0.0', 'acme/web:old']);
  expect(going({ olderThan: 30 * 86_400 })).toEqual(['acme/api:1.0.0', 'acme/web@sha256:aa']);
});
