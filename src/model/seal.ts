// A manifest before and after its archive was written. Rule: everything but the archive's own hash is decided before, so that a plan can show it.
import type { Digest } from './digest.ts';
import { listHostFiles } from './host-file.ts';
import { canonicalJson } from './json.ts';
import type { Manifest } from './manifest.ts';
import { type Fields, parseFields, parseJson } from './parse.ts';

/** A manifest whose `artifact.tarSha256` is not known yet. */
export type UnsealedManifest = Omit<Manifest, 'artifact'> & { readonly artifact: Pick<Manifest['artifact'], 'name'> };

/** The canonical text of a manifest without `artifact.tarSha256`. */
export function printUnsealed(manifest: UnsealedManifest): string {
  return canonicalJson({ ...listed(manifest), artifact: { name: manifest.artifact.name } });
}

/** The manifest as bundle.json writes it: files that are rendered on the host are listed among the others. */
export function listed<T extends Pick<Manifest, 'files' | 'hostFiles'>>({ hostFiles, ...manifest }: T): object {
  return { ...manifest, files: [...manifest.files, ...listHostFiles(hostFiles)] };
}

/** The text of bundle.json: the unsealed text with the hash of the tar. */
export function sealManifest(unsealed: string, tarSha256: Digest): string {
  const { fields, artifact } = partsOf(unsealed);
  return canonicalJson({ ...fields, artifact: { ...artifact, tarSha256 } });
}

/** The unsealed text behind a bundle.json. Throws E_FORMAT when it is none. */
export function unsealManifest(sealed: string): string {
  const { fields, artifact } = partsOf(sealed);
  const { tarSha256: _, ...rest } = artifact;
  return canonicalJson({ ...fields, artifact: rest });
}

function partsOf(text: string): { readonly fields: Fields; readonly artifact: Fields } {
  const fields = parseFields(parseJson(text, 'bundle.json'), 'bundle.json');
  return { fields, artifact: parseFields(fields.artifact, 'bundle.json: artifact') };
}
