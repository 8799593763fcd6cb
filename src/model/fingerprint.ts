// What a plan's decisions rest on, as one digest. Rule: files, containers and the channel count; health does not, for it changes by itself.
import { type Digest, digestOf } from './digest.ts';
import { envText } from './env-file.ts';
import type { ContainerFact, FileFact, InstallFacts } from './facts.ts';
import { canonicalJson } from './json.ts';

/** Another image, or other settings, mean another container. */
type Running = Pick<ContainerFact, 'id' | 'service' | 'oneOff'>;

/** The digest of an install as it is now. Compared again under the lock. */
export function fingerprintInstall(install: InstallFacts, containers: readonly Running[]): Digest {
  return digestOf(
    canonicalJson({
      record: install.record,
      env: envText(install.env),
      files: fileList(install.files),
      containers: containerList(containers),
    }),
  );
}

/** The same for a folder that holds no install yet. */
export function fingerprintSite(files: ReadonlyMap<string, FileFact>, containers: readonly Running[]): Digest {
  return digestOf(canonicalJson({ files: fileList(files), containers: containerList(containers) }));
}

function fileList(files: ReadonlyMap<string, FileFact>): readonly (readonly [string, string, number])[] {
  return [...files].map(([path, fact]) => [path, fact.digest, fact.mode] as const).sort(([a], [b]) => (a < b ? -1 : 1));
}

function containerList(containers: readonly Running[]): readonly string[] {
  return containers
    .filter((each) => !each.oneOff)
    .map((each) => `${each.service}=${each.id}`)
    .sort();
}
