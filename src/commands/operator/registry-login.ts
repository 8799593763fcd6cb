// The login for a product's private images: asked for when the registry asks for it. Rule: tried before anything changes, and kept by docker alone.
import { ToolError } from '../../model/error.ts';
import { parseImageRef } from '../../model/image.ts';
import type { Manifest } from '../../model/manifest.ts';
import { LOGIN_TOKEN, LOGIN_USER, loginEnvironment, type RegistryLogin } from '../../model/registry-login.ts';
import { type LoginNeed, observeLoginNeed, readToken, suffices } from '../../observe/registry-login.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { type Context, type FlagTable, textFlag, textFlags } from '../command.ts';
import { givenValues } from './answers.ts';

export const LOGIN_FLAGS = {
  'registry-user': { type: 'string', value: 'NAME', help: 'who logs in to the registry of private images' },
  'registry-token-file': { type: 'string', value: 'FILE', help: 'its token or password; - reads it from the input' },
} as const satisfies FlagTable;

export interface WithLogin {
  readonly context: Context;
  /** Undefined when docker's present login suffices, or none is needed. */
  readonly login: RegistryLogin | undefined;
}

/** Finds out whether the images can be read, and asks for a login where they cannot. Throws E_AUTH when there is nobody to ask, or the login does not suffice. */
export async function ensureLogin(
  context: Context,
  { manifest, root }: { readonly manifest: Manifest; readonly root: string },
): Promise<WithLogin> {
  refuseArgument(context);
  if (manifest.login !== 'ask') return { context, login: undefined };
  const images = imagesToPull(manifest).map(({ pinned }) => pinned);
  const hosts = new Set(images.map((image) => parseImageRef(image, 'image').registry));
  const home = parseImageRef(`${manifest.images.find(isHome(manifest))?.reference ?? images[0]}`, 'image').registry;
  if (!hosts.has(home)) return { context, login: undefined };
  const own = images.filter((image) => parseImageRef(image, 'image').registry === home);
  const need = await observeLoginNeed(context.world, { root, images: own });
  if (need === undefined) return { context, login: undefined };
  const login = (await givenLogin(context, need)) ?? (await askLogin(context, need, manifest.title));
  const env = { ...context.world.env, ...loginEnvironment(login) };
  return { context: { ...context, world: { ...context.world, env } }, login };
}

function isHome({ registry }: Manifest): (image: { readonly reference: string }) => boolean {
  return ({ reference }) => registry === undefined || reference.startsWith(`${registry}/`);
}

function refuseArgument({ flags }: Context): void {
  if (!textFlags(flags, 'set').some((text) => text.startsWith(`${LOGIN_TOKEN}=`))) return;
  throw new ToolError('E_USAGE', `${LOGIN_TOKEN} is no argument: other users of this machine could read it`, {
    hint: `Give it with --registry-token-file FILE (- reads the input), in SLIPWAY_SET_${LOGIN_TOKEN}, or in the file of --answers.`,
  });
}

async function givenLogin(context: Context, need: LoginNeed): Promise<RegistryLogin | undefined> {
  const values = await givenValues(context);
  const file = textFlag(context.flags, 'registry-token-file');
  const username = textFlag(context.flags, 'registry-user') ?? values.get(LOGIN_USER) ?? '';
  const password = file === undefined ? (values.get(LOGIN_TOKEN) ?? '') : await readToken(file);
  if (username === '' && password === '') {
    if (context.world.terminal.interactive) return undefined;
    throw noLogin(need);
  }
  if (username === '' || password === '') throw halfLogin(need, username === '' ? 'user' : 'token');
  const login = { registry: need.registry, username, password };
  if (await suffices(context.world, need, login)) return login;
  throw new ToolError('E_AUTH', refusal(need, username), {
    hint: 'Correct user and token; the token needs the right to read (pull) the images. Nothing was changed.',
  });
}

async function askLogin({ world }: Context, need: LoginNeed, title: string): Promise<RegistryLogin> {
  const { terminal } = world;
  const held = need.held ? '\nDocker’s present login there does not suffice, and would be replaced.' : '';
  terminal.err(
    `\nThe images of ${title} are private: ${need.registry} asks for a login.${held}\nDocker itself keeps it, as docker login does. Ctrl-C leaves.\n\n`,
  );
  for (;;) {
    const username = await askFilled(terminal, 'User: ', false);
    const password = await askFilled(terminal, 'Token or password: ', true);
    const login = { registry: need.registry, username, password };
    if (await suffices(world, need, login)) return login;
    terminal.err(`  ${refusal(need, username)}; its token needs the right to read them. Once more:\n`);
  }
}

async function askFilled({ ask }: Context['world']['terminal'], question: string, hidden: boolean): Promise<string> {
  for (;;) {
    const answer = (await ask(question, { hidden })).trim();
    if (answer !== '') return answer;
  }
}

function refusal({ registry, images }: LoginNeed, username: string): string {
  return `${registry} does not give ${images.length === 1 ? 'the image' : `${images.length} images`} to ${username} with this token`;
}

function noLogin({ registry, held }: LoginNeed): ToolError {
  return new ToolError(
    'E_AUTH',
    `the images are private: ${registry} asks for a login${held ? ', and docker’s present one does not suffice' : ''}`,
    {
      hint: `Give --registry-user NAME and --registry-token-file FILE (or SLIPWAY_SET_${LOGIN_USER} and SLIPWAY_SET_${LOGIN_TOKEN}), or run docker login ${registry} as the user that runs this. Nothing was changed.`,
    },
  );
}

function halfLogin({ registry }: LoginNeed, missing: 'user' | 'token'): ToolError {
  const hint = missing === 'user' ? `Add --registry-user NAME or ${LOGIN_USER}.` : `Add --registry-token-file FILE or ${LOGIN_TOKEN}.`;
  return new ToolError('E_AUTH', `the login for ${registry} has no ${missing}`, { hint });
}
