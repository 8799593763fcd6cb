// A plan as text. Rule: the same plan gives the same text; this is what golden tests pin and what a person confirms.
import type { Plan, Step } from '../model/plan.ts';

/** The plan for people: every step with its reason and its subjects, the point of no return, and the notes. */
export function planToText(plan: Plan): string {
  const lines = [`Plan: ${plan.command}, ${plan.steps.length} ${plan.steps.length === 1 ? 'step' : 'steps'}`];
  const width = String(plan.steps.length).length;
  plan.steps.forEach((step, index) => {
    lines.push(`  ${String(index + 1).padStart(width)}. ${step.why}${subjectsOf(step)}`);
    if (index === plan.commitAfter && index < plan.steps.length - 1)
      lines.push(`  ${'-'.repeat(width + 1)} from here on there is no way back by itself`);
  });
  for (const note of plan.notes) lines.push(`  note: ${note}`);
  return `${lines.join('\n')}\n`;
}

/** The plan as the JSON result's `plan` field: kinds, reasons and arguments, as the journal stores them. */
export function planToJson(plan: Plan): { command: string; steps: readonly Step[]; notes: readonly string[] } {
  return { command: plan.command, steps: plan.steps, notes: plan.notes };
}

function subjectsOf(step: Step): string {
  const subjects = listSubjects(step);
  if (subjects.length === 0) return '';
  const shown = subjects.slice(0, 6).join(', ');
  return ` [${subjects.length > 6 ? `${shown} and ${subjects.length - 6} more` : shown}]`;
}

function listSubjects(step: Step): readonly string[] {
  switch (step.kind) {
    case 'start-services':
    case 'stop-services':
      return step.services;
    case 'swap-files':
      return step.files.map((file) => (file.content === null ? `-${file.path}` : file.path));
    case 'delete-manifests':
      return step.repositories.flatMap(({ manifests }) =>
        manifests.flatMap(({ digest, tags }) => (tags.length === 0 ? [digest.slice(0, 19)] : tags)),
      );
    case 'build-images':
    case 'copy-images':
    case 'tag-images':
    case 'pull-images':
      return step.images.map((image) => image.name);
    case 'carry-data':
      return step.items.map(({ name, volume }) => `${name} -> ${volume}`);
    case 'import-data':
      return step.items.map(({ dump, volume }) => `${dump} -> ${volume}`);
    case 'measure-data':
    case 'copy-data':
    case 'dump-data':
    case 'guard-data':
    case 'restore-data':
      return step.items.map((item) => item.name);
    case 'rotate-secret':
    case 'run-job':
    case 'validate-files':
      return [`${step.service}: ${step.command.join(' ')}`];
    case 'show-runtimes':
    case 'upload-assets':
      return step.assets.map((asset) => asset.name);
    case 'publish-release':
      return step.publication.assets.map((asset) => asset.name);
    case 'remove-paths':
      return step.paths;
    case 'drop-volumes':
    case 'remove-project':
      return step.volumes;
    case 'set-units':
      return step.units.map(({ name, content }) => `${content === null ? '-' : ''}${step.folder}/${name}`);
    case 'remove-launcher':
      return [step.path];
    case 'remove-images':
      return step.local;
    default:
      return [];
  }
}
