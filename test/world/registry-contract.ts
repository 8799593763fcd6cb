// What everything that images are read from and written to must do: registries over the network, and layouts on disk. Rule: one suite for all; a place differs
// only in what it says of itself.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { type ImageRef, pinImage } from '../../src/model/image.ts';
import { parseReferrers } from '../../src/model/referrer.ts';
import type { Blob, Registry, StoredManifest } from '../../src/model/registry.ts';
import { failure } from '../failure.ts';

export interface ContractPlace {
  /** A client that knows nothing of what others did. */
  readonly open: () => Registry;
  /** An empty repository, and another one of the same place. */
  readonly ref: ImageRef;
  readonly other: ImageRef;
  /** Spoils how this blob is delivered from now on, as a bad disk or proxy does; ends with `mend`. */
  readonly spoil: (ref: ImageRef, blob: Blob, how: 'changed' | 'cut') => Promise<void>;
  readonly mend: (ref: ImageRef, bytes: Buffer) => Promise<void>;
  readonly close: () => Promise<void>;
}

const OCI = 'application/vnd.oci.image';

/** The suite, for one kind of place. */
export function describeRegistryContract(name: string, start: () => Promise<ContractPlace>): void {
  describe(`the contract of registries: ${name}`, () => {
    let place: ContractPlace;
    beforeAll(async () => {
      place = await start();
    });
    afterAll(() => place.close());

    const push = async (content: string, tag?: string, to = place.ref): Promise<StoredManifest> => {
      const registry = place.open();
      const config = blobOf(Buffer.from(JSON.stringify({ os: 'linux', architecture: content, rootfs: { type: 'layers', diff_ids: [] } })));
      const layer = blobOf(Buffer.from(`layer of ${content}`));
      for (const blob of [config, layer]) await registry.putBlob(to, { blob, content: () => chunksOf(blob.bytes) });
      const manifest = manifestOf({
        mediaType: `${OCI}.manifest.v1+json`,
        config: { mediaType: `${OCI}.config.v1+json`, digest: config.digest, size: config.size },
        layers: [{ mediaType: `${OCI}.layer.v1.tar`, digest: layer.digest, size: layer.size }],
      });
      await registry.putManifest(tag === undefined ? to : { ...to, tag }, manifest);
      return manifest;
    };
    const read = async (blob: Blob, at = place.ref): Promise<Digest> => {
      const hash = createHash('sha256');
      for await (const chunk of place.open().readBlob(at, blob)) hash.update(chunk);
      return `sha256:${hash.digest('hex')}` as Digest;
    };
    const entry = ({ mediaType, digest, size }: StoredManifest, architecture: string): object => ({
      mediaType,
      digest,
      size,
      platform: { os: 'linux', architecture },
    });

    test('a manifest comes back by its tag and by its digest, byte for byte', async () => {
      const manifest = await push('amd64', '1.0');
      const registry = place.open();
      const byTag = await registry.readManifest({ ...place.ref, tag: '1.0' });
      const byDigest = await place.open().readManifest(pinImage(place.ref, manifest.digest));
      for (const found of [byTag, byDigest]) {
        expect(found.bytes.equals(manifest.bytes)).toBe(true);
        expect(found).toMatchObject({ digest: manifest.digest, mediaType: manifest.mediaType, size: manifest.size });
      }
      const { bytes: _, ...head } = manifest;
      expect(await registry.headManifest({ ...place.ref, tag: '1.0' })).toEqual(head);
      expect(await registry.headManifest(pinImage(place.ref, manifest.digest))).toEqual(head);
    });

    test('what is not there is undefined by HEAD, and E_NOT_FOUND with its name otherwise', async () => {
      await push('amd64', '1.0');
      const registry = place.open();
      const nothing = { ...place.ref, tag: 'nothing' };
      expect(await registry.headManifest(nothing)).toBeUndefined();
      expect(await registry.headManifest(pinImage(place.ref, digestOf('nothing')))).toBeUndefined();
      expect(await failure(registry.readManifest(nothing))).toMatchObject({
        code: 'E_NOT_FOUND',
        message: expect.stringContaining('nothing'),
      });
      expect(await failure(registry.listTags({ ...place.ref, repository: `${place.ref.repository}-nothing` }))).toMatchObject({
        code: 'E_NOT_FOUND',
      });
      const blob = { digest: digestOf('nothing'), size: 7 };
      expect(await registry.hasBlob(place.ref, blob)).toBe(false);
      expect(await failure(read(blob))).toMatchObject({ code: 'E_NOT_FOUND' });
    });

    test('a tag can be given to another manifest, and what it was stays by its digest', async () => {
      const first = await push('amd64', 'moving');
      const second = await push('arm64', 'moving');
      expect((await place.open().headManifest({ ...place.ref, tag: 'moving' }))?.digest).toBe(second.digest);
      expect((await place.open().headManifest(pinImage(place.ref, first.digest)))?.digest).toBe(first.digest);
    });

    test('all tags are listed, each once, and of this repository alone', async () => {
      const tagged = { ...place.ref, repository: `${place.ref.repository}-tags` };
      for (const tag of ['1.0', '1.1', 'latest', '1.0']) await push('amd64', tag, tagged);
      await push('amd64', 'elsewhere', { ...place.ref, repository: `${place.ref.repository}-tags-more` });
      expect([...(await place.open().listTags(tagged))].sort()).toEqual(['1.0', '1.1', 'latest']);
    });

    test('a blob is there when its bytes are, and comes back in full', async () => {
      const blob = blobOf(randomBytes(2_500_000));
      const registry = place.open();
      expect(await registry.hasBlob(place.ref, blob)).toBe(false);
      expect(await registry.putBlob(place.ref, { blob, content: () => chunksOf(blob.bytes) })).toBe('sent');
      expect(await place.open().hasBlob(place.ref, blob)).toBe(true);
      expect(await place.open().hasBlob(place.ref, { ...blob, size: blob.size + 1 })).toBe(false);
      expect(await read(blob)).toBe(blob.digest);
    });

    test('an empty blob is one too', async () => {
      const blob = blobOf(Buffer.alloc(0));
      await place.open().putBlob(place.ref, { blob, content: () => chunksOf(blob.bytes) });
      expect(await read(blob)).toBe(blob.digest);
    });

    test('bytes that are not the digest’s are never there under it', async () => {
      const blob = blobOf(randomBytes(300_000));
      const wrong = randomBytes(blob.size);
      await expect(place.open().putBlob(place.ref, { blob, content: () => chunksOf(wrong) })).rejects.toThrow();
      expect(await place.open().hasBlob(place.ref, blob)).toBe(false);
    });

    test('an upload that breaks off leaves nothing, and the next one completes it', async () => {
      const blob = blobOf(randomBytes(2_000_000));
      const broken = async function* (): AsyncGenerator<Buffer> {
        yield blob.bytes.subarray(0, 1_300_000);
        throw new Error('the cable was pulled');
      };
      await expect(place.open().putBlob(place.ref, { blob, content: broken })).rejects.toThrow('the cable was pulled');
      expect(await place.open().hasBlob(place.ref, blob)).toBe(false);
      await place.open().putBlob(place.ref, { blob, content: () => chunksOf(blob.bytes) });
      expect(await read(blob)).toBe(blob.digest);
    });

    test('two may bring the same blob at once, the slower one too', async () => {
      const blob = blobOf(randomBytes(1_500_000));
      const [one, other] = [place.open(), place.open()];
      let fast: Promise<unknown> = Promise.resolve();
      const slow = one.putBlob(place.ref, {
        blob,
        content: async function* () {
          yield blob.bytes.subarray(0, 1_200_000);
          fast = other.putBlob(place.ref, { blob, content: () => chunksOf(blob.bytes) });
          await fast;
          yield blob.bytes.subarray(1_200_000);
        },
      });
      await Promise.all([slow, slow.then(() => fast)]);
      expect(await read(blob)).toBe(blob.digest);
    });

    test.each(['changed', 'cut'] as const)('a blob that is %s on its way is refused before its end', async (how) => {
      const blob = blobOf(randomBytes(900_000));
      await place.open().putBlob(place.ref, { blob, content: () => chunksOf(blob.bytes) });
      await place.spoil(place.ref, blob, how);
      let came = 0;
      const reading = async (): Promise<void> => {
        for await (const chunk of place.open().readBlob(place.ref, blob)) came += chunk.length;
      };
      expect(await failure(reading())).toMatchObject({ code: expect.stringMatching(/^E_(DIGEST|NETWORK)$/) });
      expect(came).toBeLessThan(blob.size);
      await place.mend(place.ref, blob.bytes);
      expect(await read(blob)).toBe(blob.digest);
    });

    test('a blob of another repository is mounted, or need not be sent at all', async () => {
      const blob = blobOf(randomBytes(400_000));
      const registry = place.open();
      await registry.putBlob(place.ref, { blob, content: () => chunksOf(blob.bytes) });
      let asked = 0;
      const content = (): AsyncIterable<Buffer> => {
        asked += 1;
        return chunksOf(blob.bytes);
      };
      expect(await registry.putBlob(place.other, { blob, content, from: place.ref.repository })).toBe('mounted');
      expect(asked).toBe(0);
      expect(await read(blob, place.other)).toBe(blob.digest);
    });

    test('no manifest comes before what it names: neither a layer nor a child may be missing', async () => {
      const image = manifestOf({
        mediaType: `${OCI}.manifest.v1+json`,
        config: { mediaType: `${OCI}.config.v1+json`, digest: digestOf('{"missing":1}'), size: 13 },
        layers: [],
      });
      expect(await failure(place.open().putManifest({ ...place.ref, tag: 'half' }, image))).toMatchObject({ code: 'E_CONFLICT' });
      const index = manifestOf({ mediaType: `${OCI}.index.v1+json`, manifests: [entry(image, 'amd64')] });
      expect(await failure(place.open().putManifest({ ...place.ref, tag: 'half' }, index))).toMatchObject({ code: 'E_CONFLICT' });
      expect(await place.open().headManifest({ ...place.ref, tag: 'half' })).toBeUndefined();
    });

    test('an index gives the platforms of its images, each by its digest', async () => {
      const [amd, arm] = [await push('amd64'), await push('arm64')];
      const index = manifestOf({ mediaType: `${OCI}.index.v1+json`, manifests: [entry(amd, 'amd64'), entry(arm, 'arm64')] });
      await place.open().putManifest({ ...place.ref, tag: 'multi' }, index);
      const resolved = await place.open().resolveManifest({ ...place.ref, tag: 'multi' });
      expect(resolved).toMatchObject({ digest: index.digest, platforms: ['linux/amd64', 'linux/arm64'] });
      expect((await place.open().readManifest(pinImage(place.ref, arm.digest))).bytes.equals(arm.bytes)).toBe(true);
    });

    test('what refers to a manifest is listed once, by the place itself or in the index at the fallback tag', async () => {
      const subject = await push('amd64', 'signed');
      const config = blobOf(Buffer.from('{}'));
      await place.open().putBlob(place.ref, { blob: config, content: () => chunksOf(config.bytes) });
      const referrers = ['a', 'b', 'c'].map((kind) =>
        manifestOf({
          mediaType: `${OCI}.manifest.v1+json`,
          artifactType: `application/vnd.example.${kind}`,
          config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: config.digest, size: 2 },
          layers: [],
          subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
          annotations: { kind },
        }),
      );
      const registry = place.open();
      await Promise.all(referrers.map((manifest) => registry.putReferrer(place.ref, manifest, subject.digest)));
      await place.open().putReferrer(place.ref, referrers[0] as StoredManifest, subject.digest);
      const listed = await place.open().listReferrers(pinImage(place.ref, subject.digest));
      const tag = `sha256-${subject.digest.slice('sha256:'.length)}`;
      const where = `${place.ref.repository}:${tag}`;
      const found = listed ?? parseReferrers((await place.open().readManifest({ ...place.ref, tag })).bytes, where);
      expect(found.map(({ digest }) => digest).sort()).toEqual(referrers.map(({ digest }) => digest).sort());
      if (listed === undefined) {
        const { manifests } = JSON.parse((await place.open().readManifest({ ...place.ref, tag })).bytes.toString()) as {
          manifests: object[];
        };
        expect(manifests).toContainEqual(
          expect.objectContaining({ artifactType: 'application/vnd.example.a', annotations: { kind: 'a' } }),
        );
      }
    });

    test('one image gives the platform of its configuration', async () => {
      await push('riscv64', 'single');
      expect((await place.open().resolveManifest({ ...place.ref, tag: 'single' })).platforms).toEqual(['linux/riscv64']);
    });

    test('whether one may write is answered before anything is written', async () => {
      const untouched = { ...place.ref, repository: `${place.ref.repository}-untouched` };
      await place.open().checkPush(untouched);
      expect(await failure(place.open().listTags(untouched))).toMatchObject({ code: 'E_NOT_FOUND' });
    });
  });
}

function blobOf(bytes: Buffer): Blob & { readonly bytes: Buffer } {
  return { digest: digestOf(bytes), size: bytes.length, bytes };
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

function manifestOf(body: { readonly mediaType: string; readonly [field: string]: unknown }): StoredManifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...body }, null, 3)); // an odd indent: whoever writes it again gets another digest
  return { bytes, digest: digestOf(bytes), size: bytes.length, mediaType: body.mediaType };
}
