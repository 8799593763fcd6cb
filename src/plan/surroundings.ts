// What lies around the engine and can spoil an install: clock, registries, proxy, snap, SELinux, rootless. Rule: pure; each finding says what to do.
import type { MachineFacts, RegistryFact } from '../model/facts.ts';
import type { PreflightFinding, PreflightWish } from './preflight.ts';

/** Seconds of difference that are told, and those that stop: beyond, nobody can judge what has expired. */
const CLOCK_TOLD = 5 * 60;
const CLOCK_STOPS = 24 * 3600;

/** All findings about the machine's surroundings. */
export function surroundings(wish: PreflightWish, machine: MachineFacts): PreflightFinding[] {
  return [...clock(machine), ...registries(wish, machine), ...engine(wish, machine), ...lowPorts(machine)];
}

function clock({ clockAhead }: MachineFacts): PreflightFinding[] {
  if (clockAhead === undefined || Math.abs(clockAhead) < CLOCK_TOLD) return [];
  const minutes = Math.round(Math.abs(clockAhead) / 60);
  const amount =
    minutes < 180 ? `${minutes} minutes` : minutes < 72 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
  return [
    {
      severity: Math.abs(clockAhead) >= CLOCK_STOPS ? 'block' : 'warn',
      code: 'clock-off',
      message: `the clock of this machine is ${amount} ${clockAhead > 0 ? 'ahead of' : 'behind'} the release host's`,
      hint: 'Set it (`timedatectl set-ntp true`): signatures and certificates are judged by it.',
    },
  ];
}

const REGISTRY: Readonly<
  Record<RegistryFact['trouble'], (registry: string) => Omit<PreflightFinding, 'message'> & { readonly words: string }>
> = {
  login: (registry) => ({
    severity: 'block',
    code: 'registry-login',
    words: 'is given only after a login',
    hint: `Log in as the user that Docker is used by (docker login ${registry}), then try again.`,
  }),
  missing: () => ({
    severity: 'block',
    code: 'image-missing',
    words: 'is not there, or hidden without a login',
    hint: 'Log in to the registry when it is private; otherwise tell the maintainer.',
  }),
  unreachable: () => ({
    severity: 'warn',
    code: 'registry-unreachable',
    words: 'could not be asked for: the registry does not answer',
    hint: 'Look at network, DNS and proxy. The engine may have a way of its own (a mirror), so this is only told.',
  }),
  strange: () => ({
    severity: 'warn',
    code: 'registry-strange',
    words: 'could not be asked for: the registry answers strangely',
    hint: 'Try again later; if it stays, tell the maintainer.',
  }),
};

function registries({ mirror = null }: PreflightWish, { registries: facts = [] }: MachineFacts): PreflightFinding[] {
  const lacking = facts.filter(({ trouble }) => mirror !== null && trouble === 'missing');
  return [...(mirror === null ? [] : lacks(mirror, lacking)), ...troubles(facts.filter((fact) => !lacking.includes(fact)))];
}

/** All of them: whoever brings them there needs the whole list. */
function lacks(mirror: string, facts: readonly RegistryFact[]): PreflightFinding[] {
  if (facts.length === 0) return [];
  const images = facts.map(({ image }) => image.replace(/@sha256:.*/, '').replace(`${mirror}/`, ''));
  const lines = `\`slipway images mirror --to ${mirror}\` brings third-party images, \`skopeo copy --all\` any other`;
  return [
    {
      severity: 'block',
      code: 'image-missing',
      message: `${mirror} lacks ${images.join(', ')}, or hides ${images.length === 1 ? 'it' : 'them'} without a login`,
      hint: `Bring them there with their digests unchanged (${lines}), or take the product's own registry: --registry ''.`,
    },
  ];
}

/** One finding for a registry and a trouble, with the first image and how many more. */
function troubles(facts: readonly RegistryFact[]): PreflightFinding[] {
  const groups = new Map<string, RegistryFact[]>();
  for (const fact of facts) {
    const key = `${fact.registry} ${fact.trouble}`;
    groups.set(key, [...(groups.get(key) ?? []), fact]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { words, ...finding } = REGISTRY[first.trouble](first.registry);
    const more = group.length > 1 ? ` (and ${group.length - 1} more)` : '';
    return [{ ...finding, message: `${first.image.replace(/@sha256:.*/, '')}${more} ${words}` }];
  });
}

function engine({ root }: PreflightWish, { engine: traits, proxies = [], docker, compose, platform }: MachineFacts): PreflightFinding[] {
  if (traits === undefined) return [];
  const found: PreflightFinding[] = [
    {
      severity: 'info',
      code: 'engine',
      message: `Docker ${docker}, Compose ${compose ?? 'missing'}, ${platform} on ${traits.remote ?? traits.name}${traits.rootless ? ', rootless' : ''}`,
      hint: 'DOCKER_HOST or `docker context use` choose another engine.',
    },
  ];
  if (traits.remote !== undefined)
    found.push({
      severity: 'block',
      code: 'engine-elsewhere',
      message: `DOCKER_HOST names an engine on another machine (${traits.remote}): files of ${root} are not there`,
      hint: 'Install on that machine itself, or unset DOCKER_HOST.',
    });
  if (traits.snap)
    found.push({
      severity: /^\/home\//.test(root) ? 'warn' : 'block',
      code: 'snap-docker',
      message: `this is the snap of Docker: it sees no files outside of /home${/^\/home\//.test(root) ? '' : `, and ${root} is outside`}`,
      hint: 'Use the packages of Docker (https://docs.docker.com/engine/install/), or install below /home with --dir.',
    });
  if (traits.selinux)
    found.push({
      severity: 'warn',
      code: 'selinux',
      message: 'the engine enforces SELinux: containers may be denied files of the install folder',
      hint: `If a service cannot read its files: chcon -Rt container_file_t ${root}`,
    });
  if (traits.driver === 'vfs')
    found.push({
      severity: 'warn',
      code: 'slow-storage',
      message: 'the engine stores images with vfs: every layer is a whole copy, slow and large',
      hint: 'Let it use overlay2 (see `docker info`).',
    });
  if (proxies.length > 0 && !traits.hasProxy)
    found.push({
      severity: 'warn',
      code: 'engine-without-proxy',
      message: `this shell uses a proxy (${proxies.join(', ')}), and the engine, which pulls the images, does not`,
      hint: 'Give it to the engine too: https://docs.docker.com/engine/daemon/proxy/',
    });
  return found;
}

/** A rootless engine has the rights of its user. */
function lowPorts({ engine: traits, ports, lowestPort = 0 }: MachineFacts): PreflightFinding[] {
  if (traits?.rootless !== true) return [];
  return ports
    .filter(({ port }) => port < lowestPort)
    .map(({ port, protocol }) => ({
      severity: 'block',
      code: 'port-too-low',
      message: `port ${port}/${protocol}: this engine is rootless, and may only have ports from ${lowestPort} on`,
      hint: `Choose a higher port, or allow it: sysctl net.ipv4.ip_unprivileged_port_start=${port}`,
    }));
}
