// The files of a release that are rendered here. Rule: templates are those that were signed; a person's copy of one is no template.
import { join } from 'node:path';
import { type Digest, digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { type HostAnswers, renderHostFiles, withHostTexts } from '../../model/host-file.ts';
import { pristineFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content } from '../../model/plan.ts';
import { readText } from '../../observe/install.ts';
import { type FetchedRelease, readReleaseText } from '../../observe/release.ts';

export interface WithHostFiles {
  /** The release with its rendered files among the others. */
  readonly target: Manifest;
  readonly contents: readonly (readonly [Digest, Content])[];
}

type Answers = Pick<HostAnswers, 'values' | 'features'>;

/** For a release that was fetched. */
export async function renderFetched(bundle: FetchedRelease, cache: string, answers: Answers): Promise<WithHostFiles> {
  return render(bundle.manifest, answers, (path) => readReleaseText(bundle, cache, path));
}

/** For the release that is installed. */
export async function renderInstalled({ root, record, manifest }: InstallFacts, answers: Answers): Promise<WithHostFiles> {
  return render(manifest, answers, async (path) => {
    const place = join(root, pristineFolder(record.version), path);
    const text = (await readText(place)) ?? '';
    if (manifest.files.some((file) => file.path === path && file.sha256 === digestOf(text))) return text;
    throw new ToolError('E_DIGEST', `${place} is not the template that was installed`, { hint: 'Put it back from a backup, or upgrade.' });
  });
}

async function render(manifest: Manifest, answers: Answers, read: (path: string) => Promise<string>): Promise<WithHostFiles> {
  const templates = new Map<string, string>();
  for (const { template } of manifest.hostFiles ?? []) templates.set(template, await read(template));
  const texts = renderHostFiles(manifest, { ...answers, templates });
  return { target: withHostTexts(manifest, texts), contents: texts.map(({ text }) => [digestOf(text), { text }]) };
}
