// The files of the next release beside what the person made of those of the last. Rule: a choice is the person's; what Compose is asked about is what will be there.
import { join } from 'node:path';
import { parseChoices } from '../../model/conflict-choice.ts';
import type { Digest } from '../../model/digest.ts';
import type { InstallFacts } from '../../model/facts.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content } from '../../model/plan.ts';
import { COMPOSE_FILE } from '../../model/site-registry.ts';
import { readText } from '../../observe/install.ts';
import { type Merges, observeMerges } from '../../observe/merges.ts';
import { changedByBoth, decideFiles, type FilesDecision } from '../../plan/files.ts';
import { type Context, textFlags } from '../command.ts';

/** What becomes of the files, and which of them both sides changed. */
export interface MergedFiles extends Merges {
  readonly decided: FilesDecision;
  readonly disputed: readonly string[];
}

/** Merges what the person and the release both changed, as far as it fits together or the person decides. Throws E_CONFLICT for the rest. */
export async function mergeFiles(
  context: Context,
  install: InstallFacts,
  { isPart, ...release }: { readonly target: Manifest; readonly theirs: ReadonlyMap<Digest, Content>; readonly isPart: boolean },
): Promise<MergedFiles> {
  const { adopted } = install.record;
  const files = { old: install.manifest, target: release.target, found: install.files, ...(adopted && { neverHere: adopted.missing }) };
  const choices = parseChoices(textFlags(context.flags, 'on-conflict'));
  const disputed = changedByBoth(files);
  // Among several hops a choice may be about a file of another one.
  const ours = isPart ? { ...choices, files: new Map([...choices.files].filter(([path]) => disputed.includes(path))) } : choices;
  const merging = await observeMerges({ install, ...release, choices: ours, paths: disputed });
  return { ...merging, disputed, decided: decideFiles({ ...files, merges: merging.merges }) };
}

/** The compose files as they will be, where that is not what lies in the install. */
export async function candidateTexts(
  install: InstallFacts,
  { decided, contents }: MergedFiles,
  theirs: ReadonlyMap<Digest, Content>,
  root: string,
): Promise<Map<string, string>> {
  const texts = install.root === root ? new Map<string, string>() : await textsAt(install);
  const file = decided.staged.find(({ path }) => path === COMPOSE_FILE);
  if (file === undefined || file.content === install.files.get(COMPOSE_FILE)?.digest) return texts;
  const content = new Map([...theirs, ...contents]).get(file.content) ?? { text: '' };
  return texts.set(COMPOSE_FILE, 'text' in content ? content.text : ((await readText(content.file)) ?? ''));
}

/** Those that are laid out for an install as it will be. */
async function textsAt({ root, project }: InstallFacts): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const name of project.files) {
    const text = await readText(join(root, name));
    if (text !== undefined) texts.set(name, text);
  }
  return texts;
}
