// Pushes small images made by hand to a registry, over plain HTTP. Rule: nothing of the code under test.
import { createHash } from 'node:crypto';

export interface PushTarget {
  readonly host: string;
  /** The Authorization header for this repository. */
  readonly authorization?: string;
}

export interface Pushed {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  /** Configuration and layers. */
  readonly compressed: number;
}

export interface ImageContent {
  readonly os?: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly layers: readonly string[];
  readonly format?: 'oci' | 'docker';
  readonly labels?: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created?: string;
}

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

/** Pushes an image; without a tag it is there by digest only. */
export async function pushImage(
  target: PushTarget,
  repository: string,
  content: ImageContent & { readonly tag?: string },
): Promise<Pushed> {
  const docker = content.format === 'docker';
  const { os = 'linux', architecture, variant, created, labels } = content;
  const own = labels === undefined ? {} : { Labels: labels };
  const config = Buffer.from(JSON.stringify({ os, architecture, variant, created, config: own, rootfs: { type: 'layers', diff_ids: [] } }));
  const layers = content.layers.map((layer) => Buffer.from(layer));
  for (const blob of [config, ...layers]) await pushBlob(target, repository, blob);
  const manifest = {
    schemaVersion: 2,
    mediaType: docker ? `${DOCKER}.distribution.manifest.v2+json` : `${OCI}.manifest.v1+json`,
    config: {
      mediaType: docker ? `${DOCKER}.container.image.v1+json` : `${OCI}.config.v1+json`,
      digest: digest(config),
      size: config.length,
    },
    layers: layers.map((layer) => ({
      mediaType: docker ? `${DOCKER}.image.rootfs.diff.tar.gzip` : `${OCI}.layer.v1.tar+gzip`,
      digest: digest(layer),
      size: layer.length,
    })),
  };
  const unique = new Map([config, ...layers].map((blob) => [digest(blob), blob.length]));
  const compressed = [...unique.values()].reduce((sum, size) => sum + size, 0);
  return { ...(await pushManifest(target, repository, { manifest, tag: content.tag })), compressed };
}

/** Pushes an index over images that are there. */
export async function pushIndex(
  target: PushTarget,
  repository: string,
  { tag, entries }: { readonly tag?: string; readonly entries: readonly Record<string, unknown>[] },
): Promise<Pushed> {
  const manifest = { schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: entries };
  return { ...(await pushManifest(target, repository, { manifest, tag })), compressed: 0 };
}

/** The entry of an index for a pushed image. */
export function entryOf({ digest, mediaType, size }: Pushed, platform?: Record<string, string>): Record<string, unknown> {
  return { digest, mediaType, size, ...(platform === undefined ? {} : { platform }) };
}

/** Puts a manifest of any kind, at its tag or its digest. */
export async function pushManifest(
  { host, authorization }: PushTarget,
  repository: string,
  { manifest, tag }: { readonly manifest: { readonly mediaType: string }; readonly tag: string | undefined },
): Promise<Omit<Pushed, 'compressed'>> {
  const bytes = Buffer.from(JSON.stringify(manifest, null, 3)); // an odd indent: whoever writes it again gets another digest
  const headers = { 'content-type': manifest.mediaType, ...(authorization === undefined ? {} : { authorization }) };
  const url = `http://${host}/v2/${repository}/manifests/${tag ?? digest(bytes)}`;
  await expectStatus(await fetch(url, { method: 'PUT', headers, body: bytes }), 201);
  return { digest: digest(bytes), mediaType: manifest.mediaType, size: bytes.length };
}

/** Uploads a small blob. */
export async function pushBlob({ host, authorization }: PushTarget, repository: string, bytes: Buffer): Promise<void> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const begun = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers });
  await expectStatus(begun, 202);
  const place = new URL(begun.headers.get('location') ?? '', `http://${host}`);
  const url = `${place.href}${place.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest(bytes))}`;
  await expectStatus(
    await fetch(url, { method: 'PUT', headers: { ...headers, 'content-type': 'application/octet-stream' }, body: new Uint8Array(bytes) }),
    201,
  );
}

async function expectStatus(response: Response, status: number): Promise<void> {
  const text = await response.text();
  if (response.status !== status) throw new Error(`${response.url}: HTTP ${response.status} instead of ${status}: ${text}`);
}

function digest(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
