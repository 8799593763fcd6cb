// The Node.js that hosts without a suitable one fetch. Rule: packed file and program are known by size and digest; one release per Node.js version holds them, on every host.
import { type Digest, hexOf, parseDigest } from './digest.ts';
import { canonicalJson } from './json.ts';
import { parseCount, parseFields, parseJson, parseList, parseText, parseType } from './parse.ts';
import { compareVersions, parseVersion, satisfies } from './version.ts';

export const RUNTIMES_TYPE = 'slipway/runtimes@1';
/** The Node.js that the operator program of this version of slipway needs. */
export const OPERATOR_NODE = '>=20.19';
/** No Node.js is larger, unpacked. */
export const MOST_RUNTIME_BYTES = 512 * 1024 * 1024;

/** One Node.js program for one kind of machine, packed with gzip. */
export interface Runtime {
  /** Its version, without `v`. */
  readonly node: string;
  /** As Node.js names it: `linux`. */
  readonly os: string;
  /** As Node.js names it: `x64`, `arm64`. */
  readonly arch: string;
  /** The asset: `runtime-<os>-<arch>.gz`. */
  readonly name: string;
  readonly size: number;
  readonly sha256: Digest;
  /** The tag of the release that holds it. */
  readonly tag: string;
  /** The unpacked program. */
  readonly program: { readonly size: number; readonly sha256: Digest };
}

/** What a release says of Node.js: which one its operator program needs, and where hosts without one find it. */
export interface RuntimeNeed {
  /** A range of versions. */
  readonly needs: string;
  readonly files: readonly Runtime[];
}

/** The folder that `npm run build:runtime` makes: its `bundle.json`. */
export interface RuntimeSet {
  readonly node: string;
  readonly files: readonly Runtime[];
}

/** Parses the bundle.json of a release that holds runtimes. */
export function parseRuntimeSet(text: string, where: string): RuntimeSet {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, RUNTIMES_TYPE, where);
  return { node: parseText(f.node, `${where}: node`), files: parseList(f.files, `${where}: files`, parseRuntime) };
}

/** The text of that bundle.json; the same runtimes give the same text. */
export function printRuntimeSet({ node, files }: RuntimeSet): string {
  return canonicalJson({ type: RUNTIMES_TYPE, node, files });
}

export function parseRuntimeNeed(value: unknown, where: string): RuntimeNeed {
  const f = parseFields(value, where);
  return { needs: parseText(f.needs, `${where}.needs`), files: parseList(f.files, `${where}.files`, parseRuntime) };
}

export function parseRuntime(value: unknown, where: string): Runtime {
  const f = parseFields(value, where);
  const program = parseFields(f.program, `${where}.program`);
  return {
    node: parseVersion(f.node, `${where}.node`),
    os: parseText(f.os, `${where}.os`),
    arch: parseText(f.arch, `${where}.arch`),
    name: parseText(f.name, `${where}.name`),
    size: parseCount(f.size, `${where}.size`),
    sha256: parseDigest(f.sha256, `${where}.sha256`),
    tag: parseText(f.tag, `${where}.tag`),
    program: {
      size: parseCount(program.size, `${where}.program.size`),
      sha256: parseDigest(program.sha256, `${where}.program.sha256`),
    },
  };
}

/** The runtimes of a channel that this program can use; entries of another shape belong to other programs. */
export function runtimesOf({ runtimes }: { readonly runtimes: readonly unknown[] }): readonly Runtime[] {
  const known = runtimes.filter((item) => typeof item === 'object' && item !== null && 'tag' in item && 'program' in item);
  return known.map((item) => parseRuntime(item, 'runtimes'));
}

/** The channel's runtimes after some joined: newer bytes for the same Node.js and machine take the place of the former ones. */
export function joinRuntimes(former: readonly unknown[], more: readonly Runtime[]): readonly unknown[] {
  const isSame = (item: unknown, { node, os, arch }: Runtime): boolean => {
    if (typeof item !== 'object' || item === null) return false;
    const other = item as Partial<Runtime>;
    return other.node === node && other.os === os && other.arch === arch;
  };
  return [...more, ...former.filter((item) => !more.some((runtime) => isSame(item, runtime)))];
}

/** Where a program runs, and on which Node.js. */
export interface Running {
  readonly os: string;
  readonly arch: string;
  /** The Node.js version, without `v`. */
  readonly node: string;
  /** The runtime of ours that it is; undefined for the host's own Node.js. */
  readonly runtime: Runtime | undefined;
}

/**
 * The runtime to change to before a release's operator program is started: the newest one when ours is older, or when the host's own Node.js
 * does not suffice. Undefined when what runs is right, and when nothing better is offered.
 */
export function chooseRuntime(offered: readonly Runtime[], { os, arch, node, runtime }: Running, needs: string): Runtime | undefined {
  const suffices = satisfies(parseVersion(node), needs);
  if (suffices && runtime === undefined) return undefined;
  const [newest] = offered
    .filter((each) => each.os === os && each.arch === arch && satisfies(parseVersion(each.node), needs))
    .sort((a, b) => compareVersions(parseVersion(b.node), parseVersion(a.node)));
  if (newest === undefined || !suffices) return newest;
  return compareVersions(parseVersion(newest.node), parseVersion(node)) > 0 ? newest : undefined;
}

/** Where a program is kept below the folder of runtimes. */
export function runtimeFolder(program: Digest): string {
  return hexOf(program);
}
