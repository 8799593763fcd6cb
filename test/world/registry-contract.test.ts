// One contract for the fake registry, Debian's docker-registry and image layouts on disk.
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { ImageRef } from '../../src/model/image.ts';
import { inLayout } from '../../src/model/image-layout.ts';
import type { Registry } from '../../src/model/registry.ts';
import { openHttp } from '../../src/world/http.ts';
import { openLayouts } from '../../src/world/layout.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { startRegistryProxy } from '../fakes/registry-proxy.ts';
import { NOTHING } from '../fakes/registry-reader.ts';
import { type ContractPlace, describeRegistryContract } from './registry-contract.ts';

const REAL = hasDockerRegistry();

function openNetwork(): Registry {
  const world = testHttpWorld();
  return openRegistry({ http: openHttp(world), credentials: { find: async () => NOTHING }, world });
}

const namesAt = (registry: string): { readonly ref: ImageRef; readonly other: ImageRef } => ({
  ref: { registry, repository: 'acme/app' },
  other: { registry, repository: 'acme/other' },
});

const fake = (options: FakeRegistryOptions) => async (): Promise<ContractPlace> => {
  const fake = await startFakeRegistry(options);
  const store = ({ repository }: ImageRef, digest: string, bytes: Buffer): void => {
    fake.repositories.get(repository)?.blobs.set(digest, bytes);
  };
  return {
    ...namesAt(fake.host),
    open: openNetwork,
    spoil: async (ref, { digest, size }, how) => store(ref, digest, Buffer.alloc(how === 'cut' ? size - 1 : size)),
    mend: async (ref, bytes) => store(ref, digestOf(bytes), bytes),
    close: fake.close,
  };
};

describeRegistryContract('the fake registry', fake({}));
describeRegistryContract('the fake registry with lists of referrers', fake({ referrers: 'api' }));
describeRegistryContract('the fake registry with lists of referrers that it does not speak of', fake({ referrers: 'quiet' }));

if (REAL)
  describeRegistryContract('docker-registry', async (): Promise<ContractPlace> => {
    const server = await startDockerRegistry();
    const proxy = await startRegistryProxy(server.host);
    return {
      ...namesAt(proxy.host),
      open: openNetwork,
      spoil: async (_, { digest }, how) => {
        const fault = how === 'cut' ? ({ kind: 'cut-answer', bytes: 1000 } as const) : ({ kind: 'flip' } as const);
        proxy.spoil(new RegExp(`^GET .*/blobs/${digest}`), fault, 99); // however often it is asked for the rest
      },
      mend: async () => proxy.clear(),
      close: async () => {
        await proxy.close();
        await server.close();
      },
    };
  });

describeRegistryContract('an image layout on disk', async (): Promise<ContractPlace> => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-layout-'));
  const file = (digest: string): string => join(folder, 'images', 'blobs', 'sha256', digest.slice('sha256:'.length));
  const { ref, other } = namesAt('registry.example');
  return {
    ref: inLayout(ref, join(folder, 'images')),
    other: inLayout(other, join(folder, 'images')),
    open: () => openLayouts(testHttpWorld()),
    spoil: async (_, { digest, size }, how) => {
      if (how === 'cut') await truncate(file(digest), size - 1);
      else await writeFile(file(digest), Buffer.alloc(size));
    },
    mend: (_, bytes) => writeFile(file(digestOf(bytes)), bytes),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

it('docker-registry is there and keeps the contract too', () => {
  expect(REAL || process.env.CI !== 'true', 'install the Debian package docker-registry').toBe(true);
});
