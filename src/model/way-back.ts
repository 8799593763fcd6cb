// What going back costs. Rule: said before anything is changed, and never better than it is.
/** What going back by itself costs: nothing, the writes of some minutes, or there is no way back for the data. */
export interface WayBack {
  readonly kind: 'free' | 'restores-data' | 'impossible';
  /** What is lost at most. */
  readonly losesMinutes: number;
  readonly why: string;
}
