// The service in whose container this program runs. Rule: nothing that it does stops that container; it gets its new one last, from a helper, and what cannot be done so is refused.
import { ToolError } from '../model/error.ts';
import type { OwnService } from '../model/own-service.ts';
import type { ComposeProject, Plan, Step } from '../model/plan.ts';

/** Why the own service cannot be left running; the first that is true counts. */
export interface OwnTroubles {
  /** The project as it will be does not have it. */
  readonly isGone: boolean;
  /** Its container has data open that is copied or put back. */
  readonly holdsData: boolean;
  /** Others need it new before it can be: a data service that changes. */
  readonly isNeeded: boolean;
}

/** Throws E_POLICY when this program would have to stop its own container. */
export function refuseOwn({ service }: OwnService, { isGone, holdsData, isNeeded }: OwnTroubles): void {
  if (isGone) throw inOwnContainer(`${service} is no service of the product any more`);
  if (holdsData) throw inOwnContainer(`${service} has data open that must not be in use meanwhile`);
  if (isNeeded) throw inOwnContainer(`${service} keeps data and changes, so it must stop first`);
}

/** What stops everything cannot be done from inside: it would end with its own container. */
export function refuseInside(own: { readonly service: string } | undefined, what: string): void {
  if (own !== undefined) throw inOwnContainer(`${what} stops ${own.service}`);
}

/** The compose project whose containers a plan stops, and those services; none = all. */
export interface Stopped {
  readonly project: string;
  readonly services: readonly string[];
}

/** What a plan stops, on its way forward or back. */
export function stoppedBy({ steps }: Plan): Stopped[] {
  return steps.flatMap((step) => {
    if (step.kind === 'remove-project') return { project: step.project.name, services: [] };
    if (step.kind !== 'stop-services' && step.kind !== 'start-services') return [];
    return step.services.length === 0 ? [] : { project: step.project.name, services: step.services };
  });
}

/** A plan that was made outside may stop the container that it is to be ended in. */
export function refuseRecovery({ command }: Plan, stopped: readonly Stopped[], own: OwnService | undefined): void {
  if (own !== undefined && stopped.some(({ services }) => services.length === 0 || services.includes(own.service)))
    throw inOwnContainer(`this ${command} stops ${own.service}`);
}

function inOwnContainer(what: string): ToolError {
  return new ToolError('E_POLICY', `${what}, and this command runs in its container`, {
    hint: 'Nothing was changed. Run the command on the machine itself.',
  });
}

/** The last step: it returns at once, and the container is replaced when this program has ended. */
export function renewSteps(own: OwnService | undefined, project: ComposeProject): Step[] {
  if (own === undefined) return [];
  const why = `${own.service}, in which this command runs, is replaced last, when this has ended and its result is written down`;
  return [{ kind: 'renew-self', why, project, ...own }];
}

/** What a person should know of the container that is left alone. */
export function ownNotes(own: OwnService | undefined, writes: boolean): string[] {
  if (own === undefined) return [];
  const left = `${own.service} runs on, for this command runs in it`;
  return [writes ? `${left}: what it writes itself meanwhile may be missing from the backup` : left];
}
