// Manifests, tags and referrers of a fake registry (distribution-spec 1.1). Rule: no manifest before what it names, none without the right
// Accept, and a type that is said twice is said alike.
import { type Answer, type Exchange, JSON_TYPE, refusal } from './registry-answer.ts';
import { type FakeRepository, type RegistryContent, repositoryOf, sha256 } from './registry-content.ts';

export interface ManifestRules {
  /** An index may name what is not there. */
  readonly sparse?: boolean;
  /** The answer to a manifest whose parts are missing; 400 as docker-registry, 404 as Gitea. */
  readonly missing?: 400 | 404;
  /** `none` as docker-registry 2.8; `api`; `quiet` = the API without the OCI-Subject header. */
  readonly referrers?: 'none' | 'api' | 'quiet';
  /** Tags that are written once; a second PUT is refused even when it is the same. */
  readonly immutableTags?: RegExp;
  /** What may be deleted: nothing as docker-registry without further ado, manifests by digest, or tags too. */
  readonly deletes?: 'nothing' | 'manifests' | 'tags';
  readonly pageSize?: number;
  readonly link?: 'relative' | 'absolute' | 'elsewhere';
}

export interface ManifestPlace {
  readonly content: RegistryContent;
  readonly rules: ManifestRules;
  /** `host:port` of another server, for links that lead away. */
  readonly elsewhere: string;
  readonly repository: string;
  /** A tag or digest. */
  readonly rest: string;
}

interface Named {
  readonly digest: string;
  readonly mediaType?: string;
}

interface Body {
  readonly schemaVersion?: number;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly annotations?: unknown;
  readonly config?: Named;
  readonly layers?: readonly Named[];
  readonly manifests?: readonly Named[];
  readonly subject?: Named;
}

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const TYPES = [
  OCI_INDEX,
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const LARGEST = 4 * 1024 * 1024;

/** `/v2/<name>/manifests/<reference>` */
export function answerManifest(place: ManifestPlace, exchange: Exchange): Answer {
  if (exchange.method === 'PUT') return storeManifest(place, exchange);
  if (exchange.method === 'DELETE') return deleteManifest(place);
  const known = place.content.repositories.get(place.repository);
  const digest = place.rest.startsWith('sha256:') ? place.rest : known?.tags.get(place.rest);
  const stored = digest === undefined ? undefined : known?.manifests.get(digest);
  const accepted = (exchange.headers.accept ?? '').split(',').map((type) => type.trim());
  if (stored === undefined || digest === undefined || !accepted.includes(stored.type)) return refusal(404, 'MANIFEST_UNKNOWN');
  const etag = `"${digest}"`;
  if (exchange.headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
  return { status: 200, headers: { 'content-type': stored.type, 'docker-content-digest': digest, etag }, body: stored.bytes };
}

function storeManifest({ content, rules, repository, rest }: ManifestPlace, { headers, body }: Exchange): Answer {
  const known = repositoryOf(content, repository);
  const type = headers['content-type'] ?? '';
  const manifest = parseBody(body);
  const digest = sha256(body);
  if (body.length > LARGEST) return refusal(413, 'SIZE_INVALID');
  if (manifest === undefined || !isConsistent(manifest, type)) return refusal(400, 'MANIFEST_INVALID');
  if (rest.startsWith('sha256:') && rest !== digest) return refusal(400, 'DIGEST_INVALID');
  if (!rest.startsWith('sha256:') && !/^\w[\w.-]{0,127}$/.test(rest)) return refusal(400, 'TAG_INVALID');
  if (!isComplete(manifest, known, rules)) return refusal(rules.missing ?? 400, 'MANIFEST_BLOB_UNKNOWN');
  if (rules.immutableTags?.test(rest) && known.tags.has(rest)) return refusal(400, 'TAG_INVALID');
  known.manifests.set(digest, { bytes: body, type });
  if (!rest.startsWith('sha256:')) known.tags.set(rest, digest);
  const subject = rules.referrers === 'api' && manifest.subject !== undefined ? { 'oci-subject': manifest.subject.digest } : {};
  return { status: 201, headers: { ...subject, 'docker-content-digest': digest, location: `/v2/${repository}/manifests/${digest}` } };
}

function parseBody(body: Buffer): Body | undefined {
  try {
    return JSON.parse(body.toString('utf8')) as Body;
  } catch {
    return undefined; // the client's own fault, answered with 400
  }
}

function isConsistent({ schemaVersion, mediaType, config, layers, manifests }: Body, type: string): boolean {
  const isIndex = type === OCI_INDEX || type.includes('manifest.list');
  const sameType = mediaType === undefined ? type.includes('.oci.') : mediaType === type;
  const shape = isIndex
    ? manifests !== undefined && config === undefined && layers === undefined
    : config !== undefined && manifests === undefined;
  return schemaVersion === 2 && TYPES.includes(type) && sameType && shape;
}

function isComplete({ config, layers = [], manifests = [] }: Body, known: FakeRepository, { sparse }: ManifestRules): boolean {
  const blobs = [...(config === undefined ? [] : [config]), ...layers];
  const children = sparse ? [] : manifests;
  return blobs.every((part) => known.blobs.has(part.digest)) && children.every((part) => known.manifests.has(part.digest));
}

function deleteManifest({ content, rules: { deletes = 'nothing' }, repository, rest }: ManifestPlace): Answer {
  const known = content.repositories.get(repository);
  if (deletes === 'nothing') return refusal(405, 'UNSUPPORTED');
  if (!rest.startsWith('sha256:')) {
    if (deletes === 'manifests') return refusal(400, 'DIGEST_INVALID');
    return known?.tags.delete(rest) ? { status: 202 } : refusal(404, 'MANIFEST_UNKNOWN');
  }
  if (!known?.manifests.delete(rest)) return refusal(404, 'MANIFEST_UNKNOWN');
  for (const [tag, digest] of known.tags) if (digest === rest) known.tags.delete(tag);
  return { status: 202 };
}

/** `/v2/<name>/tags/list`: pages, and a `Link` to the next one, only when there is a page size. */
export function answerTags({ content, rules, elsewhere, repository, rest }: ManifestPlace, { url }: Exchange): Answer {
  const known = content.repositories.get(repository);
  if (known === undefined || rest !== 'list') return refusal(404, 'NAME_UNKNOWN');
  const all = [...known.tags.keys()];
  const from = all.indexOf(url.searchParams.get('last') ?? '') + 1;
  const page = all.slice(from, from + (rules.pageSize ?? all.length));
  const path = `/v2/${repository}/tags/list?n=${rules.pageSize}&last=${page.at(-1)}`;
  const next = { relative: path, absolute: `${url.origin}${path}`, elsewhere: `http://${elsewhere}${path}` }[rules.link ?? 'relative'];
  const link = from + page.length < all.length ? { link: `<${next}>; rel="next"` } : {};
  return {
    status: 200,
    headers: { ...JSON_TYPE, ...link },
    body: JSON.stringify({ name: repository, tags: all.length === 0 ? null : page }),
  };
}

/** `/v2/<name>/referrers/<digest>`: an index, empty when nothing refers to it. */
export function answerReferrers({ content, rules: { referrers = 'none' }, repository, rest }: ManifestPlace): Answer {
  if (referrers === 'none') return { status: 404, body: '404 page not found' };
  const known = content.repositories.get(repository);
  const manifests = [...(known?.manifests ?? [])].flatMap(([digest, { bytes, type }]) => {
    const { subject, artifactType, config, annotations } = parseBody(bytes) ?? {};
    if (subject?.digest !== rest) return [];
    return [{ mediaType: type, digest, size: bytes.length, artifactType: artifactType ?? config?.mediaType, annotations }];
  });
  const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  return { status: 200, headers: { 'content-type': OCI_INDEX }, body };
}
