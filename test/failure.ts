// The error of something that must fail.
import { expect } from 'vitest';
import type { ToolError } from '../src/model/error.ts';

/** Waits for the failure and returns its error; a success fails the test. */
export async function failure(attempt: Promise<unknown>): Promise<ToolError> {
  return attempt.then(
    () => expect.fail('it did not fail'),
    (error: ToolError) => error,
  );
}
