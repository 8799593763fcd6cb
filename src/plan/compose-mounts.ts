// Mounts of the compose file. Rule: whatever a container can write is named in slipway.yaml, so that backups, upgrades and uninstall know about it.
import { posix } from 'node:path';
import { fillReferences } from '../model/interpolation.ts';
import type { Path, ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { type ComposeService, fieldsOf, listOf } from './compose-parts.ts';

interface Mount {
  readonly service: string;
  readonly path: Path;
  readonly kind: 'named' | 'bind' | 'anonymous';
  /** A volume name, or a path as written; empty for an anonymous volume. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

interface Allowed {
  readonly product: Product;
  readonly files?: readonly string[];
}

/** Writable mounts that nobody declared, anonymous volumes, and paths outside of the install folder. */
export function checkMounts(compose: Record<string, unknown>, services: readonly ComposeService[], allowed: Allowed): ProblemText[] {
  const mounts = services.flatMap((service) =>
    listOf(service.fields.volumes).flatMap((volume, index) => readMount(volume, service, { index, product: allowed.product })),
  );
  return [...mounts.flatMap((mount) => checkMount(mount, allowed)), ...checkTopPaths(compose, allowed.product)];
}

function checkMount(mount: Mount, { product, files = [] }: Allowed): ProblemText[] {
  const { service, path, source, target, readOnly } = mount;
  if (mount.kind === 'anonymous') {
    const message = `${service}: the volume at ${target} has no name, so its data is lost when the container is replaced`;
    return [{ code: 'E_ANONYMOUS_VOLUME', path, message, hint: 'Name it, and add it to data (ephemeral: true if it may be lost).' }];
  }
  if (source === '') {
    const message = `${service}: the mount at ${target} has no source until a variable is set`;
    return [{ code: 'E_MOUNT', path, message, hint: 'Give the variable a default inside of the install folder.' }];
  }
  if (mount.kind === 'named') {
    if (readOnly || Object.hasOwn(product.data, source)) return [];
    const message = `${service}: nothing says what becomes of the volume ${source}`;
    return [{ code: 'E_MOUNT', path, message, hint: `Add ${source} to data (ephemeral: true if it may be lost).` }];
  }
  const inside = insidePath(source);
  if (inside === undefined) return checkOutside({ path, source, what: `${service}: ` }, product);
  if (readOnly || isDeclared(inside, product) || files.includes(inside)) return [];
  const message = `${service} can write ./${inside}, which is neither data, ephemeral, user-owned nor a single file of the bundle`;
  const hint = `Mount it read-only (:ro), name it in data with path: ./${inside}, or add it to bundle.userOwned.`;
  return [{ code: 'E_MOUNT', path, message, hint }];
}

function isDeclared(inside: string, { data, bundle }: Product): boolean {
  const roots = [...Object.values(data).flatMap((item) => item.path ?? []), ...(bundle?.userOwned ?? [])];
  return roots.some((root) => isBelow(inside, root));
}

function checkOutside({ path, source, what }: { path: Path; source: string; what: string }, { bundle }: Product): ProblemText[] {
  if ((bundle?.hostPaths ?? []).some((root) => isBelow(posix.normalize(source), root))) return [];
  const message = `${what}${source} lies outside of the install folder`;
  const hint = source.startsWith('/')
    ? `Add ${source} to bundle.hostPaths, so that people are told.`
    : 'Use a path inside of the folder, or an absolute one.';
  return [{ code: 'E_HOST_PATH', path, message, hint }];
}

/** Paths of top-level volumes, configs and secrets that are folders or files of the host. */
function checkTopPaths(compose: Record<string, unknown>, product: Product): ProblemText[] {
  const files = ['configs', 'secrets'].flatMap((section) =>
    Object.entries(fieldsOf(compose[section])).map(([name, value]) => ({ path: [section, name, 'file'], source: fieldsOf(value).file })),
  );
  const devices = Object.entries(fieldsOf(compose.volumes))
    .filter(([, value]) => /(?:^|,)r?bind(?:,|$)/.test(String(fieldsOf(fieldsOf(value).driver_opts).o ?? '')))
    .map(([name, value]) => ({ path: ['volumes', name, 'driver_opts', 'device'], source: fieldsOf(fieldsOf(value).driver_opts).device }));
  return [...files, ...devices].flatMap(({ path, source }) => {
    const filled = typeof source === 'string' ? fillPath(source, product) : '.';
    return insidePath(filled) === undefined ? checkOutside({ path, source: filled, what: '' }, product) : [];
  });
}

function readMount(volume: unknown, service: ComposeService, { index, product }: { index: number; product: Product }): Mount[] {
  const at = { service: service.name, path: [...service.path, 'volumes', index] };
  if (typeof volume === 'string') return [{ ...at, ...readShortMount(fillPath(volume, product)) }];
  const { type, source, target, read_only } = fieldsOf(volume);
  if (type !== 'volume' && type !== 'bind') return [];
  const from = typeof source === 'string' ? fillPath(source, product) : '';
  const kind = type === 'bind' ? 'bind' : from === '' ? 'anonymous' : 'named';
  return [{ ...at, kind, source: from, target: String(target), readOnly: read_only === true }];
}

/** `target`, `source:target` or `source:target:mode`. */
function readShortMount(text: string): Omit<Mount, 'service' | 'path'> {
  const [source = '', target, mode = ''] = text.split(':');
  if (target === undefined) return { kind: 'anonymous', source: '', target: source, readOnly: false };
  const kind = /^[./~]/.test(source) ? 'bind' : 'named';
  return { kind, source, target, readOnly: mode.split(',').includes('ro') };
}

/** A path with its variables at their defaults: where the product puts it unless a person says otherwise. */
function fillPath(text: string, { env }: Product): string {
  return fillReferences(text, (name) => (Object.hasOwn(env, name) ? env[name]?.default?.toString() : undefined));
}

/** The path relative to the install folder, or undefined when it is outside. */
function insidePath(source: string): string | undefined {
  const path = posix.normalize(source).replace(/\/$/, '');
  return path.startsWith('/') || path.startsWith('~') || path === '..' || path.startsWith('../') || source === '/' ? undefined : path;
}

function isBelow(path: string, root: string): boolean {
  const folder = posix.normalize(root).replace(/(?<=.)\/$/, '');
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
