// The words that the parts of a proposal share. Rule: data only; what a person should look at is said beside the line that it is about.
import type { Document } from 'yaml';
import type { Problem } from '../model/problem.ts';
import { fieldsOf } from './compose-parts.ts';

export type ComposeFields = Record<string, unknown>;

/** A value of slipway.yaml, with what a person should look at. */
export interface Proposed<T> {
  readonly value: T;
  readonly review?: string;
}

/** What one part of the proposal has to say besides its values. */
export interface Remarks {
  /** Done, and to be looked at. */
  readonly reviews: readonly string[];
  /** Not done: a person must decide. */
  readonly problems: readonly Problem[];
}

/** The services as they are with all anchors filled in. */
export function servicesIn(document: Document): Readonly<Record<string, ComposeFields>> {
  const services = fieldsOf(fieldsOf(document.toJS({ maxAliasCount: 1000 })).services);
  return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, fieldsOf(service)]));
}

/** Something that only a person can decide, at a place of the compose file such as `services.api`. */
export function decision(path: string, message: string, hint: string): Problem {
  return { severity: 'error', code: 'E_DECIDE', message, hint, file: '', line: 1, path };
}
