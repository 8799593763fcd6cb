// The contents that a plan names by digest, where they lie now. Rule: bytes come from the verified cache or from the install itself, nowhere else.
import { type Digest, digestOf } from '../../model/digest.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content, FileToWrite } from '../../model/plan.ts';
import { cachedFile, type FetchedRelease } from '../../observe/release.ts';

/** Every file of a release, from the cache. */
export function releaseContents(cache: string, manifest: Manifest): [Digest, Content][] {
  return manifest.files.map((file) => [file.sha256, { file: cachedFile(cache, file.sha256) }]);
}

/** bundle.json and its signature: they belong to the release, but not to its own list of files. */
export function releaseExtras(bundle: FetchedRelease): { readonly files: readonly FileToWrite[]; readonly contents: [Digest, Content][] } {
  const texts = [
    ['bundle.json', bundle.manifestText] as const,
    ...(bundle.signature === null ? [] : [['bundle.json.minisig', bundle.signature] as const]),
  ];
  return {
    files: texts.map(([path, text]) => ({ path, content: digestOf(text), mode: 0o644 })),
    contents: texts.map(([, text]) => [digestOf(text), { text }]),
  };
}
