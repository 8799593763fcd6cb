// An image of two platforms with everything that can belong to one, shaped as cosign, oras and notation leave it. Rule: pushed and read by plain HTTP, with
// nothing of the code under test.

import { sha256 } from './registry-content.ts';
import { entryOf, type Pushed, pushBlob, pushImage, pushIndex, pushManifest } from './registry-push.ts';

export interface SignedImage {
  readonly repository: string;
  readonly tag: string;
  readonly index: Pushed;
  readonly amd64: Pushed;
  readonly arm64: Pushed;
  /** Digest by tag: signature and attestation of the index, list of contents of one platform, and a signature of a referrer. */
  readonly tags: Readonly<Record<string, string>>;
  /** What refers to what. */
  readonly referrers: readonly { readonly subject: string; readonly digest: string; readonly artifactType: string }[];
}

export interface Signing {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** Whether the registry lists referrers by itself; else the index at the fallback tag is pushed too. */
  readonly api: boolean;
}

const OCI = 'application/vnd.oci.image';
export const ANNOTATIONS = { 'org.example.made': 'test' };

/** Pushes the image with all that belongs to it. */
export async function pushSignedImage({ host, repository, tag, api }: Signing): Promise<SignedImage> {
  const target = { host };
  const amd64 = await pushImage(target, repository, {
    architecture: 'amd64',
    layers: [`${repository} base`, `${repository} ${tag} amd64`],
  });
  const arm64 = await pushImage(target, repository, {
    architecture: 'arm64',
    layers: [`${repository} base`, `${repository} ${tag} arm64`],
  });
  const entries = [entryOf(amd64, { os: 'linux', architecture: 'amd64' }), entryOf(arm64, { os: 'linux', architecture: 'arm64' })];
  const index = await pushIndex(target, repository, { tag, entries });
  const contents = await refer({ host, repository, api, subject: index, artifactType: 'application/spdx+json' });
  const bundle = await refer({ host, repository, api, subject: index, artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' });
  const notation = await refer({ host, repository, api, subject: arm64, artifactType: 'application/vnd.cncf.notary.signature' });
  const tags = await Promise.all([
    sign({ host, repository, subject: index.digest }),
    sign({ host, repository, subject: index.digest, kind: 'att' }),
    sign({ host, repository, subject: amd64.digest, kind: 'sbom' }),
    sign({ host, repository, subject: contents.digest }),
  ]);
  return { repository, tag, index, amd64, arm64, tags: Object.fromEntries(tags), referrers: [contents, bundle, notation] };
}

export interface CosignSigning {
  readonly host: string;
  readonly repository: string;
  readonly subject: string;
  readonly kind?: 'sig' | 'att' | 'sbom';
  /** Who signs; each adds a layer. */
  readonly signers?: readonly string[];
}

/** A manifest at cosign's tag, with one layer for each signer; gives tag and digest. */
export async function sign({
  host,
  repository,
  subject,
  kind = 'sig',
  signers = ['maintainer'],
}: CosignSigning): Promise<[string, string]> {
  const config = Buffer.from('{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}');
  const payload = Buffer.from(
    JSON.stringify({ critical: { image: { 'docker-manifest-digest': subject }, type: `cosign ${kind}` }, optional: null }),
  );
  for (const blob of [config, payload]) await pushBlob({ host }, repository, blob);
  const layers = signers.map((signer) => ({
    mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    digest: sha256(payload),
    size: payload.length,
    annotations: { 'dev.cosignproject.cosign/signature': Buffer.from(`${signer} ${subject}`).toString('base64') },
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: { mediaType: `${OCI}.config.v1+json`, digest: sha256(config), size: config.length },
    layers,
  };
  const tag = `${subject.replace(':', '-')}.${kind}`;
  return [tag, (await pushManifest({ host }, repository, { manifest, tag })).digest];
}

export interface Referring {
  readonly host: string;
  readonly repository: string;
  readonly api: boolean;
  readonly subject: Pick<Pushed, 'digest' | 'mediaType' | 'size'>;
  readonly artifactType: string;
}

/** A manifest with a subject, and where nobody else lists it, its entry in the index at the fallback tag. */
export async function refer({ host, repository, api, subject, artifactType }: Referring): Promise<SignedImage['referrers'][number]> {
  const [empty, content] = [Buffer.from('{}'), Buffer.from(`${artifactType} of ${subject.digest}`)];
  for (const blob of [empty, content]) await pushBlob({ host }, repository, blob);
  const manifest = {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    artifactType,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256(empty), size: empty.length },
    layers: [{ mediaType: artifactType, digest: sha256(content), size: content.length }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations: ANNOTATIONS,
  };
  const pushed = await pushManifest({ host }, repository, { manifest, tag: undefined });
  if (!api) {
    const tag = subject.digest.replace(':', '-');
    const listed = (await readIndex(host, repository, tag)) ?? [];
    const entry = { ...entryOf({ ...pushed, compressed: 0 }), artifactType, annotations: ANNOTATIONS };
    await pushIndex({ host }, repository, { tag, entries: [...listed, entry] });
  }
  return { subject: subject.digest, digest: pushed.digest, artifactType };
}

/** A list of referrers, as clients find it: from the registry, else in the index at the fallback tag. */
export async function listReferrers(host: string, repository: string, subject: string): Promise<readonly Record<string, unknown>[]> {
  const answer = await fetch(`http://${host}/v2/${repository}/referrers/${subject}`);
  const listed = answer.status === 200 ? ((await answer.json()) as { manifests: Record<string, unknown>[] }).manifests : [];
  if (answer.status !== 200) await answer.text();
  return listed.length > 0 ? listed : ((await readIndex(host, repository, subject.replace(':', '-'))) ?? []);
}

/** The digest of what a registry has under this tag or digest, hashed by hand; undefined when there is nothing, or a blob of it is missing. */
export async function digestAt(host: string, repository: string, reference: string): Promise<string | undefined> {
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, { headers: { accept: TYPES } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status !== 200) return undefined;
  const { config, layers = [] } = JSON.parse(bytes.toString('utf8')) as { config?: { digest: string }; layers?: { digest: string }[] };
  for (const { digest } of [...(config === undefined ? [] : [config]), ...layers]) {
    const blob = await fetch(`http://${host}/v2/${repository}/blobs/${digest}`);
    if (sha256(Buffer.from(await blob.arrayBuffer())) !== digest) return undefined;
  }
  return sha256(bytes);
}

async function readIndex(host: string, repository: string, tag: string): Promise<Record<string, unknown>[] | undefined> {
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept: TYPES } });
  const text = await answer.text();
  return answer.status === 200 ? (JSON.parse(text) as { manifests: Record<string, unknown>[] }).manifests : undefined;
}

const TYPES = `${OCI}.index.v1+json, ${OCI}.manifest.v1+json`;
