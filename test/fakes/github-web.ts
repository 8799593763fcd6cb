// The pages of the fake GitHub that installs read: files of a branch and assets. Rule: they cost no quota, take no token, and lead to another host.
import { type Answer, type Call, NOT_FOUND } from './github-call.ts';
import type { GithubState } from './github-state.ts';

/** The answer of a page; undefined when the address belongs to the API. */
export function answerPage(state: GithubState, call: Call, elsewhere: boolean): Answer | undefined {
  const raw = /^raw\/acme\/acme\/channels\/(.+)$/.exec(call.path)?.[1];
  if (elsewhere && raw !== undefined) return file(state, raw);
  if (elsewhere || !call.path.startsWith('acme/acme/')) return undefined;
  if (state.settings.private) return NOT_FOUND; // whatever the token
  const path = /^acme\/acme\/raw\/channels\/(.+)$/.exec(call.path)?.[1];
  if (path !== undefined) return state.files?.has(path) ? redirect(`${call.elsewhere}/raw/acme/acme/channels/${path}`) : NOT_FOUND;
  const [, tag, name] = /^acme\/acme\/releases\/download\/([^/]+)\/([^/]+)$/.exec(call.path) ?? [];
  const release = state.releases.find((each) => each.tag === tag && !each.draft);
  const asset = release?.assets.find((each) => each.name === name && each.state === 'uploaded');
  return asset === undefined ? NOT_FOUND : redirect(`${call.elsewhere}/blob/${asset.id}`);
}

function file(state: GithubState, path: string): Answer {
  const bytes = state.files?.get(path);
  return bytes === undefined ? NOT_FOUND : { status: 200, body: bytes };
}

function redirect(location: string): Answer {
  return { status: 302, headers: { location } };
}
