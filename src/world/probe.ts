// One question to a running product. Rule: the answer is undefined when all is well, else the trouble in words; nothing waits longer than five seconds.
import { connect } from 'node:net';
import type { Scalar } from '../model/description.ts';

const WITHIN = 5000;
const MAX_BODY = 1024 * 1024;

export interface HttpQuestion {
  readonly url: string;
  readonly status: number;
  /** Fields of the JSON answer, dotted paths allowed. */
  readonly json: Readonly<Record<string, Scalar>>;
}

/** Asks over HTTP and compares status and JSON fields. */
export async function probeHttp(question: HttpQuestion): Promise<string | undefined> {
  try {
    const answer = await fetch(question.url, { redirect: 'manual', signal: AbortSignal.timeout(WITHIN) });
    const body = await textOf(answer);
    if (answer.status !== question.status) return `${question.url} answers ${answer.status}, not ${question.status}`;
    return Object.keys(question.json).length === 0 ? undefined : compareJson(question, body);
  } catch (error) {
    return `${question.url} does not answer: ${innermost(error)}`;
  }
}

/** Opens a TCP connection to `host:port`. */
export function probeTcp(address: string): Promise<string | undefined> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: WITHIN });
    const end = (trouble: string | undefined): void => {
      socket.destroy();
      resolve(trouble);
    };
    socket.on('connect', () => end(undefined));
    socket.on('timeout', () => end(`${address} does not answer`));
    socket.on('error', (error) => end(`${address} does not answer: ${error.message}`));
  });
}

async function textOf(answer: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_BODY) return text;
  }
  return text;
}

function compareJson(question: HttpQuestion, body: string): string | undefined {
  let found: unknown;
  try {
    found = JSON.parse(body);
  } catch {
    return `${question.url} does not answer JSON`;
  }
  for (const [path, wanted] of Object.entries(question.json)) {
    const value = path
      .split('.')
      .reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined), found);
    if (value !== wanted) return `${question.url}: ${path} is ${JSON.stringify(value)}, not ${JSON.stringify(wanted)}`;
  }
  return undefined;
}

function innermost(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError) return innermost(cause.errors[0]);
  return cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error);
}
