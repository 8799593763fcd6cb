// The registries of one run, and OCI image layouts beside them. Rule: one client for all that one process does, for tokens, connections and manifests are
// worth keeping.
import type { ImageRef } from '../model/image.ts';
import { layoutFolder } from '../model/image-layout.ts';
import type { Registry } from '../model/registry.ts';
import type { RegistryLogin } from '../model/registry-login.ts';
import type { World } from '../model/seams.ts';
import { type CredentialSource, openDockerConfig } from './docker-config.ts';
import { type HttpWorld, openHttp } from './http.ts';
import { openLayouts } from './layout.ts';
import { openRegistry } from './registry.ts';

type RegistriesWorld = HttpWorld & Pick<World, 'run'>;

/** By the signal that stops a run: it stays the same where a world is given another way to report. */
const opened = new WeakMap<AbortSignal, Registry>();

/** The client of this run, with docker's own logins, and this one for its registry; made when it is first asked for. A registry `oci:/folder` is a layout on disk. */
export function registriesOf(world: RegistriesWorld, login?: RegistryLogin): Registry {
  const registry =
    opened.get(world.stop) ??
    besideLayouts(
      openRegistry({ http: openHttp(world), credentials: credentialsWith(openDockerConfig(world), login), world }),
      openLayouts(world),
    );
  opened.set(world.stop, registry);
  return registry;
}

function credentialsWith(held: CredentialSource, login: RegistryLogin | undefined): CredentialSource {
  if (login === undefined) return held;
  const { registry, username, password } = login;
  return {
    find: async (ref) => (ref.registry === registry ? { kind: 'password', username, password, from: 'the answers' } : held.find(ref)),
  };
}

function besideLayouts(registries: Registry, layouts: Registry): Registry {
  const of = ({ registry }: ImageRef): Registry => (layoutFolder(registry) === undefined ? registries : layouts);
  return {
    headManifest: (ref) => of(ref).headManifest(ref),
    readManifest: (ref) => of(ref).readManifest(ref),
    resolveManifest: (ref) => of(ref).resolveManifest(ref),
    listTags: (ref) => of(ref).listTags(ref),
    listReferrers: (ref) => of(ref).listReferrers(ref),
    readBlob: (ref, blob, how) => of(ref).readBlob(ref, blob, how),
    checkPush: (ref) => of(ref).checkPush(ref),
    isNew: (ref) => of(ref).isNew(ref),
    checksDigests: (ref) => of(ref).checksDigests(ref),
    hasBlob: (ref, blob) => of(ref).hasBlob(ref, blob),
    putBlob: (ref, upload) => of(ref).putBlob(ref, upload),
    putManifest: (ref, manifest) => of(ref).putManifest(ref, manifest),
    putReferrer: (ref, manifest, subject) => of(ref).putReferrer(ref, manifest, subject),
    deleteManifest: (ref, digest) => of(ref).deleteManifest(ref, digest),
  };
}
