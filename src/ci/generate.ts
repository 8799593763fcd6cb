// The workflows of a product as files, and how they differ from what is there. Rule: the same product file gives the same text; lines in marked places stay.
import { FORGES, type Forge } from '../model/ci-rules.ts';
import { digestOf, hexOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { Product } from '../model/product.ts';
import { secretNote } from './credentials.ts';
import { imageWorkflows } from './image-builds.ts';
import { mirrorWorkflows } from './mirror.ts';
import { type Difference, differencesOf, ownLines, withOwnLines } from './places.ts';
import { HEADER, printWorkflow } from './print.ts';
import { releaseWorkflows } from './releases.ts';
import { checkWorkflow, outdatedWorkflows, scheduledWorkflows } from './upkeep.ts';
import type { CiScene, Workflow } from './workflow.ts';

/** A file by its path below the repository's top. */
export interface WorkflowFile {
  readonly path: string;
  readonly text: string;
}

/** What becomes of a file: written anew, left as it is, or taken away because nothing asks for it any more. */
export interface PlannedFile extends WorkflowFile {
  readonly outcome: 'written' | 'unchanged' | 'removed';
  /** Where what is there is not as it is made. */
  readonly differences: readonly Difference[];
}

/** The folder that a forge reads workflows from. */
export function workflowFolder(forge: Forge): string {
  return `.${forge}/workflows`;
}

/** The forges that the product file names, else those of its release hosts, else GitHub. */
export function forgesOf({ ci, release }: Product): readonly Forge[] {
  if (ci.forges !== undefined) return ci.forges;
  const used = FORGES.filter((forge) => release.hosts.some(({ type }) => type === forge));
  return used.length === 0 ? ['github'] : used;
}

/** The product file as its workflows name it; line ends of another system are not a difference. */
export function sourceOf(file: string, text: string): CiScene['source'] {
  return { file, digest: `sha256:${hexOf(digestOf(text.replaceAll('\r\n', '\n'))).slice(0, 16)}` };
}

/** All workflows of a product for a forge, with empty marked places. */
export function generateWorkflows(scene: CiScene): WorkflowFile[] {
  const workflows = [
    checkWorkflow(scene),
    ...imageWorkflows(scene),
    ...releaseWorkflows(scene),
    ...mirrorWorkflows(scene),
    ...outdatedWorkflows(scene),
    ...scheduledWorkflows(scene),
  ];
  const prefix = scene.folder === '' ? 'slipway' : `slipway-${scene.product.product}`;
  return workflows.map((workflow) => ({
    path: `${workflowFolder(scene.forge)}/${prefix}-${workflow.name}.yml`,
    text: printWorkflow(workflow, scene, notesOf(workflow, scene)),
  }));
}

/** Its secrets, in order of their first use. */
function notesOf(workflow: Workflow, scene: CiScene): ReturnType<typeof namedNotes> {
  const names = [...JSON.stringify(workflow).matchAll(/\bsecrets\.([A-Za-z_]\w*)/g)].map((match) => match[1] ?? '');
  return namedNotes([...new Set(names)], scene);
}

function namedNotes(names: readonly string[], scene: CiScene) {
  return names.flatMap((name) => secretNote(name, scene) ?? []);
}

/**
 * Compares what is made with what is there; `found` are all files of the workflow folders. Throws E_CONFLICT for a file of that name that we did not make, for
 * broken marks, and for a person's lines whose place is no more.
 */
export function planWorkflows(made: readonly WorkflowFile[], found: readonly WorkflowFile[], source: string): PlannedFile[] {
  const there = new Map(found.map(({ path, text }) => [path, text]));
  const wanted = made.map((file): PlannedFile => compareFile(file, there.get(file.path)));
  const gone = found.filter(({ path, text }) => isOurs(text, source) && !made.some((file) => file.path === path));
  return [...wanted, ...gone.map(removeFile)];
}

function compareFile({ path, text: made }: WorkflowFile, there: string | undefined): PlannedFile {
  if (there === undefined) return { path, text: made, outcome: 'written', differences: [] };
  if (!there.startsWith(HEADER)) {
    throw new ToolError('E_CONFLICT', `${path} was not made by \`slipway ci generate\`, and would be overwritten`, {
      hint: 'Rename it, or move its lines into a marked place of a generated file.',
    });
  }
  const text = withOwnLines(made, ownLines(there, path), path);
  const differences = differencesOf(text, there);
  return { path, text, outcome: differences.length === 0 ? 'unchanged' : 'written', differences };
}

function removeFile({ path, text }: WorkflowFile): PlannedFile {
  withOwnLines('', ownLines(text, path), path);
  return { path, text, outcome: 'removed', differences: differencesOf('', text).slice(0, 1) };
}

/** The files of another product of the repository are its own affair. */
function isOurs(text: string, source: string): boolean {
  return text.startsWith(`${HEADER} from ${source} (`);
}
