// Layers of the synthetic set on their way into a registry. Rule: uploaded once, mounted elsewhere, never whole in memory.
import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type LayerPlan, layerBytes, layerSize } from './image-set-layer.ts';

export interface PushedLayer {
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
  /** Where it was uploaded. */
  readonly repository: string;
}

export interface LayerUploads {
  readonly registry: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
  /** Layers that are there or on their way, by what they are made from. */
  readonly begun: Map<string, Promise<PushedLayer>>;
  readonly close: () => void;
}

interface Target {
  readonly registry: string;
  readonly authorization?: string;
}

/** Uploads to one registry, with connections that are kept. */
export function newLayerUploads({ registry, authorization }: Target, atOnce: number): LayerUploads {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  return { registry, headers, agent, begun: new Map(), close: () => agent.destroy() };
}

/** Uploads a layer the first time, and mounts it where another repository has it. */
export async function provideLayer(uploads: LayerUploads, repository: string, plan: LayerPlan): Promise<PushedLayer> {
  const known = uploads.begun.get(plan.key);
  const layer = known ?? uploadLayer(uploads, repository, plan);
  uploads.begun.set(plan.key, layer);
  const there = await layer;
  if (known === undefined || there.repository === repository) return there;
  const query = new URLSearchParams({ mount: there.digest, from: there.repository });
  const mounted = await ask(uploads, { method: 'POST', url: `http://${uploads.registry}/v2/${repository}/blobs/uploads/?${query}` });
  return mounted.status === 201 ? there : uploadLayer(uploads, repository, plan);
}

/** One pass over the bytes: a PATCH with all of them, then a PUT with the digest that they turned out to have. */
async function uploadLayer(uploads: LayerUploads, repository: string, plan: LayerPlan): Promise<PushedLayer> {
  const begun = await ask(uploads, { method: 'POST', url: `http://${uploads.registry}/v2/${repository}/blobs/uploads/` });
  const hash = createHash('sha256');
  let diffId = '';
  const bytes = function* (): Generator<Buffer> {
    for (const chunk of layerBytes(plan, (digest) => {
      diffId = digest;
    })) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const size = layerSize(plan);
  const sent = await ask(uploads, { method: 'PATCH', url: begun.location, size, body: Readable.from(bytes()) });
  const digest = `sha256:${hash.digest('hex')}`;
  const url = `${sent.location}${sent.location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
  const answer = await ask(uploads, { method: 'PUT', url });
  if (answer.status !== 201) throw new Error(`${repository}: a layer was answered with HTTP ${answer.status}`);
  return { digest, size, diffId, repository };
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly size?: number;
  readonly body?: Readable;
}

async function ask(uploads: LayerUploads, { method, url, size = 0, body }: Asked): Promise<{ status: number; location: string }> {
  const headers = { ...uploads.headers, 'content-length': size, 'content-type': 'application/octet-stream' };
  const sending = request(url, { method, headers, agent: uploads.agent });
  const answered = new Promise<IncomingMessage>((resolve, reject) => sending.once('response', resolve).once('error', reject));
  await Promise.all([answered, body === undefined ? sending.end() : pipeline(body, sending)]);
  const answer = await answered;
  answer.resume();
  const { statusCode: status = 0, headers: got } = answer;
  if (status >= 400) throw new Error(`${method} ${url}: HTTP ${status}`);
  return { status, location: new URL(got.location ?? '', url).href };
}
