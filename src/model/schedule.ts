// How often something is done by itself. Rule: words, not expressions; each kind of timer has its own form of them.

/** How often a backup is made by itself. */
export type Schedule = 'daily' | 'weekly';

export const SCHEDULES: readonly Schedule[] = ['daily', 'weekly'];
