// A registry's login, kept by docker. Rule: the token goes from memory to docker's stdin; only a login that was not there before is taken back.
import { ToolError } from '../../model/error.ts';
import { parseFlag } from '../../model/parse.ts';
import { loginOf } from '../../model/registry-login.ts';
import { dockerEnvironment } from '../../world/docker.ts';
import { type Credential, openDockerConfig } from '../../world/docker-config.ts';
import type { Handler, Handlers, Site } from '../handler.ts';

/** Seconds. */
const TIMEOUT = 60;

const logIn: Handler<'log-in'> = {
  done: async ({ registry }, site) => {
    const login = loginOf(registry, site.world.env);
    const held = await heldLogin(registry, site);
    return login !== undefined && held.kind === 'password' && held.username === login.username && held.password === login.password;
  },
  save: async ({ registry }, site) => ({ held: (await heldLogin(registry, site)).kind !== 'none' }),
  run: async ({ registry }, { world }) => {
    const login = loginOf(registry, world.env);
    if (login === undefined) throw new ToolError('E_AUTH', `the login for ${registry} is gone`, { hint: 'Run the command again.' });
    const argv = ['docker', 'login', '--username', login.username, '--password-stdin', registry];
    const { code, stderr } = await world.run(argv, { input: login.password, env: dockerEnvironment(world.env), timeout: TIMEOUT });
    if (code === 0) return;
    const words = stderr.trim().split('\n').at(-1)?.replaceAll(login.password, '…').slice(0, 300) ?? '';
    throw new ToolError('E_AUTH', `docker did not keep the login for ${registry}: ${words}`, {
      hint: `Try it by hand: docker login ${registry}. A credential store that docker's config.json names must be there.`,
    });
  },
  undo: async ({ registry }, saved, { world }) => {
    if (parseFlag(saved.held, 'saved.held')) return;
    await world.run(['docker', 'logout', registry], { env: dockerEnvironment(world.env), timeout: TIMEOUT });
  },
};

/** The handler of logins. */
export const logInSteps = { 'log-in': logIn } satisfies Pick<Handlers, 'log-in'>;

function heldLogin(registry: string, { world }: Site): Promise<Credential> {
  return openDockerConfig(world).find({ registry, repository: 'login' });
}
