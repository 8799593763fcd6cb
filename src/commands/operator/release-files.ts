// The contents that a plan names by digest, where they lie now. Rule: bytes come from the verified cache or from the install itself, nowhere else.
import { type Digest, digestOf } from '../../model/digest.ts';
import type { Content, FileToWrite } from '../../model/plan.ts';
import type { SiteRelease } from '../../model/site-registry.ts';
import { cachedFile, type FetchedRelease } from '../../observe/release.ts';

/** Every file of a release, from the cache, and its compose file as this site uses it. */
export function releaseContents(cache: string, { shipped, compose }: SiteRelease): [Digest, Content][] {
  const files = shipped.files.map((file): [Digest, Content] => [file.sha256, { file: cachedFile(cache, file.sha256) }]);
  return [...files, ...composeContents(compose)];
}

/** A compose file that is made here. */
export function composeContents(compose: SiteRelease['compose']): [Digest, Content][] {
  return compose === undefined ? [] : [[compose.digest, { text: compose.text }]];
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
