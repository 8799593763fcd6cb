// A version that a person typed. Rule: what is malformed is a mistake in the command line, and nothing was looked at yet.
import { ToolError } from '../../model/error.ts';
import { parseVersion, type Version } from '../../model/version.ts';

/** Parses the value of --version; throws E_USAGE. */
export function usableVersion(text: string): Version {
  try {
    return parseVersion(text, '--version');
  } catch (cause) {
    if (!(cause instanceof ToolError)) throw cause;
    throw new ToolError('E_USAGE', cause.message, { cause, hint: 'Write it as X.Y.Z.' });
  }
}
