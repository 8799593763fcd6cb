// One question to a running product. Rule: the answer is undefined when all is well, else the trouble in words; nothing waits longer than five seconds.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
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
    const { status, body } = await ask(question.url);
    if (status !== question.status) return `${question.url} answers ${status}, not ${question.status}`;
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

interface Answer {
  readonly status: number | undefined;
  /** No more than its beginning when it is too long. */
  readonly body: string;
}

/**
 * A connection for this question alone: one that was kept may lead to a door that was made anew since. The timer keeps the process waiting, whatever
 * becomes of the connection: nothing that goes wrong with it may leave a question that nobody answers.
 */
function ask(url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? requestHttps : requestHttp;
    const asking = request(url, { agent: false, headers: { accept: '*/*', 'user-agent': 'slipway' } }, (answer) => {
      let body = '';
      const end = (): void => resolve({ status: answer.statusCode, body });
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        body += part;
        if (body.length <= MAX_BODY) return;
        end();
        asking.destroy();
      });
      answer.on('end', end);
      answer.on('error', reject);
    });
    const timer = setTimeout(() => asking.destroy(new Error(`nothing came within ${WITHIN / 1000} seconds`)), WITHIN);
    asking.on('error', reject);
    asking.on('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection was closed')); // unless there was an answer
    });
    asking.end();
  });
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
