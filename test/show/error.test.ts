// What a person reads when a command fails. Rule: the reason is always there, and once.
import { expect, test } from 'vitest';
import { ToolError } from '../../src/model/error.ts';
import { errorToText } from '../../src/show/error.ts';

const failed = (cause: unknown, details: Readonly<Record<string, unknown>> = {}): ToolError =>
  new ToolError('E_STEP_FAILED', 'upgrade failed; everything is as before', { cause, hint: 'Look at it.', details });

test('a reason of the same kind as the failure is told', () => {
  const cause = new ToolError('E_STEP_FAILED', 'pgdata is not the same after its dump was restored: role auditor');
  expect(errorToText(failed(cause), 'acmectl')).toBe(
    'acmectl: upgrade failed; everything is as before\n  because: pgdata is not the same after its dump was restored: role auditor\n  hint: Look at it.\n',
  );
});

test('what is not well past the point of no return is named', () => {
  const cause = new ToolError('E_UNHEALTHY', 'proxy is unhealthy', { details: { log: 'cannot bind\n' } });
  const error = new ToolError('E_UNHEALTHY', 'something is not well', { cause });
  expect(errorToText(error, 'acmectl')).toBe('acmectl: something is not well\n  because: proxy is unhealthy\n    cannot bind\n');
});

test('a chain of causes is told from the last to the first', () => {
  const first = new ToolError('E_NETWORK', 'the host does not answer');
  const cause = new ToolError('E_STEP_FAILED', 'api was not pulled', { cause: first });
  expect(errorToText(failed(cause), 'acmectl')).toMatch(/because: api was not pulled\n {2}because: the host does not answer\n/);
});

test('a reason that the message has in it is not told twice', () => {
  const cause = new ToolError('E_DISK_FULL', 'the disk is full');
  const error = new ToolError('E_CUT_OFF', 'the journal cannot be written: the disk is full', { cause });
  expect(errorToText(error, 'acmectl')).toBe('acmectl: the journal cannot be written: the disk is full\n');
});

test('who interrupted is not told why it was interrupted', () => {
  const error = new ToolError('E_INTERRUPTED', 'upgrade was interrupted', { cause: new ToolError('E_INTERRUPTED', 'interrupted') });
  expect(errorToText(error, 'acmectl')).toBe('acmectl: upgrade was interrupted\n');
});

test('a step that fails in a way that nobody foresaw is told by its own words', () => {
  expect(errorToText(failed(new Error('cannot read it'), { reason: 'cannot read it' }), 'acmectl')).toMatch(
    /\n {2}because: cannot read it\n/,
  );
});
