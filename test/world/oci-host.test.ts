// A registry as a mirror, on a real one. Rule: what only a bad day shows is in oci-faults.test.ts.
import { afterAll, beforeAll, describe } from 'vitest';
import type { ReleaseHost } from '../../src/model/host.ts';
import { ociHost } from '../../src/world/oci-host.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { hostContract } from './host-contract.ts';

if (process.env.CI === 'true' && !hasDockerRegistry()) throw new Error('docker-registry is not installed');
const real = describe.skipIf(!hasDockerRegistry());
let registry: DockerRegistry;
let stages = 0;

real('on docker-registry:', () => {
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry.close());

  hostContract('a registry', async () => {
    stages += 1;
    const repository = `${registry.host}/acme/bundle-${stages}`;
    const host = (): ReleaseHost => ociHost({ type: 'oci', name: 'oci', repository }, testHttpWorld());
    return { host, commit: '1'.repeat(40), other: '2'.repeat(40), canDecide: false, canPublish: true, close: async () => undefined };
  });
});
