// How the services of a compose file run and are reached: features, one-shot jobs, published ports, the door and its health. Rule: only what the file shows; the rest has defaults.
import { referencesIn } from '../model/interpolation.ts';
import { dependsOf } from './compose-merge.ts';
import { fieldsOf, listOf } from './compose-parts.ts';
import type { ComposeFields, Proposed } from './proposal.ts';

export interface ProposedServices {
  readonly features: Readonly<Record<string, Proposed<ComposeFields>>>;
  readonly jobs: readonly Proposed<string>[];
  readonly ports: readonly (number | string | ComposeFields)[];
  readonly entry: Proposed<string> | undefined;
  readonly health: Proposed<ComposeFields> | undefined;
  readonly reviews: readonly string[];
}

type Services = Readonly<Record<string, ComposeFields>>;

interface Port {
  readonly service: string;
  /** A number, or `{{VARIABLE}}`; undefined = the engine chooses one. */
  readonly published: string | undefined;
  readonly target: string;
  readonly protocol: string;
  readonly address: string;
}

const DOORS = /(?:^|\/)(?:nginx|traefik|caddy|haproxy|httpd|envoy|nginx-proxy-manager|openresty|swag)(?:[-:@]|$)/;
const MOST_OF_A_RANGE = 20;

/** Looks at all services; `values` are those of the env file. */
export function proposeServices(services: Services, env: ReadonlySet<string>): ProposedServices {
  const features = featuresOf(services);
  const ports = Object.entries(services).flatMap(([name, service]) => portsOf(name, service, env));
  const published = ports.filter(({ published: port }) => port !== undefined);
  const entry = entryOf(services, published);
  const when = ({ service }: Port): string | undefined => featureOf(services[service] ?? {}, features);
  return {
    features,
    jobs: jobsOf(services),
    ports: uniquePorts(published.map((port) => portNeed(port, when(port)))),
    entry,
    health: entry === undefined ? undefined : healthOf(entry.value, services[entry.value] ?? {}, published),
    reviews: [...openPorts(ports), ...externalNetworks(services)],
  };
}

/** Every profile is a choice of the person. */
function featuresOf(services: Services): Record<string, Proposed<ComposeFields>> {
  const profiles = [...new Set(Object.values(services).flatMap(({ profiles: names }) => listOf(names).map(String)))];
  return Object.fromEntries(
    profiles.map((profile) => {
      const value = { profiles: [profile], ask: `Switch on ${profile}?`, default: false };
      return [featureName(profile), { value, review: 'how should people be asked?' }];
    }),
  );
}

function featureName(profile: string): string {
  return (
    profile
      .toLowerCase()
      .replace(/[^a-z0-9_-]/g, '-')
      .replace(/^[^a-z]+/, '') || 'extra'
  );
}

function featureOf({ profiles }: ComposeFields, features: ProposedServices['features']): string | undefined {
  const [only, second] = listOf(profiles).map(String);
  const name = only === undefined || second !== undefined ? undefined : featureName(only);
  return name !== undefined && features[name] !== undefined ? `features.${name}` : undefined;
}

/** What others wait for to end, or what never starts again and is called like a job. */
function jobsOf(services: Services): Proposed<string>[] {
  const awaited = Object.values(services).flatMap(({ depends_on: needs }) =>
    Object.entries(dependsOf(needs)).flatMap(([name, value]) =>
      fieldsOf(value).condition === 'service_completed_successfully' ? [name] : [],
    ),
  );
  return Object.entries(services).flatMap(([name, { restart }]): Proposed<string>[] => {
    if (awaited.includes(name)) return [{ value: name }];
    const isCalled = /(?:^|[-_])(?:migrat\w*|seed\w*|init|setup|bootstrap|createbuckets?)(?:$|[-_])/.test(name);
    const ends = restart === undefined || restart === 'no' || restart === false || String(restart).startsWith('on-failure');
    return isCalled && ends ? [{ value: name, review: 'does it end by itself?' }] : [];
  });
}

function portsOf(service: string, { ports }: ComposeFields, env: ReadonlySet<string>): Port[] {
  return listOf(ports).flatMap((port): Port[] => {
    if (typeof port !== 'object' || port === null) return shortPort(service, String(port), env);
    const { published, target, protocol = 'tcp', host_ip: address = '' } = fieldsOf(port);
    const more = { service, protocol: String(protocol), address: String(address) };
    const text = published === undefined ? '' : asPort(String(published), env);
    return spread(text, String(target)).map((each) => ({ ...more, ...each }));
  });
}

/** `[address:][published:]target[/protocol]`, each of them a range or a variable. */
function shortPort(service: string, written: string, env: ReadonlySet<string>): Port[] {
  const [text = '', protocol = 'tcp'] = asPort(written, env).split('/');
  const parts = /^(?:(\[[^\]]*\]|[^:]*):)?(?:([^:]*):)?([^:]+)$/.exec(text);
  const [address, published, target] =
    parts?.[2] === undefined ? ['', parts?.[1] ?? '', parts?.[3] ?? ''] : [parts[1] ?? '', parts[2], parts[3] ?? ''];
  return spread(published, target).map((each) => ({ service, protocol, address, ...each }));
}

/** Variables of the product as placeholders, others by their defaults. */
function asPort(text: string, env: ReadonlySet<string>): string {
  return referencesIn(text).reduceRight((so, { name, operand, start, end }) => {
    const value = name !== undefined && env.has(name) ? `{{${name}}}` : operand;
    return so.slice(0, start) + value + so.slice(end);
  }, text);
}

function spread(published: string, target: string): { readonly published: string | undefined; readonly target: string }[] {
  const [from = 0, to = 0] = (/^(\d+)-(\d+)$/.exec(published)?.slice(1) ?? []).map(Number);
  const [first = 0] = (/^(\d+)-\d+$/.exec(target)?.slice(1) ?? []).map(Number);
  if (from === 0) return [{ published: published === '' ? undefined : published, target }];
  const count = Math.min(to - from + 1, MOST_OF_A_RANGE);
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    published: String(from + index),
    target: first === 0 ? target : String(first + index),
  }));
}

function portNeed({ published = '', protocol }: Port, when: string | undefined): number | string | ComposeFields {
  const port = /^\d+$/.test(published) ? Number(published) : published;
  if (protocol !== 'udp' && when === undefined) return port;
  return { port, ...(protocol === 'udp' ? { protocol } : {}), ...(when === undefined ? {} : { when }) };
}

function uniquePorts(ports: readonly (number | string | ComposeFields)[]): (number | string | ComposeFields)[] {
  const isFit = (port: unknown): boolean =>
    typeof port === 'number' || /^\{\{\w+\}\}$/.test(String(fieldsOf(port).port ?? port)) || typeof fieldsOf(port).port === 'number';
  return [...new Map(ports.filter(isFit).map((port) => [JSON.stringify(port), port])).values()];
}

/** A proxy, else what answers on a port for browsers, else the first that is reached from outside. */
function entryOf(services: Services, ports: readonly Port[]): Proposed<string> | undefined {
  const open = ports.filter(
    ({ service, address }) => listOf(services[service]?.profiles).length === 0 && !/^(?:127\.|localhost|\[?::1)/.test(address),
  );
  const proxy = open.find(({ service }) => DOORS.test(String(services[service]?.image ?? '')));
  const web = open.find(({ target }) => ['80', '443', '8080', '3000'].includes(target));
  const found = proxy ?? web ?? open[0];
  if (found === undefined) return undefined;
  return { value: found.service, ...(proxy === undefined ? { review: 'is this the door that people come through?' } : {}) };
}

/** What the service's own health check asks, from outside; else that its port answers. */
function healthOf(service: string, fields: ComposeFields, ports: readonly Port[]): Proposed<ComposeFields> | undefined {
  const test = fieldsOf(fields.healthcheck).test;
  const text = Array.isArray(test) ? test.join(' ') : String(test ?? '');
  const [, scheme, asked, path = '/'] =
    /(https?):\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(\/[^\s"'|;]*)?/.exec(text) ?? [];
  const own = ports.filter((port) => port.service === service && port.protocol !== 'udp');
  const target = asked ?? (scheme === 'https' ? '443' : '80');
  const same = scheme === undefined ? undefined : own.find((port) => port.target === target);
  if (same !== undefined && !path.includes('$')) {
    return { value: { http: `${scheme}://127.0.0.1:${same.published}${path}`, status: 200, after: 'entry' } };
  }
  const [first] = own;
  if (first === undefined) return undefined;
  return { value: { tcp: `127.0.0.1:${first.published}`, after: 'entry' }, review: 'better: an address that says that all is well' };
}

function openPorts(ports: readonly Port[]): string[] {
  return ports
    .filter(({ published }) => published === undefined)
    .map(({ service, target }) => `${service}: the engine chooses the port that ${target} is published at`);
}

/** Networks are looked at where services name them. */
function externalNetworks(services: Services): string[] {
  return Object.entries(services).flatMap(([name, { network_mode: mode }]) =>
    mode === 'host' ? [`${name} is on the machine's own network: its ports are not checked`] : [],
  );
}
