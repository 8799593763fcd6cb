// The one error people see. Rule: `message` says what is wrong, `hint` says what to do now; anything else that is thrown is a bug.

const EXIT_CODES = {
  E_USAGE: 2,
  E_CONFIG: 2,
  E_TEMPLATE: 2,
  E_ANSWER: 2,
  E_NOT_SUPPORTED: 2,
  E_NOT_PACKED: 2,
  E_DIRTY: 2,
  E_NO_INSTALL: 2,
  E_PREFLIGHT: 3,
  E_POLICY: 3,
  E_EXPIRED: 3,
  E_LOCKED: 3,
  E_NOT_CONFIRMED: 3,
  E_PROJECT_ELSEWHERE: 3,
  E_CONFLICT: 3,
  E_UNSIGNED: 3,
  E_CHANGES: 4,
  E_PUBLISHED_DIFFERS: 5,
  E_RESERVED_ELSEWHERE: 5,
  E_NOT_FOUND: 5,
  E_SIGNATURE: 5,
  E_WRONG_PRODUCT: 5,
  E_WRONG_TYPE: 5,
  E_DIGEST: 5,
  E_OLDER_SEQUENCE: 5,
  E_EQUIVOCATION: 5,
  E_ARCHIVE: 5,
  E_FORMAT: 5,
  E_TOO_LARGE: 5,
  E_NETWORK: 5,
  E_AUTH: 5,
  E_COMMAND: 5,
  E_UNHEALTHY: 5,
  E_BACKUP: 5,
  E_DISK: 5,
  E_DISK_FULL: 5,
  E_PLAN_STALE: 5,
  E_STEP_FAILED: 5,
  E_OPEN_OPERATION: 6,
  E_WAY_BACK_FAILED: 6,
  E_CUT_OFF: 6,
  E_INTERRUPTED: 130,
} as const;

export type ErrorCode = keyof typeof EXIT_CODES;

export interface ErrorExtra {
  readonly hint?: string;
  readonly cause?: unknown;
  /** Fields that join the JSON result of the command. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An expected failure with a code of the closed list, a message for people and a hint with the next step. */
export class ToolError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, extra: ErrorExtra = {}) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = 'ToolError';
    this.code = code;
    this.hint = extra.hint;
    this.details = extra.details ?? {};
  }
}

/** The exit code that a command ends with after this error: the table's for a ToolError, 1 (a bug) for anything else. */
export function exitCodeOf(error: unknown): number {
  return error instanceof ToolError ? EXIT_CODES[error.code] : 1;
}

/** True when `error` is a ToolError with this code. */
export function isToolError(error: unknown, code: ErrorCode): error is ToolError {
  return error instanceof ToolError && error.code === code;
}

/** The `code` of a Node.js system error (`ENOENT`, `EEXIST`, …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
