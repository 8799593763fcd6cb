// A registry's login among the answers. Rule: its names are never a product's variables, and its values go to docker's own store and nowhere else.

/** Who logs in: `SLIPWAY_SET_REGISTRY_USER`, or a line of an answers file. */
export const LOGIN_USER = 'REGISTRY_USER';
/** The token or password, likewise; never an argument, for other users of a machine can read those. */
export const LOGIN_TOKEN = 'REGISTRY_TOKEN';

export interface RegistryLogin {
  /** The host, with its port. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/** The environment by which a plan's step finds the login. */
export function loginEnvironment({ username, password }: RegistryLogin): Record<string, string> {
  return { [`SLIPWAY_SET_${LOGIN_USER}`]: username, [`SLIPWAY_SET_${LOGIN_TOKEN}`]: password };
}

/** The login that the environment holds for a step; undefined when it holds none. */
export function loginOf(registry: string, env: Readonly<Record<string, string | undefined>>): RegistryLogin | undefined {
  const [username, password] = [env[`SLIPWAY_SET_${LOGIN_USER}`], env[`SLIPWAY_SET_${LOGIN_TOKEN}`]];
  return username && password ? { registry, username, password } : undefined;
}
