// Pushes the set of images to a registry and prints what it is; or stands before a registry and makes every request wait.
import { startRegistryProxy } from '../../test/fakes/registry-proxy.ts';
import { pushImageSet, thirdPartyOf } from '../../test/fakes/image-set.ts';

const { SET_REGISTRY: registry = '', SET_BYTES: bytes, PROXY_DELAY: delay } = process.env;

if (delay === undefined) {
  const set = await pushImageSet({ registry, scale: Number(bytes), nested: false });
  const images = set.images.map(({ repository, tag, source, as }) => ({ repository, tag, name: as ?? /([^/]+):[^:]+$/.exec(source)?.[1] }));
  process.stdout.write(`${JSON.stringify({ images, uniqueBytes: set.uniqueBytes, thirdParty: thirdPartyOf(set) })}\n`);
} else {
  const proxy = await startRegistryProxy(registry);
  proxy.delay = Number(delay);
  process.stdout.write(`${JSON.stringify({ host: proxy.host })}\n`);
}
