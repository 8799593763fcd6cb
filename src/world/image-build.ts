// Building and pushing images through docker's command line. Rule: argv are built as data; no secret is in them, and the build runs until it ends or is asked to stop.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, parseDigest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { printImageRef } from '../model/image.ts';
import type { Builder, ImageToBuild } from '../model/image-build.ts';
import { parseFields, parseJson } from '../model/parse.ts';
import type { RunResult, World } from '../model/seams.ts';
import { dockerEnvironment } from './docker.ts';

/** One build, with everything that it needs filled in. */
export interface BuildCall {
  readonly root: string;
  readonly builder: Builder;
  readonly image: ImageToBuild;
  readonly push: boolean;
  /** Build arguments without placeholders. */
  readonly args: Readonly<Record<string, string>>;
  /** What each needed image is known as to the Dockerfile: a name, and where it is. */
  readonly contexts: readonly { readonly name: string; readonly from: string }[];
  /** A folder for the image where it is neither pushed nor loaded; for images that need it. */
  readonly layout?: string;
  /** Where buildx writes what it built. */
  readonly metadata: string;
  readonly onLine: (line: string) => void;
}

/** Extra environment of a build: what buildx and the CI's cache are told by. */
const BUILD_ENVIRONMENT =
  /^(BUILDX_.*|BUILDKIT_.*|ACTIONS_(CACHE|RESULTS)_URL|ACTIONS_RUNTIME_TOKEN|ACTIONS_CACHE_SERVICE_V2|SOURCE_DATE_EPOCH)$/;
const MOST_METADATA_BYTES = 4 * 1024 * 1024;

/** The tagged names of an image, in the order of its tags. */
export function taggedNames({ image, tags }: Pick<ImageToBuild, 'image' | 'tags'>): string[] {
  return tags.map((tag) => printImageRef({ ...image, tag }));
}

/** Builds, and pushes with every tag; gives the digest that was pushed. Throws E_COMMAND when docker fails, and E_INTERRUPTED when it was asked to stop. */
export async function buildImage(call: BuildCall, world: World): Promise<Digest | null> {
  return call.builder.kind === 'buildx' ? buildWithBuildx(call, world) : buildPlainly(call, world);
}

async function buildWithBuildx(call: BuildCall, world: World): Promise<Digest | null> {
  await rm(call.metadata, { force: true });
  await runBuild(buildxArgv(call, world.env), call, world);
  if (!call.push && call.layout === undefined) return null;
  return readDigest(call);
}

async function buildPlainly(call: BuildCall, world: World): Promise<Digest | null> {
  await runBuild(buildArgv(call), call, world);
  if (!call.push) return null;
  let digest: string | undefined;
  for (const name of taggedNames(call.image)) {
    const { stdout } = await runBuild(['docker', 'push', name], call, world);
    digest = /\bdigest: (sha256:[0-9a-f]{64})\b/.exec(stdout)?.[1];
  }
  return parseDigest(digest, `what docker push said of ${call.image.name}`);
}

/** `docker buildx build` for this image. Provenance and SBOM are off: they would give equal images another digest each time. */
export function buildxArgv({ root, builder, image, push, args, contexts, layout, metadata }: BuildCall, env: World['env']): string[] {
  const named = builder.kind === 'buildx' && builder.name !== undefined ? ['--builder', builder.name] : [];
  const platforms = platformsFor(builder, image, push);
  return [
    ...['docker', 'buildx', 'build', ...named, '--progress', 'plain', '--provenance=false', '--sbom=false'],
    ...sharedWords({ root, image, args }),
    ...(platforms.length === 0 ? [] : ['--platform', platforms.join(',')]),
    ...contexts.flatMap(({ name, from }) => ['--build-context', `${name}=${from}`]),
    ...cacheWords({ builder, image, push }, env),
    ...['--metadata-file', metadata],
    ...outputWords({ push, layout, several: platforms.length > 1 }),
    join(root, image.context),
  ];
}

/** Plain `docker build`, which knows one platform and no further contexts. */
export function buildArgv({ root, image, args, builder }: BuildCall): string[] {
  const [platform] = platformsFor(builder, image, false);
  return [
    'docker',
    'build',
    ...sharedWords({ root, image, args }),
    ...(platform === undefined ? [] : ['--platform', platform]),
    join(root, image.context),
  ];
}

/** Only a push is for all platforms where the builder loads one image into the engine. */
export function platformsFor(builder: Builder, { platforms }: Pick<ImageToBuild, 'platforms'>, push: boolean): readonly string[] {
  if (push || platforms.length < 2) return platforms;
  if (builder.kind === 'buildx' && builder.driver !== 'docker') return platforms;
  return platforms.includes(builder.platform) ? [builder.platform] : platforms.slice(0, 1);
}

function sharedWords({ root, image, args }: Pick<BuildCall, 'root' | 'image' | 'args'>): string[] {
  return [
    ...['--file', join(root, image.dockerfile)],
    ...(image.target === undefined ? [] : ['--target', image.target]),
    ...Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...Object.entries(image.labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ...taggedNames(image).flatMap((name) => ['--tag', name]),
  ];
}

function outputWords({ push, layout, several }: { push: boolean; layout: string | undefined; several: boolean }): string[] {
  if (push) return ['--push'];
  if (layout !== undefined) return ['--output', `type=oci,dest=${layout},tar=false`];
  return several ? ['--output', 'type=cacheonly'] : ['--load'];
}

/** The registry's cache is a tag beside the image; the engine's own builder can read one, and write none. */
function cacheWords({ builder, image, push }: Pick<BuildCall, 'builder' | 'image' | 'push'>, env: World['env']): string[] {
  const writes = builder.kind === 'buildx' && builder.driver !== 'docker';
  if (image.cache === 'registry') {
    const ref = printImageRef({ ...image.image, tag: 'buildcache' });
    const to = writes && push ? ['--cache-to', `type=registry,ref=${ref},mode=max`] : [];
    return ['--cache-from', `type=registry,ref=${ref}`, ...to];
  }
  if (image.cache !== 'gha' || !writes || env.ACTIONS_RUNTIME_TOKEN === undefined) return [];
  return ['--cache-from', `type=gha,scope=${image.name}`, '--cache-to', `type=gha,scope=${image.name},mode=max`];
}

async function runBuild(argv: readonly string[], call: BuildCall, world: World): Promise<RunResult> {
  const extra = Object.entries(world.env).filter(([name, value]) => value !== undefined && BUILD_ENVIRONMENT.test(name));
  const classic = call.builder.kind === 'docker' ? { DOCKER_BUILDKIT: '0' } : {};
  const env = { ...dockerEnvironment(world.env), ...Object.fromEntries(extra), ...classic };
  const result = await world.run(argv, { cwd: call.root, env, onLine: call.onLine, stop: world.stop });
  if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', `${call.image.name} was interrupted`);
  if (result.code === 0) return result;
  const said = (result.stderr || result.stdout).trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  const command = argv.slice(0, argv[1] === 'buildx' ? 3 : 2).join(' ');
  throw new ToolError('E_COMMAND', `${command} ended with ${result.code}: ${said}`, { hint: 'Its output says why.' });
}

async function readDigest({ metadata, image }: BuildCall): Promise<Digest> {
  const where = `what buildx said of ${image.name}`;
  const text = (await readFile(metadata)).subarray(0, MOST_METADATA_BYTES).toString('utf8');
  return parseDigest(parseFields(parseJson(text, where), where)['containerimage.digest'], where);
}
