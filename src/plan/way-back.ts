// What going back from a hop by itself costs. Rule: pure, one honest line: the class, what is lost at most, and why.
import type { WayBack } from '../model/way-back.ts';
import type { Course } from './course.ts';

/** The way back of one hop, until its point of no return. `shut`: nobody outside reaches a new service before the door opens. */
export function wayBackOf(course: Course, shut: boolean): WayBack {
  const { items, migrations, door, start, target } = course;
  if (!start) return free('only files change, and they are put back');
  if (items.length === 0 && migrations.length > 0)
    return {
      kind: 'impossible',
      losesMinutes: 0,
      why: 'the data is migrated, and none of it is copied: code and settings are put back, the data stays as it is then',
    };
  if (items.length === 0) return free('no data is changed or copied; code and settings are put back');
  if (!door && migrations.length === 0) return free('no migration changes the data; it stays as it is, code and settings are put back');
  if (shut)
    return {
      kind: 'restores-data',
      losesMinutes: 0,
      why: 'code, settings and data are put back, and nobody could write before the door opens',
    };
  const seconds = target.upgrade.timeout + target.upgrade.probation;
  return {
    kind: 'restores-data',
    losesMinutes: Math.max(1, Math.ceil(seconds / 60)),
    why: `the new release is reachable for up to ${seconds} s before it is known to be well; what was written meanwhile is kept in a rescue backup`,
  };
}

function free(why: string): WayBack {
  return { kind: 'free', losesMinutes: 0, why };
}
