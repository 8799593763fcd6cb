// Lists of a compose file whose items have names (Compose Specification, "Merge": by target, port or variable). Rule: a list in which one item has no name,
// or two have the same, is one piece.
import type { Path } from './problem.ts';

type NameOf = (item: unknown) => string | undefined;

const NAMES: Readonly<Record<string, NameOf>> = {
  environment: beforeEquals,
  labels: beforeEquals,
  annotations: beforeEquals,
  args: beforeEquals,
  sysctls: beforeEquals,
  extra_hosts: (item) => text(item)?.split(/[:=]/)[0],
  volumes: (item) => field(item, 'target') ?? mountTarget(text(item)),
  devices: (item) => field(item, 'target') ?? mountTarget(text(item)),
  tmpfs: (item) => text(item)?.split(':')[0],
  ports: portName,
  configs: (item) => field(item, 'target') ?? field(item, 'source') ?? text(item),
  secrets: (item) => field(item, 'target') ?? field(item, 'source') ?? text(item),
  depends_on: text,
  networks: text,
  profiles: text,
  cap_add: text,
  cap_drop: text,
  expose: (item) => (typeof item === 'number' ? String(item) : text(item)),
  dns: text,
  dns_search: text,
  external_links: text,
  group_add: (item) => (typeof item === 'number' ? String(item) : text(item)),
  links: text,
  security_opt: text,
};

/** The items of the list at this path of a compose file by their names; undefined for a list whose items have none. */
export function itemNames(path: Path, items: readonly unknown[]): ReadonlyMap<string, unknown> | undefined {
  const key = path.at(-1);
  const nameOf = typeof key === 'string' && path.length > 2 && Object.hasOwn(NAMES, key) ? NAMES[key] : undefined;
  if (nameOf === undefined) return undefined;
  const named = new Map<string, unknown>();
  for (const item of items) {
    const name = nameOf(item);
    if (name === undefined || name === '' || named.has(name)) return undefined;
    named.set(name, item);
  }
  return named;
}

function text(item: unknown): string | undefined {
  return typeof item === 'string' ? item : undefined;
}

function field(item: unknown, name: string): string | undefined {
  const value = typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function beforeEquals(item: unknown): string | undefined {
  return text(item)?.split('=')[0];
}

/** `[SOURCE:]TARGET[:MODE]`, where the source may hold `${NAME:-default}`. */
function mountTarget(short: string | undefined): string | undefined {
  const parts = short?.replace(/\$\{[^}]*\}/g, 'x').split(':');
  return parts === undefined ? undefined : (parts[1] ?? parts[0]);
}

/** The container's port and protocol; `[[IP:]PUBLISHED:]TARGET[/PROTOCOL]` (Compose Specification, "ports"). */
function portName(item: unknown): string | undefined {
  const target = field(item, 'target');
  if (target !== undefined) return `${target}/${field(item, 'protocol') ?? 'tcp'}`;
  const short = typeof item === 'number' ? String(item) : text(item);
  const [port = '', protocol = 'tcp'] = (
    short
      ?.replace(/\$\{[^}]*\}/g, 'x')
      .split(':')
      .at(-1) ?? ''
  ).split('/');
  return port === '' ? undefined : `${port}/${protocol}`;
}
