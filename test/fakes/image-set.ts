// A realistic set of images in a registry: 36 of many platforms, sharing layers, some of them odd. Rule: nothing of the code under test; bytes
// are made while they are sent.
import { type LayerUploads, newLayerUploads, type PushedLayer, provideLayer } from './image-set-layer-upload.ts';
import { type ImagePlan, type PlatformPlan, planImageSet } from './image-set-plan.ts';
import { sha256 } from './registry-content.ts';
import { entryOf, type Pushed, pushBlob, pushManifest } from './registry-push.ts';

export interface ImageSetOptions {
  /** `host:port`, spoken to without encryption. */
  readonly registry: string;
  /** About how many unique bytes the set has. */
  readonly scale: number;
  readonly seed?: string;
  /** Where an image goes; `<upstream host>/<repository>` by default. */
  readonly repository?: (image: { readonly source: string; readonly as?: string }) => string;
  /** False: without the index inside an index, which skopeo does not copy. */
  readonly nested?: boolean;
  /** The Authorization header of all requests. */
  readonly authorization?: string;
}

export interface SetBlob {
  readonly digest: string;
  readonly size: number;
}

export interface PushedSetImage {
  readonly group: ImagePlan['group'];
  /** Upstream, `host/repository:tag`, and the name to take where its last segment would not do. */
  readonly source: string;
  readonly as?: string;
  readonly kind: ImagePlan['kind'];
  readonly repository: string;
  readonly tag: string;
  /** Where it is: `registry/repository:tag`. */
  readonly reference: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly platforms: readonly string[];
  /** Of all its blobs, each once. */
  readonly bytes: number;
  readonly blobs: readonly SetBlob[];
  /** Digests of all its manifests, its own last. */
  readonly manifests: readonly string[];
}

export interface PushedImageSet {
  readonly images: readonly PushedSetImage[];
  /** Bytes of all blobs, each once; and as often as a repository needs them. */
  readonly uniqueBytes: number;
  readonly repositoryBytes: number;
  readonly blobs: readonly SetBlob[];
  /** The image with a cosign signature at `sha256-<hex>.sig`, and the one that another manifest refers to. */
  readonly signed: { readonly reference: string; readonly tag: string; readonly digest: string };
  readonly referred: { readonly reference: string; readonly referrer: string; readonly fallbackTag: string };
}

interface Pushing extends ImageSetOptions {
  readonly layers: LayerUploads;
}

interface Place {
  readonly repository: string;
  readonly tag: string;
  readonly types: typeof OCI | typeof DOCKER;
}

/** What one image leaves behind. */
interface Part extends Pushed {
  readonly blobs: readonly SetBlob[];
  readonly manifests: readonly string[];
}

const OCI = {
  index: 'application/vnd.oci.image.index.v1+json',
  image: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};
const DOCKER = {
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  image: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};
const AT_ONCE = 6;
const SIGNED = 'docker.io/gitea/gitea:1.24.6';
const REFERRED = 'docker.io/grafana/grafana:12.1.1';

/** Pushes the set; what is shared is uploaded once and mounted elsewhere. */
export async function pushImageSet(options: ImageSetOptions): Promise<PushedImageSet> {
  const pushing: Pushing = { ...options, layers: newLayerUploads(options, AT_ONCE) };
  try {
    const plans = planImageSet({ bytes: options.scale, seed: options.seed ?? 'slipway' });
    const images = await inOrder(plans, (plan) => pushSetImage(pushing, plan));
    const [signed, referred] = [await sign(pushing, sourced(images, SIGNED)), await refer(pushing, sourced(images, REFERRED))];
    const blobs = distinct(images.flatMap((image) => image.blobs));
    return {
      images,
      uniqueBytes: sizeOf(blobs),
      repositoryBytes: images.reduce((sum, { bytes }) => sum + bytes, 0),
      blobs,
      signed,
      referred,
    };
  } finally {
    pushing.layers.close();
  }
}

/** `images.thirdParty` of a product that takes the set from where it was pushed. */
export function thirdPartyOf({ images }: Pick<PushedImageSet, 'images'>): Record<string, ({ source: string; as: string } | string)[]> {
  const groups: Record<string, ({ source: string; as: string } | string)[]> = {};
  for (const { group, reference, as } of images) {
    const entries = groups[group] ?? [];
    groups[group] = entries;
    entries.push(as === undefined ? reference : { source: reference, as });
  }
  return groups;
}

async function pushSetImage(pushing: Pushing, plan: ImagePlan): Promise<PushedSetImage> {
  const [, upstream = '', tag = ''] = /^(.+):([^:]+)$/.exec(plan.source) ?? [];
  const repository = pushing.repository?.(plan) ?? upstream;
  const place: Place = { repository, tag, types: plan.kind === 'docker' ? DOCKER : OCI };
  const top =
    plan.kind === 'single' ? await pushPlatform(pushing, place, { plan, index: 0, tag }) : await pushPlatforms(pushing, place, plan);
  const blobs = distinct(top.blobs);
  return {
    ...{ group: plan.group, source: plan.source, kind: plan.kind, repository, tag, platforms: plan.platforms },
    ...(plan.as === undefined ? {} : { as: plan.as }),
    reference: `${pushing.registry}/${repository}:${tag}`,
    digest: top.digest,
    mediaType: top.mediaType,
    bytes: sizeOf(blobs),
    blobs,
    manifests: top.manifests,
  };
}

async function pushPlatforms(pushing: Pushing, place: Place, plan: ImagePlan): Promise<Part> {
  const children: { readonly part: Part; readonly entry: Record<string, unknown> }[] = [];
  for (const [index, { platform }] of plan.contents.entries()) {
    const part = await pushPlatform(pushing, place, { plan, index });
    children.push({ part, entry: entryOf(part, platformFields(platform)) });
    if (plan.kind === 'attested') children.push(await attest(pushing, place, part));
  }
  const isNested = plan.kind === 'nested' && pushing.nested !== false;
  const inner = isNested ? await pushIndex(pushing, place, { children: children.slice(0, -1) }) : undefined;
  const outer = inner === undefined ? children : [{ part: inner, entry: entryOf(inner) }, ...children.slice(-1)];
  return pushIndex(pushing, place, { children: outer, tag: place.tag });
}

async function pushIndex(
  pushing: Pushing,
  { repository, types }: Place,
  { children, tag }: { readonly children: readonly { readonly part: Part; readonly entry: object }[]; readonly tag?: string },
): Promise<Part> {
  const manifest = { schemaVersion: 2, mediaType: types.index, manifests: children.map(({ entry }) => entry) };
  const pushed = await pushManifest(targetOf(pushing), repository, { manifest, tag });
  const parts = children.map(({ part }) => part);
  return {
    ...{ ...pushed, compressed: 0 },
    blobs: distinct(parts.flatMap(({ blobs }) => blobs)),
    manifests: [...parts.flatMap(({ manifests }) => manifests), pushed.digest],
  };
}

async function pushPlatform(
  pushing: Pushing,
  { repository, types }: Place,
  { plan, index, tag }: { readonly plan: ImagePlan; readonly index: number; readonly tag?: string },
): Promise<Part> {
  const { platform, layers: plans } = plan.contents[index] as PlatformPlan;
  const layers: PushedLayer[] = [];
  for (const layer of plans) layers.push(await provideLayer(pushing.layers, repository, layer));
  const config = {
    ...{
      ...platformFields(platform),
      created: '2025-01-01T00:00:00Z',
      config: { Labels: { 'org.opencontainers.image.source': plan.source } },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map((_, number) => ({ created_by: `step ${number}` })),
  };
  const parts = layers.map(({ digest, size }) => ({ mediaType: types.layer, digest, size }));
  return pushArtifact(pushing, repository, {
    config: { bytes: Buffer.from(JSON.stringify(config)), type: types.config },
    layers: parts,
    type: types.image,
    tag,
  });
}

/** BuildKit's attestation beside an image, on the platform unknown/unknown. */
async function attest(pushing: Pushing, { repository }: Place, subject: Part): Promise<{ part: Part; entry: Record<string, unknown> }> {
  const statement = Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v0.1', subject: [{ digest: subject.digest }] }));
  const part = await pushSmall(pushing, repository, { bytes: statement, type: 'application/vnd.in-toto+json' });
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': subject.digest };
  return { part, entry: { ...entryOf(part, { os: 'unknown', architecture: 'unknown' }), annotations } };
}

async function sign(pushing: Pushing, image: PushedSetImage): Promise<PushedImageSet['signed']> {
  const tag = `${image.digest.replace(':', '-')}.sig`;
  const payload = Buffer.from(JSON.stringify({ critical: { image: { 'docker-manifest-digest': image.digest } }, optional: null }));
  const { digest } = await pushSmall(pushing, image.repository, {
    bytes: payload,
    type: 'application/vnd.dev.cosign.simplesigning.v1+json',
    tag,
  });
  return { reference: image.reference, tag, digest };
}

/** A manifest with a subject; and, for registries that do not list those, the index at the fallback tag (distribution-spec: Referrers Tag Schema). */
async function refer(pushing: Pushing, image: PushedSetImage): Promise<PushedImageSet['referred']> {
  const subject = { mediaType: image.mediaType, digest: image.digest, size: await manifestSize(pushing, image) };
  const artifactType = 'application/spdx+json';
  const more = { artifactType, subject, annotations: { 'org.example.made': 'test' } };
  const part = await pushSmall(pushing, image.repository, { bytes: Buffer.from('{"spdxVersion":"SPDX-2.3"}'), type: artifactType, more });
  const entry = { ...entryOf(part), artifactType, annotations: more.annotations };
  const fallbackTag = image.digest.replace(':', '-');
  const manifest = { schemaVersion: 2, mediaType: OCI.index, manifests: [entry] };
  await pushManifest(targetOf(pushing), image.repository, { manifest, tag: fallbackTag });
  return { reference: image.reference, referrer: part.digest, fallbackTag };
}

async function manifestSize(pushing: Pushing, { repository, digest, mediaType }: PushedSetImage): Promise<number> {
  const url = `http://${pushing.registry}/v2/${repository}/manifests/${digest}`;
  const answer = await fetch(url, { method: 'HEAD', headers: { ...authorizationOf(pushing), accept: mediaType } });
  return Number(answer.headers.get('content-length'));
}

interface Small {
  readonly bytes: Buffer;
  readonly type: string;
  readonly tag?: string;
  readonly more?: object;
}

async function pushSmall(pushing: Pushing, repository: string, { bytes, type, tag, more }: Small): Promise<Part> {
  await pushBlob(targetOf(pushing), repository, bytes);
  const config = {
    bytes: Buffer.from('{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}'),
    type: OCI.config,
  };
  const layers = [{ mediaType: type, digest: sha256(bytes), size: bytes.length }];
  return pushArtifact(pushing, repository, { config, layers, type: OCI.image, tag, more });
}

interface Artifact {
  readonly config: { readonly bytes: Buffer; readonly type: string };
  readonly layers: readonly (SetBlob & { readonly mediaType: string })[];
  readonly type: string;
  readonly tag: string | undefined;
  readonly more?: object | undefined;
}

async function pushArtifact(pushing: Pushing, repository: string, { config, layers, type, tag, more }: Artifact): Promise<Part> {
  await pushBlob(targetOf(pushing), repository, config.bytes);
  const described = { mediaType: config.type, digest: sha256(config.bytes), size: config.bytes.length };
  const manifest = { schemaVersion: 2, mediaType: type, config: described, layers, ...more };
  const pushed = await pushManifest(targetOf(pushing), repository, { manifest, tag });
  const blobs = distinct([described, ...layers].map(({ digest, size }) => ({ digest, size })));
  return { ...pushed, compressed: sizeOf(blobs), blobs, manifests: [pushed.digest] };
}

/** As many as are worth it at once; the results in the order of the list. */
async function inOrder<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = list.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

function sourced(images: readonly PushedSetImage[], source: string): PushedSetImage {
  const found = images.find((image) => image.source === source);
  if (found === undefined) throw new Error(`the set has no ${source}`);
  return found;
}

function platformFields(platform: string): Record<string, string> {
  const [os = '', architecture = '', variant] = platform.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

function targetOf({ registry, authorization }: Pushing): { host: string; authorization?: string } {
  return { host: registry, ...(authorization === undefined ? {} : { authorization }) };
}

function authorizationOf({ authorization }: Pushing): Record<string, string> {
  return authorization === undefined ? {} : { authorization };
}

function distinct(blobs: readonly SetBlob[]): SetBlob[] {
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}

function sizeOf(blobs: readonly SetBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
