// A plan as text. Rule: the same plan gives the same text; this is what golden tests pin and what a person confirms.
import type { DataToCopy, Plan, Step } from '../model/plan.ts';
import { sizeToText } from '../model/units.ts';
import type { WayBack } from '../model/way-back.ts';

/** The plan for people: every step with its reason and its subjects, the point of no return, and the notes. */
export function planToText(plan: Plan): string {
  const lines = [`Plan: ${plan.command}, ${plan.steps.length} ${plan.steps.length === 1 ? 'step' : 'steps'}`];
  const width = String(plan.steps.length).length;
  plan.steps.forEach((step, index) => {
    lines.push(`  ${String(index + 1).padStart(width)}. ${step.why}${subjectsOf(step)}`);
    if (index === plan.commitAfter && index < plan.steps.length - 1)
      lines.push(`  ${'-'.repeat(width + 1)} from here on there is no way back by itself`);
  });
  if (plan.wayBack !== undefined) lines.push(`  way back: ${wayBackToText(plan.wayBack)}`);
  for (const note of plan.notes) lines.push(`  note: ${note}`);
  return `${lines.join('\n')}\n`;
}

/** The plan as the JSON result's `plan` field: kinds, reasons and arguments, as the journal stores them. */
export function planToJson(plan: Plan): Pick<Plan, 'command' | 'steps' | 'notes' | 'wayBack'> {
  const { command, steps, notes, wayBack } = plan;
  return { command, steps, notes, ...(wayBack === undefined ? {} : { wayBack }) };
}

function wayBackToText({ kind, losesMinutes, why }: WayBack): string {
  const loss = losesMinutes === 0 ? 'loses nothing' : `loses up to ${losesMinutes} min`;
  const classes = { free: 'free', 'restores-data': `restores data, ${loss}`, impossible: 'none for the data' };
  return `${classes[kind]}: ${why}`;
}

/** A hop of an upgrade that goes by way of several releases. */
export interface HopView {
  readonly from: string;
  readonly to: string;
  readonly plan: Plan;
}

/** All hops, each as its own plan. */
export function hopsToText(hops: readonly HopView[]): string {
  const way = hops.map(({ to }) => to);
  const lines = [
    `Upgrade from ${hops[0]?.from} to ${way.at(-1)} in ${hops.length} hops: ${way.join(', ')}\n`,
    '  note: everything is fetched before the first hop; one that fails goes back to the release before it, and ends the upgrade there\n',
    '  note: each later hop is planned again when it begins; one that would do something else than is shown here is not begun\n',
  ];
  const plans = hops.map(({ from, to, plan }, index) => `\nHop ${index + 1} of ${hops.length}: ${from} → ${to}\n${planToText(plan)}`);
  return `${lines.join('')}${plans.join('')}`;
}

/** All steps in their order, as for one plan, and the hops that they belong to. */
export function hopsToJson(hops: readonly HopView[]): ReturnType<typeof planToJson> & { hops: readonly object[] } {
  return {
    command: hops[0]?.plan.command ?? '',
    steps: hops.flatMap(({ plan }) => plan.steps),
    notes: [...new Set(hops.flatMap(({ plan }) => plan.notes))],
    hops: hops.map(({ from, to, plan }) => ({ from, to, ...planToJson(plan) })),
  };
}

function subjectsOf(step: Step): string {
  const subjects = listSubjects(step);
  if (subjects.length === 0) return '';
  const shown = subjects.slice(0, 6).join(step.kind === 'copy-data' && subjects.some((each) => each.includes(',')) ? '; ' : ', ');
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
    case 'copy-data':
      return step.items.map(sizedName);
    case 'measure-data':
    case 'dump-data':
    case 'guard-data':
    case 'restore-data':
    case 'try-backup':
      return step.items.map((item) => item.name);
    case 'build-services':
      return step.services.map(({ service }) => service);
    case 'move-checkout':
      return [`${step.from.slice(0, 10)} -> ${step.commit.slice(0, 10)}`];
    case 'move-tags':
      return step.tags.map(({ name }) => name);
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

function sizedName({ name, bytes, minutes }: DataToCopy): string {
  if (bytes === undefined) return name;
  return `${name}: ${sizeToText(bytes)}, ${minutes === undefined || minutes <= 1 ? 'less than a minute' : `about ${minutes} min`}`;
}
