// How long a forge wants to be left alone. Rule: what it says counts; where it says nothing, a minute and then twice as long each time.
import type { ForgeAnswer } from './forge.ts';

const MINUTE = 60_000;

/**
 * The wait that an answer asks for, in milliseconds, or undefined when it is no such answer. GitHub: 403 or 429 with `retry-after`, else with
 * `x-ratelimit-remaining: 0` until `x-ratelimit-reset`, else a secondary limit (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 */
export function limitOf({ status, headers, text }: ForgeAnswer, now: Date, tries: number): { readonly wait: number } | undefined {
  if (status !== 429 && status !== 403) return undefined;
  const after = headers['retry-after'];
  if (after !== undefined && /^\d{1,6}$/.test(after.trim())) return { wait: Number(after) * 1000 };
  const reset = headers['x-ratelimit-reset'];
  if (headers['x-ratelimit-remaining'] === '0' && reset !== undefined && /^\d{1,12}$/.test(reset)) {
    return { wait: Math.max(1000, Number(reset) * 1000 - now.getTime()) };
  }
  const secondary = status === 429 || /secondary rate limit|abuse detection/i.test(text);
  return secondary ? { wait: MINUTE * 2 ** Math.min(tries - 1, 3) } : undefined;
}
