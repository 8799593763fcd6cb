// Requests to registries with authentication. Rule: one question, at most one answer to a 401, and errors that say what was sent.
import { ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import type { HttpResponse } from './http.ts';
import { refusedStatus } from './http-failure.ts';
import { isThisMachine } from './http-routes.ts';
import { type AuthNeeds, openRegistryAuth, type RegistryAuth } from './registry-auth.ts';

export interface RegistryRequest {
  /** Below `/v2/<repository>/`, or a whole address of the same registry. */
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
  readonly accept: string;
  readonly maxBytes: number;
}

/** Asks the registry of `ref`; throws E_AUTH when access is refused, and returns every other answer. */
export type Ask = (ref: ImageRef, request: RegistryRequest) => Promise<HttpResponse>;

export type RegistryNeeds = AuthNeeds;

const HUB = { registry: 'docker.io', origin: 'https://registry-1.docker.io' };
const LARGEST_REFUSAL = 64 * 1024;

/** A session whose tokens are shared by all requests. */
export function openRegistrySession(needs: RegistryNeeds): Ask {
  const auth = openRegistryAuth(needs);
  return async (ref, request) => {
    const url = new URL(request.path, `${registryOrigin(ref.registry)}/v2/${ref.repository}/`);
    const send = (authorization: string | undefined): Promise<HttpResponse> => {
      const headers = { accept: request.accept, ...(authorization === undefined ? {} : { authorization }) };
      return needs.http.request({ url: url.href, method: request.method, headers, maxBytes: Math.max(request.maxBytes, LARGEST_REFUSAL) });
    };
    const sent = await auth.authorize(ref);
    const first = await send(sent);
    const answer = first.status === 401 ? await answerChallenge(first, { needs, auth, ref, url, sent, send }) : first;
    if (answer.status !== 401 && !(answer.status === 403 && request.method === 'GET')) return answer;
    throw refusedAccess(answer, ref, await auth.describe(ref));
  };
}

/** Where a registry is reached: Docker Hub's names lead to one host, and this machine is spoken to without encryption, as Docker does. */
export function registryOrigin(registry: string): string {
  if (registry === HUB.registry) return HUB.origin;
  return isThisMachine(new URL(`https://${registry}`)) ? `http://${registry}` : `https://${registry}`;
}

/** The error of an answer that is no success: what is absent is named as the person wrote it. */
export function refusedAnswer(answer: HttpResponse, ref: ImageRef): ToolError {
  if (answer.status !== 404) return refusedStatus(answer.status, new URL(answer.url));
  return new ToolError('E_NOT_FOUND', `${printImageRef(ref)} does not exist (${['HTTP 404', ...because(answer)].join(', ')})`, {
    hint: 'Check the spelling of repository and tag, and that the image has been pushed.',
    details: { reference: printImageRef(ref) },
  });
}

interface Refused {
  readonly needs: RegistryNeeds;
  readonly auth: RegistryAuth;
  readonly ref: ImageRef;
  readonly url: URL;
  readonly sent: string | undefined;
  readonly send: (authorization: string) => Promise<HttpResponse>;
}

async function answerChallenge(first: HttpResponse, { needs, auth, ref, url, sent, send }: Refused): Promise<HttpResponse> {
  if (new URL(first.url).origin !== url.origin) return first; // another host's 401, to which no login belongs
  const challenge = first.headers['www-authenticate'] ?? (await ping(needs, url)); // some registries ask properly only there
  const authorization = await auth.answer(ref, { challenge, registry: url, sent });
  return authorization === undefined ? first : send(authorization);
}

async function ping({ http }: RegistryNeeds, url: URL): Promise<string> {
  const { headers } = await http.request({ url: `${url.origin}/v2/`, maxBytes: LARGEST_REFUSAL });
  return headers['www-authenticate'] ?? '';
}

function refusedAccess(answer: HttpResponse, ref: ImageRef, sent: string): ToolError {
  return new ToolError(
    'E_AUTH',
    `${ref.registry} refused access to ${printImageRef(ref)} (HTTP ${[answer.status, ...because(answer)].join(', ')}); ${sent}`,
    {
      hint: `Check that the image exists (many registries refuse what is absent), and run docker login ${ref.registry} with an account that may pull it.`,
      details: { reference: printImageRef(ref), status: answer.status },
    },
  );
}

/** The registry's own error code (distribution-spec: Error Codes), when there is a readable one. */
function because({ body }: HttpResponse): string[] {
  const code = /"code"\s*:\s*"([A-Z_]{1,40})"/.exec(body.subarray(0, LARGEST_REFUSAL).toString('utf8'))?.[1];
  return code === undefined ? [] : [code];
}
