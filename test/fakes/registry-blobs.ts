// Blobs of a fake registry (distribution-spec 1.1). Rule: a blob is there when all its bytes came and have its digest; an address of an upload
// that has been used is worth nothing any more.
import { type Answer, type Exchange, refusal } from './registry-answer.ts';
import { appendTo, beginUpload, type RegistryContent, repositoryOf, sha256, type Upload } from './registry-content.ts';

export interface BlobRules {
  /** Blobs are answered with a redirect to another host, as S3 behind a registry. */
  readonly blobsElsewhere?: boolean;
  /** `session`: a mount is always answered with 202 and an upload, whatever is there. */
  readonly mounts?: 'done' | 'session';
  /** How the address of an upload is given: whole, as a path (both with a query), or whole without a query. */
  readonly location?: 'absolute' | 'relative' | 'plain';
  /** Parts of uploads that are smaller, and not the last one, are refused; told in OCI-Chunk-Min-Length. */
  readonly leastPart?: number;
  /** Parts are answered with 202 and thrown away, as ECR does with all after the first. */
  readonly losesParts?: boolean;
}

export interface BlobPlace {
  readonly content: RegistryContent;
  readonly rules: BlobRules;
  /** `host:port` of the storage. */
  readonly elsewhere: string;
  readonly repository: string;
  /** A digest, or `uploads/…`. */
  readonly rest: string;
}

/** `/v2/<name>/blobs/…` */
export function answerBlob(place: BlobPlace, exchange: Exchange): Answer {
  if (place.rest === 'uploads/' && exchange.method === 'POST') return begin(place, exchange);
  if (place.rest.startsWith('uploads/')) return continueUpload(place, exchange);
  const bytes = place.content.repositories.get(place.repository)?.blobs.get(place.rest);
  if (exchange.method === 'DELETE') return refusal(405, 'UNSUPPORTED');
  if (bytes === undefined) return refusal(404, 'BLOB_UNKNOWN');
  const location = `http://${place.elsewhere}/${place.repository}/${place.rest}?signature=secret`;
  if (place.rules.blobsElsewhere) return { status: 307, headers: { location } };
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': place.rest, 'accept-ranges': 'bytes' };
  return rangeOf(bytes, exchange, headers);
}

/** Whole, or from the first byte of `Range: bytes=<n>-`. */
export function rangeOf(bytes: Buffer, { headers: { range } }: Exchange, headers: Record<string, string>): Answer {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? Number.NaN);
  if (Number.isNaN(start)) return { status: 200, headers, body: bytes };
  if (start >= bytes.length) return refusal(416, 'RANGE_INVALID', { 'content-range': `bytes */${bytes.length}` });
  const range206 = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  return { status: 206, headers: { ...headers, 'content-range': range206 }, body: bytes.subarray(start) };
}

/** The upload that a request continues; undefined when its address is not the newest. */
export function uploadOf({ content, rules, repository, rest }: BlobPlace, url: URL): Upload | undefined {
  const upload = content.uploads.get(rest.slice('uploads/'.length));
  const isNewest = rules.location === 'plain' || url.searchParams.get('_state') === stateOf(rest.slice('uploads/'.length), upload);
  return upload?.repository === repository && isNewest ? upload : undefined;
}

/** `?digest=` in the POST is overlooked, as docker-registry does. */
function begin(place: BlobPlace, { url }: Exchange): Answer {
  const { content, rules, repository } = place;
  const digest = url.searchParams.get('mount') ?? '';
  const bytes = content.repositories.get(url.searchParams.get('from') ?? '')?.blobs.get(digest);
  if (bytes !== undefined && rules.mounts !== 'session') return store(place, digest, bytes);
  return accepted(place, url, { name: beginUpload(content, repository), status: 202 });
}

function continueUpload(place: BlobPlace, exchange: Exchange): Answer {
  const name = place.rest.slice('uploads/'.length);
  const upload = uploadOf(place, exchange.url);
  if (upload === undefined) return refusal(404, 'BLOB_UPLOAD_INVALID');
  if (exchange.method === 'GET') return accepted(place, exchange.url, { name, status: 204 });
  if (exchange.method === 'PUT') return finish(place, exchange, { name, upload });
  if (exchange.method === 'PATCH') return append(place, exchange, { name, upload });
  if (exchange.method !== 'DELETE') return refusal(405, 'UNSUPPORTED');
  place.content.uploads.delete(name);
  return { status: 204 };
}

function append(place: BlobPlace, { url, headers, body }: Exchange, { name, upload }: { name: string; upload: Upload }): Answer {
  const start = /^(\d+)-\d+$/.exec(headers['content-range'] ?? '')?.[1];
  if (headers['content-range'] !== undefined && Number(start) !== upload.size) return refusal(416, 'RANGE_INVALID');
  if (upload.short === true) return refusal(400, 'SIZE_INVALID');
  upload.short = body.length < (place.rules.leastPart ?? 0);
  if (place.rules.losesParts !== true || upload.size === 0) appendTo(upload, body);
  return accepted(place, url, { name, status: 202 });
}

function finish(place: BlobPlace, { url, body }: Exchange, { name, upload }: { name: string; upload: Upload }): Answer {
  const digest = url.searchParams.get('digest') ?? '';
  const bytes = Buffer.concat([...upload.chunks, body]);
  place.content.uploads.delete(name);
  return sha256(bytes) === digest ? store(place, digest, bytes) : refusal(400, 'DIGEST_INVALID');
}

function store({ content, repository }: BlobPlace, digest: string, bytes: Buffer): Answer {
  repositoryOf(content, repository).blobs.set(digest, bytes);
  return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest } };
}

function accepted({ content, rules, repository }: BlobPlace, { origin }: URL, { name, status }: { name: string; status: number }): Answer {
  const upload = content.uploads.get(name);
  const path = `/v2/${repository}/blobs/uploads/${name}`;
  const query = `?_state=${stateOf(name, upload)}`;
  const location = { absolute: `${origin}${path}${query}`, relative: `${path}${query}`, plain: `${origin}${path}` }[
    rules.location ?? 'absolute'
  ];
  const least = rules.leastPart === undefined ? {} : { 'oci-chunk-min-length': String(rules.leastPart) };
  const range = `0-${Math.max((upload?.size ?? 0) - 1, 0)}`;
  return { status, headers: { location, 'docker-upload-uuid': name, range, ...least } };
}

/** Changes with every byte, as the signed state of docker-registry. */
function stateOf(name: string, upload: Upload | undefined): string {
  return Buffer.from(`${name} ${upload?.size}`).toString('base64url');
}
