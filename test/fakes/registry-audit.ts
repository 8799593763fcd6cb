// Reads everything back from a fake registry, as its users would, and hashes it. Rule: what a name stands for is judged from bytes that came over the wire.
import { createHash } from 'node:crypto';
import type { FakeRegistry } from './registry.ts';

const TYPES = ['oci.image.index.v1', 'oci.image.manifest.v1', 'docker.distribution.manifest.list.v2', 'docker.distribution.manifest.v2'];
const ACCEPT = TYPES.map((type) => `application/vnd.${type}+json`).join(', ');

export interface Audit {
  /** `repository:tag` → the digest of the bytes that it stands for. */
  readonly tags: Readonly<Record<string, string>>;
  /** What is not what its name says, and what a manifest names that is not there. */
  readonly wrong: readonly string[];
}

interface Named {
  readonly digest: string;
}

/** Everything that the registry has. `authorize` gives the Authorization header for a repository. */
export async function auditRegistry(
  { host, repositories }: Pick<FakeRegistry, 'host' | 'repositories'>,
  authorize: (repository: string) => Promise<string | undefined> = async () => undefined,
): Promise<Audit> {
  const tags: Record<string, string> = {};
  const wrong: string[] = [];
  for (const [repository, kept] of repositories) {
    const authorization = await authorize(repository);
    const read = (path: string): Promise<Buffer | undefined> => get(`http://${host}/v2/${repository}/${path}`, authorization);
    for (const digest of kept.blobs.keys()) if (hash(await read(`blobs/${digest}`)) !== digest) wrong.push(`${repository} blob ${digest}`);
    for (const digest of kept.manifests.keys()) {
      const bytes = await read(`manifests/${digest}`);
      if (hash(bytes) !== digest) wrong.push(`${repository} manifest ${digest}`);
      for (const part of partsOf(bytes))
        if (!kept.blobs.has(part) && !kept.manifests.has(part)) wrong.push(`${repository} ${digest} lacks ${part}`);
    }
    for (const tag of kept.tags.keys()) tags[`${repository}:${tag}`] = hash(await read(`manifests/${tag}`)) ?? 'nothing';
  }
  return { tags, wrong };
}

async function get(url: string, authorization: string | undefined): Promise<Buffer | undefined> {
  const answer = await fetch(url, { headers: { accept: ACCEPT, ...(authorization === undefined ? {} : { authorization }) } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return answer.status === 200 ? bytes : undefined;
}

function hash(bytes: Buffer | undefined): string | undefined {
  return bytes === undefined ? undefined : `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function partsOf(bytes: Buffer = Buffer.from('{}')): string[] {
  const {
    config,
    layers = [],
    manifests = [],
  } = JSON.parse(bytes.toString('utf8')) as {
    readonly config?: Named;
    readonly layers?: readonly Named[];
    readonly manifests?: readonly Named[];
  };
  return [...(config === undefined ? [] : [config]), ...layers, ...manifests].map(({ digest }) => digest);
}
