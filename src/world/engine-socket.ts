// The Docker Engine's own socket (Engine API), for what is only read. Rule: it is the socket that docker itself talks to, or none; what it does not answer docker
// is asked for.
import { Agent, request } from 'node:http';
import type { AskEngine, Run } from '../model/seams.ts';

/** Milliseconds for an answer; docker is more patient. */
const PATIENCE = 30_000;
/** Characters of an answer; longer ones are left to docker. */
const LONGEST = 64 * 1024 * 1024;

/** What names of images and containers consist of; nothing that could lead elsewhere. */
const PLAIN = /^(\/[\w:@-][\w.:@-]*)+(\?[\w=&%.*-]*)?$/;

/** The engine of this machine, found as docker finds it: by DOCKER_HOST, or by the context that was chosen. */
export function openEngineSocket(run: Run): AskEngine {
  const found = new Map<string, Promise<string | undefined>>();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  return async (path, env) => {
    const key = JSON.stringify(env);
    const finding = found.get(key) ?? findSocket(run, env);
    found.set(key, finding);
    const socketPath = await finding;
    return socketPath === undefined || !PLAIN.test(path) ? undefined : ask({ agent, socketPath, path });
  };
}

/** Programs that stand in for docker know no contexts, and engines elsewhere have no socket here. */
async function findSocket(run: Run, env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  try {
    const argv = ['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'];
    const { code, stdout } = await run(argv, { env, timeout: 10 });
    return code === 0 ? /^unix:\/\/(\/.+)$/.exec(stdout.trim())?.[1] : undefined;
  } catch {
    return undefined; // whoever needs docker is told by it
  }
}

interface Question {
  readonly agent: Agent;
  readonly socketPath: string;
  readonly path: string;
}

async function ask(question: Question): Promise<unknown> {
  try {
    const { status, text } = await get(question);
    if (status === 404) return null;
    return status === 200 ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function get({ agent, socketPath, path }: Question): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ agent, socketPath, path, headers: { host: 'docker' }, timeout: PATIENCE }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (text.length > LONGEST) asking.destroy(new Error('the answer is too long'));
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    asking.on('timeout', () => asking.destroy(new Error('no answer in time')));
    asking.on('error', reject);
    asking.end();
  });
}
