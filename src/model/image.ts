// The name of an image. Rule: parsed once, by Docker's own grammar (distribution/reference); past that a typed value, never a string.
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { parseText } from './parse.ts';

/** A normalised image name: `nginx` is `{ registry: 'docker.io', repository: 'library/nginx' }`. Without tag and digest Docker means `latest`. */
export interface ImageRef {
  /** A host, or `oci:/folder` for an OCI image layout on disk, which no text is parsed as. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** A place that holds images: a registry and a path in it, which may be empty. */
export interface ImageHome {
  readonly registry: string;
  readonly path: string;
}

/** What a registry said about one image of the product. */
export interface ResolvedImage {
  readonly name: string;
  readonly reference: ImageRef;
  readonly digest: Digest;
  /** `os/architecture[/variant]`, sorted. */
  readonly platforms: readonly string[];
  /** Compressed bytes of the largest platform. */
  readonly size: number;
  /** What each platform is made of; absent where a lock answered. */
  readonly parts?: readonly PlatformParts[];
}

/** Configuration and layers of an image for one platform. */
export interface PlatformParts {
  readonly platform: string;
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const LONGEST_NAME = 255;
const HUB = 'docker.io';

/** Parses `[registry/]repository[:tag][@digest]` with Docker's defaults; throws E_FORMAT that begins with `where`. */
export function parseImageRef(value: unknown, where: string): ImageRef {
  const text = parseText(value, where);
  const [named = '', digest, ...more] = text.split('@');
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const name = splitHost(tagged ? named.slice(0, colon) : named);
  const tag = tagged ? named.slice(colon + 1) : undefined;
  const problem = more.length > 0 ? 'it holds more than one @' : (nameProblem(name) ?? tagProblem(tag));
  if (problem !== undefined) throw refusal(where, text, problem);
  return {
    ...hubName(name),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: parseDigest(digest, `${where}: ${JSON.stringify(text)}`) }),
  };
}

/** Parses a registry with a path, such as `registry.acme.example/acme`; a name without a host is an organisation on Docker Hub. */
export function parseImageHome(value: unknown, where: string): ImageHome {
  const text = parseText(value, where);
  const { registry, repository } = splitHost(text.includes('/') || !isHost(text) ? text : `${text}/`);
  const problem = nameProblem({ registry, repository: repository === '' ? 'x' : repository });
  if (problem !== undefined) throw refusal(where, text, problem);
  return { registry: hubName({ registry, repository: 'x' }).registry, path: repository };
}

/** The full form, `registry/repository[:tag][@digest]`, as a compose file pins it. */
export function printImageRef(ref: ImageRef): string {
  return `${nameOf(ref)}${ref.tag === undefined ? '' : `:${ref.tag}`}${ref.digest === undefined ? '' : `@${ref.digest}`}`;
}

/** `registry/repository:tag` without the digest; `:latest` is written out, and only a name that has a digest instead stays without a tag. */
export function printTagged(ref: ImageRef): string {
  const tag = ref.tag ?? (ref.digest === undefined ? 'latest' : undefined);
  return `${nameOf(ref)}${tag === undefined ? '' : `:${tag}`}`;
}

/** The same image fixed to this digest; the tag stays, for people. */
export function pinImage(ref: ImageRef, digest: Digest): ImageRef {
  return { ...ref, digest };
}

/** The image under another home, with its tag and digest: below `from` its path is kept, from anywhere else only its name. */
export function rehomeImage(ref: ImageRef, to: ImageHome, from?: ImageHome): ImageRef {
  const path = from === undefined ? undefined : pathBelow(ref, from);
  const repository = [to.path, path ?? imageName(ref)].filter((part) => part !== '').join('/');
  return { ...ref, ...hubName({ registry: to.registry, repository }) };
}

/** The last path segment of the repository: the name that an image has in the image table unless it is given one with `as`. */
export function imageName(ref: ImageRef): string {
  return ref.repository.slice(ref.repository.lastIndexOf('/') + 1);
}

function nameOf(ref: ImageRef): string {
  return `${ref.registry}/${ref.repository}`;
}

function pathBelow(ref: ImageRef, home: ImageHome): string | undefined {
  if (ref.registry !== home.registry) return undefined;
  if (home.path === '') return ref.repository;
  return ref.repository.startsWith(`${home.path}/`) ? ref.repository.slice(home.path.length + 1) : undefined;
}

/** Docker's rule: the first part is a host only when it has a dot, a colon or a capital, or is `localhost`. */
function isHost(part: string): boolean {
  return /[.:A-Z]/.test(part) || part === 'localhost';
}

function splitHost(name: string): ImageRef {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  return slash > 0 && isHost(first) ? { registry: first, repository: name.slice(slash + 1) } : { registry: HUB, repository: name };
}

function hubName(ref: ImageRef): ImageRef {
  if (ref.registry !== HUB && ref.registry !== 'index.docker.io') return ref;
  return { registry: HUB, repository: ref.repository.includes('/') ? ref.repository : `library/${ref.repository}` };
}

function nameProblem({ registry, repository }: ImageRef): string | undefined {
  if (!HOST.test(registry)) return 'the registry is not a host name';
  if (REPOSITORY.test(repository) === false) {
    return /[A-Z]/.test(repository) ? 'the repository must be lower case' : 'the repository is not a valid name';
  }
  if (/^[0-9a-f]{64}$/.test(repository)) return 'it reads as an image id';
  return registry.length + 1 + repository.length > LONGEST_NAME ? `the name is longer than ${LONGEST_NAME} characters` : undefined;
}

function tagProblem(tag: string | undefined): string | undefined {
  return tag === undefined || TAG.test(tag) ? undefined : 'the tag is not valid';
}

function refusal(where: string, text: string, problem: string): ToolError {
  return new ToolError('E_FORMAT', `${where}: ${JSON.stringify(text)} is not an image name: ${problem}`, {
    hint: 'Write it as docker pull takes it, for example docker.io/library/postgres:16-alpine.',
  });
}

/** The image's name as a typed value; undefined when it is none. */
export function readRef(reference: string): ImageRef | undefined {
  try {
    return parseImageRef(reference, 'image');
  } catch {
    return undefined;
  }
}
