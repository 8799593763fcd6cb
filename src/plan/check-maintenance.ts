// Checks of the page that is shown while the door is shut. Rule: what would always run, or stand in the door's way, is found here.
import type { ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { type ComposeService, listOf } from './compose-parts.ts';

const PATH = ['upgrade', 'maintenance'];

/** What the product file says of it. */
export function checkMaintenance({ upgrade }: Product): ProblemText[] {
  const { maintenance, entry } = upgrade;
  if (maintenance === undefined) return [];
  if (entry.length === 0)
    return [
      problem(
        'upgrade.maintenance is shown while the door is shut, and there is no door',
        'Name the services of the door in upgrade.entry.',
      ),
    ];
  if (!entry.includes(maintenance)) return [];
  return [problem(`${maintenance} is a service of the door itself`, 'Write a service of its own that shows the page at the same port.')];
}

/** What the compose file makes of it. */
export function checkMaintenanceService(all: readonly ComposeService[], { upgrade }: Product): ProblemText[] {
  const service = all.find(({ name }) => name === upgrade.maintenance);
  if (service === undefined || listOf(service.fields.profiles).length > 0) return [];
  const message = `${service.name} shows the page while the door is shut, and would run all the time`;
  return [
    { code: 'E_MAINTENANCE', path: service.path, message, hint: 'Write `profiles: [maintenance]`, a profile that no feature switches on.' },
  ];
}

function problem(message: string, hint: string): ProblemText {
  return { code: 'E_MAINTENANCE', path: PATH, message, hint };
}
